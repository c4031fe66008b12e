//! Key type 1 (`CryptoAES` in `src/auth/Crypto.cc`, every release): AES-128-CBC with a fixed IV and PKCS#7 padding. No
//! integrity of its own; the magic inside a sealed block and the peers' challenges stand for it.

use crate::blocks::{BLOCK_BYTES, cbc_decrypt, cbc_encrypt};
use aes::Aes128;
use aes::cipher::KeyInit;
use zeroize::Zeroizing;

pub(crate) const KEY_BYTES: usize = 16;
/// `CEPH_AES_IV` in `src/include/ceph_fs.h`.
const IV: [u8; BLOCK_BYTES] = *b"cephsageyudagreg";

fn cipher(secret: &[u8]) -> Option<Aes128> {
    Aes128::new_from_slice(secret.get(..KEY_BYTES)?).ok()
}

/// `None` when the secret is too short.
pub(crate) fn encrypt(secret: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let padding = BLOCK_BYTES - plain.len() % BLOCK_BYTES;
    let mut data = plain.to_vec();
    data.resize(plain.len() + padding, padding as u8);
    cbc_encrypt(&cipher(secret)?, IV, &mut data);
    Some(data)
}

/// `None` when the secret is too short or the bytes are no whole blocks. A wrong key gives garbage, as upstream: what is
/// inside tells.
pub(crate) fn decrypt(secret: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK_BYTES) {
        return None;
    }
    let mut data = Zeroizing::new(sealed.to_vec());
    cbc_decrypt(&cipher(secret)?, IV, &mut data);
    let padding = usize::from(*data.last()?).min(BLOCK_BYTES);
    let len = data.len() - padding;
    data.truncate(len);
    Some(data)
}
