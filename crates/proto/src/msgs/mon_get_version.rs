//! `MMonGetVersion` (`src/messages/MMonGetVersion.h`, version 1): asks which versions of a map exist; a read that sees what
//! every earlier write did.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// Asks for the newest version of `what` (`osdmap`, `monmap`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMonGetVersion {
    pub handle: u64,
    pub what: String,
}

impl Payload for MMonGetVersion {
    const TYPE: u16 = 19;
    const NAME: &'static str = "MMonGetVersion";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, _: Features) {
        out.front.u64(self.handle);
        out.front.string(&self.what);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMonGetVersion { handle: r.u64()?, what: r.value()? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonGetVersion { handle: 1, what: "osdmap".into() }]
    }
}
