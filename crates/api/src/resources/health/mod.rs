//! The cluster's health with the maps around it (`controllers/health.py`, `services/cluster.py`): `full` and `minimal` for
//! the UI's older landing page, `snapshot` (since 20.2) for its newer one.
//!
//! Invariants: any login may ask, and each part is there only for who may read its scope; parts that follow from a map are
//! kept per epoch (`kept.rs`), sums of placement groups are `core`'s running ones, so that nothing but `full` costs more on
//! a larger cluster.

mod full;
mod gateways;
mod minimal;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::access::scope::{Permission, Scope};
use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use crate::kept::{Json, json};
use crate::later;
use crate::release::Release;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

pub const RESOURCE: Resource = Resource {
    tag: "Health",
    doc: "Display Detailed Cluster health Status",
    operations: &[
        Operation::get("/api/health/full", later!(full::full))
            .summary("Get Cluster's detailed health report"),
        Operation::get("/api/health/minimal", later!(minimal::minimal))
            .summary("Get Cluster's health report with lesser details"),
        Operation::get("/api/health/get_cluster_capacity", now(capacity)).since(Release::Reef),
        Operation::get("/api/health/get_cluster_fsid", now(fsid)).since(Release::Reef),
        Operation::get("/api/health/get_telemetry_status", now(telemetry)).since(Release::Reef),
        Operation::get("/api/health/snapshot", later!(snapshot::snapshot))
            .since(Release::Tentacle)
            .summary("Get a quick overview of cluster health at a moment"),
    ],
};

fn capacity(call: &Call) -> Answer {
    Ok(Reply::json(&picked(
        &call.state.pg_map.df_stats(),
        &["total_avail_bytes", "total_bytes", "total_used_raw_bytes"],
    )))
}

fn fsid(call: &Call) -> Answer {
    Ok(Reply::json(&call.state.fsid))
}

/// The option of the telemetry module, whether that module runs or not.
fn telemetry(call: &Call) -> Answer {
    let set = call.state.module_option("telemetry", "enabled");
    Ok(Reply::json(&set.is_some_and(|text| matches!(text, "1" | "true" | "True" | "on" | "yes"))))
}

/// An answer in parts, some of them kept as text.
struct Parts<'a> {
    call: &'a Call,
    parts: Vec<(&'static str, Json)>,
}

impl<'a> Parts<'a> {
    fn new(call: &'a Call) -> Self {
        Parts { call, parts: Vec::new() }
    }

    /// A part that everybody sees.
    fn put<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        self.parts.push((key, json(value)));
    }

    /// A part that is made only for who may read the scope.
    fn part(&mut self, scope: Scope, key: &'static str, make: impl FnOnce() -> Json) {
        if self.call.may(scope, Permission::Read) {
            self.parts.push((key, make()));
        }
    }

    fn reply(self) -> Reply {
        Reply::json(&self)
    }
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.parts.iter().map(|(key, part)| (key, &**part)))
    }
}

/// The epoch of a map, and the release whose keys its dump has.
fn epochs(epoch: impl Into<u64>, call: &Call) -> [u64; 2] {
    [epoch.into(), u64::from(call.state.release.number())]
}

fn picked(from: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    keys.iter().map(|key| ((*key).to_owned(), from.get(*key).cloned().unwrap_or(Value::Null))).collect()
}

/// The monitors' health, with the checks as a list whose members name their type, the worst severity's name first.
fn basic_health(health: &Value) -> Value {
    let mut health = health.clone();
    let Some(Value::Object(checks)) = health.get_mut("checks").map(Value::take) else { return health };
    let typed = checks.into_iter().map(|(code, mut check)| {
        if let Some(check) = check.as_object_mut() {
            check.insert("type".to_owned(), code.into());
        }
        check
    });
    let mut list: Vec<Value> = typed.collect();
    list.sort_by(|a, b| a["severity"].as_str().cmp(&b["severity"].as_str()));
    health["checks"] = list.into();
    health
}

/// Whether scrubs are forbidden, going on, or neither.
fn scrub_status(call: &Call) -> &'static str {
    use axon_proto::osd_map::map_flag;
    let map = &call.state.osd_map;
    if map.has_flag(map_flag::NOSCRUB) || map.has_flag(map_flag::NODEEP_SCRUB) {
        "Disabled"
    } else if call.state.pg_map.is_scrubbing() {
        "Active"
    } else {
        "Inactive"
    }
}

fn rgw_count(call: &Call) -> usize {
    call.state.daemons.of_kind("rgw").count()
}
