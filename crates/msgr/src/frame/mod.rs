//! Frames of msgr v2.1 (`src/msg/async/frames_v2.{h,cc}`): a preamble, one to four segments, an epilogue. Frames of v2.0 (`*_rev0`) in CRC
//! mode too: there the first segment's checksum is with the others, in an epilogue that each frame has.

pub mod control;
mod message;
mod preamble;
mod reader;
mod writer;

pub use message::{decode as message_from, header as message_header};
pub use preamble::{PREAMBLE_BYTES, Preamble};
pub use reader::{FrameReader, SizeLimits};
pub use writer::{FrameWriter, Rest};

use bytes::Bytes;

/// Most segments of a frame.
pub const SEGMENTS_MAX: usize = 4;
/// In secure mode the preamble carries so much of the first segment.
const INLINE_BYTES: usize = 48;
/// Segments are padded to the cipher's block in secure mode.
const BLOCK_BYTES: usize = 16;
const CRC_BYTES: usize = 4;
/// Status and three checksums.
const CRC_EPILOGUE_BYTES: usize = 1 + 3 * CRC_BYTES;
/// v2.0: flags and four checksums.
const CRC_EPILOGUE_V20_BYTES: usize = 1 + SEGMENTS_MAX * CRC_BYTES;
/// v2.0: the sender has given the frame up.
const LATE_FLAG_ABORTED: u8 = 1;
/// Status and padding, without the cipher's tag.
const SECURE_EPILOGUE_BYTES: usize = BLOCK_BYTES;

/// Low nibble of the epilogue's status; the code words are far apart so that a flipped bit is noticed.
mod late_status {
    pub const ABORTED: u8 = 0x1;
    pub const COMPLETE: u8 = 0xe;
    pub const MASK: u8 = 0xf;
}

macro_rules! tags {
    ($($name:ident = $value:literal),* $(,)?) => {
        /// What a frame is (`ceph::msgr::v2::Tag`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Tag { $($name = $value),* }

        impl Tag {
            /// The tag of that number.
            #[must_use]
            pub fn from_wire(value: u8) -> Option<Tag> {
                match value {
                    $($value => Some(Tag::$name),)*
                    _ => None,
                }
            }
        }
    };
}
tags! {
    Hello = 1,
    AuthRequest = 2,
    AuthBadMethod = 3,
    AuthReplyMore = 4,
    AuthRequestMore = 5,
    AuthDone = 6,
    AuthSignature = 7,
    ClientIdent = 8,
    ServerIdent = 9,
    IdentMissingFeatures = 10,
    SessionReconnect = 11,
    SessionReset = 12,
    SessionRetry = 13,
    SessionRetryGlobal = 14,
    SessionReconnectOk = 15,
    Wait = 16,
    Message = 17,
    Keepalive2 = 18,
    Keepalive2Ack = 19,
    Ack = 20,
    CompressionRequest = 21,
    CompressionDone = 22,
}

/// A received frame: its tag and its segments; a segment that was not sent is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: Tag,
    pub segments: [Bytes; SEGMENTS_MAX],
}

impl Frame {
    /// The only segment of a control frame.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        let [payload, ..] = &self.segments;
        payload
    }
}

/// Bytes on the wire of a message's frame with sections of these lengths, not compressed.
#[must_use]
pub fn message_frame_bytes(sections: [usize; SEGMENTS_MAX - 1], secure: bool) -> usize {
    let tag_bytes = crate::crypto::TAG_BYTES;
    match secure {
        true => {
            let rest: usize = sections.into_iter().map(padded).sum();
            PREAMBLE_BYTES + INLINE_BYTES + tag_bytes + rest + SECURE_EPILOGUE_BYTES + tag_bytes
        }
        false => {
            let rest: usize = sections.into_iter().sum();
            PREAMBLE_BYTES + message::HEADER_BYTES + CRC_BYTES + rest + CRC_EPILOGUE_BYTES
        }
    }
}

/// Ceph's CRC-32C: seeded, without the usual inversions.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(BLOCK_BYTES)
}
