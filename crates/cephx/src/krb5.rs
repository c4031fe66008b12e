//! Key type 2, `aes256k` (`CryptoAES256KRB5` in `src/auth/Crypto.cc`, since 20.2): aes256-cts-hmac-sha384-192 of
//! RFC 8009: a random confounder and the data under AES-256-CBC-CS3, then 24 bytes of HMAC-SHA-384 over the zero IV and
//! the ciphertext. The keys for both are derived per usage.

use crate::blocks::{BLOCK_BYTES, cts_decrypt, cts_encrypt};
use aes::Aes256;
use aes::cipher::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha384;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const CONFOUNDER_BYTES: usize = BLOCK_BYTES;
const HASH_BYTES: usize = 24;

/// RFC 8009 §5: which derived key.
#[derive(Clone, Copy)]
enum Derived {
    Integrity = 0x55,
    Encryption = 0xAA,
}

fn hmac_sha384(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 48]> {
    let mut mac = <Hmac<Sha384> as Mac>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

/// KDF-HMAC-SHA2 of RFC 8009 §3, whose label is the usage and the kind of key.
fn derive<const N: usize>(secret: &[u8], usage: u32, what: Derived) -> Option<Zeroizing<[u8; N]>> {
    let bits = u32::try_from(N).ok()? * 8;
    let parts: [&[u8]; 4] = [&[0, 0, 0, 1], &usage.to_be_bytes(), &[what as u8, 0], &bits.to_be_bytes()];
    let full = Zeroizing::new(hmac_sha384(secret, &parts)?);
    let mut out = Zeroizing::new([0; N]);
    out.copy_from_slice(full.get(..N)?);
    Some(out)
}

fn integrity(secret: &[u8], usage: u32, ciphertext: &[u8]) -> Option<[u8; HASH_BYTES]> {
    let ki = derive::<HASH_BYTES>(secret, usage, Derived::Integrity)?;
    let full = hmac_sha384(ki.as_slice(), &[&[0; BLOCK_BYTES], ciphertext])?;
    full.get(..HASH_BYTES)?.try_into().ok()
}

fn cipher(secret: &[u8], usage: u32) -> Option<Aes256> {
    let ke = derive::<KEY_BYTES>(secret, usage, Derived::Encryption)?;
    Aes256::new_from_slice(ke.as_slice()).ok()
}

/// `None` only for a secret that is too short.
pub(crate) fn encrypt(
    secret: &[u8],
    usage: u32,
    confounder: [u8; CONFOUNDER_BYTES],
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(CONFOUNDER_BYTES + plain.len() + HASH_BYTES);
    data.extend_from_slice(&confounder);
    data.extend_from_slice(plain);
    cts_encrypt(&cipher(secret, usage)?, &mut data);
    let hash = integrity(secret, usage, &data)?;
    data.extend_from_slice(&hash);
    Some(data)
}

/// `None` when the bytes were not made with this key for this usage.
pub(crate) fn decrypt(secret: &[u8], usage: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let split = sealed.len().checked_sub(HASH_BYTES).filter(|len| *len >= CONFOUNDER_BYTES)?;
    let (ciphertext, hash) = sealed.split_at_checked(split)?;
    if !bool::from(integrity(secret, usage, ciphertext)?.ct_eq(hash)) {
        return None;
    }
    let mut data = Zeroizing::new(ciphertext.to_vec());
    cts_decrypt(&cipher(secret, usage)?, &mut data);
    Some(Zeroizing::new(data.get(CONFOUNDER_BYTES..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    //! RFC 8009 appendix A, aes256-cts-hmac-sha384-192, usage 2.
    use super::*;

    fn hex(s: &str) -> Vec<u8> {
        let digits: Vec<u8> = s.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    const KEY: &str = "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52";

    #[test]
    fn derived_keys_are_those_of_the_rfc() {
        let ke = derive::<32>(&hex(KEY), 2, Derived::Encryption).unwrap();
        assert_eq!(ke.to_vec(), hex("56AB22BEE63D82D7BC5227F6773F8EA7A5EB1C825160C38312980C442E5C7E49"));
        let ki = derive::<24>(&hex(KEY), 2, Derived::Integrity).unwrap();
        assert_eq!(ki.to_vec(), hex("69B16514E3CD8E56B82010D5C73012B622C4D00FFC23ED1F"));
    }

    #[test]
    fn encryption_gives_the_bytes_of_the_rfc_and_decryption_undoes_it() {
        let cases = [
            (
                "F764E9FA15C276478B2C7D0C4E5F58E4",
                "",
                "41F53FA5BFE7026D91FAF9BE959195A058707273A96A40F0A01960621AC612748B9BBFBE7EB4CE3C",
            ),
            (
                "B80D3251C1F6471494256FFE712D0B9A",
                "000102030405",
                "4ED7B37C2BCAC8F74F23C1CF07E62BC7B75FB3F637B9F559C7F664F69EAB7B6092237526EA0D1F61CB20D69D10F2",
            ),
            (
                "53BF8A0D105265D4E276428624CE5E63",
                "000102030405060708090A0B0C0D0E0F",
                "BC47FFEC7998EB91E8115CF8D19DAC4BBBE2E163E87DD37F49BECA92027764F68CF51F14D798C2273F35DF574D1F932E40C4FF255B36A266",
            ),
            (
                "763E65367E864F02F55153C7E3B58AF1",
                "000102030405060708090A0B0C0D0E0F1011121314",
                "40013E2DF58E8751957D2878BCD2D6FE101CCFD556CB1EAE79DB3C3EE86429F2B2A602AC86FEF6ECB647D6295FAE077A1FEB517508D2C16B4192E01F62",
            ),
        ];
        for (confounder, plain, sealed) in cases {
            let (key, plain, sealed) = (hex(KEY), hex(plain), hex(sealed));
            let confounder = hex(confounder).try_into().unwrap();
            assert_eq!(encrypt(&key, 2, confounder, &plain).unwrap(), sealed);
            assert_eq!(decrypt(&key, 2, &sealed).unwrap().to_vec(), plain);
            assert!(decrypt(&key, 3, &sealed).is_none(), "another usage has other keys");
            for at in 0..sealed.len() {
                let mut forged = sealed.clone();
                forged[at] ^= 1;
                assert!(decrypt(&key, 2, &forged).is_none(), "byte {at} is covered by the hash");
                assert!(decrypt(&key, 2, &sealed[..at]).is_none());
            }
        }
    }
}
