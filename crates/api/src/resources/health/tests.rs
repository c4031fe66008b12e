//! Health through the whole service, over a cluster of a few daemons.

use crate::outbound::tests::{answer, serve};
use crate::release::Release;
use crate::testing::{Bench, Running};
use axon_core::State;
use axon_core::daemons::{DaemonKey, DaemonState};
use axon_proto::osd_map::map_flag;
use serde_json::{Value, json};
use std::sync::Arc;

fn cluster(state: &mut State) {
    let daemons = Arc::make_mut(&mut state.daemons);
    for (kind, name, host) in [("osd", "0", "alpha"), ("rgw", "41", "beta")] {
        let metadata = [("hostname", host), ("ceph_version", "v")];
        let metadata = metadata.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        daemons.insert(DaemonKey::new(kind, name), DaemonState::from_metadata(metadata).unwrap());
    }
    let check = |severity: &str| json!({"severity": severity, "summary": {"message": "m", "count": 1}, "detail": [{"message": "d"}], "muted": false});
    let checks = json!({"A_WARN": check("HEALTH_WARN"), "B_ERR": check("HEALTH_ERR")});
    state.health = Arc::new(json!({"status": "HEALTH_ERR", "checks": checks, "mutes": []}));
    state.mon_status = Arc::new(
        json!({"monmap": {"mons": [{"name": "a"}, {"name": "b"}]}, "quorum": [0, 1], "state": "leader"}),
    );
    let mgr_map = Arc::make_mut(&mut state.mgr_map);
    (mgr_map.active_name, mgr_map.available) = ("x".to_owned(), true);
}

async fn bench(release: Release) -> Running {
    Bench::new(release).state(cluster).user("pools", &["pool-manager"]).user("nobody", &[]).start().await
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn health_checks_become_a_list_that_names_their_types() {
    let bench = bench(Release::Pacific).await;
    for path in ["/api/health/full", "/api/health/minimal"] {
        let health = bench.get(path).await.json()["health"].clone();
        let types: Vec<_> = health["checks"].as_array().unwrap().iter().map(|c| c["type"].clone()).collect();
        assert_eq!(types, ["B_ERR", "A_WARN"], "{path}");
        assert_eq!(health["checks"][0]["detail"], json!([{"message": "d"}]));
    }
}

#[tokio::test]
async fn minimal_shows_counts_in_the_place_of_things() {
    let bench = bench(Release::Reef).await;
    let minimal = bench.get("/api/health/minimal").await.json();
    assert_eq!(minimal["mon_status"], json!({"monmap": {"mons": [{}, {}]}, "quorum": [0, 1]}));
    assert_eq!(minimal["mgr_map"], json!({"active_name": "x", "standbys": []}));
    assert_eq!((&minimal["hosts"], &minimal["rgw"]), (&json!(2), &json!(1)));
    assert_eq!(keys(&minimal["df"]["stats"]), ["total_avail_bytes", "total_bytes", "total_used_raw_bytes"]);
    assert_eq!(minimal["osd_map"], json!({"osds": []}));
    assert_eq!(minimal["scrub_status"], "Inactive");
}

#[tokio::test]
async fn full_shows_every_map_with_metadata_and_without_pg_temp() {
    let bench = bench(Release::Tentacle).await;
    let full = bench.get("/api/health/full").await.json();
    let osd_map = &full["osd_map"];
    assert!(osd_map.get("pg_temp").is_none() && osd_map.get("allow_crimson").is_some());
    assert_eq!(osd_map["osd_metadata"], json!({"0": {"hostname": "alpha", "ceph_version": "v"}}));
    assert_eq!(osd_map["tree"]["stray"], json!([]));
    assert_eq!((&osd_map["crush_map_text"], &osd_map["crush"]["devices"]), (&json!({}), &json!([])));
    assert!(full["df"].get("stats_by_class").is_none() && full["df"]["pools"] == json!([]));
    assert_eq!(full["mon_status"]["state"], "leader");
}

#[tokio::test]
async fn each_part_is_for_those_who_may_read_its_scope() {
    let bench = bench(Release::Tentacle).await;
    let of = async |user: &str, path: &str| bench.ask_as(user, "GET", path, json!(null)).await.json();
    for path in ["/api/health/full", "/api/health/minimal"] {
        assert_eq!(keys(&of("pools", path).await), ["health", "pools", "df", "client_perf"]);
        assert_eq!(keys(&of("nobody", path).await), ["health"]);
        let all = [
            "health",
            "mon_status",
            "fs_map",
            "osd_map",
            "scrub_status",
            "pg_info",
            "mgr_map",
            "pools",
            "df",
            "client_perf",
            "hosts",
            "rgw",
            "iscsi_daemons",
        ];
        assert_eq!(keys(&of("admin", path).await), all);
    }
    assert_eq!(keys(&of("nobody", "/api/health/snapshot").await), ["fsid", "health"]);
}

#[tokio::test]
async fn a_snapshot_counts_without_asking_a_monitor() {
    let bench = bench(Release::Tentacle).await;
    let snapshot = bench.get("/api/health/snapshot").await.json();
    assert_eq!(snapshot["health"]["checks"]["B_ERR"].get("detail"), None);
    assert_eq!(snapshot["health"]["checks"]["B_ERR"]["summary"]["count"], 1);
    assert_eq!(snapshot["osdmap"], json!({"in": 0, "up": 0, "num_osds": 0}));
    assert_eq!(snapshot["mgrmap"], json!({"num_active": 1, "num_standbys": 0}));
    assert_eq!(snapshot["fsmap"], json!({"num_active": 0, "num_standbys": 0}));
    assert_eq!(snapshot["pgmap"]["read_bytes_sec"], Value::Null);
    assert_eq!((&snapshot["num_hosts"], &snapshot["num_rgw_gateways"]), (&json!(2), &json!(1)));
    assert!(bench.prefixes().is_empty());
}

#[tokio::test]
async fn a_flag_of_the_osd_map_disables_scrubs() {
    let noscrub = |state: &mut State| Arc::make_mut(&mut state.osd_map).flags |= map_flag::NOSCRUB;
    let bench = Bench::new(Release::Reef).state(noscrub).start().await;
    assert_eq!(bench.get("/api/health/minimal").await.json()["scrub_status"], "Disabled");
}

#[tokio::test]
async fn a_kept_part_follows_its_map() {
    let bench = bench(Release::Reef).await;
    assert_eq!(bench.get("/api/health/minimal").await.json()["mgr_map"]["active_name"], "x");
    let mut state = State::clone(&bench.dash.state());
    let map = Arc::make_mut(&mut state.mgr_map);
    (map.epoch, map.active_name) = (map.epoch + 1, "y".to_owned());
    bench.dash.cluster.publish(state);
    assert_eq!(bench.get("/api/health/minimal").await.json()["mgr_map"]["active_name"], "y");
}

#[tokio::test]
async fn iscsi_gateways_are_asked_whether_they_are_there() {
    let fake = serve(vec![answer("200 OK", "pong")]).await;
    let gateways = json!({"gateways": {
        "a": {"service_url": fake.url.replace("http://", "http://admin:pw@")},
        "b": {"service_url": "http://admin:pw@127.0.0.1:1"},
        "c": {},
    }});
    let bench = Bench::new(Release::Reef).stored("_iscsi_config", &gateways.to_string()).start().await;
    let minimal = bench.get("/api/health/minimal").await.json();
    assert_eq!(minimal["iscsi_daemons"], json!({"up": 1, "down": 2}));
    assert!(fake.seen.lock().unwrap()[0].starts_with("GET /api/_ping "));
}

#[tokio::test]
async fn capacity_fsid_and_telemetry_are_plain_values() {
    let on = |state: &mut State| cluster(state);
    let bench = Bench::new(Release::Reef).state(on).start().await;
    let capacity = bench.get("/api/health/get_cluster_capacity").await.json();
    assert_eq!(keys(&capacity), ["total_avail_bytes", "total_bytes", "total_used_raw_bytes"]);
    assert_eq!(bench.get("/api/health/get_cluster_fsid").await.json(), json!(bench.dash.state().fsid));
    assert_eq!(bench.get("/api/health/get_telemetry_status").await.json(), json!(false));
    let mut state = State::clone(&bench.dash.state());
    Arc::make_mut(&mut state.options).insert("mgr/telemetry/enabled".to_owned(), "true".to_owned());
    bench.dash.cluster.publish(state);
    assert_eq!(bench.get("/api/health/get_telemetry_status").await.json(), json!(true));
}
