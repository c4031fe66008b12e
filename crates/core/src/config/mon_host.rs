//! The forms of `mon_host` (`MonMap::init_with_hosts`, `entity_addrvec_t::parse`): addresses and DNS names, with or without
//! `v1:`/`v2:`, port and nonce, grouped per monitor by brackets: `[v2:10.0.0.1:3300,v1:10.0.0.1:6789] mon2, [fe80::1]:6789`.
//!
//! Not here: resolving names (`axon-net`).

use axon_proto::AddrType;
use std::fmt;
use std::net::IpAddr;

/// One monitor: all of its addresses.
pub type MonHost = Vec<MonHostAddr>;

/// One address of a monitor as the text gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonHostAddr {
    /// `AddrType::ANY` when the text does not say.
    pub kind: AddrType,
    /// An IP address or a name.
    pub host: String,
    pub port: Option<u16>,
}

impl MonHostAddr {
    /// Protocol and port in the order to try, by upstream's defaults (`MonMap::_add_ambiguous_addr`): 3300 speaks v2,
    /// 6789 speaks v1, no port means both of those, any other port may speak either.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(AddrType, u16)> {
        const V2_PORT: u16 = 3300;
        const V1_PORT: u16 = 6789;
        match (self.kind, self.port) {
            (AddrType::MSGR2, port) => vec![(AddrType::MSGR2, port.unwrap_or(V2_PORT))],
            (AddrType::LEGACY, port) => vec![(AddrType::LEGACY, port.unwrap_or(V1_PORT))],
            (_, None) => vec![(AddrType::MSGR2, V2_PORT), (AddrType::LEGACY, V1_PORT)],
            (_, Some(V1_PORT)) => vec![(AddrType::LEGACY, V1_PORT)],
            (_, Some(V2_PORT)) => vec![(AddrType::MSGR2, V2_PORT)],
            (_, Some(port)) => vec![(AddrType::MSGR2, port), (AddrType::LEGACY, port)],
        }
    }
}

/// A part of `mon_host` that is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMonHost {
    pub part: String,
    pub why: &'static str,
}

impl fmt::Display for BadMonHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mon_host: {:?} is not a monitor's address: {}", self.part, self.why)
    }
}
impl std::error::Error for BadMonHost {}

/// Parses the value of `mon_host`.
pub fn parse_mon_host(text: &str) -> Result<Vec<MonHost>, BadMonHost> {
    groups(text)?.into_iter().map(|group| group.into_iter().map(parse_addr).collect()).collect()
}

/// Splits into monitors, and each into the texts of its addresses.
fn groups(text: &str) -> Result<Vec<Vec<&str>>, BadMonHost> {
    let separator = |c: char| matches!(c, ',' | ';') || c.is_whitespace();
    let mut out = Vec::new();
    let mut rest = text.trim_start_matches(separator);
    while !rest.is_empty() {
        let (group, after) = match rest.strip_prefix('[') {
            Some(inner) if !is_bracketed_ip(rest) => {
                let end = group_end(inner)
                    .ok_or_else(|| BadMonHost { part: rest.to_owned(), why: "its bracket is not closed" })?;
                let addrs = inner.get(..end).unwrap_or_default().split(',').map(str::trim);
                (
                    addrs.filter(|a| !a.is_empty()).collect::<Vec<_>>(),
                    inner.get(end + 1..).unwrap_or_default(),
                )
            }
            _ => {
                let end = rest.find(separator).unwrap_or(rest.len());
                let (one, after) = rest.split_at(end);
                (vec![one], after)
            }
        };
        if !group.is_empty() {
            out.push(group);
        }
        rest = after.trim_start_matches(separator);
    }
    Ok(out)
}

/// `[fe80::1]…` rather than `[v2:…,v1:…]`.
fn is_bracketed_ip(text: &str) -> bool {
    text.strip_prefix('[').and_then(|t| t.split_once(']')).is_some_and(|(ip, _)| ip.parse::<IpAddr>().is_ok())
}

/// Where the bracket of a group closes, skipping those of IPv6 addresses in it.
fn group_end(inner: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in inner.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn parse_addr(text: &str) -> Result<MonHostAddr, BadMonHost> {
    let bad = |why| BadMonHost { part: text.to_owned(), why };
    let forms = [("v1:", AddrType::LEGACY), ("v2:", AddrType::MSGR2), ("any:", AddrType::ANY)];
    let form =
        forms.into_iter().find_map(|(prefix, kind)| text.strip_prefix(prefix).map(|rest| (kind, rest)));
    let (kind, rest) = form.unwrap_or((AddrType::ANY, text));
    let rest = rest.split_once('/').map_or(rest, |(addr, _nonce)| addr);
    let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
        let (ip, after) = inner.split_once(']').ok_or_else(|| bad("its bracket is not closed"))?;
        (ip, after.strip_prefix(':'))
    } else if rest.parse::<IpAddr>().is_ok() {
        (rest, None)
    } else {
        rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None | Some("0") => None,
        Some(port) => Some(port.parse().map_err(|_| bad("the port is no number up to 65535"))?),
    };
    let name_chars = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(name_chars) {
        return Err(bad("neither an IP address nor a host name"));
    }
    Ok(MonHostAddr { kind, host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Vec<String>> {
        let show = |a: MonHostAddr| {
            format!("{}|{}|{}", a.kind.name(), a.host, a.port.map_or("-".to_owned(), |p| p.to_string()))
        };
        parse_mon_host(text).unwrap().into_iter().map(|m| m.into_iter().map(show).collect()).collect()
    }

    #[test]
    fn every_form_that_upstream_reads() {
        assert_eq!(
            parsed("[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0],[v2:10.0.0.2:3300,v1:10.0.0.2:6789]"),
            [["v2|10.0.0.1|3300", "v1|10.0.0.1|6789"], ["v2|10.0.0.2|3300", "v1|10.0.0.2|6789"]]
        );
        assert_eq!(
            parsed("10.0.0.1 10.0.0.2:6789;mon-3.example, v2:10.0.0.4"),
            [["any|10.0.0.1|-"], ["any|10.0.0.2|6789"], ["any|mon-3.example|-"], ["v2|10.0.0.4|-"]]
        );
        assert_eq!(
            parsed("[v2:[fe80::1]:3300,v1:[fe80::1]:6789] [fe80::2]:6789, fe80::3, [fe80::4]"),
            [
                vec!["v2|fe80::1|3300", "v1|fe80::1|6789"],
                vec!["any|fe80::2|6789"],
                vec!["any|fe80::3|-"],
                vec!["any|fe80::4|-"]
            ]
        );
        assert!(parsed(" , ").is_empty());
    }

    #[test]
    fn default_ports_tell_the_protocol() {
        let endpoints = |text: &str| parse_mon_host(text).unwrap()[0][0].endpoints();
        assert_eq!(endpoints("h"), [(AddrType::MSGR2, 3300), (AddrType::LEGACY, 6789)]);
        assert_eq!(endpoints("h:6789"), [(AddrType::LEGACY, 6789)]);
        assert_eq!(endpoints("h:3300"), [(AddrType::MSGR2, 3300)]);
        assert_eq!(endpoints("h:40000"), [(AddrType::MSGR2, 40000), (AddrType::LEGACY, 40000)]);
        assert_eq!(endpoints("v1:h:40000"), [(AddrType::LEGACY, 40000)]);
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["[v2:10.0.0.1:3300", "10.0.0.1:99999", "v2:", "a b!c", "[fe80::1"] {
            assert!(parse_mon_host(text).is_err(), "{text}");
        }
    }
}
