//! Monitors by DNS (`MonMap::init_with_dns_srv`, `DNSResolver::resolve_srv_hosts`): the service record `_NAME._tcp.DOMAIN`, where
//! `mon_dns_srv_name` is `NAME` or `NAME_DOMAIN`; without a domain the host's search list counts.
//!
//! A record's port says which protocol is spoken there, as in `mon_host`; its priority and weight are the hunt's. Unlike upstream's, a target
//! need not be in the record's own domain.

use super::{ConfigError, Options};
use crate::mon::hunt::Candidate;
use axon_core::config::MonHostAddr;
use axon_proto::{AddrType, EntityAddr, EntityAddrVec};
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::net::SocketAddr;

/// The default of `mon_dns_srv_name`.
const NAME: &str = "ceph-mon";

/// The record that is looked up.
pub(super) fn record(options: Options<'_>) -> String {
    let name = options("mon_dns_srv_name").filter(|name| !name.trim().is_empty());
    let name = name.unwrap_or_else(|| NAME.to_owned());
    match name.trim().split_once('_') {
        Some((service, domain)) => format!("_{service}._tcp.{domain}"),
        None => format!("_{}._tcp", name.trim()),
    }
}

/// The monitors by the host's own resolver, and where they came from.
pub(super) async fn load(options: Options<'_>) -> Result<(Vec<Candidate>, String), ConfigError> {
    let record = record(options);
    let failed = |why: String| ConfigError::Dns { record: record.clone(), why };
    let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
    let resolver = resolver.map_err(|e| failed(format!("resolv.conf: {e}")))?;
    let monitors = discover(&record, &resolver).await?;
    Ok((monitors, format!("DNS, {record}")))
}

async fn discover(record: &str, resolver: &TokioResolver) -> Result<Vec<Candidate>, ConfigError> {
    let failed = |why: String| ConfigError::Dns { record: record.to_owned(), why };
    let nothing = || ConfigError::NoMonitors { record: record.to_owned() };
    let found = match resolver.srv_lookup(record).await {
        Ok(found) => found,
        Err(e) if e.is_no_records_found() => return Err(nothing()),
        Err(e) => return Err(failed(e.to_string())),
    };
    let (mut monitors, mut first_failure) = (Vec::new(), None);
    for answer in found.answers() {
        let RData::SRV(srv) = &answer.data else { continue };
        let target = srv.target.to_utf8();
        let name = target.split('.').next().unwrap_or_default().to_owned();
        match resolver.lookup_ip(srv.target.clone()).await {
            Ok(ips) => {
                let place = MonHostAddr { kind: AddrType::ANY, host: target, port: Some(srv.port) };
                for ip in ips.iter() {
                    for (kind, port) in place.endpoints() {
                        let addr = EntityAddr::new(kind, SocketAddr::new(ip, port), 0);
                        // A name is tried once; each address is a monitor of its own.
                        let nth = monitors.iter().filter(|m: &&Candidate| m.name.starts_with(&name)).count();
                        let name = if nth == 0 { name.clone() } else { format!("{name}-{nth}") };
                        monitors.push(Candidate {
                            name,
                            addrs: EntityAddrVec(vec![addr]),
                            priority: srv.priority,
                            weight: srv.weight,
                        });
                    }
                }
            }
            Err(e) => first_failure = first_failure.or(Some(failed(format!("{target}: {e}")))),
        }
    }
    match monitors.is_empty() {
        true => Err(first_failure.unwrap_or_else(nothing)),
        false => Ok(monitors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, SRV};
    use hickory_resolver::proto::rr::{Name, Record, RecordType};
    use tokio::net::UdpSocket;

    /// A name server for `example.test`: three monitors, one of which has no address.
    async fn name_server() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buf = [0; 1500];
            while let Ok((len, from)) = socket.recv_from(&mut buf).await {
                let Ok(mut message) = Message::from_vec(&buf[..len]) else { continue };
                let query = message.queries[0].clone();
                let (name, kind) = (query.name().to_utf8(), query.query_type());
                let srv = |priority, weight, port, target: &str| {
                    let target = Name::from_utf8(target).unwrap();
                    RData::SRV(SRV::new(priority, weight, port, target))
                };
                let found: Vec<RData> = match (name.trim_end_matches('.'), kind) {
                    ("_ceph-mon._tcp.example.test", RecordType::SRV) => vec![
                        srv(10, 60, 3300, "mon-a.example.test."),
                        srv(20, 40, 6789, "mon-b.example.test."),
                        srv(20, 0, 7777, "mon-c.elsewhere.test."),
                        srv(20, 0, 3300, "gone.example.test."),
                    ],
                    ("mon-a.example.test", RecordType::A) => vec![RData::A(A::new(10, 0, 0, 1))],
                    ("mon-b.example.test", RecordType::A) => vec![RData::A(A::new(10, 0, 0, 2))],
                    ("mon-c.elsewhere.test", RecordType::A) => vec![RData::A(A::new(10, 0, 0, 3))],
                    _ => Vec::new(),
                };
                let code = if found.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
                message = message.into_response();
                message.metadata.response_code = code;
                for data in found {
                    message.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                }
                let _ = socket.send_to(&message.to_vec().unwrap(), from).await;
            }
        });
        addr
    }

    fn resolver(at: SocketAddr) -> TokioResolver {
        let mut udp = ConnectionConfig::udp();
        udp.port = at.port();
        let server = NameServerConfig::new(at.ip(), true, vec![udp]);
        let search = Name::from_utf8("example.test.").unwrap();
        let config = ResolverConfig::from_parts(None, vec![search], vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = std::time::Duration::from_millis(200);
        builder.build().unwrap()
    }

    #[tokio::test]
    async fn monitors_are_found_with_their_priorities_and_the_protocol_of_their_port() {
        let resolver = resolver(name_server().await);
        for record in ["_ceph-mon._tcp.example.test", "_ceph-mon._tcp"] {
            let mut found: Vec<String> = discover(record, &resolver)
                .await
                .unwrap()
                .iter()
                .map(|m| format!("{} {} {}/{}", m.name, m.addrs, m.priority, m.weight))
                .collect();
            found.sort();
            assert_eq!(
                found,
                [
                    "mon-a v2:10.0.0.1:3300/0 10/60",
                    "mon-b v1:10.0.0.2:6789/0 20/40",
                    "mon-c v2:10.0.0.3:7777/0 20/0",
                    "mon-c-1 v1:10.0.0.3:7777/0 20/0",
                ],
                "{record}"
            );
        }
    }

    #[tokio::test]
    async fn a_record_that_does_not_exist_and_a_name_server_that_is_silent_are_told_apart() {
        let error = discover("_no-mon._tcp.example.test", &resolver(name_server().await)).await.unwrap_err();
        assert!(matches!(&error, ConfigError::NoMonitors { .. }) && !error.may_pass(), "{error}");
        assert!(error.to_string().contains("_no-mon._tcp.example.test"), "{error}");
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = discover("_ceph-mon._tcp.example.test", &resolver(nobody)).await.unwrap_err();
        assert!(matches!(&error, ConfigError::Dns { .. }) && error.may_pass(), "{error}");
    }

    #[test]
    fn the_option_may_name_the_domain_too() {
        let record = |value: &'static str| {
            record(&move |option| (option == "mon_dns_srv_name").then(|| value.to_owned()))
        };
        assert_eq!(record(""), "_ceph-mon._tcp");
        assert_eq!(record("cephmon"), "_cephmon._tcp");
        assert_eq!(record("ceph-mon_storage.example.com"), "_ceph-mon._tcp.storage.example.com");
    }
}
