//! `MMonSubscribeAck` (`src/messages/MMonSubscribeAck.h`, version 1): sent for clients whose subscriptions expire (before
//! Jewel), and read so that it is no surprise.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// How long a subscription lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MMonSubscribeAck {
    /// Seconds.
    pub interval: u32,
    pub fsid: Fsid,
}

impl Payload for MMonSubscribeAck {
    const TYPE: u16 = 16;
    const NAME: &'static str = "MMonSubscribeAck";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.u32(self.interval);
        out.front.value(&self.fsid, features);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMonSubscribeAck { interval: r.u32()?, fsid: r.value()? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonSubscribeAck { interval: 300, fsid: Fsid([2; 16]) }]
    }
}
