//! The message frame: `ceph_msg_header2` (`src/include/msgr.h`) in the first segment, then front, middle and data.

use super::Frame;
use crate::Result;
use axon_denc::Reader;
use axon_proto::{MessageHeader, RawMessage};
use bytes::BufMut;

/// `CEPH_MSG_FOOTER_COMPLETE | CEPH_MSG_FOOTER_NOCRC`: the frame has checksums of its own.
const FLAGS: u8 = 3;
pub const HEADER_BYTES: usize = 41;

/// A message's first segment; `ack_seq` is the last message received on the connection.
pub fn header(header: &MessageHeader, ack_seq: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let mut rest = bytes.as_mut_slice();
    rest.put_u64_le(header.seq);
    rest.put_u64_le(header.tid);
    rest.put_u16_le(header.kind);
    rest.put_u16_le(header.priority);
    rest.put_u16_le(header.version);
    // No padding before the data, and no page offset that it should keep.
    rest.put_u32_le(0);
    rest.put_u16_le(0);
    rest.put_u64_le(ack_seq);
    rest.put_u8(FLAGS);
    rest.put_u16_le(header.compat_version);
    bytes
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
