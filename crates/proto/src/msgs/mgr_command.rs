//! `MMgrCommand` (`src/messages/MMgrCommand.h`, version 1, since Octopus): a command for the active manager. The JSON text
//! is `cmd`'s only element; input travels in the data section; the answer is `MMgrCommandReply` with the same tid.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// A command for the manager. Its `Debug` keeps text and input to itself: they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MMgrCommand {
    pub tid: u64,
    pub fsid: Fsid,
    pub cmd: Vec<String>,
    pub data: Bytes,
}

impl fmt::Debug for MMgrCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MMgrCommand").field("tid", &self.tid).finish_non_exhaustive()
    }
}

impl Payload for MMgrCommand {
    const TYPE: u16 = 0x709;
    const NAME: &'static str = "MMgrCommand";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.value(&self.fsid, features);
        out.front.value(&self.cmd, features);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMgrCommand { tid: raw.header.tid, fsid: r.value()?, cmd: r.value()?, data: raw.data.clone() })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMgrCommand {
            tid: 7,
            fsid: Fsid([3; 16]),
            cmd: vec!["{\"prefix\":\"pg ls\"}".into()],
            data: Bytes::from_static(b"input"),
        }]
    }
}
