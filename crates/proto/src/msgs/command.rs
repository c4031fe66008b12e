//! `MCommand` (`src/messages/MCommand.h`, version 1 in all releases): a command for one daemon (`tell`): an OSD, an MDS, a
//! named monitor, or us. Input travels in the data section; the answer is `MCommandReply` with the same tid.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::fmt;

/// A command for one daemon. Its `Debug` keeps text and input to itself: they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MCommand {
    pub tid: u64,
    pub fsid: Fsid,
    pub cmd: Vec<String>,
    pub data: Bytes,
}

impl fmt::Debug for MCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MCommand").field("tid", &self.tid).finish_non_exhaustive()
    }
}

impl Payload for MCommand {
    const TYPE: u16 = 97;
    const NAME: &'static str = "MCommand";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.value(&self.fsid, features);
        out.front.value(&self.cmd, features);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MCommand { tid: raw.header.tid, fsid: r.value()?, cmd: r.value()?, data: raw.data.clone() })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MCommand { tid: 1, fsid: Fsid([2; 16]), cmd: vec!["{}".into()], data: Bytes::from_static(b"d") }]
    }
}
