//! An append-only buffer with the primitives of Ceph's encoding.

use crate::{Encode, Features};
use bytes::Bytes;

/// Collects an encoding. Lengths that are known only later are patched in place, so nothing is copied twice.
#[derive(Debug, Default)]
pub struct Writer {
    buf: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Writer::default()
    }

    /// An empty writer with room for `capacity_bytes`.
    #[must_use]
    pub fn with_capacity(capacity_bytes: usize) -> Self {
        Writer { buf: Vec::with_capacity(capacity_bytes) }
    }

    /// What was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.buf
    }

    /// Number of bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.buf)
    }

    /// The bytes as a vector.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.buf
    }

    /// Appends bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Appends `len` zero bytes.
    pub fn zeros(&mut self, len: usize) {
        self.buf.resize(self.buf.len() + len, 0);
    }

    /// A 32-bit length and the bytes.
    pub fn blob(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.put(bytes);
    }

    /// A `std::string`.
    pub fn string(&mut self, s: &str) {
        self.blob(s.as_bytes());
    }

    /// A `bool` as one byte.
    pub fn bool(&mut self, b: bool) {
        self.u8(u8::from(b));
    }

    /// A container's length.
    ///
    /// # Panics
    /// When `len` does not fit 32 bits, which no value that fits a frame can have.
    pub fn length(&mut self, len: usize) {
        self.u32(u32::try_from(len).expect("a container of the wire format has at most 2^32-1 elements"));
    }

    /// Any value by its type.
    pub fn value<T: Encode + ?Sized>(&mut self, value: &T, features: Features) {
        value.encode(self, features);
    }

    /// Runs `body` and puts the number of bytes that it wrote, as 32 bits, before them.
    pub fn sized(&mut self, body: impl FnOnce(&mut Writer)) {
        let at = self.buf.len();
        self.u32(0);
        body(self);
        let len = self.buf.len() - at - 4;
        let len = u32::try_from(len).expect("an envelope holds at most 2^32-1 bytes");
        if let Some(place) = self.buf.get_mut(at..at + 4) {
            place.copy_from_slice(&len.to_le_bytes());
        }
    }
}

macro_rules! primitives {
    ($($name:ident),*) => {
        impl Writer {
            $(
                #[doc = concat!("A little-endian `", stringify!($name), "`.")]
                pub fn $name(&mut self, v: $name) {
                    self.put(&v.to_le_bytes());
                }
            )*
        }
    };
}
primitives!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);
