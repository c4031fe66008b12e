//! Daemons' performance counters (`controllers/perf_counters.py`): those of one daemon by name, with rates of what only
//! grows; and all that matter of all daemons.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Resource, now};
use crate::http::{ApiError, Call, Operation, Reply};
use crate::release::Release;
use axon_core::daemons::DaemonKey;
use axon_core::perf::{DaemonPerf, is_average, shows_rate};
use axon_proto::msgs::mgr_report::PerfCounterType;
use http::StatusCode;
use serde_json::{Map, Value, json};

const fn of(tag: &'static str, doc: &'static str, operations: &'static [Operation]) -> Resource {
    Resource { tag, doc, operations }
}

pub const ALL: Resource = of(
    "PerfCounters",
    "Perf Counters Management API",
    &[Operation::get("/api/perf_counters", now(list)).summary("Display Perf Counters")],
);
pub const MDS: Resource = of(
    "MdsPerfCounter",
    "Mds Perf Counters Management API",
    &[Operation::get("/api/perf_counters/mds/{service_id}", now(get)).scope(Scope::Cephfs)],
);
pub const MON: Resource = of(
    "MonPerfCounter",
    "Mon Perf Counters Management API",
    &[Operation::get("/api/perf_counters/mon/{service_id}", now(get)).scope(Scope::Monitor)],
);
pub const OSD: Resource = of(
    "OsdPerfCounter",
    "OSD Perf Counters Management API",
    &[Operation::get("/api/perf_counters/osd/{service_id}", now(get)).scope(Scope::Osd)],
);
pub const RGW: Resource = of(
    "RgwPerfCounter",
    "Rgw Perf Counters Management API",
    &[Operation::get("/api/perf_counters/rgw/{service_id}", now(get)).scope(Scope::Rgw)],
);
pub const RBD_MIRROR: Resource = of(
    "RgwMirrorPerfCounter",
    "Rgw Mirroring Perf Counters Management API",
    &[Operation::get("/api/perf_counters/rbd-mirror/{service_id}", now(get)).scope(Scope::RbdMirroring)],
);
pub const MGR: Resource = of(
    "MgrPerfCounter",
    "Mgr Perf Counters Management API",
    &[Operation::get("/api/perf_counters/mgr/{service_id}", now(get)).scope(Scope::Manager)],
);
pub const TCMU_RUNNER: Resource = of(
    "TcmuRunnerPerfCounter",
    "Tcmu Runner Perf Counters Management API",
    &[Operation::get("/api/perf_counters/tcmu-runner/{service_id}", now(get)).scope(Scope::Iscsi)],
);

/// The daemons whose counters are in the list of all.
const SERVICES: [&str; 7] = ["mds", "mon", "osd", "rbd-mirror", "cephfs-mirror", "rgw", "tcmu-runner"];

fn get(call: &Call) -> Answer {
    // `/api/perf_counters/<type>/{service_id}`
    let kind = call.op().path.split('/').nth(3).unwrap_or_default();
    let key = DaemonKey::new(kind, call.path("service_id"));
    if call.state.daemons.daemon(&key).is_none() {
        return Err(ApiError::http(StatusCode::NOT_FOUND, format!("'{key}' not found")));
    }
    let perf = call.state.perf.daemon(&key);
    let counters: Vec<Value> = perf
        .map(|perf| counters(call, perf).map(|counter| shown(perf, counter)).collect())
        .unwrap_or_default();
    Ok(Reply::json(&json!({"service": {"type": key.kind, "id": key.name}, "counters": counters})))
}

fn shown(perf: &DaemonPerf, counter: &PerfCounterType) -> Value {
    let (value, unit) = match (shows_rate(counter), counter.unit) {
        (true, 0) => (json!(perf.rate(&counter.path)), "B/s"),
        (true, _) => (json!(perf.rate(&counter.path)), "/s"),
        (false, _) => (json!(latest(perf, counter).0), ""),
    };
    json!({"name": counter.path, "description": counter.description, "value": value, "unit": unit})
}

fn list(call: &Call) -> Answer {
    let mut all = Map::new();
    for (key, _) in call.state.daemons.iter().filter(|(key, _)| is_listed(call, &key.kind)) {
        let Some(perf) = call.state.perf.daemon(key) else { continue };
        let useful = counters(call, perf).filter(|counter| counter.priority >= PerfCounterType::PRIO_USEFUL);
        let of_daemon: Map<String, Value> =
            useful.map(|counter| (counter.path.clone(), described(perf, counter))).collect();
        if !of_daemon.is_empty() {
            all.insert(key.to_string(), Value::Object(of_daemon));
        }
    }
    Ok(Reply::json(&all))
}

fn is_listed(call: &Call, kind: &str) -> bool {
    let known = call.dash.release() >= Release::Reef || kind != "cephfs-mirror";
    known && SERVICES.contains(&kind)
}

fn described(perf: &DaemonPerf, counter: &PerfCounterType) -> Value {
    let (value, count) = latest(perf, counter);
    let mut out = json!({
        "description": counter.description,
        "type": counter.kind,
        "priority": counter.priority,
        "units": counter.unit,
        "value": value,
    });
    if !counter.nick.is_empty() {
        out["nick"] = json!(counter.nick);
    }
    if is_average(counter) {
        out["count"] = json!(count);
    }
    out
}

/// The counters that have a place in these answers: since 20.2 none with labels, which stand behind a NUL in the name.
fn counters<'a>(call: &Call, perf: &'a DaemonPerf) -> impl Iterator<Item = &'a PerfCounterType> + use<'a> {
    let labelled_too = call.dash.release() < Release::Tentacle;
    perf.schema().types().filter(move |counter| labelled_too || !counter.path.contains('\0'))
}

fn latest(perf: &DaemonPerf, counter: &PerfCounterType) -> (u64, u64) {
    perf.latest(&counter.path).map_or((0, 0), |point| (point.value, point.count))
}
