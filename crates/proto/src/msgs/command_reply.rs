//! `MCommandReply` (`src/messages/MCommandReply.h`, version 1 in all releases): the answer to `MCommand`; output travels in
//! the data section.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// A daemon's answer to `MCommand`. Its `Debug` keeps text and output to itself: they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MCommandReply {
    pub tid: u64,
    pub r: i32,
    pub rs: String,
    pub data: Bytes,
}

impl fmt::Debug for MCommandReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MCommandReply").field("tid", &self.tid).field("r", &self.r).finish_non_exhaustive()
    }
}

impl Payload for MCommandReply {
    const TYPE: u16 = 98;
    const NAME: &'static str = "MCommandReply";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, _: Features) {
        out.front.i32(self.r);
        out.front.string(&self.rs);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MCommandReply { tid: raw.header.tid, r: r.i32()?, rs: r.value()?, data: raw.data.clone() })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MCommandReply { tid: 1, r: -2, rs: "s".into(), data: Bytes::from_static(b"d") }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_upstreams() {
        let message = MCommandReply { tid: 9, r: -2, rs: "no".to_owned(), data: Bytes::from_static(b"out") };
        let raw = message.to_raw(Features::ALL);
        assert_eq!(&raw.front[..], b"\xfe\xff\xff\xff\x02\0\0\0no");
        assert_eq!(MCommandReply::decode(&raw).unwrap(), message);
        let short = RawMessage { front: raw.front.slice(..9), ..raw };
        assert!(MCommandReply::decode(&short).is_err());
    }
}
