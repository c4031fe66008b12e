//! `MAuthReply` (`src/messages/MAuthReply.h`, version 1 in all releases): the answer to `MAuth`.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// A monitor's answer to `MAuth`; `result` is a negative errno or 0.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MAuthReply {
    pub protocol: u32,
    pub result: i32,
    pub global_id: u64,
    pub result_bl: Bytes,
    pub result_msg: String,
}

impl fmt::Debug for MAuthReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MAuthReply")
            .field("protocol", &self.protocol)
            .field("result", &self.result)
            .field("global_id", &self.global_id)
            .field("result_msg", &self.result_msg)
            .finish_non_exhaustive()
    }
}

impl Payload for MAuthReply {
    const TYPE: u16 = 18;
    const NAME: &'static str = "MAuthReply";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.u32(self.protocol);
        out.front.i32(self.result);
        out.front.u64(self.global_id);
        out.front.value(&self.result_bl, features);
        out.front.string(&self.result_msg);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MAuthReply {
            protocol: r.u32()?,
            result: r.i32()?,
            global_id: r.u64()?,
            result_bl: r.value()?,
            result_msg: r.value()?,
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MAuthReply {
            protocol: 2,
            result: -13,
            global_id: 4,
            result_bl: Bytes::from_static(b"b"),
            result_msg: "m".into(),
        }]
    }
}
