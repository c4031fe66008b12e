//! `health/full`: every map with all that is known of it. The one answer here that grows with the cluster.
//!
//! Upstream asks its manager for `osd_map_crush_map_text`, which no release knows, and shows the empty answer; so does this.

use super::{Parts, basic_health, epochs, gateways, rgw_count, scrub_status};
use crate::access::scope::{Permission, Scope};
use crate::http::operation::Answer;
use crate::http::{ApiError, Call};
use crate::kept::{Json, json};
use axon_proto::release::Dump;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json, to_value};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub async fn full(call: Call) -> Answer {
    let iscsi = gateways::iscsi(&call).await;
    // Large enough on a large cluster to keep others waiting if it ran among the requests.
    let work = tokio::task::spawn_blocking(move || {
        let mut parts = Parts::new(&call);
        let state = &call.state;
        parts.put("health", &basic_health(&state.health));
        parts.part(Scope::Monitor, "mon_status", || json(&*state.mon_status));
        parts.part(Scope::Cephfs, "fs_map", || {
            call.dash
                .kept
                .fs_map
                .at(epochs(state.fs_map.epoch, &call), || json(&state.fs_map.dumped(state.release)))
        });
        parts.part(Scope::Osd, "osd_map", || osd_map(&call));
        parts.part(Scope::Osd, "scrub_status", || json(scrub_status(&call)));
        parts.part(Scope::Osd, "pg_info", || json(&state.pg_map.pg_info()));
        parts.part(Scope::Manager, "mgr_map", || {
            let epochs = epochs(state.mgr_map.epoch, &call);
            call.dash.kept.mgr_map.at(epochs, || json(&state.mgr_map.dumped(state.release)))
        });
        if call.may(Scope::Pool, Permission::Read) {
            let df = df(&call);
            parts.put("pools", &pools_with_stats(&call, &df));
            parts.put("df", &without(&df, "stats_by_class"));
            parts.put("client_perf", &state.pg_map.client_perf());
        }
        parts.part(Scope::Hosts, "hosts", || json(&state.daemons.num_servers()));
        parts.part(Scope::Rgw, "rgw", || json(&rgw_count(&call)));
        parts.part(Scope::Iscsi, "iscsi_daemons", || json(&iscsi));
        parts.reply()
    });
    work.await.map_err(|_| ApiError::internal("The operation broke off; the manager's log says where"))
}

fn osd_map(call: &Call) -> Json {
    struct OsdMap<'a> {
        kept: &'a [(String, Json)],
        call: &'a Call,
    }
    impl Serialize for OsdMap<'_> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let mut out = s.serialize_map(None)?;
            for (key, part) in self.kept {
                out.serialize_entry(key, &**part)?;
            }
            out.serialize_entry("osd_metadata", &self.call.state.daemons.metadata_of("osd"))?;
            out.end()
        }
    }
    let (map, release) = (&call.state.osd_map, call.state.release);
    let kept = call.dash.kept.osd_map.at(epochs(map.epoch, call), || {
        let Ok(Value::Object(dump)) = to_value(map.dumped(release)) else { return Arc::new([]) };
        let keys = dump.iter().filter(|(key, _)| *key != "pg_temp");
        let mut kept: Vec<(String, Json)> = keys.map(|(key, value)| (key.clone(), json(value))).collect();
        kept.push(("tree".to_owned(), json(&map.tree())));
        kept.push(("crush".to_owned(), json(&map.crush.dumped(release))));
        kept.push(("crush_map_text".to_owned(), json(&json!({}))));
        Arc::from(kept)
    });
    json(&OsdMap { kept: &kept, call })
}

/// `mgr.get("df")`, once per report.
fn df(call: &Call) -> Arc<Value> {
    let state = &call.state;
    let epochs = [u64::from(state.osd_map.epoch), state.pg_map.version];
    let df = call.dash.kept.df.at(epochs, || Arc::new(state.pg_map.df(&*state.osd_map, state.release)));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut history = call.dash.pool_history.lock().unwrap_or_else(PoisonError::into_inner);
    history.sample(state.pg_map.version, since.as_secs_f64(), &df);
    df
}

/// `CephService.get_pool_list_with_stats`.
fn pools_with_stats(call: &Call, _sampled: &Value) -> Vec<Value> {
    let state = &call.state;
    let history = call.dash.pool_history.lock().unwrap_or_else(PoisonError::into_inner);
    let one = |(id, pool)| {
        struct Pool<'a>(&'a Call, i64, &'a axon_proto::osd_map::PgPool);
        impl Serialize for Pool<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.0.state.osd_map.dump_pool(self.1, self.2, self.0.state.release, s)
            }
        }
        let mut dump = to_value(Pool(call, id, pool)).unwrap_or_default();
        if let Some(dump) = dump.as_object_mut() {
            dump.insert("pg_status".to_owned(), json!(state.pg_map.pool_pg_states(id)));
            dump.insert("stats".to_owned(), history.stats(id).into());
        }
        dump
    };
    state.osd_map.pools.iter().map(|(id, pool)| one((*id, pool))).collect()
}

fn without(value: &Value, key: &str) -> Map<String, Value> {
    let entries = value.as_object().into_iter().flatten().filter(|(k, _)| *k != key);
    entries.map(|(k, v)| (k.clone(), v.clone())).collect()
}
