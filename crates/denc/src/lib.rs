//! Ceph's wire encoding (`src/include/encoding.h`, `src/include/denc.h`): little-endian primitives, length-prefixed
//! containers and the versioned envelope `ENCODE_START`/`DECODE_START`.
//!
//! Invariants:
//! - decoding is total: any bytes give a value or a [`DecodeError`] with type and offset; nothing is allocated from a
//!   length that the remaining bytes cannot hold;
//! - `decode(encode(x)) == x` for every type that implements both traits;
//! - a newer envelope's extra bytes are skipped, a `compat` newer than what we know is refused.
//!
//! Not here: types of Ceph's own (`axon-proto`).

mod containers;
mod envelope;
mod error;
mod features;
mod reader;
mod structs;
mod writer;

pub use error::{DecodeError, Fault};
pub use features::Features;
pub use reader::Reader;
pub use writer::Writer;

/// Result of every decoder.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// A value that can be written for a peer with the given feature bits.
pub trait Encode {
    /// Appends the encoding that a peer with `features` understands.
    fn encode(&self, w: &mut Writer, features: Features);

    /// The encoding as owned bytes.
    fn to_bytes(&self, features: Features) -> bytes::Bytes {
        let mut w = Writer::new();
        self.encode(&mut w, features);
        w.into_bytes()
    }
}

/// A value that can be read from bytes that a peer sent.
pub trait Decode: Sized {
    /// Smallest number of bytes that one value takes; bounds what a container's length may claim.
    const BYTES_MIN: usize = 1;

    /// Reads one value and leaves the reader behind it.
    fn decode(r: &mut Reader<'_>) -> Result<Self>;

    /// Reads one value from the start of `bytes`; what follows is ignored.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode(&mut Reader::new(bytes))
    }
}
