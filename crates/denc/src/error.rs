//! What went wrong in a decoder, in which type, at which offset. `Copy`, so that it costs nothing to carry.

use std::fmt;

/// The kind of fault found in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end before the value does.
    Truncated { needed_bytes: usize, left_bytes: usize },
    /// A container claims more elements than the remaining bytes can hold.
    LengthTooLarge { claimed: u64, left_bytes: usize },
    /// The envelope says that only a newer reader may read it.
    TooNew { compat: u8, known: u8 },
    /// The envelope's version is older than the oldest that is supported.
    TooOld { version: u8, oldest: u8 },
    /// A field has a value that the format does not allow.
    BadValue { what: &'static str, value: u64 },
    /// A string is not UTF-8.
    NotUtf8,
    /// The value does not fill the space it was given.
    TrailingBytes { left_bytes: usize },
}

/// A decoder's refusal: `type_name` is upstream's name of the type being read, `offset` counts from the start of the
/// bytes given to the outermost reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub type_name: &'static str,
    pub offset: usize,
    pub fault: Fault,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.type_name, self.offset)?;
        match self.fault {
            Fault::Truncated { needed_bytes, left_bytes } => {
                write!(f, "needs {needed_bytes} bytes, {left_bytes} left")
            }
            Fault::LengthTooLarge { claimed, left_bytes } => {
                write!(f, "claims {claimed} elements in {left_bytes} bytes")
            }
            Fault::TooNew { compat, known } => {
                write!(f, "asks for a reader of version {compat}, this one knows {known}")
            }
            Fault::TooOld { version, oldest } => {
                write!(f, "version {version} is older than the oldest supported, {oldest}")
            }
            Fault::BadValue { what, value } => write!(f, "{what} has the value {value:#x}"),
            Fault::NotUtf8 => write!(f, "string is not UTF-8"),
            Fault::TrailingBytes { left_bytes } => write!(f, "{left_bytes} bytes behind the value"),
        }
    }
}

impl std::error::Error for DecodeError {}
