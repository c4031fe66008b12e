//! `MOSDScrub2` (`src/messages/MOSDScrub2.h`, version 1): asks an OSD to scrub PGs whose primary it is.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use crate::pg::Spg;
use axon_denc::{Features, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MOSDScrub2 {
    pub fsid: Fsid,
    /// The manager's OSD map.
    pub epoch: u32,
    pub scrub_pgs: Vec<Spg>,
    pub repair: bool,
    pub deep: bool,
}

impl Payload for MOSDScrub2 {
    const TYPE: u16 = 121;
    const NAME: &'static str = "MOSDScrub2";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.value(&self.fsid, features);
        w.u32(self.epoch);
        w.value(&self.scrub_pgs, features);
        w.bool(self.repair);
        w.bool(self.deep);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MOSDScrub2 {
            fsid: r.value()?,
            epoch: r.u32()?,
            scrub_pgs: r.value()?,
            repair: r.bool()?,
            deep: r.bool()?,
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let pgs = vec![Spg::from(crate::pg::Pg::new(2, 7))];
        vec![MOSDScrub2 { epoch: 3, scrub_pgs: pgs, deep: true, ..Default::default() }]
    }
}
