//! Where the monitors are: `mon_host`, names in it resolved, or else what DNS says (`srv`).

use super::{ConfigError, Options, srv};
use crate::mon::hunt::Candidate;
use axon_core::config::{MonHost, parse_mon_host};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec};
use std::net::IpAddr;

/// The monitors and where their addresses came from.
pub(super) async fn load(options: Options<'_>) -> Result<(Vec<Candidate>, String), ConfigError> {
    let Some(text) = options("mon_host").filter(|t| !t.trim().is_empty()) else {
        return srv::load(options).await;
    };
    let mut found: Vec<EntityAddrVec> = Vec::new();
    let mut first_failure = None;
    for host in parse_mon_host(&text)? {
        match resolve(&host).await {
            Ok(addrs) => found.extend(addrs.into_iter().filter(|a| !a.0.is_empty())),
            Err(e) => first_failure = first_failure.or(Some(e)),
        }
    }
    if found.is_empty() {
        return Err(first_failure.unwrap_or(ConfigError::NoMonitors { record: srv::record(options) }));
    }
    let named = found.into_iter().enumerate();
    let monitors = named.map(|(i, addrs)| Candidate::unnamed(format!("noname-{i}"), addrs)).collect();
    Ok((monitors, format!("mon_host = {text}")))
}

/// One monitor for each IP address that the text stands for: a name may stand for all monitors. Where the text does not say
/// which protocol is spoken there, each is tried as if it were another monitor (`MonMap::_add_ambiguous_addr`).
async fn resolve(host: &MonHost) -> Result<Vec<EntityAddrVec>, ConfigError> {
    if let [one] = host.as_slice() {
        let ips = lookup(&one.host).await?;
        let of_ip = |ip: IpAddr| one.endpoints().into_iter().map(move |(kind, port)| addr(kind, ip, port));
        return Ok(ips.into_iter().flat_map(of_ip).map(|addr| EntityAddrVec(vec![addr])).collect());
    }
    let mut addrs = Vec::new();
    for one in host {
        if let (Some(ip), Some((kind, port))) = (lookup(&one.host).await?.first(), one.endpoints().first()) {
            addrs.push(addr(*kind, *ip, *port));
        }
    }
    Ok(vec![EntityAddrVec(addrs)])
}

fn addr(kind: AddrType, ip: IpAddr, port: u16) -> EntityAddr {
    EntityAddr::new(kind, (ip, port).into(), 0)
}

async fn lookup(host: &str) -> Result<Vec<IpAddr>, ConfigError> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let failed = |why: String| ConfigError::Resolve { host: host.to_owned(), why };
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|e| failed(e.to_string()))?;
    let mut ips: Vec<IpAddr> = found.map(|sock| sock.ip()).collect();
    ips.dedup();
    if ips.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(ips) }
}
