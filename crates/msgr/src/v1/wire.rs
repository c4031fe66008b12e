//! The structs of `src/include/msgr.h`: packed, little endian, without versions. Addresses are in their legacy form.

use crate::frame::crc32c;
use crate::{Malformed, Result};
use axon_denc::{Decode, Features, Reader, Writer, denc_struct};
use axon_proto::{EntityAddr, EntityName};
use bytes::Bytes;

/// `CEPH_BANNER`.
pub const BANNER: &[u8] = b"ceph v027";
/// `ceph_entity_addr`.
pub const ADDR_BYTES: usize = 136;
pub const CONNECT_BYTES: usize = 33;
pub const REPLY_BYTES: usize = 26;
pub const HEADER_BYTES: usize = 53;
pub const FOOTER_BYTES: usize = 21;
/// Of peers without `MSG_AUTH`: no signature.
pub const FOOTER_OLD_BYTES: usize = 13;
/// `CEPH_MSG_CONNECT_LOSSY`.
pub const FLAG_LOSSY: u8 = 1;

/// `CEPH_MSGR_TAG_*`.
pub mod tag {
    pub const READY: u8 = 1;
    pub const RESETSESSION: u8 = 2;
    pub const WAIT: u8 = 3;
    pub const RETRY_SESSION: u8 = 4;
    pub const RETRY_GLOBAL: u8 = 5;
    pub const CLOSE: u8 = 6;
    pub const MSG: u8 = 7;
    pub const ACK: u8 = 8;
    pub const KEEPALIVE: u8 = 9;
    pub const BADPROTOVER: u8 = 10;
    pub const BADAUTHORIZER: u8 = 11;
    pub const FEATURES: u8 = 12;
    pub const SEQ: u8 = 13;
    pub const KEEPALIVE2: u8 = 14;
    pub const KEEPALIVE2_ACK: u8 = 15;
    pub const CHALLENGE_AUTHORIZER: u8 = 16;
}

/// `CEPH_MSG_FOOTER_*`.
pub mod footer_flag {
    pub const COMPLETE: u8 = 1;
    pub const NOCRC: u8 = 2;
    pub const SIGNED: u8 = 4;
}

/// `ceph_msg_connect`; the authorizer follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    pub features: u64,
    pub host_type: u32,
    pub global_seq: u32,
    pub connect_seq: u32,
    pub protocol_version: u32,
    pub authorizer_protocol: u32,
    pub authorizer_len: u32,
    pub flags: u8,
}
denc_struct!(Connect; Connect {
    features, host_type, global_seq, connect_seq, protocol_version, authorizer_protocol, authorizer_len, flags
});

/// `ceph_msg_connect_reply`; the acceptor's proof or challenge follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectReply {
    pub tag: u8,
    pub features: u64,
    pub global_seq: u32,
    pub connect_seq: u32,
    pub protocol_version: u32,
    pub authorizer_len: u32,
    pub flags: u8,
}
denc_struct!(ConnectReply; ConnectReply {
    tag, features, global_seq, connect_seq, protocol_version, authorizer_len, flags
});

/// `ceph_msg_header` without its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub seq: u64,
    pub tid: u64,
    pub kind: u16,
    pub priority: u16,
    pub version: u16,
    pub front_len: u32,
    pub middle_len: u32,
    pub data_len: u32,
    pub data_off: u16,
    pub src: EntityName,
    pub compat_version: u16,
    pub reserved: u16,
}
denc_struct!(Header; Header {
    seq, tid, kind, priority, version, front_len, middle_len, data_len, data_off, src, compat_version, reserved
});

impl Header {
    /// The struct and its checksum.
    #[must_use]
    pub fn encode_summed(&self) -> (Bytes, u32) {
        let mut w = Writer::with_capacity(HEADER_BYTES);
        w.value(self, LEGACY);
        let crc = crc32c(0, w.as_slice());
        w.u32(crc);
        (w.into_bytes(), crc)
    }

    /// The struct, its checksum compared; also returned, as signatures cover it.
    pub fn decode_summed(bytes: &[u8]) -> Result<(Self, u32)> {
        let mut r = Reader::named(bytes, "ceph_msg_header");
        let computed = crc32c(0, r.clone().take(HEADER_BYTES - 4)?);
        let header: Header = r.value()?;
        let found = r.u32()?;
        if found == computed {
            Ok((header, found))
        } else {
            Err(Malformed::HeaderCrc { found, computed }.into())
        }
    }

    /// Sum of the sections.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        u64::from(self.front_len) + u64::from(self.middle_len) + u64::from(self.data_len)
    }
}

/// `ceph_msg_footer`, or `ceph_msg_footer_old`, which has no `sig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    pub front_crc: u32,
    pub middle_crc: u32,
    pub data_crc: u32,
    pub sig: u64,
    pub flags: u8,
}

impl Footer {
    #[must_use]
    pub fn encode(&self, has_sig: bool) -> Bytes {
        let mut w = Writer::with_capacity(FOOTER_BYTES);
        w.u32(self.front_crc);
        w.u32(self.middle_crc);
        w.u32(self.data_crc);
        if has_sig {
            w.u64(self.sig);
        }
        w.u8(self.flags);
        w.into_bytes()
    }

    pub fn decode(bytes: &[u8], has_sig: bool) -> Result<Self> {
        let mut r = Reader::named(bytes, "ceph_msg_footer");
        let (front_crc, middle_crc, data_crc) = (r.u32()?, r.u32()?, r.u32()?);
        let sig = if has_sig { r.u64()? } else { 0 };
        Ok(Footer { front_crc, middle_crc, data_crc, sig, flags: r.u8()? })
    }
}

/// Encoding for peers that know no versioned addresses.
pub const LEGACY: Features = Features(0);

/// A struct's bytes.
pub fn encode(value: &impl axon_denc::Encode) -> Bytes {
    let mut w = Writer::new();
    w.value(value, LEGACY);
    w.into_bytes()
}

/// An address at the start of `bytes`.
pub fn decode_addr(r: &mut Reader<'_>) -> Result<EntityAddr> {
    let mut addr = r.sub(ADDR_BYTES, "ceph_entity_addr")?;
    Ok(EntityAddr::decode(&mut addr)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::{AddrType, EntityType};

    #[test]
    fn the_structs_have_upstreams_sizes() {
        assert_eq!(encode(&Connect::default()).len(), CONNECT_BYTES);
        assert_eq!(encode(&ConnectReply::default()).len(), REPLY_BYTES);
        assert_eq!(Header::default().encode_summed().0.len(), HEADER_BYTES);
        assert_eq!(Footer::default().encode(true).len(), FOOTER_BYTES);
        assert_eq!(Footer::default().encode(false).len(), FOOTER_OLD_BYTES);
        let addr = EntityAddr::new(AddrType::LEGACY, "[::1]:6789".parse().unwrap(), 7);
        assert_eq!(encode(&addr).len(), ADDR_BYTES);
        assert_eq!(decode_addr(&mut Reader::new(&encode(&addr))).unwrap(), addr);
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let src = EntityName::new(EntityType::OSD, 3);
        let header = Header { seq: 1, tid: 2, kind: 3, front_len: 4, data_off: 5, src, ..Header::default() };
        let (bytes, crc) = header.encode_summed();
        assert_eq!(Header::decode_summed(&bytes), Ok((header, crc)));
        for bit in 0..HEADER_BYTES * 8 {
            let mut bad = bytes.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode_summed(&bad).is_err());
        }
    }
}
