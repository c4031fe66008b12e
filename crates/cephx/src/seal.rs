//! The sealed block (`encode_encrypt`, `decode_decrypt` in `src/auth/cephx/CephxProtocol.h`): version 1, a magic number
//! and a value, encrypted. A wrong AES key shows in the magic, a wrong aes256k key in its hash.
//!
//! Two forms: bare (`*_enc_bl`) and as a length-prefixed blob. The usage number keeps aes256k blocks of different purposes
//! apart; AES ignores it, which is why releases before 20.2 have none.

use crate::{CryptoKey, Error, KeyOwner, Random, Result};
use axon_denc::{Decode, Encode, Features, Reader, Writer};
use zeroize::Zeroizing;

/// `AUTH_ENC_MAGIC`.
const MAGIC: u64 = 0xff00_9cad_8826_aa55;
const VERSION: u8 = 1;

/// `CEPHX_KEY_USAGE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    AuthConnectionSecret = 0x03,
    TicketSessionKey = 0x04,
    TicketBlob = 0x05,
    Authorize = 0x10,
    AuthorizeChallenge = 0x11,
    AuthorizeReply = 0x12,
    RotatingSecret = 0x20,
    TicketInfo = 0x30,
}

impl Usage {
    fn what(self) -> &'static str {
        match self {
            Usage::AuthConnectionSecret => "the connection secret",
            Usage::TicketSessionKey => "the ticket's session key",
            Usage::TicketBlob => "the encrypted ticket",
            Usage::Authorize => "the authorizer",
            Usage::AuthorizeChallenge => "the authorizer's challenge",
            Usage::AuthorizeReply => "the authorizer's reply",
            Usage::RotatingSecret => "the rotating keys",
            Usage::TicketInfo => "the service ticket",
        }
    }
}

/// `encode_encrypt_enc_bl`.
pub fn seal(value: &impl Encode, key: &CryptoKey, usage: Usage, rng: &mut dyn Random) -> Result<Vec<u8>> {
    let mut w = Writer::new();
    w.u8(VERSION);
    w.u64(MAGIC);
    w.value(value, Features::ALL);
    let plain = Zeroizing::new(w.into_vec());
    key.encrypt(usage as u32, &plain, rng)
}

/// `encode_encrypt`: [`seal`] with its length in front.
pub fn seal_blob(
    w: &mut Writer,
    value: &impl Encode,
    key: &CryptoKey,
    usage: Usage,
    rng: &mut dyn Random,
) -> Result<()> {
    w.blob(&seal(value, key, usage, rng)?);
    Ok(())
}

/// `decode_decrypt_enc_bl`; `owner` names the key in the error.
pub fn open<T: Decode>(sealed: &[u8], key: &CryptoKey, usage: Usage, owner: &KeyOwner) -> Result<T> {
    let wrong_key = || Error::CannotOpen { what: usage.what(), with: owner.clone() };
    if key.is_empty() {
        return Err(Error::EmptyKey);
    }
    let plain = key.decrypt(usage as u32, sealed).ok_or_else(wrong_key)?;
    let mut r = Reader::named(&plain, usage.what());
    let header = r.u8().and_then(|_| r.u64()).map_err(|_| wrong_key())?;
    if header != MAGIC {
        return Err(wrong_key());
    }
    Ok(r.value()?)
}

/// `decode_decrypt`: reads the length, then [`open`].
pub fn open_blob<T: Decode>(
    r: &mut Reader<'_>,
    key: &CryptoKey,
    usage: Usage,
    owner: &KeyOwner,
) -> Result<T> {
    open(r.blob()?, key, usage, owner)
}
