//! `MCommand` (`src/messages/MCommand.h`, version 1 in all releases): a command for one daemon (`tell`): an OSD, an MDS, a
//! named monitor, or us. Input travels in the data section; the answer is `MCommandReply` with the same tid.

use crate::Fsid;
use crate::message::{MessageHeader, Parts, Payload, RawMessage};
use axon_denc::{Features, Result, Writer};
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

impl MCommand {
    /// The message of one command as the connection sends it, encoded in one piece.
    #[must_use]
    pub fn raw(tid: u64, fsid: &Fsid, json: &str, data: Bytes) -> RawMessage {
        let mut front = Writer::with_capacity(16 + 4 + 4 + json.len());
        front.value(fsid, Features::ALL);
        front.length(1);
        front.string(json);
        let version = Self::VERSION;
        let (kind, priority) = (Self::TYPE, Self::PRIORITY);
        let header = MessageHeader { seq: 0, tid, kind, priority, version, compat_version: version };
        RawMessage { header, front: front.into_bytes(), middle: Bytes::new(), data }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_in_one_piece_is_the_same_message() {
        let fsid = Fsid([9; 16]);
        let data = Bytes::from_static(b"in");
        let typed = MCommand { tid: 8, fsid, cmd: vec!["{}".to_owned()], data: data.clone() };
        assert_eq!(MCommand::raw(8, &fsid, "{}", data), typed.to_raw(Features::ALL));
    }
}
