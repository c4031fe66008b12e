//! `MMonGetVersionReply` (`src/messages/MMonGetVersionReply.h`, version 2).

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// The newest and the oldest version of what `MMonGetVersion` asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MMonGetVersionReply {
    pub handle: u64,
    pub version: u64,
    pub oldest_version: u64,
}

impl Payload for MMonGetVersionReply {
    const TYPE: u16 = 20;
    const NAME: &'static str = "MMonGetVersionReply";
    const VERSION: u16 = 2;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, _: Features) {
        out.front.u64(self.handle);
        out.front.u64(self.version);
        out.front.u64(self.oldest_version);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let (handle, version) = (r.u64()?, r.u64()?);
        let oldest_version = if raw.header.version >= 2 { r.u64()? } else { 0 };
        Ok(MMonGetVersionReply { handle, version, oldest_version })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonGetVersionReply { handle: 1, version: 9, oldest_version: 2 }]
    }
}
