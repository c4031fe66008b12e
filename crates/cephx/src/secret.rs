//! Secret bytes that are no key: what SECURE mode derives a connection's keys from. Wiped when dropped, hidden in `Debug`; on
//! the wire a `std::string`.

use axon_denc::{Decode, Encode, Features, Reader, Writer};
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroizing;

/// A connection secret; empty in CRC mode.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Secret(bytes)
    }

    #[must_use]
    pub fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl Deref for Secret {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl Encode for Secret {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.blob(&self.0);
    }
}
impl Decode for Secret {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        Ok(Secret(Zeroizing::new(r.blob()?.to_vec())))
    }
}
