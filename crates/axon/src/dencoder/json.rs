//! JSON as upstream's `dump` gives it, of types whose own JSON here is another one (`pg_t` is text wherever a module or the REST
//! API sees it) or that have none but this. Sources: `src/auth/{Auth,Crypto}.cc`, `src/auth/cephx/CephxProtocol.h`,
//! `src/mgr/{OSDPerfMetricTypes,MDSPerfMetricTypes,MetricTypes}.h`, `src/mds/mdstypes.cc`, `src/mon/PGMap.cc` of 20.2.4; 18.2 prints
//! the same of those that it knows.
//!
//! Where upstream prints a key several times in one object (`limits`, `purged_snaps`), here is a list: of such an object a reader sees
//! the last member only. Where it prints a buffer with its addresses in memory, here is its length.

use axon_cephx::{CryptoKey, wire};
use axon_core::pg_map::PgMap;
use axon_proto::fs_map::FeatureBits;
use axon_proto::json::{Object, map_of};
use axon_proto::mgr_map::StandbyInfo;
use axon_proto::perf_metric::{
    CounterDescriptor, MdsPerfMetricReport, MetricConfig, MetricReport, OsdMetricPayload,
    OsdPerfMetricQueries, PerfMetricLimit, PerfMetricQuery, PerfMetricReport, SubKeyDescriptor,
};
use axon_proto::pg::id::NO_SHARD;
use axon_proto::pg::{Intervals, OsdStat, Pg, PgMapDump, PgShard, PgState, Spg};
use axon_proto::pg_map_digest::{PgCount, PgMapDigest};
use axon_proto::{AuthEntity, Release};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The members of both objects.
pub fn with(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}

/// A number of the operator's own type that upstream's `dump_unsigned` takes: below zero it wraps.
fn unsigned(number: impl Into<i64>) -> u64 {
    number.into().cast_unsigned()
}

fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn pg(pg: &Pg) -> Value {
    json!({"pool": unsigned(pg.pool), "seed": pg.seed})
}

pub fn spg(spg: &Spg) -> Value {
    json!({"pgid": spg.pgid, "shard": i32::from(spg.shard).cast_unsigned()})
}

pub fn pg_shard(shard: &PgShard) -> Value {
    let mut json = json!({"osd": unsigned(shard.osd)});
    if shard.shard != NO_SHARD {
        json = with(json, json!({"shard": i32::from(shard.shard).cast_unsigned()}));
    }
    json
}

pub fn auth_entity(entity: &AuthEntity) -> Value {
    json!({"type": entity.kind.0, "type_str": entity.kind.name(), "id": entity.id})
}

/// The type and when it was made; never the secret.
pub fn crypto_key(key: &CryptoKey) -> Value {
    let name = match key.kind().0 {
        0 => "none",
        1 => "aes",
        2 => "aes256k",
        _ => "???",
    };
    json!({"type": key.kind().0, "type_str": name, "created": key.created()})
}

pub fn auth_caps(caps: &wire::AuthCapsInfo) -> Value {
    json!({"allow_all": caps.allow_all, "caps": base64_of(&caps.caps), "caps_len": caps.caps.len()})
}

pub fn auth_ticket(ticket: &wire::AuthTicket) -> Value {
    json!({
        "name": auth_entity(&ticket.name),
        "global_id": ticket.global_id,
        "created": ticket.created,
        "expires": ticket.expires,
        "caps": auth_caps(&ticket.caps),
        "flags": ticket.flags,
    })
}

pub fn entity_auth(auth: &wire::EntityAuth) -> Value {
    let cap = |(service, spec): (&String, &Bytes)| json!({"service_name": service, "access_spec": String::from_utf8_lossy(spec)});
    json!({
        "key": crypto_key(&auth.key),
        "pending_key": crypto_key(&auth.pending_key),
        "caps": auth.caps.iter().map(cap).collect::<Vec<_>>(),
    })
}

pub fn expiring_key(key: &wire::ExpiringCryptoKey) -> Value {
    json!({"key": crypto_key(&key.key), "expiration": key.expiration})
}

pub fn rotating(secrets: &wire::RotatingSecrets) -> Value {
    let one =
        |(id, key): (&u64, &wire::ExpiringCryptoKey)| json!({"id": id, "expiring_key": expiring_key(key)});
    json!({"max_ver": secrets.max_ver, "keys": secrets.secrets.iter().map(one).collect::<Vec<_>>()})
}

pub fn ticket_blob(blob: &wire::CephXTicketBlob) -> Value {
    json!({"secret_id": blob.secret_id, "blob_len": blob.blob.len()})
}

pub fn service_ticket(ticket: &wire::CephXServiceTicket) -> Value {
    // Both members dump into one object.
    let validity = json!({"seconds": ticket.validity.sec, "nanoseconds": ticket.validity.nsec});
    with(crypto_key(&ticket.session_key), validity)
}

pub fn service_ticket_info(info: &wire::CephXServiceTicketInfo) -> Value {
    with(auth_ticket(&info.ticket), crypto_key(&info.session_key))
}

pub fn authenticate(proof: &wire::CephXAuthenticate) -> Value {
    json!({
        "client_challenge": proof.client_challenge,
        "key": proof.key,
        "old_ticket": ticket_blob(&proof.old_ticket),
        "other_keys": proof.other_keys,
    })
}

/// Words of 64 bits, the highest first.
pub fn feature_bits(bits: &FeatureBits) -> Value {
    let words = bits.0.chunks(8).map(|word| {
        let mut whole = [0; 8];
        whole.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(whole)
    });
    let text: String = words.rev().map(|word| format!("{word:016x}")).collect();
    json!({"feature_bits": format!("0x{}", if text.is_empty() { "0" } else { &text })})
}

pub fn osd_stat(stat: &OsdStat) -> Value {
    map_of(&stat.dump(true)).into()
}

pub fn pg_map(dump: &PgMapDump, release: Release) -> Value {
    let map = PgMap::from_dump(dump.clone());
    let numbers = json!({"last_osdmap_epoch": dump.last_osdmap_epoch, "last_pg_scan": dump.last_pg_scan});
    with(json!(Object(map.dump(release, PgMap::with_net(release)))), numbers)
}

pub fn digest(digest: &PgMapDigest, release: Release) -> Value {
    let classes: Map<_, _> =
        digest.osd_sum_by_class.iter().map(|(class, sum)| (class.clone(), osd_stat(sum))).collect();
    let pools = digest.pg_pool_sum.iter().map(|(id, sum)| {
        let mut pool = json!({"poolid": id});
        if let Some(num_pg) = digest.num_pg_by_pool.get(&i64::from(*id)) {
            pool = with(pool, json!({"num_pg": num_pg}));
        }
        with(pool, json!(sum))
    });
    let osds = digest.osd_last_seq.iter().enumerate().map(|(osd, seq)| json!({"osd": osd, "seq": seq}));
    let states =
        digest.num_pg_by_state.iter().map(|(state, num): (&PgState, _)| json!({"state": state, "num": num}));
    let by_osd = digest.num_pg_by_osd.iter().map(|(osd, count): (_, &PgCount)| {
        json!({
            "osd": osd,
            "num_primary_pg": count.primary,
            "num_acting_pg": count.acting,
            "num_up_not_acting_pg": count.up_not_acting,
        })
    });
    let purged = digest
        .purged_snaps
        .iter()
        .map(|(pool, snaps): (_, &Intervals)| json!({"pool": pool, "purged_snaps": snaps}));
    let mut json = json!({
        "num_pg": digest.num_pg,
        "num_pg_active": digest.num_pg_active,
        "num_pg_unknown": digest.num_pg_unknown,
        "num_osd": digest.num_osd,
        "pool_sum": digest.pg_sum,
        "osd_sum": osd_stat(&digest.osd_sum),
        "osd_sum_by_class": classes,
        "pool_stats": pools.collect::<Vec<_>>(),
        "osd_stats": osds.collect::<Vec<_>>(),
        "num_pg_by_state": states.collect::<Vec<_>>(),
        "num_pg_by_osd": by_osd.collect::<Vec<_>>(),
        "purged_snaps": purged.collect::<Vec<_>>(),
    });
    if release >= Release::Tentacle {
        let pgs = digest.pool_pg_unavailable_map.iter();
        let pgs: Vec<_> = pgs.map(|(pool, pgs)| json!({"poolid": pool.to_string(), "pgs": pgs})).collect();
        json = with(json, json!({"pool_pg_unavailable_map": pgs}));
    }
    json
}

pub fn sub_key(descriptor: &SubKeyDescriptor) -> Value {
    json!({"type": descriptor.kind, "regex": descriptor.regex})
}

pub fn counter(descriptor: &CounterDescriptor) -> Value {
    json!({"type": descriptor.kind})
}

fn counters(descriptors: &[CounterDescriptor]) -> Vec<Value> {
    descriptors.iter().map(counter).collect()
}

pub fn osd_query(query: &PerfMetricQuery) -> Value {
    json!({
        "key_descriptor": query.key_descriptor.0.iter().map(sub_key).collect::<Vec<_>>(),
        "performance_counter_descriptors": counters(&query.performance_counter_descriptors.0),
    })
}

pub fn osd_report(report: &PerfMetricReport) -> Value {
    let groups = report.group_packed_performance_counters.iter();
    let groups: Vec<_> = groups.map(|(key, val)| json!({"key": key, "val": base64_of(val)})).collect();
    json!({
        "performance_counter_descriptors": counters(&report.performance_counter_descriptors.0),
        "group_packed_performance_counters": groups,
    })
}

pub fn osd_payload(payload: &OsdMetricPayload) -> Value {
    // Queries and reports alternate.
    let pair = |(query, report)| [osd_query(query), osd_report(report)];
    json!({"report": payload.report.iter().flat_map(pair).collect::<Vec<_>>()})
}

fn streamed(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

fn mds_counters(descriptors: &[CounterDescriptor]) -> String {
    const NAMES: [&str; 16] = [
        "cap_hit_metric",
        "read_latency_metric",
        "write_latency_metric",
        "metadata_latency_metric",
        "dentry_lease_metric",
        "opened_files_metric",
        "pinned_icaps_metric",
        "opened_inodes_metric",
        "read_io_sizes_metric",
        "write_io_sizes_metric",
        "avg_read_latency",
        "stdev_read_latency",
        "avg_write_latency",
        "stdev_write_latency",
        "avg_metadata_latency",
        "stdev_metadata_latency",
    ];
    let name = |d: &CounterDescriptor| NAMES.get(usize::from(d.kind)).copied().unwrap_or_default();
    streamed(descriptors.iter().map(|d| name(d).to_owned()))
}

fn mds_query(query: &PerfMetricQuery) -> Value {
    let key = |d: &SubKeyDescriptor| match d.kind {
        0 => format!("mds_rank~/{}/", d.regex),
        1 => format!("client_id~/{}/", d.regex),
        other => format!("unknown ({other})~/{}/", d.regex),
    };
    json!({
        "key_descriptor": streamed(query.key_descriptor.0.iter().map(key)),
        "performance_counter_descriptors": mds_counters(&query.performance_counter_descriptors.0),
    })
}

fn mds_metrics(metrics: &PerfMetricReport) -> Value {
    // Keys and values alternate.
    let key = |key: &[Vec<String>]| streamed(key.iter().map(|part| streamed(part.iter().cloned())));
    let pair =
        |(k, value): (&Vec<Vec<String>>, &Bytes)| [key(k), format!("buffer::list(len={})", value.len())];
    json!({
        "performance_counter_descriptors": mds_counters(&metrics.performance_counter_descriptors.0),
        "group_packed_performance_counters":
            metrics.group_packed_performance_counters.iter().flat_map(pair).collect::<Vec<_>>(),
    })
}

pub fn mds_report(report: &MdsPerfMetricReport) -> Value {
    let pair =
        |(query, metrics)| [json!({"query": mds_query(query)}), json!({"metrics": mds_metrics(metrics)})];
    json!({"reports": report.reports.iter().flat_map(pair).collect::<Vec<_>>()})
}

pub fn metric_report(report: &MetricReport) -> Value {
    let payload = match report {
        MetricReport::Osd(payload) => osd_payload(payload),
        MetricReport::Mds(payload) => mds_report(&payload.metric_report),
        // Upstream aborts.
        MetricReport::Unknown(kind, bytes) => json!({"type": kind, "len": bytes.len()}),
    };
    json!({"payload": payload})
}

pub fn mds_config(queries: &OsdPerfMetricQueries) -> Value {
    config(queries, mds_query, |d| json!({"type": d.kind}))
}

fn config(
    queries: &OsdPerfMetricQueries,
    query: fn(&PerfMetricQuery) -> Value,
    order: fn(&CounterDescriptor) -> Value,
) -> Value {
    let one = |(asked, limits): (&PerfMetricQuery, &BTreeSet<PerfMetricLimit>)| {
        let limit = |limit: &PerfMetricLimit| json!({"order_by": order(&limit.order_by), "max_count": limit.max_count});
        json!({"query": query(asked), "limits": limits.iter().map(limit).collect::<Vec<_>>()})
    };
    json!({"config": queries.iter().map(one).collect::<Vec<_>>()})
}

/// Upstream's `ceph-dencoder` has no JSON of it; this is its reports' form.
pub fn metric_config(message: &MetricConfig) -> Value {
    let payload = match message {
        MetricConfig::Osd(queries) => config(queries, osd_query, counter),
        MetricConfig::Mds(queries) => mds_config(queries),
        MetricConfig::Unknown(kind, bytes) => json!({"type": kind, "len": bytes.len()}),
    };
    json!({"payload": payload})
}

/// Each module within an object of its own, as `ModuleInfo::dump` opens one.
pub fn standby(standby: &StandbyInfo) -> Value {
    let modules: Vec<_> = standby.available_modules.iter().map(|module| json!({"module": module})).collect();
    with(json!(standby), json!({"available_modules": modules}))
}
