//! The signature of a msgr v1 message (`CephxSessionHandler::_calc_signature`, the form of peers with `CEPHX_V2`, which
//! every release since 13 has). msgr v2 protects its frames by itself and has no use for it.

use crate::challenge::fold;
use crate::{CryptoKey, KeyType, Result};
use axon_denc::Writer;

/// Length and checksum of one part of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedPart {
    pub crc: u32,
    pub len_bytes: u32,
}

/// The `sig` of a message's footer. `seq_low` is the low half of the sequence number.
pub fn message_signature(
    key: &CryptoKey,
    header_crc: u32,
    front: SignedPart,
    middle: SignedPart,
    data: SignedPart,
    seq_low: u32,
) -> Result<u64> {
    let mut w = Writer::with_capacity(SIGNED_BYTES);
    w.u32(header_crc);
    for part in [front, middle, data] {
        w.u32(part.crc);
        w.u32(part.len_bytes);
    }
    w.u32(seq_low);
    if key.kind() == KeyType::AES {
        let sealed = key.encrypt(0, w.as_slice(), &mut |_: &mut [u8]| {})?;
        // The fifth and sixth words are padding and do not count.
        Ok(fold(sealed.get(..SIGNED_BYTES).unwrap_or_default()))
    } else {
        Ok(fold(&key.hmac_sha256(w.as_slice())?))
    }
}

const SIGNED_BYTES: usize = 32;
