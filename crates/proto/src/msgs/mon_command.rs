//! `MMonCommand` (`src/messages/MMonCommand.h`, version 1 in all releases): a command for the monitors. The JSON text is
//! `cmd`'s only element; input travels in the data section; the answer is `MMonCommandAck` with the same tid.

use super::paxos;
use crate::Fsid;
use crate::message::{MessageHeader, Parts, Payload, RawMessage};
use axon_denc::{Features, Result, Writer};
use bytes::Bytes;
use std::fmt;

/// A command for the monitors. Its `Debug` keeps text and input to itself: they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MMonCommand {
    pub tid: u64,
    pub version: u64,
    pub fsid: Fsid,
    pub cmd: Vec<String>,
    pub data: Bytes,
}

impl fmt::Debug for MMonCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MMonCommand").field("tid", &self.tid).finish_non_exhaustive()
    }
}

impl MMonCommand {
    /// The message of one command as the connection sends it, encoded in one piece.
    #[must_use]
    pub fn raw(tid: u64, fsid: &Fsid, json: &str, data: Bytes) -> RawMessage {
        let mut front = Writer::with_capacity(paxos::BYTES + 16 + 4 + 4 + json.len());
        paxos::put(&mut front, 0);
        front.value(fsid, Features::ALL);
        front.length(1);
        front.string(json);
        let version = Self::VERSION;
        let (kind, priority) = (Self::TYPE, Self::PRIORITY);
        let header = MessageHeader { seq: 0, tid, kind, priority, version, compat_version: version };
        RawMessage { header, front: front.into_bytes(), middle: Bytes::new(), data }
    }
}

impl Payload for MMonCommand {
    const TYPE: u16 = 50;
    const NAME: &'static str = "MMonCommand";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, out: &mut Parts, features: Features) {
        paxos::put(&mut out.front, self.version);
        out.front.value(&self.fsid, features);
        out.front.value(&self.cmd, features);
        out.data = self.data.clone();
        out.tid = self.tid;
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MMonCommand {
            tid: raw.header.tid,
            version: paxos::version(&mut r)?,
            fsid: r.value()?,
            cmd: r.value()?,
            data: raw.data.clone(),
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonCommand {
            tid: 1,
            version: 2,
            fsid: Fsid([2; 16]),
            cmd: vec!["{}".into()],
            data: Bytes::from_static(b"d"),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_upstreams_and_debug_shows_no_argument() {
        let message = MMonCommand {
            tid: 3,
            version: 0,
            fsid: Fsid([7; 16]),
            cmd: vec!["{secret}".to_owned()],
            data: Bytes::from_static(b"in"),
        };
        let raw = message.to_raw(Features::ALL);
        let mut expect = vec![0; 8];
        expect.extend([0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
        expect.extend([7; 16]);
        expect.extend(b"\x01\0\0\0\x08\0\0\0{secret}");
        assert_eq!(raw.front, expect);
        assert_eq!((raw.header.tid, raw.header.kind), (3, 50));
        assert_eq!(MMonCommand::decode(&raw).unwrap(), message);
        assert_eq!(MMonCommand::raw(3, &message.fsid, "{secret}", message.data.clone()), raw);
        assert!(!format!("{message:?}").contains("secret"));
    }
}
