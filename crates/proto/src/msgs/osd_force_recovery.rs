//! `MOSDForceRecovery` (`src/messages/MOSDForceRecovery.h`, version 2): asks an OSD to recover or backfill PGs before
//! others, or to take that back.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use crate::pg::Spg;
use axon_denc::{Features, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MOSDForceRecovery {
    pub fsid: Fsid,
    pub forced_pgs: Vec<Spg>,
    /// A set of the constants here.
    pub options: u8,
}

impl MOSDForceRecovery {
    pub const RECOVERY: u8 = 1;
    pub const BACKFILL: u8 = 2;
    pub const CANCEL: u8 = 4;
}

impl Payload for MOSDForceRecovery {
    const TYPE: u16 = 151;
    const NAME: &'static str = "MOSDForceRecovery";
    const VERSION: u16 = 2;
    const COMPAT: u16 = 2;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.value(&self.fsid, features);
        w.value(&self.forced_pgs, features);
        w.u8(self.options);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MOSDForceRecovery { fsid: r.value()?, forced_pgs: r.value()?, options: r.u8()? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let pgs = vec![Spg { pgid: crate::pg::Pg::new(2, 7), shard: 1 }];
        vec![MOSDForceRecovery {
            forced_pgs: pgs,
            options: Self::BACKFILL | Self::CANCEL,
            ..Default::default()
        }]
    }
}
