//! `health/minimal`: the parts of `full` that the landing page shows. Asked for every few seconds by each open page, so
//! everything here is a running sum, a count, or kept per epoch, and the whole answer for a second.

use super::{Parts, basic_health, epochs, gateways, picked, rgw_count, scrub_status};
use crate::access::scope::{Permission, Scope};
use crate::http::operation::Answer;
use crate::http::{ApiError, Call};
use crate::kept::{Json, json};
use axon_proto::osd_map::state;
use axon_proto::release::Dump;
use serde::ser::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json, to_value};

pub async fn minimal(call: Call) -> Answer {
    let now = &call.state;
    let maps = [&now.osd_map.epoch, &now.fs_map.epoch, &now.mgr_map.epoch, &now.mon_map.epoch];
    // Epochs only grow, so that their sum tells one state of the maps from another.
    let epochs = [maps.into_iter().map(|epoch| u64::from(*epoch)).sum(), identity(&now.health)];
    let seen = SCOPES.map(|scope| if call.may(scope, Permission::Read) { '1' } else { '0' });
    call.recent(&String::from_iter(seen), epochs, async || minimal_of(&call).await).await
}

/// What is shown depends on these.
const SCOPES: [Scope; 8] = [
    Scope::Monitor,
    Scope::Cephfs,
    Scope::Osd,
    Scope::Manager,
    Scope::Pool,
    Scope::Hosts,
    Scope::Rgw,
    Scope::Iscsi,
];

/// Another one each time that the monitors tell of it.
fn identity(health: &std::sync::Arc<Value>) -> u64 {
    std::sync::Arc::as_ptr(health) as u64
}

async fn minimal_of(call: &Call) -> Result<Box<RawValue>, ApiError> {
    let iscsi = gateways::iscsi(call).await;
    let mut parts = Parts::new(call);
    let now = &call.state;
    parts.put("health", &basic_health(&now.health));
    parts.part(Scope::Monitor, "mon_status", || json(&mon_status(&now.mon_status)));
    parts.part(Scope::Cephfs, "fs_map", || fs_map(call));
    parts.part(Scope::Osd, "osd_map", || osd_map(call));
    parts.part(Scope::Osd, "scrub_status", || json(scrub_status(call)));
    parts.part(Scope::Osd, "pg_info", || json(&now.pg_map.pg_info()));
    parts.part(Scope::Manager, "mgr_map", || mgr_map(call));
    parts.part(Scope::Pool, "pools", || json(&blanks(now.osd_map.pools.len())));
    parts.part(Scope::Pool, "df", || {
        let keys = ["total_avail_bytes", "total_bytes", "total_used_raw_bytes"];
        json(&json!({"stats": picked(&now.pg_map.df_stats(), &keys)}))
    });
    parts.part(Scope::Pool, "client_perf", || json(&now.pg_map.client_perf()));
    parts.part(Scope::Hosts, "hosts", || json(&now.daemons.num_servers()));
    parts.part(Scope::Rgw, "rgw", || json(&rgw_count(call)));
    parts.part(Scope::Iscsi, "iscsi_daemons", || json(&iscsi));
    to_raw_value(&parts).map_err(|why| ApiError::internal(why.to_string()))
}

/// The UI counts them.
fn blanks(count: usize) -> Vec<Map<String, Value>> {
    vec![Map::new(); count]
}

fn mon_status(status: &Value) -> Value {
    let mons = status["monmap"]["mons"].as_array().map_or(0, Vec::len);
    json!({"monmap": {"mons": blanks(mons)}, "quorum": status["quorum"]})
}

/// Upstream means to leave out most of each daemon, and leaves out nothing.
fn fs_map(call: &Call) -> Json {
    let map = &call.state.fs_map;
    call.dash.kept.fs_map_brief.at(epochs(map.epoch, call), || {
        let dump = to_value(map.dumped(call.state.release)).unwrap_or_default();
        let filesystems = dump["filesystems"].as_array().into_iter().flatten();
        let filesystems: Vec<Value> = filesystems.map(|fs| json!({"mdsmap": fs["mdsmap"]})).collect();
        json(&json!({"filesystems": filesystems, "standbys": dump["standbys"]}))
    })
}

fn osd_map(call: &Call) -> Json {
    #[derive(serde::Serialize)]
    struct Osd {
        r#in: u8,
        up: u8,
        state: Vec<&'static str>,
    }
    struct Osds<'a>(&'a axon_proto::osd_map::OSDMap);
    impl Serialize for Osds<'_> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let map = self.0;
            s.collect_seq(map.osds().map(|osd| Osd {
                r#in: map.is_in(osd).into(),
                up: map.is_up(osd).into(),
                state: state::names(map.state(osd)),
            }))
        }
    }
    #[derive(serde::Serialize)]
    struct Brief<'a> {
        osds: Osds<'a>,
    }
    let map = &call.state.osd_map;
    call.dash.kept.osds_brief.at(epochs(map.epoch, call), || json(&Brief { osds: Osds(map) }))
}

fn mgr_map(call: &Call) -> Json {
    let map = &call.state.mgr_map;
    call.dash.kept.mgr_map_brief.at(epochs(map.epoch, call), || {
        let standbys: Vec<_> = map.standbys.values().collect();
        json(&json!({"active_name": map.active_name, "standbys": standbys}))
    })
}
