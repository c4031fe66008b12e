//! `entity_addr_t` and `entity_addrvec_t` (`src/msg/msg_types.h`), in the legacy form and, with `MSG_ADDR2`, in the
//! versioned one (version 1 since Luminous). Parsing of `mon_host` forms is in `axon-core`'s config.

use crate::features;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Which protocol is spoken at an address. Unknown values survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddrType(pub u32);

impl AddrType {
    pub const NONE: AddrType = AddrType(0);
    /// msgr v1.
    pub const LEGACY: AddrType = AddrType(1);
    /// msgr v2.
    pub const MSGR2: AddrType = AddrType(2);
    pub const ANY: AddrType = AddrType(3);
    pub const CIDR: AddrType = AddrType(4);

    /// Upstream's name (`entity_addr_t::get_type_name`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "none",
            1 => "v1",
            2 => "v2",
            3 => "any",
            4 => "cidr",
            _ => "???",
        }
    }
}

/// One address: protocol, nonce and socket address (`None` = AF_UNSPEC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityAddr {
    pub kind: AddrType,
    pub nonce: u32,
    pub sock: Option<SocketAddr>,
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// `sizeof(sockaddr_storage)`.
const LEGACY_SOCKADDR_BYTES: usize = 128;
/// An address without family takes the room of the largest one, `sockaddr_in6`.
const UNSPEC_SOCKADDR_BYTES: usize = 28;

impl EntityAddr {
    #[must_use]
    pub fn new(kind: AddrType, sock: SocketAddr, nonce: u32) -> Self {
        EntityAddr { kind, nonce, sock: Some(sock) }
    }

    /// An msgr v2 address with nonce 0.
    #[must_use]
    pub fn v2(sock: SocketAddr) -> Self {
        Self::new(AddrType::MSGR2, sock, 0)
    }

    /// `ip:port/nonce`, upstream's `get_legacy_str` form.
    #[must_use]
    pub fn legacy_str(&self) -> String {
        match self.sock {
            Some(sock) => format!("{sock}/{}", self.nonce),
            None => format!("(unrecognized address family 0)/{}", self.nonce),
        }
    }

    fn put_sockaddr(sock: &SocketAddr, w: &mut Writer, family_big_endian: bool) {
        let family = if sock.is_ipv4() { AF_INET } else { AF_INET6 };
        w.put(&if family_big_endian { family.to_be_bytes() } else { family.to_le_bytes() });
        w.put(&sock.port().to_be_bytes());
        match sock {
            SocketAddr::V4(v4) => {
                w.put(&v4.ip().octets());
                w.zeros(8);
            }
            SocketAddr::V6(v6) => {
                // The raw struct: flow info in network order, scope id in the host's.
                w.put(&v6.flowinfo().to_be_bytes());
                w.put(&v6.ip().octets());
                w.u32(v6.scope_id());
            }
        }
    }

    fn sockaddr_after_family(r: &mut Reader<'_>, family: u16) -> Result<Option<SocketAddr>> {
        let at = r.clone();
        match family {
            0 => Ok(None),
            AF_INET => {
                let port = u16::from_be_bytes(r.array()?);
                let ip = Ipv4Addr::from(r.array::<4>()?);
                Ok(Some(SocketAddrV4::new(ip, port).into()))
            }
            AF_INET6 => {
                let port = u16::from_be_bytes(r.array()?);
                let flowinfo = u32::from_be_bytes(r.array()?);
                let ip = Ipv6Addr::from(r.array::<16>()?);
                let scope_id = if r.remaining() >= 4 { r.u32()? } else { 0 };
                Ok(Some(SocketAddrV6::new(ip, port, flowinfo, scope_id).into()))
            }
            other => Err(at.bad_value("address family", other)),
        }
    }

    fn decode_legacy_after_marker(r: &mut Reader<'_>) -> Result<Self> {
        r.skip(3)?;
        let nonce = r.u32()?;
        let mut body = r.sub(LEGACY_SOCKADDR_BYTES, "sockaddr_storage")?;
        let family = u16::from_be_bytes(body.array()?);
        let sock = Self::sockaddr_after_family(&mut body, family)?;
        let kind = if sock.is_some() { AddrType::LEGACY } else { AddrType::NONE };
        Ok(EntityAddr { kind, nonce, sock })
    }

    fn decode_after_marker(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope(1, "entity_addr_t")?;
        let kind = AddrType(r.u32()?);
        let nonce = r.u32()?;
        let len = r.length(1)?;
        let sock = if len == 0 {
            None
        } else {
            let mut body = r.sub(len, "sockaddr")?;
            let family = body.u16()?;
            Self::sockaddr_after_family(&mut body, family)?
        };
        Ok(EntityAddr { kind, nonce, sock })
    }
}

impl Encode for EntityAddr {
    fn encode(&self, w: &mut Writer, features: Features) {
        if !features.has(features::MSG_ADDR2) {
            w.u32(0);
            w.u32(self.nonce);
            let start = w.len();
            if let Some(sock) = &self.sock {
                Self::put_sockaddr(sock, w, true);
            }
            w.zeros(LEGACY_SOCKADDR_BYTES - (w.len() - start));
            return;
        }
        w.u8(1);
        w.envelope(1, 1, |w| {
            let any_for_old_peer = self.kind == AddrType::ANY && !features.has(features::SERVER_NAUTILUS);
            w.u32(if any_for_old_peer { AddrType::LEGACY.0 } else { self.kind.0 });
            w.u32(self.nonce);
            w.sized(|w| match &self.sock {
                Some(sock) => Self::put_sockaddr(sock, w, false),
                None => w.zeros(UNSPEC_SOCKADDR_BYTES),
            });
        });
    }
}

impl Decode for EntityAddr {
    const BYTES_MIN: usize = 7;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let at = r.clone();
        match r.u8()? {
            0 => Self::decode_legacy_after_marker(r),
            1 => Self::decode_after_marker(r),
            marker => Err(at.bad_value("entity_addr_t marker", marker)),
        }
    }
}

impl fmt::Display for EntityAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.sock) {
            (AddrType::NONE, _) | (_, None) => f.write_str("-"),
            (AddrType::ANY, Some(sock)) => write!(f, "{sock}/{}", self.nonce),
            (kind, Some(sock)) => write!(f, "{}:{sock}/{}", kind.name(), self.nonce),
        }
    }
}

/// `entity_addr_t::dump`: type, addr (ip:port), nonce.
impl Serialize for EntityAddr {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("entity_addr_t", 3)?;
        out.serialize_field("type", self.kind.name())?;
        let addr =
            self.sock.map_or_else(|| "(unrecognized address family 0)".to_owned(), |sock| sock.to_string());
        out.serialize_field("addr", &addr)?;
        out.serialize_field("nonce", &self.nonce)?;
        out.end()
    }
}

/// `entity_addrvec_t`: all addresses of one daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityAddrVec(pub Vec<EntityAddr>);

impl EntityAddrVec {
    /// The msgr v2 address.
    #[must_use]
    pub fn msgr2(&self) -> Option<&EntityAddr> {
        self.of_type(AddrType::MSGR2)
    }

    /// The msgr v1 address.
    #[must_use]
    pub fn legacy(&self) -> Option<&EntityAddr> {
        self.of_type(AddrType::LEGACY)
    }

    /// The first address of that type.
    #[must_use]
    pub fn of_type(&self, kind: AddrType) -> Option<&EntityAddr> {
        self.0.iter().find(|a| a.kind == kind)
    }

    /// The v1 address, or the first one (`legacy_or_front_addr`); the unset address when there is none.
    #[must_use]
    pub fn legacy_or_front(&self) -> EntityAddr {
        self.legacy().or(self.0.first()).copied().unwrap_or_default()
    }

    /// The first address' ip.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.first().and_then(|a| a.sock).map(|s| s.ip())
    }
}

impl Encode for EntityAddrVec {
    fn encode(&self, w: &mut Writer, features: Features) {
        if !features.has(features::MSG_ADDR2) {
            self.legacy_or_front().encode(w, features);
            return;
        }
        w.u8(2);
        self.0.encode(w, features);
    }
}

impl Decode for EntityAddrVec {
    const BYTES_MIN: usize = 5;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let at = r.clone();
        match r.u8()? {
            0 => EntityAddr::decode_legacy_after_marker(r).map(|a| EntityAddrVec(vec![a])),
            1 => EntityAddr::decode_after_marker(r).map(|a| EntityAddrVec(vec![a])),
            2 => r.value().map(EntityAddrVec),
            marker => Err(at.bad_value("entity_addrvec_t marker", marker)),
        }
    }
}

/// Upstream's form: nothing, `v2:1.2.3.4:3300/0` or `[v2:…,v1:…]`.
impl fmt::Display for EntityAddrVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => one.fmt(f),
            many => {
                f.write_str("[")?;
                for (i, addr) in many.iter().enumerate() {
                    write!(f, "{}{addr}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// `entity_addrvec_t::dump`: `{"addrvec": [...]}`.
impl Serialize for EntityAddrVec {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("entity_addrvec_t", 1)?;
        out.serialize_field("addrvec", &self.0)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> EntityAddrVec {
        EntityAddrVec(vec![
            EntityAddr::new(AddrType::MSGR2, "127.0.0.1:6800".parse().unwrap(), 99),
            EntityAddr::new(AddrType::LEGACY, "[fe80::1%3]:6801".parse().unwrap(), 99),
        ])
    }

    #[test]
    fn both_forms_round_trip_and_every_truncation_is_refused() {
        let bytes = sample().to_bytes(Features::ALL);
        assert_eq!(EntityAddrVec::from_bytes(&bytes).unwrap(), sample());
        for len in 0..bytes.len() {
            assert!(EntityAddrVec::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
        }
        let legacy = sample().to_bytes(Features::NONE);
        assert_eq!(legacy.len(), 4 + 4 + 128);
        assert_eq!(EntityAddrVec::from_bytes(&legacy).unwrap().0, vec![sample().0[1]]);
    }

    #[test]
    fn the_encoding_is_upstreams() {
        let addr = EntityAddr::new(AddrType::MSGR2, "127.0.0.1:6800".parse().unwrap(), 7);
        let expect =
            b"\x01\x01\x01\x1c\0\0\0\x02\0\0\0\x07\0\0\0\x10\0\0\0\x02\0\x1a\x90\x7f\0\0\x01\0\0\0\0\0\0\0\0";
        assert_eq!(&addr.to_bytes(Features::ALL)[..], expect);
    }

    #[test]
    fn what_ceph_encoded_is_written_back_byte_for_byte() {
        crate::corpus::round_trips_newest::<EntityAddr>("entity_addr_t");
        crate::corpus::round_trips_newest::<EntityAddrVec>("entity_addrvec_t");
    }

    #[test]
    fn text_is_upstreams() {
        assert_eq!(sample().to_string(), "[v2:127.0.0.1:6800/99,v1:[fe80::1%3]:6801/99]");
        assert_eq!(EntityAddrVec(vec![]).to_string(), "");
    }
}
