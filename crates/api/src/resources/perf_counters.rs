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

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Bench, Running};
    use axon_core::State;
    use axon_core::daemons::{DaemonIndex, DaemonKey, DaemonState};
    use axon_core::perf::PerfIndex;
    use axon_proto::UTime;
    use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
    use serde_json::json;
    use std::sync::Arc;

    /// A counter, a gauge, an average, one that hardly matters, one with labels; in the order of their names.
    fn declared() -> Vec<PerfCounterType> {
        let kinds = [
            ("mds.a", 10, 5, 0),
            ("mds.b", 2, 5, 1),
            ("mds.c", 6, 10, 1),
            ("mds.d", 2, 3, 1),
            ("mds\0k\0v\0.e", 10, 5, 1),
        ];
        let counter = |(path, kind, priority, unit): (&str, u8, u8, u8)| PerfCounterType {
            path: path.to_owned(),
            description: format!("what {path} is"),
            nick: if path == "mds.b" { "bee".to_owned() } else { String::new() },
            kind,
            priority,
            unit,
        };
        let mut all: Vec<_> = kinds.into_iter().map(counter).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    /// The envelope, and the values in the order of the paths; an average is sum, count, count.
    fn packed(values: &[u64]) -> Vec<u8> {
        let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[1, 1][..], &length[..], &body[..]].concat()
    }

    fn fill(state: &mut State) {
        let mut perf = PerfIndex::default();
        let key = DaemonKey::new("mds", "x");
        // e, a, b, c (sum, count, count), d
        for (sec, values) in [(10, [0, 100, 7, 40, 4, 4, 9]), (14, [8, 120, 6, 48, 5, 5, 9])] {
            let declare_types = if sec == 10 { declared() } else { Vec::new() };
            let report = MMgrReport { declare_types, packed: packed(&values).into(), ..Default::default() };
            perf.apply(&key, &report, UTime { sec, nsec: 0 }).unwrap();
        }
        let mut daemons = DaemonIndex::default();
        for (kind, name) in [("mds", "x"), ("mds", "silent"), ("client", "c")] {
            let daemon = DaemonState { hostname: "h".to_owned(), ..Default::default() };
            daemons.insert(DaemonKey::new(kind, name), daemon);
        }
        (state.perf, state.daemons) = (Arc::new(perf), Arc::new(daemons));
    }

    async fn bench(release: Release) -> Running {
        Bench::new(release).user("blocks", &["block-manager"]).state(fill).start().await
    }

    #[tokio::test]
    async fn what_grows_is_shown_as_a_rate_with_its_unit_and_the_rest_as_it_is() {
        let bench = bench(Release::Tentacle).await;
        let shown = bench.get("/api/perf_counters/mds/x").await.json();
        let counter = |name: &str, value: serde_json::Value, unit: &str| json!({"name": name, "description": format!("what {name} is"), "value": value, "unit": unit});
        let expected = json!({
            "service": {"type": "mds", "id": "x"},
            "counters": [
                counter("mds.a", json!(5.0), "B/s"),
                counter("mds.b", json!(6), ""),
                counter("mds.c", json!(2.0), "/s"),
                counter("mds.d", json!(9), ""),
            ],
        });
        assert_eq!(shown, expected);
        let silent = bench.get("/api/perf_counters/mds/silent").await.json();
        assert_eq!(silent, json!({"service": {"type": "mds", "id": "silent"}, "counters": []}));
    }

    #[tokio::test]
    async fn counters_with_labels_are_left_out_since_tentacle() {
        for (release, number) in [(Release::Reef, 5), (Release::Tentacle, 4)] {
            let shown = bench(release).await.get("/api/perf_counters/mds/x").await.json();
            assert_eq!(shown["counters"].as_array().unwrap().len(), number);
        }
    }

    #[tokio::test]
    async fn an_unknown_daemon_is_404_and_every_type_has_its_scope() {
        let bench = bench(Release::Pacific).await;
        let missing = bench.get("/api/perf_counters/osd/7").await;
        assert_eq!((missing.status.as_u16(), &missing.json()["detail"]), (404, &json!("'osd.7' not found")));
        assert_eq!(bench.ask_as("blocks", "GET", "/api/perf_counters/mds/x", json!(null)).await.status, 403);
        assert_eq!(
            bench.ask_as("blocks", "GET", "/api/perf_counters/rbd-mirror/x", json!(null)).await.status,
            404
        );
    }

    #[tokio::test]
    async fn the_list_has_what_matters_of_the_clusters_daemons() {
        let bench = bench(Release::Tentacle).await;
        let all = bench.get("/api/perf_counters").await.json();
        assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["mds.x"]);
        let one = all["mds.x"].as_object().unwrap();
        assert_eq!(one.keys().collect::<Vec<_>>(), ["mds.a", "mds.b", "mds.c"]);
        let average = json!({"description": "what mds.c is", "type": 6, "priority": 10, "units": 1, "value": 48, "count": 5});
        assert_eq!(one["mds.c"], average);
        assert_eq!((&one["mds.b"]["nick"], one["mds.a"].get("nick")), (&json!("bee"), None));
    }
}
