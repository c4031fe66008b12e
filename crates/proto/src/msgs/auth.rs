//! `MAuth` (`src/messages/MAuth.h`, version 1 in all releases): an authentication step inside a session. With msgr v2 it
//! renews tickets and fetches rotating keys; the payload belongs to the method (`axon-cephx`).

use super::paxos;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// An authentication request to a monitor.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MAuth {
    pub version: u64,
    pub protocol: u32,
    pub auth_payload: Bytes,
    pub monmap_epoch: u32,
}

impl fmt::Debug for MAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MAuth").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Payload for MAuth {
    const TYPE: u16 = 17;
    const NAME: &'static str = "MAuth";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        paxos::put(&mut out.front, self.version);
        out.front.u32(self.protocol);
        out.front.value(&self.auth_payload, features);
        out.front.u32(self.monmap_epoch);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MAuth {
            version: paxos::version(&mut r)?,
            protocol: r.u32()?,
            auth_payload: r.value()?,
            monmap_epoch: r.u32()?,
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MAuth { version: 1, protocol: 2, auth_payload: Bytes::from_static(b"p"), monmap_epoch: 3 }]
    }
}
