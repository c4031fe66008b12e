//! Addresses as librados prints them (`entity_addrvec_t::parse`): `v2:10.0.0.1:0/123`, or several in brackets.

use crate::link::Refusal;
use axon_proto::{AddrType, EntityAddr, EntityAddrVec};
use std::net::SocketAddr;

/// Reads them.
pub fn parse(text: &str) -> Result<EntityAddrVec, Refusal> {
    let bad = || Refusal::new("ValueError", format!("{text:?} are no addresses"));
    let text = text.trim();
    // `[v2:…,v1:…]`, but not `[::1]:0/5`.
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    inner
        .split(',')
        .map(|one| address(one.trim()).ok_or_else(bad))
        .collect::<Result<_, _>>()
        .map(EntityAddrVec)
}

fn address(text: &str) -> Option<EntityAddr> {
    let kinds = [
        ("v2:", AddrType::MSGR2),
        ("v1:", AddrType::LEGACY),
        ("any:", AddrType::ANY),
        ("", AddrType::LEGACY),
    ];
    let (kind, rest) = kinds.into_iter().find_map(|(p, kind)| Some((kind, text.strip_prefix(p)?)))?;
    let (sock, nonce) = rest.split_once('/').unwrap_or((rest, "0"));
    Some(EntityAddr::new(kind, sock.parse::<SocketAddr>().ok()?, nonce.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_several_addresses_are_read() {
        let text =
            |t: &str| parse(t).map(|addrs| addrs.0.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(text("v2:127.0.0.1:0/77").unwrap(), ["v2:127.0.0.1:0/77"]);
        assert_eq!(text("[v2:10.0.0.1:1/2,v1:10.0.0.1:3/4]").unwrap().len(), 2);
        assert_eq!(text("v2:[::1]:0/5").unwrap(), ["v2:[::1]:0/5"]);
        assert_eq!(parse("127.0.0.1:0/9").unwrap().0[0].kind, AddrType::LEGACY);
        for bad in ["", "-", "v2:host:0/1", "v2:1.2.3.4:0/x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
