//! `MMonCommandAck` (`src/messages/MMonCommandAck.h`, version 1 in all releases): a monitor's answer; output travels in the
//! data section.

use super::paxos;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// A monitor's answer to `MMonCommand`. Its `Debug` keeps text and output to itself: they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MMonCommandAck {
    pub tid: u64,
    pub version: u64,
    pub r: i32,
    pub rs: String,
    pub cmd: Vec<String>,
    pub data: Bytes,
}

impl fmt::Debug for MMonCommandAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MMonCommandAck").field("tid", &self.tid).field("r", &self.r).finish_non_exhaustive()
    }
}

impl MMonCommandAck {
    /// Return code and status text alone: the command that comes back with them is left out.
    pub fn result(raw: &RawMessage) -> Result<(i32, String)> {
        let mut r = raw.front_reader(Self::NAME);
        paxos::version(&mut r)?;
        Ok((r.i32()?, r.value()?))
    }
}

impl Payload for MMonCommandAck {
    const TYPE: u16 = 51;
    const NAME: &'static str = "MMonCommandAck";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        paxos::put(&mut out.front, self.version);
        out.front.i32(self.r);
        out.front.string(&self.rs);
        out.front.value(&self.cmd, features);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMonCommandAck {
            tid: raw.header.tid,
            version: paxos::version(&mut r)?,
            r: r.i32()?,
            rs: r.value()?,
            cmd: r.value()?,
            data: raw.data.clone(),
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonCommandAck {
            tid: 1,
            version: 2,
            r: -2,
            rs: "s".into(),
            cmd: vec!["{}".into()],
            data: Bytes::from_static(b"d"),
        }]
    }
}
