//! `MMgrCommandReply` (`src/messages/MMgrCommandReply.h`, version 1, since Octopus): the manager's answer to a command;
//! output travels in the data section.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;

/// A return code (0 or a negative errno), status text and output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrCommandReply {
    pub tid: u64,
    pub r: i32,
    pub rs: String,
    pub data: Bytes,
}

impl Payload for MMgrCommandReply {
    const TYPE: u16 = 0x70a;
    const NAME: &'static str = "MMgrCommandReply";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, _: Features) {
        out.front.i32(self.r);
        out.front.string(&self.rs);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMgrCommandReply { tid: raw.header.tid, r: r.i32()?, rs: r.value()?, data: raw.data.clone() })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMgrCommandReply { tid: 7, r: -22, rs: "no".into(), data: Bytes::from_static(b"out") }]
    }
}
