//! AES-128-GCM of secure connections (`src/msg/async/crypto_onwire.cc`, the 64-bit counter of msgr v2.1).
//!
//! The connection secret is key (16), then the connector's receiving and sending nonce (12 each); an acceptor crosses them.
//! A nonce is a fixed part of 4 bytes and a counter of 8, one more for each sealed piece. `ring` was chosen by
//! measuring: 10 GB/s for frames of 4 KiB where the `aes-gcm` crate has 1.5, and it is rustls' provider anyway.

use crate::{Malformed, Misbehaved, Misuse, Result};
use bytes::BytesMut;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Length of the tag behind each sealed piece.
pub const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const SECRET_BYTES: usize = KEY_BYTES + 2 * NONCE_BYTES;

struct Counter {
    fixed: [u8; 4],
    next: u64,
    first: u64,
    used: bool,
}

impl Counter {
    fn new(nonce: [u8; NONCE_BYTES]) -> Self {
        let [a, b, c, d, counter @ ..] = nonce;
        let first = u64::from_le_bytes(counter);
        Counter { fixed: [a, b, c, d], next: first, first, used: false }
    }

    /// The next nonce; an error when all 2^64 were used.
    fn step(&mut self) -> Result<Nonce> {
        if self.used && self.next == self.first {
            return Err(Misuse::OutOfNonces.into());
        }
        self.used = true;
        let [a, b, c, d] = self.fixed;
        let [e, f, g, h, i, j, k, l] = self.next.to_le_bytes();
        self.next = self.next.wrapping_add(1);
        Ok(Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, l]))
    }
}

/// One direction's cipher.
pub struct Cipher {
    key: LessSafeKey,
    counter: Counter,
}

impl Cipher {
    fn new(key: &[u8], nonce: [u8; NONCE_BYTES]) -> Option<Self> {
        let key = UnboundKey::new(&AES_128_GCM, key).ok()?;
        Some(Cipher { key: LessSafeKey::new(key), counter: Counter::new(nonce) })
    }

    /// Encrypts `buf[from..]` in place and appends the tag.
    pub fn seal(&mut self, buf: &mut BytesMut, from: usize) -> Result<()> {
        let nonce = self.counter.step()?;
        let piece = buf.get_mut(from..).unwrap_or_default();
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), piece)
            .map_err(|_| Misuse::OutOfNonces)?;
        buf.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts `piece` in place and cuts the tag off.
    pub fn open(&mut self, piece: &mut BytesMut) -> Result<()> {
        let nonce = self.counter.step()?;
        let plain = self.key.open_in_place(nonce, Aad::empty(), piece).map_err(|_| Malformed::AuthTag)?.len();
        piece.truncate(plain);
        Ok(())
    }
}

/// Both directions' ciphers from the connection secret: (receiving, sending).
pub fn ciphers(secret: &[u8], acceptor: bool) -> Result<(Cipher, Cipher)> {
    let short = || Misbehaved::ShortSecret(secret.len());
    let secret = secret.get(..SECRET_BYTES).ok_or_else(short)?;
    let (key, nonces) = secret.split_at(KEY_BYTES);
    let (rx, tx) = nonces.split_at(NONCE_BYTES);
    let nonce = |bytes: &[u8]| <[u8; NONCE_BYTES]>::try_from(bytes).map_err(|_| short());
    let (rx, tx) = (nonce(rx)?, nonce(tx)?);
    let (rx, tx) = if acceptor { (tx, rx) } else { (rx, tx) };
    Ok((Cipher::new(key, rx).ok_or_else(short)?, Cipher::new(key, tx).ok_or_else(short)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens_and_a_flipped_bit_is_noticed() {
        let secret: Vec<u8> = (0..64).collect();
        let (mut client_rx, mut client_tx) = ciphers(&secret, false).unwrap();
        let (mut server_rx, mut server_tx) = ciphers(&secret, true).unwrap();
        for (tx, rx) in [(&mut client_tx, &mut server_rx), (&mut server_tx, &mut client_rx)] {
            for text in [&b"one"[..], b"", b"three"] {
                let mut buf = BytesMut::from(text);
                tx.seal(&mut buf, 0).unwrap();
                assert_eq!(buf.len(), text.len() + TAG_BYTES);
                rx.open(&mut buf).unwrap();
                assert_eq!(&buf[..], text);
            }
        }
        let mut buf = BytesMut::from(&b"x"[..]);
        client_tx.seal(&mut buf, 0).unwrap();
        buf[0] ^= 1;
        assert_eq!(server_rx.open(&mut buf), Err(Malformed::AuthTag.into()));
        assert_eq!(ciphers(&secret[..39], false).err(), Some(Misbehaved::ShortSecret(39).into()));
    }

    #[test]
    fn a_counter_wraps_past_its_end_and_stops_where_it_began() {
        let mut counter = Counter::new([0xff; 12]);
        counter.step().unwrap();
        assert_eq!(counter.next, 0);
        counter.next = counter.first;
        assert!(counter.step().is_err());
    }
}
