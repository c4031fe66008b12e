//! Frames between Axon and a host process. The other end is `python/axon_link.py`. Pure: bytes in, values out.
//!
//! A frame is a prefix of 20 bytes (magic, kind, two spare bytes, lengths of head and tail, number; little-endian), the head
//! (JSON: of a call or note a list that begins with what it is about) and the tail (raw bytes).
//!
//! Invariants: nothing is allocated from a length that has not been checked against [`FRAME_BYTES_MAX`]; any 20 bytes give a
//! prefix or an error; a body that does not have its prefix's length is refused.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

/// Bytes of the prefix.
pub const PREFIX_BYTES: usize = 20;

/// Head and tail together: a PG dump of some hundred thousand PGs fits.
pub const FRAME_BYTES_MAX: u64 = 1 << 30;

const MAGIC: u8 = 0xA7;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wants an answer.
    Call,
    /// The answer.
    Reply,
    /// Why there is none: `{"type": a Python exception, "message"}`.
    Error,
    /// Wants no answer.
    Note,
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub kind: Kind,
    /// Of the call; an answer repeats it. 0 in notes.
    pub number: u64,
    pub head_bytes: u32,
    pub tail_bytes: u32,
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub kind: Kind,
    pub number: u64,
    pub head: Value,
    pub tail: Bytes,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    #[error("a frame begins with byte {0:#x}")]
    Magic(u8),
    #[error("a frame is of unknown kind {0}")]
    Kind(u8),
    #[error("a frame of {bytes} bytes; at most {FRAME_BYTES_MAX} are taken")]
    TooLarge { bytes: u64 },
    #[error("a frame's body has {have} bytes where {want} were announced")]
    Length { have: usize, want: u64 },
    #[error("a frame's head is not JSON: {0}")]
    Head(String),
}

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// When it is none, or announces more than is taken.
    pub fn decode(bytes: &[u8; PREFIX_BYTES]) -> Result<Self, BadFrame> {
        let [magic, kind, _, _, h0, h1, h2, h3, t0, t1, t2, t3, number @ ..] = *bytes;
        if magic != MAGIC {
            return Err(BadFrame::Magic(magic));
        }
        let kind = match kind {
            0 => Kind::Call,
            1 => Kind::Reply,
            2 => Kind::Error,
            3 => Kind::Note,
            other => return Err(BadFrame::Kind(other)),
        };
        let prefix = Prefix {
            kind,
            number: u64::from_le_bytes(number),
            head_bytes: u32::from_le_bytes([h0, h1, h2, h3]),
            tail_bytes: u32::from_le_bytes([t0, t1, t2, t3]),
        };
        if prefix.body_bytes() > FRAME_BYTES_MAX {
            return Err(BadFrame::TooLarge { bytes: prefix.body_bytes() });
        }
        Ok(prefix)
    }

    /// How much follows.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        u64::from(self.head_bytes) + u64::from(self.tail_bytes)
    }
}

impl Frame {
    /// Reads what follows a prefix.
    ///
    /// # Errors
    /// When the length or the head is wrong.
    pub fn decode(prefix: Prefix, mut body: Bytes) -> Result<Self, BadFrame> {
        let (have, want) = (body.len(), prefix.body_bytes());
        let head_bytes = usize::try_from(prefix.head_bytes).unwrap_or(usize::MAX);
        if have as u64 != want || head_bytes > have {
            return Err(BadFrame::Length { have, want });
        }
        let tail = body.split_off(head_bytes);
        let head = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).map_err(|e| BadFrame::Head(e.to_string()))?
        };
        Ok(Frame { kind: prefix.kind, number: prefix.number, head, tail })
    }

    /// Prefix and head as bytes; the tail is written behind them as it is.
    ///
    /// # Errors
    /// When it is larger than a peer takes.
    pub fn encode(&self) -> Result<Bytes, BadFrame> {
        let head = self.head.to_string();
        let bytes = head.len() as u64 + self.tail.len() as u64;
        let too_large = BadFrame::TooLarge { bytes };
        if bytes > FRAME_BYTES_MAX {
            return Err(too_large);
        }
        let (Ok(head_bytes), Ok(tail_bytes)) = (u32::try_from(head.len()), u32::try_from(self.tail.len()))
        else {
            return Err(too_large);
        };
        let mut out = BytesMut::with_capacity(PREFIX_BYTES + head.len());
        out.put_u8(MAGIC);
        out.put_u8(match self.kind {
            Kind::Call => 0,
            Kind::Reply => 1,
            Kind::Error => 2,
            Kind::Note => 3,
        });
        out.put_u16_le(0);
        out.put_u32_le(head_bytes);
        out.put_u32_le(tail_bytes);
        out.put_u64_le(self.number);
        out.put_slice(head.as_bytes());
        Ok(out.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bytes_of(frame: &Frame) -> Vec<u8> {
        [frame.encode().unwrap(), frame.tail.clone()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Frame, BadFrame> {
        let (prefix, body) = bytes.split_first_chunk().unwrap();
        Frame::decode(Prefix::decode(prefix)?, Bytes::copy_from_slice(body))
    }

    fn sample() -> Frame {
        let head = json!(["get", "osd_map", {"ä": [1, null]}]);
        Frame { kind: Kind::Call, number: 1 << 40, head, tail: Bytes::from_static(b"\0\xff{") }
    }

    #[test]
    fn a_frame_comes_back_as_it_was() {
        for kind in [Kind::Call, Kind::Reply, Kind::Error, Kind::Note] {
            let frame = Frame { kind, ..sample() };
            assert_eq!(read(&bytes_of(&frame)), Ok(frame));
        }
        let empty = Frame { head: Value::Null, tail: Bytes::new(), ..sample() };
        assert_eq!(read(&bytes_of(&empty)), Ok(empty));
    }

    #[test]
    fn the_bytes_are_those_that_the_python_end_reads() {
        let frame =
            Frame { kind: Kind::Note, number: 2, head: json!(["a"]), tail: Bytes::from_static(b"xy") };
        let expected = b"\xa7\x03\0\0\x05\0\0\0\x02\0\0\0\x02\0\0\0\0\0\0\0[\"a\"]xy";
        assert_eq!(bytes_of(&frame), expected);
    }

    #[test]
    fn every_truncation_of_the_body_is_refused() {
        let bytes = bytes_of(&sample());
        for len in PREFIX_BYTES..bytes.len() {
            assert!(matches!(read(&bytes[..len]), Err(BadFrame::Length { .. })), "{len}");
        }
        let longer = [&bytes[..], b"z"].concat();
        assert!(matches!(read(&longer), Err(BadFrame::Length { .. })));
    }

    #[test]
    fn garbage_and_oversized_frames_are_refused_before_anything_is_read() {
        let mut bytes = [0u8; PREFIX_BYTES];
        assert_eq!(Prefix::decode(&bytes), Err(BadFrame::Magic(0)));
        bytes[0] = MAGIC;
        bytes[1] = 9;
        assert_eq!(Prefix::decode(&bytes), Err(BadFrame::Kind(9)));
        bytes[1] = 0;
        bytes[4..12].fill(0xff);
        assert_eq!(Prefix::decode(&bytes), Err(BadFrame::TooLarge { bytes: 2 * u64::from(u32::MAX) }));
        let mut broken = bytes_of(&sample());
        broken[PREFIX_BYTES] = b'}';
        assert!(matches!(read(&broken), Err(BadFrame::Head(_))));
    }
}
