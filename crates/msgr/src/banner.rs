//! The banner: `ceph v2\n`, a length, and the protocol features that each side supports and requires
//! (`ProtocolV2::_banner_exchange`). We support revision 2.1 and compression and require nothing in the banner itself, as upstream does,
//! but refuse a peer without revision 2.1.

use crate::{Incompatible, Malformed, Result};
use axon_denc::Reader;
use bytes::{Buf, Bytes, BytesMut};

const PREFIX: &[u8] = b"ceph v2\n";
/// How a msgr v1 peer begins.
const V1_PREFIX: &[u8] = b"ceph v0";
const REVISION_1: u64 = 1;
/// COMPRESSION_REQUEST follows the signature.
pub const COMPRESSION: u64 = 2;
const SUPPORTED: u64 = REVISION_1 | COMPRESSION;
const HEAD_BYTES: usize = PREFIX.len() + 2;
/// Two masks today; room for a few more.
const PAYLOAD_BYTES_MAX: u16 = 256;

/// Our banner.
pub fn ours() -> Vec<u8> {
    let mut out = PREFIX.to_vec();
    out.extend_from_slice(&16u16.to_le_bytes());
    out.extend_from_slice(&SUPPORTED.to_le_bytes());
    out.extend_from_slice(&0u64.to_le_bytes());
    out
}

/// Takes the peer's banner from `input` once it is complete, with the protocol features that it supports. Refuses as early as the bytes allow.
pub fn take(input: &mut BytesMut) -> Result<Option<(Bytes, u64)>> {
    let seen = input.len().min(PREFIX.len());
    if input.get(..seen) != PREFIX.get(..seen) {
        let seen = input.len().min(V1_PREFIX.len());
        return match input.get(..seen) == V1_PREFIX.get(..seen) {
            true if seen < V1_PREFIX.len() => Ok(None),
            true => Err(Incompatible::SpeaksV1.into()),
            false => Err(Malformed::NotABanner.into()),
        };
    }
    let Some(mut len) = input.get(PREFIX.len()..HEAD_BYTES) else { return Ok(None) };
    let len = len.get_u16_le();
    if !(16..=PAYLOAD_BYTES_MAX).contains(&len) {
        return Err(Malformed::BannerPayload(len).into());
    }
    let total = HEAD_BYTES + usize::from(len);
    if input.len() < total {
        return Ok(None);
    }
    let banner = input.split_to(total).freeze();
    let mut r = Reader::named(banner.get(HEAD_BYTES..).unwrap_or_default(), "msgr2 banner");
    let (supported, required) = (r.u64()?, r.u64()?);
    if required & !SUPPORTED != 0 {
        return Err(Incompatible::ProtocolFeatures(required & !SUPPORTED).into());
    }
    if supported & REVISION_1 == 0 {
        return Err(Incompatible::SpeaksV20.into());
    }
    Ok(Some((banner, supported)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_is_taken_once_complete_and_what_follows_stays() {
        let mut bytes = ours();
        bytes.push(7);
        for len in 0..bytes.len() - 1 {
            let mut part = BytesMut::from(&bytes[..len]);
            assert_eq!(take(&mut part), Ok(None), "{len} bytes");
        }
        let mut all = BytesMut::from(&bytes[..]);
        assert!(take(&mut all).unwrap().is_some());
        assert_eq!(&all[..], [7]);
    }

    #[test]
    fn other_protocols_are_named() {
        assert_eq!(take(&mut BytesMut::from(&b"ceph v027"[..])), Err(Incompatible::SpeaksV1.into()));
        assert_eq!(take(&mut BytesMut::from(&b"GET /"[..])), Err(Malformed::NotABanner.into()));
        let mut v20 = ours();
        v20[10] = COMPRESSION as u8;
        assert_eq!(take(&mut BytesMut::from(&v20[..])), Err(Incompatible::SpeaksV20.into()));
        let mut needy = ours();
        needy[18] = 4;
        assert_eq!(take(&mut BytesMut::from(&needy[..])), Err(Incompatible::ProtocolFeatures(4).into()));
        assert_eq!(
            take(&mut BytesMut::from(&b"ceph v2\n\xff\xff"[..])),
            Err(Malformed::BannerPayload(0xffff).into())
        );
    }
}
