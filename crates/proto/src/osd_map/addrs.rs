//! Maps keyed by address, as the blocklists are. Upstream orders addresses by the bytes of its struct, which shows in the
//! encoding.

use crate::{EntityAddr, UTime};
use axon_denc::{Features, Writer};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;

/// The bytes that upstream compares: type, nonce, `sockaddr`.
fn struct_bytes(addr: &EntityAddr) -> Vec<u8> {
    let mut out = addr.kind.0.to_le_bytes().to_vec();
    out.extend(addr.nonce.to_le_bytes());
    match addr.sock {
        None => {}
        Some(SocketAddr::V4(sock)) => {
            out.extend(2u16.to_le_bytes());
            out.extend(sock.port().to_be_bytes());
            out.extend(sock.ip().octets());
        }
        Some(SocketAddr::V6(sock)) => {
            out.extend(10u16.to_le_bytes());
            out.extend(sock.port().to_be_bytes());
            out.extend(sock.flowinfo().to_be_bytes());
            out.extend(sock.ip().octets());
            out.extend(sock.scope_id().to_le_bytes());
        }
    }
    out.resize(36, 0);
    out
}

/// Writes the map in upstream's order.
pub(super) fn encode(map: &BTreeMap<EntityAddr, UTime>, w: &mut Writer, features: Features) {
    let mut sorted: Vec<_> = map.iter().map(|entry| (struct_bytes(entry.0), entry)).collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    w.length(sorted.len());
    for (_, (addr, until)) in sorted {
        w.value(addr, features);
        w.value(until, features);
    }
}

/// Whether `ip` lies in the range, whose nonce is the length of the prefix.
#[must_use]
pub fn range_contains(range: &EntityAddr, ip: IpAddr) -> bool {
    let prefix = range.nonce;
    match (range.sock.map(|s| s.ip()), ip) {
        (Some(IpAddr::V4(net)), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix)).unwrap_or(0);
            u32::from(net) & mask == u32::from(ip) & mask
        }
        (Some(IpAddr::V6(net)), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix)).unwrap_or(0);
            u128::from(net) & mask == u128::from(ip) & mask
        }
        _ => false,
    }
}
