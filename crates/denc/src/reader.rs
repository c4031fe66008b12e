//! A cursor over bytes that a peer sent. Never panics; every refusal names the type being read and the offset.

use crate::{Decode, DecodeError, Fault, Result};

/// Reads primitives from a slice. `base` is the slice's offset in the outermost bytes, for error messages.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
    base: usize,
    type_name: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, pos: 0, base: 0, type_name: "bytes" }
    }

    /// A reader whose errors name `type_name`.
    #[must_use]
    pub fn named(bytes: &'a [u8], type_name: &'static str) -> Self {
        Reader { bytes, pos: 0, base: 0, type_name }
    }

    /// Number of bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.pos)
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Offset of the next byte, counted from the outermost bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.base + self.pos
    }

    /// Upstream's name of the type that errors name now.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// An error at the current offset.
    #[must_use]
    pub fn error(&self, fault: Fault) -> DecodeError {
        DecodeError { type_name: self.type_name, offset: self.offset(), fault }
    }

    /// An error saying that field `what` has a value that the format does not allow.
    #[must_use]
    pub fn bad_value(&self, what: &'static str, value: impl Into<u64>) -> DecodeError {
        self.error(Fault::BadValue { what, value: value.into() })
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.pos.checked_add(len);
        match end.and_then(|end| self.bytes.get(self.pos..end)) {
            Some(slice) => {
                self.pos += len;
                Ok(slice)
            }
            None => Err(self.error(Fault::Truncated { needed_bytes: len, left_bytes: self.remaining() })),
        }
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        let slice = self.bytes.get(self.pos..).unwrap_or_default();
        self.pos = self.bytes.len();
        slice
    }

    /// The bytes that are left, without moving.
    #[must_use]
    pub fn peek_rest(&self) -> &'a [u8] {
        self.bytes.get(self.pos..).unwrap_or_default()
    }

    /// Skips `len` bytes.
    pub fn skip(&mut self, len: usize) -> Result<()> {
        self.take(len).map(drop)
    }

    /// A reader over the next `len` bytes, which this one skips.
    pub fn sub(&mut self, len: usize, type_name: &'static str) -> Result<Reader<'a>> {
        let base = self.offset();
        let bytes = self.take(len)?;
        Ok(Reader { bytes, pos: 0, base, type_name })
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.take(N)?;
        let mut out = [0; N];
        out.copy_from_slice(slice);
        Ok(out)
    }

    /// Any value by its type.
    pub fn value<T: Decode>(&mut self) -> Result<T> {
        T::decode(self)
    }

    /// A 32-bit length, checked against what is left when each element takes at least `element_bytes_min`.
    pub fn length(&mut self, element_bytes_min: usize) -> Result<usize> {
        let claimed = self.u32()?;
        let len = claimed as usize;
        if len.saturating_mul(element_bytes_min) > self.remaining() {
            return Err(self
                .error(Fault::LengthTooLarge { claimed: u64::from(claimed), left_bytes: self.remaining() }));
        }
        Ok(len)
    }

    /// A 32-bit length and that many bytes (`bufferlist`, `std::string` without the UTF-8 check).
    pub fn blob(&mut self) -> Result<&'a [u8]> {
        let len = self.length(1)?;
        self.take(len)
    }

    /// A `std::string` that is text.
    pub fn string(&mut self) -> Result<String> {
        let at = self.clone();
        let bytes = self.blob()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| at.error(Fault::NotUtf8))
    }

    /// A `std::string` for showing: bytes that are not UTF-8 become U+FFFD.
    pub fn string_lossy(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(self.blob()?).into_owned())
    }

    /// A byte that stands for a `bool`; any value but 0 is true, as upstream reads it.
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.u8()? != 0)
    }

    /// Refuses bytes behind the value.
    pub fn finish(&self) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            left_bytes => Err(self.error(Fault::TrailingBytes { left_bytes })),
        }
    }
}

macro_rules! primitives {
    ($($name:ident),*) => {
        impl Reader<'_> {
            $(
                #[doc = concat!("A little-endian `", stringify!($name), "`.")]
                pub fn $name(&mut self) -> Result<$name> {
                    self.array().map($name::from_le_bytes)
                }
            )*
        }
    };
}
primitives!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);
