//! The proof that both sides of a login hold the same key (`cephx_calc_client_server_challenge`): both challenges, sealed
//! (AES) or hashed (newer types, whose sealing is random), folded to 64 bits.

use crate::wire::CephXChallengeBlob;
use crate::{CryptoKey, KeyType, Result, seal};
use axon_denc::{Encode, Features, Writer};

/// The number that a client sends to prove that it holds `key`.
pub fn client_server_challenge(key: &CryptoKey, server_challenge: u64, client_challenge: u64) -> Result<u64> {
    let blob = CephXChallengeBlob { server_challenge, client_challenge };
    let bytes = if key.kind() == KeyType::AES {
        let mut w = Writer::new();
        // AES takes neither usage nor randomness.
        seal::seal_blob(&mut w, &blob, key, seal::Usage::Authorize, &mut |_: &mut [u8]| {})?;
        w.into_vec()
    } else {
        key.hmac_sha256(&blob.to_bytes(Features::ALL))?.to_vec()
    };
    Ok(fold(&bytes))
}

/// XOR of the whole 64-bit words; a partial word at the end does not count.
pub(crate) fn fold(bytes: &[u8]) -> u64 {
    bytes
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok())
        .fold(0, |sum, word| sum ^ u64::from_le_bytes(word))
}
