//! A cephx key (`CryptoKey` in `src/auth/Crypto.h`): type, time of creation, secret. Type 1 `aes` in every release, type 2
//! `aes256k` since 20.2, which makes it the default of new keys.
//!
//! Invariants: a key that is not empty has a known type and enough bytes for it; the secret is wiped when dropped, and
//! neither `Debug` nor an error shows it; comparing takes the same time for equal and unequal secrets.

use crate::{Error, Random, Result, aes128, krb5, random};
use axon_denc::{Decode, Encode, Features, Reader, Writer};
use axon_proto::UTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// `CEPH_CRYPTO_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyType(pub u16);

impl KeyType {
    pub const NONE: KeyType = KeyType(0);
    pub const AES: KeyType = KeyType(1);
    pub const AES256KRB5: KeyType = KeyType(2);

    /// Fewest bytes of a secret of this type; `None` for a type that is unknown or holds no secret.
    fn secret_bytes_min(self) -> Option<usize> {
        match self {
            KeyType::AES => Some(aes128::KEY_BYTES),
            KeyType::AES256KRB5 => Some(krb5::KEY_BYTES),
            _ => None,
        }
    }
}

/// A shared secret. [`CryptoKey::default`] is the empty key, which can neither seal nor open.
#[derive(Clone, Default)]
pub struct CryptoKey {
    kind: KeyType,
    created: UTime,
    secret: Zeroizing<Vec<u8>>,
}

impl CryptoKey {
    /// A key of these bytes; an empty secret gives an empty key.
    pub fn new(kind: KeyType, created: UTime, secret: Zeroizing<Vec<u8>>) -> Result<Self> {
        if !secret.is_empty() {
            let need_bytes = kind.secret_bytes_min().ok_or(Error::UnknownKeyType(kind.0))?;
            if secret.len() < need_bytes {
                return Err(Error::ShortKey { kind: kind.0, have_bytes: secret.len(), need_bytes });
            }
        }
        Ok(CryptoKey { kind, created, secret })
    }

    /// A new random key.
    pub fn generate(kind: KeyType, created: UTime, rng: &mut dyn Random) -> Result<Self> {
        let len = kind.secret_bytes_min().ok_or(Error::UnknownKeyType(kind.0))?;
        let mut secret = Zeroizing::new(vec![0; len]);
        rng.fill(&mut secret);
        CryptoKey::new(kind, created, secret)
    }

    /// The text form that keyrings hold.
    pub fn from_base64(text: &str) -> Result<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| Error::NotBase64)?);
        decode_key(&mut Reader::named(&bytes, "CryptoKey"))
    }

    /// The text form that keyrings hold. A secret: do not log it.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        let mut w = Writer::with_capacity(Self::BYTES_MIN + self.secret.len());
        self.encode(&mut w, Features::ALL);
        let bytes = Zeroizing::new(w.into_vec());
        Zeroizing::new(STANDARD.encode(&bytes))
    }

    #[must_use]
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    #[must_use]
    pub fn created(&self) -> UTime {
        self.created
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secret.is_empty()
    }

    /// The raw secret, for the key of a connection.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// `CryptoKey::encrypt_ext`. `usage` and `rng` matter to type 2 only.
    pub(crate) fn encrypt(&self, usage: u32, plain: &[u8], rng: &mut dyn Random) -> Result<Vec<u8>> {
        match self.kind {
            KeyType::AES => aes128::encrypt(&self.secret, plain),
            KeyType::AES256KRB5 if !self.is_empty() => {
                krb5::encrypt(&self.secret, usage, random::array(rng), plain)
            }
            _ => None,
        }
        .ok_or(Error::EmptyKey)
    }

    /// `CryptoKey::decrypt_ext`; `None` when this key did not make the bytes, as far as the type can tell.
    pub(crate) fn decrypt(&self, usage: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self.kind {
            KeyType::AES => aes128::decrypt(&self.secret, sealed),
            KeyType::AES256KRB5 if !self.is_empty() => krb5::decrypt(&self.secret, usage, sealed),
            _ => None,
        }
    }

    /// HMAC-SHA-256 under the whole secret.
    pub fn hmac_sha256(&self, data: &[u8]) -> Result<[u8; 32]> {
        if self.is_empty() {
            return Err(Error::EmptyKey);
        }
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.secret).map_err(|_| Error::EmptyKey)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().into())
    }
}

impl PartialEq for CryptoKey {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && bool::from(self.secret.ct_eq(&other.secret))
    }
}
impl Eq for CryptoKey {}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CryptoKey(type {}, {} bytes)", self.kind.0, self.secret.len())
    }
}

impl Encode for CryptoKey {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u16(self.kind.0);
        w.value(&self.created, features);
        // A secret longer than 64 KiB cannot come from the wire and no type makes one.
        w.u16(u16::try_from(self.secret.len()).unwrap_or(u16::MAX));
        w.put(&self.secret);
    }
}

fn decode_key(r: &mut Reader<'_>) -> Result<CryptoKey> {
    let kind = KeyType(r.u16()?);
    let created = r.value()?;
    let len = r.u16()?;
    CryptoKey::new(kind, created, Zeroizing::new(r.take(usize::from(len))?.to_vec()))
}

impl Decode for CryptoKey {
    const BYTES_MIN: usize = 12;
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        let at = r.clone();
        decode_key(r).map_err(|e| match e {
            Error::Malformed(e) => e,
            Error::UnknownKeyType(kind) => at.bad_value("key type", kind),
            Error::ShortKey { have_bytes, .. } => at.bad_value("secret length", have_bytes as u64),
            _ => at.bad_value("key", 0u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a key of any cluster: the bytes are ASCII.
    fn sample() -> CryptoKey {
        let secret = Zeroizing::new(b"1234567890123456".to_vec());
        CryptoKey::new(KeyType::AES, UTime { sec: 123, nsec: 456 }, secret).unwrap()
    }

    #[test]
    fn a_key_reads_back_from_its_text_and_hides_its_secret() {
        let key = sample();
        let text = key.to_base64();
        assert_eq!(text.as_str(), "AQB7AAAAyAEAABAAMTIzNDU2Nzg5MDEyMzQ1Ng==");
        assert_eq!(CryptoKey::from_base64(&format!(" {}\n", text.as_str())).unwrap(), key);
        assert_eq!(format!("{key:?}"), "CryptoKey(type 1, 16 bytes)");
    }

    #[test]
    fn a_key_too_short_or_of_an_unknown_type_is_refused() {
        let short = CryptoKey::new(KeyType::AES256KRB5, UTime::ZERO, Zeroizing::new(vec![1; 16]));
        assert_eq!(short.unwrap_err(), Error::ShortKey { kind: 2, have_bytes: 16, need_bytes: 32 });
        let unknown = CryptoKey::new(KeyType(7), UTime::ZERO, Zeroizing::new(vec![1; 16]));
        assert_eq!(unknown.unwrap_err(), Error::UnknownKeyType(7));
    }

    #[test]
    fn aes_pads_whole_blocks_too_and_refuses_partial_ones() {
        let mut rng = |_: &mut [u8]| panic!("type 1 takes no randomness");
        for len in [0, 1, 15, 16, 17, 64] {
            let plain = vec![7; len];
            let sealed = sample().encrypt(0, &plain, &mut rng).unwrap();
            assert_eq!(sealed.len(), len / 16 * 16 + 16);
            assert_eq!(sample().decrypt(0, &sealed).unwrap().to_vec(), plain);
            assert!(sample().decrypt(0, &sealed[1..]).is_none());
        }
        assert_eq!(CryptoKey::default().encrypt(0, b"x", &mut rng), Err(Error::EmptyKey));
    }
}
