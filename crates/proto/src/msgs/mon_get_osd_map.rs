//! `MMonGetOSDMap` (`src/messages/MMonGetOSDMap.h`, version 1): asks a monitor for OSD maps of given epochs, to fill a gap.

use super::paxos;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// Asks for full maps and increments; a range from 0 to 0 asks for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MMonGetOSDMap {
    pub full_first: u32,
    pub full_last: u32,
    pub inc_first: u32,
    pub inc_last: u32,
}

impl Payload for MMonGetOSDMap {
    const TYPE: u16 = 6;
    const NAME: &'static str = "MMonGetOSDMap";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, _: Features) {
        paxos::put(&mut out.front, 0);
        for epoch in [self.full_first, self.full_last, self.inc_first, self.inc_last] {
            out.front.u32(epoch);
        }
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        paxos::version(&mut r)?;
        Ok(MMonGetOSDMap {
            full_first: r.u32()?,
            full_last: r.u32()?,
            inc_first: r.u32()?,
            inc_last: r.u32()?,
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonGetOSDMap { full_first: 3, full_last: 3, inc_first: 4, inc_last: 9 }]
    }
}
