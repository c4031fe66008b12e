//! The message frame: `ceph_msg_header2` (`src/include/msgr.h`) in the first segment, then front, middle and data.

use super::{Frame, SEGMENTS_MAX};
use crate::Result;
use axon_denc::{Reader, Writer};
use axon_proto::{MessageHeader, RawMessage};
use bytes::Bytes;

/// `CEPH_MSG_FOOTER_COMPLETE | CEPH_MSG_FOOTER_NOCRC`: the frame has checksums of its own.
const FLAGS: u8 = 3;
const HEADER_BYTES: usize = 41;

/// A message as segments; `seq` is the connection's, `ack_seq` the last message received on it.
pub fn encode(message: &RawMessage, seq: u64, ack_seq: u64) -> [Bytes; SEGMENTS_MAX] {
    let header = &message.header;
    let mut w = Writer::with_capacity(HEADER_BYTES);
    w.u64(seq);
    w.u64(header.tid);
    w.u16(header.kind);
    w.u16(header.priority);
    w.u16(header.version);
    // No padding before the data, and no page offset that it should keep.
    w.u32(0);
    w.u16(0);
    w.u64(ack_seq);
    w.u8(FLAGS);
    w.u16(header.compat_version);
    w.u16(0);
    [w.into_bytes(), message.front.clone(), message.middle.clone(), message.data.clone()]
}

/// The message of a frame, and the sequence number that it acknowledges.
pub fn decode(frame: Frame) -> Result<(RawMessage, u64)> {
    let [header, front, middle, data] = frame.segments;
    let mut r = Reader::named(&header, "ceph_msg_header2");
    let (seq, tid, kind, priority, version) = (r.u64()?, r.u64()?, r.u16()?, r.u16()?, r.u16()?);
    r.skip(4 + 2)?;
    let ack_seq = r.u64()?;
    r.skip(1)?;
    let compat_version = r.u16()?;
    r.skip(2)?;
    let header = MessageHeader { seq, tid, kind, priority, version, compat_version };
    Ok((RawMessage { header, front, middle, data }, ack_seq))
}
