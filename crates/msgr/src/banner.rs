//! The banner: `ceph v2\n`, a length, and the protocol features that each side supports and requires
//! (`ProtocolV2::_banner_exchange`). We support revision 2.1 and compression and require nothing, as upstream does.

use crate::{Incompatible, Malformed, Result};
use axon_denc::Reader;
use bytes::{Buf, Bytes, BytesMut};

const PREFIX: &[u8] = b"ceph v2\n";
/// How a msgr v1 peer begins.
const V1_PREFIX: &[u8] = b"ceph v0";
/// Without it the peer speaks v2.0.
pub const REVISION_1: u64 = 1;
/// COMPRESSION_REQUEST follows the signature.
pub const COMPRESSION: u64 = 2;
const SUPPORTED: u64 = REVISION_1 | COMPRESSION;
const HEAD_BYTES: usize = PREFIX.len() + 2;
/// Two masks today; room for a few more.
const PAYLOAD_BYTES_MAX: u16 = 256;

/// Our banner, with the newest revision of v2 that it offers.
pub fn ours(revision_max: u8) -> Vec<u8> {
    let supported = if revision_max == 0 { 0 } else { SUPPORTED };
    let mut out = PREFIX.to_vec();
    out.extend_from_slice(&16u16.to_le_bytes());
    out.extend_from_slice(&supported.to_le_bytes());
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
    Ok(Some((banner, supported)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_is_taken_once_complete_and_what_follows_stays() {
        let mut bytes = ours(1);
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
        let (_, supported) = take(&mut BytesMut::from(&ours(0)[..])).unwrap().unwrap();
        assert_eq!(supported & REVISION_1, 0);
        let mut needy = ours(1);
        needy[18] = 4;
        assert_eq!(take(&mut BytesMut::from(&needy[..])), Err(Incompatible::ProtocolFeatures(4).into()));
        assert_eq!(
            take(&mut BytesMut::from(&b"ceph v2\n\xff\xff"[..])),
            Err(Malformed::BannerPayload(0xffff).into())
        );
    }
}
