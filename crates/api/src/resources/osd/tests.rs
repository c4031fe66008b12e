use crate::release::Release;
use crate::testing::{Answered, Bench, Running};
use axon_core::daemons::{DaemonKey, DaemonState};
use axon_core::{Command, CommandOutput, Target};
use axon_proto::UTime;
use axon_proto::crush::{Bucket, CrushMap, Weights};
use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
use axon_proto::osd_map::{map_flag, state};
use axon_proto::pg::OsdStat;
use serde_json::{Value, json};
use std::sync::Arc;

fn crush() -> CrushMap {
    let bucket = |id: i32, type_id: u16, items: Vec<i32>| {
        let weights = Weights::Straw2 { item_weights: vec![0x10000; items.len()] };
        Some(Bucket { id, type_id, weight: 0x10000, items, hash: 0, weights })
    };
    let named = |names: &[(i32, &str)]| names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
    let mut crush = CrushMap::default();
    crush.buckets = vec![bucket(-1, 11, vec![-2]), bucket(-2, 1, vec![0, 1])];
    crush.max_devices = 2;
    crush.type_map = named(&[(0, "osd"), (1, "host"), (11, "root")]);
    crush.name_map = named(&[(-1, "default"), (-2, "alpha")]);
    crush
}

fn counters(values: [u64; 2]) -> MMgrReport {
    let counter = |path: &str, kind| PerfCounterType {
        path: path.to_owned(),
        description: String::new(),
        nick: String::new(),
        kind,
        priority: 5,
        unit: 1,
    };
    // An envelope of version 1, 16 bytes long.
    let head = [1, 1, 16, 0, 0, 0].into_iter();
    let packed: Vec<u8> = head.chain(values.iter().flat_map(|value| value.to_le_bytes())).collect();
    MMgrReport {
        declare_types: vec![counter("osd.numpg", 2), counter("osd.op_w", 10)],
        packed: packed.into(),
        ..Default::default()
    }
}

/// osd.0 and osd.1 on `alpha`, osd.3 nowhere; osd.0 reports.
fn cluster(release: Release) -> Bench {
    Bench::new(release)
        .user("reader", &["read-only"])
        .state(|cluster| {
            let map = Arc::make_mut(&mut cluster.osd_map);
            map.epoch = 9;
            map.max_osd = 4;
            let up = state::EXISTS | state::UP;
            map.osd_state = Arc::new(vec![up, up, 0, state::EXISTS | state::NOUP]);
            map.osd_weight = Arc::new(vec![0x10000, 0x8000, 0, 0x10000]);
            map.flags = map_flag::PAUSERD | map_flag::PAUSEWR | map_flag::NOOUT | map_flag::SORTBITWISE;
            (map.full_ratio, map.nearfull_ratio) = (0.95, 0.85);
            map.crush = Arc::new(crush());
            let stat = Arc::new(OsdStat { num_pgs: 8, ..OsdStat::default() });
            Arc::make_mut(&mut cluster.pg_map).osd_stat.insert(0, stat);
            let metadata = [("hostname", "alpha"), ("arch", "x86_64")];
            let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            let daemon = DaemonState::from_metadata(metadata).unwrap();
            let key = DaemonKey::new("osd", "0");
            Arc::make_mut(&mut cluster.daemons).insert(key.clone(), daemon);
            let perf = Arc::make_mut(&mut cluster.perf);
            for (sec, values) in [(100, [8, 10]), (105, [8, 30])] {
                perf.apply(&key, &counters(values), UTime { sec, nsec: 0 }).unwrap();
            }
        })
        .answer("osd crush get-device-class", |_| CommandOutput::ok(r#"[{"osd":0,"device_class":"hdd"}]"#))
        .answer("osd safe-to-destroy", safe)
        .answer("osd create", |_| CommandOutput::ok(r#"{"osdid":4}"#))
        .answer("perf histogram dump", |_| CommandOutput::ok(r#"{"osd": {}}"#))
        .answer("device ls-by-daemon", |_| CommandOutput::ok(r#"[{"devid": "ACME_1"}]"#))
}

fn safe(command: &Command) -> CommandOutput {
    match &command.args["ids"] {
        ids if *ids == json!(["3"]) => {
            let all = json!({"safe_to_destroy": [3], "active": [], "missing_stats": [], "stored_pgs": []});
            CommandOutput::ok(all.to_string())
        }
        ids if *ids == json!(["0", "3"]) => CommandOutput::ok(r#"{"safe_to_destroy": [3], "active": [0]}"#),
        _ => CommandOutput::failed(16, "1 pgs have unknown state"),
    }
}

async fn bench(release: Release) -> Running {
    let prefixes = ["in", "out", "down", "lost", "set", "unset", "set-group", "unset-group", "reweight"];
    let more = ["scrub", "deep-scrub", "destroy-actual", "purge-actual"];
    let crush = ["osd crush rm-device-class", "osd crush set-device-class"].map(str::to_owned);
    let all = prefixes.iter().chain(&more).map(|p| format!("osd {p}")).chain(crush);
    let accept = |bench: Bench, prefix: String| bench.answer(prefix.leak(), |_| CommandOutput::ok(""));
    all.fold(cluster(release), accept).start().await
}

async fn page(bench: &Running, query: &str) -> Answered {
    bench.send(bench.request("GET", &format!("/api/osd{query}"), "1.1", Some("admin"), None)).await
}

fn sent(bench: &Running) -> Vec<(Target, Value)> {
    let sent = std::mem::take(&mut *bench.sink.sent.lock().unwrap());
    let bare = |mut command: Command| {
        command.args.remove("format");
        Value::Object(command.args)
    };
    sent.into_iter().map(|(target, command)| (target, bare(command))).collect()
}

async fn post(bench: &Running, path: &str, body: Value) -> (u16, Value) {
    let answer = bench.ask("POST", path, body).await;
    (answer.status.as_u16(), answer.json())
}

async fn put(bench: &Running, path: &str, body: Value) -> (u16, Value) {
    let answer = bench.ask("PUT", path, body).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn the_list_joins_map_statistics_tree_host_and_counters() {
    let bench = bench(Release::Pacific).await;
    let list = bench.get("/api/osd").await.json();
    let (first, last) = (&list[0], &list[2]);
    assert_eq!((&first["osd"], &first["id"], &first["weight"]), (&json!(0), &json!(0), &json!(1.0)));
    assert_eq!((&first["osd_stats"]["osd"], &first["osd_stats"]["num_pgs"]), (&json!(0), &json!(8)));
    assert_eq!((&first["tree"]["name"], &first["tree"]["status"]), (&json!("osd.0"), &json!("up")));
    assert_eq!((&first["host"]["name"], &first["host"]["children"]), (&json!("alpha"), &json!([1, 0])));
    assert_eq!(
        first["stats"],
        json!({"op_w": 4.0, "op_in_bytes": 0.0, "op_r": 0.0, "op_out_bytes": 0.0,
            "numpg": 8, "stat_bytes": 0, "stat_bytes_used": 0})
    );
    assert_eq!(
        first["stats_history"],
        json!({"op_w": [[105.0, 4.0]], "op_in_bytes": [], "op_r": [], "op_out_bytes": []})
    );
    assert_eq!(first["operational_status"], "unmanaged");
    assert_eq!(last["osd"], 3);
    for absent in ["osd_stats", "tree", "host"] {
        assert!(last.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn pages_have_the_unsearched_total_and_the_maps_order() {
    let bench = bench(Release::Tentacle).await;
    for (query, expected) in [
        ("", json!([0, 1, 3])),
        ("?limit=2&sort=-id", json!([1, 3])),
        ("?offset=1&limit=1", json!([1])),
        ("?search=3&limit=-1", json!([3])),
        ("?offset=-1", json!([3])),
    ] {
        let answer = page(&bench, query).await;
        let ids: Vec<_> = answer.json().as_array().unwrap().iter().map(|osd| osd["id"].clone()).collect();
        assert_eq!(json!(ids), expected, "{query}");
        assert_eq!(answer.headers["x-total-count"], "3");
    }
    let wrong = page(&bench, "?limit=-2").await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["code"].clone()), (400, json!("400")));
}

#[tokio::test]
async fn one_osd_comes_with_its_metadata() {
    let bench = bench(Release::Reef).await;
    let osd = bench.get("/api/osd/0").await.json();
    assert_eq!(osd["osd_metadata"], json!({"hostname": "alpha", "arch": "x86_64"}));
    assert_eq!((&osd["osd_map"]["id"], &osd["operational_status"]), (&json!(0), &json!("unmanaged")));
    assert_eq!(bench.get("/api/osd/3").await.json()["osd_metadata"], Value::Null);
    assert_eq!(bench.get("/api/osd/2").await.status, 404);
    assert_eq!(bench.get("/api/osd/x").await.status, 400);
}

#[tokio::test]
async fn small_answers_come_from_the_map() {
    let bench = bench(Release::Reef).await;
    assert_eq!(bench.get("/api/osd/flags").await.json(), json!(["noout", "pause", "sortbitwise"]));
    assert_eq!(
        bench.get("/api/osd/flags/individual").await.json(),
        json!([
            {"osd": 0, "flags": ["exists", "up"]},
            {"osd": 1, "flags": ["exists", "up"]},
            {"osd": 3, "flags": ["exists", "noup"]},
        ])
    );
    let settings =
        bench.send(bench.request("GET", "/api/osd/settings", "0.1", Some("admin"), None)).await.json();
    assert_eq!(settings, json!({"nearfull_ratio": f64::from(0.85_f32), "full_ratio": f64::from(0.95_f32)}));
    assert!(sent(&bench).is_empty(), "nobody is asked");
}

#[tokio::test]
async fn flags_are_set_and_unset_until_they_are_the_wanted_ones() {
    let bench = bench(Release::Reef).await;
    let wanted = json!({"flags": ["sortbitwise", "noin", "noin"]});
    assert_eq!(put(&bench, "/api/osd/flags", wanted).await, (200, json!(["noin", "sortbitwise"])));
    let command = |prefix: &str, key: &str| (Target::Mon, json!({"prefix": prefix, "key": key}));
    assert_eq!(
        sent(&bench),
        [command("osd set", "noin"), command("osd unset", "noout"), command("osd unset", "pause")]
    );
    assert_eq!(put(&bench, "/api/osd/flags", json!({"flags": "noin"})).await.0, 400);
}

#[tokio::test]
async fn flags_of_single_osds_go_in_one_command_per_direction() {
    let bench = bench(Release::Reef).await;
    let body = json!({"flags": {"noup": true, "noin": 1, "noout": false, "nodown": null, "zzz": true}, "ids": [0, 1]});
    let answer = json!({"added": ["noin", "noup"], "removed": ["noout"], "ids": [0, 1]});
    assert_eq!(put(&bench, "/api/osd/flags/individual", body).await, (200, answer));
    assert_eq!(
        sent(&bench),
        [
            (Target::Mon, json!({"prefix": "osd set-group", "who": ["0", "1"], "flags": "noin,noup"})),
            (Target::Mon, json!({"prefix": "osd unset-group", "who": ["0", "1"], "flags": "noout"})),
        ]
    );
    let wrong = json!({"flags": {"noup": true}, "ids": ["x"]});
    assert_eq!(put(&bench, "/api/osd/flags/individual", wrong).await.0, 400);
}

#[tokio::test]
async fn an_osd_is_marked_weighed_scrubbed_and_ended_by_commands() {
    let bench = bench(Release::Tentacle).await;
    for (action, expected) in [
        ("out", json!({"prefix": "osd out", "ids": ["1"]})),
        ("lost", json!({"prefix": "osd lost", "id": 1, "yes_i_really_mean_it": true})),
    ] {
        assert_eq!(put(&bench, "/api/osd/1/mark", json!({"action": action})).await, (200, Value::Null));
        assert_eq!(sent(&bench), [(Target::Mon, expected)]);
    }
    assert_eq!(put(&bench, "/api/osd/1/mark", json!({"action": "bogus"})).await, (200, Value::Null));
    assert!(sent(&bench).is_empty(), "as upstream, which does nothing and says nothing");
    let yes = |prefix: &str| json!({"prefix": prefix, "id": 1, "yes_i_really_mean_it": true});
    for (path, body, target, expected) in [
        (
            "reweight",
            json!({"weight": "0.5"}),
            Target::Mon,
            json!({"prefix": "osd reweight", "id": 1, "weight": 0.5}),
        ),
        ("scrub", json!({}), Target::Mgr, json!({"prefix": "osd scrub", "who": "1"})),
        ("scrub?deep=true", json!({}), Target::Mgr, json!({"prefix": "osd deep-scrub", "who": "1"})),
        ("destroy", json!({}), Target::Mon, yes("osd destroy-actual")),
        ("purge", json!({}), Target::Mon, yes("osd purge-actual")),
    ] {
        assert_eq!(post(&bench, &format!("/api/osd/1/{path}"), body).await, (200, Value::Null), "{path}");
        assert_eq!(sent(&bench), [(target, expected)], "{path}");
    }
    assert_eq!(post(&bench, "/api/osd/x/purge", json!({})).await.0, 400);
    assert_eq!(post(&bench, "/api/osd/1/reweight", json!({"weight": "heavy"})).await.0, 400);
}

#[tokio::test]
async fn a_device_class_is_removed_before_another_is_set() {
    let bench = bench(Release::Reef).await;
    let prefixes = async |class: Value| {
        bench.sink.sent.lock().unwrap().clear();
        assert_eq!(put(&bench, "/api/osd/0", json!({"device_class": class})).await, (200, Value::Null));
        bench.prefixes().iter().map(|p| p.trim_start_matches("osd crush ").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(prefixes(json!("hdd")).await, ["get-device-class"]);
    assert_eq!(prefixes(json!("ssd")).await, ["get-device-class", "rm-device-class", "set-device-class"]);
    assert_eq!(prefixes(json!("")).await, ["get-device-class", "rm-device-class"]);
    assert_eq!(prefixes(Value::Null).await, ["get-device-class", "rm-device-class"]);
}

#[tokio::test]
async fn safety_is_the_managers_command_and_its_refusal_an_answer() {
    let bench = bench(Release::Reef).await;
    let ask = async |ids: &str| {
        let answer = bench.get(&format!("/api/osd/safe_to_destroy?ids={ids}")).await;
        (answer.status.as_u16(), answer.json())
    };
    let (_, all) = ask("3").await;
    assert_eq!((&all["is_safe_to_destroy"], &all["safe_to_destroy"]), (&json!(true), &json!([3])));
    assert_eq!(ask("[0,3]").await.1["is_safe_to_destroy"], false);
    assert_eq!(
        ask("%221%22").await,
        (200, json!({"message": "[errno -16] 1 pgs have unknown state", "is_safe_to_destroy": false}))
    );
    assert_eq!(ask("x").await.0, 400);
    assert!(sent(&bench).iter().all(|(target, _)| *target == Target::Mgr));
}

#[tokio::test]
async fn a_bare_osd_is_an_id_at_the_monitors() {
    let bench = bench(Release::Reef).await;
    let create = async |method: &str, data: Value| {
        post(&bench, "/api/osd", json!({"method": method, "data": data, "tracking_id": "t"})).await
    };
    assert_eq!(
        create("bare", json!({"uuid": "u", "svc_id": "4"})).await,
        (201, json!({"result": {"osdid": 4}, "svc_id": 4, "uuid": "u"}))
    );
    assert_eq!(sent(&bench), [(Target::Mon, json!({"prefix": "osd create", "id": 4, "uuid": "u"}))]);
    for (data, detail) in [
        (json!({}), "'uuid'"),
        (json!({"uuid": "u", "svc_id": "x"}), "invalid literal for int() with base 10: 'x'"),
    ] {
        assert_eq!(create("bare", data).await, (400, json!({"detail": detail, "component": "osd"})));
    }
    assert_eq!(create("nope", json!({})).await.1["detail"], "Unknown method: nope");
    for method in ["drive_groups", "predefined"] {
        let (status, body) = create(method, json!([{}])).await;
        assert_eq!((status, &body["code"]), (503, &json!("orchestrator_status_unavailable")));
    }
}

#[tokio::test]
async fn what_needs_an_orchestrator_is_refused_whatever_the_parameters_are() {
    let bench = bench(Release::Reef).await;
    for (method, path) in [
        ("DELETE", "/api/osd/x?nope=1"),
        ("GET", "/api/osd/safe_to_delete"),
        ("GET", "/ui-api/osd/deployment_options"),
    ] {
        let answer = bench.send(bench.request(method, path, "1.0", Some("admin"), None)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["component"].clone()),
            (503, json!("orchestrator"))
        );
    }
}

#[tokio::test]
async fn daemons_are_asked_for_what_only_they_know() {
    let bench = bench(Release::Reef).await;
    assert_eq!(bench.get("/api/osd/0/histogram").await.json(), json!({"osd": {}}));
    assert_eq!(sent(&bench)[0].0, Target::Osd(0));
    assert_eq!(bench.get("/api/osd/x/histogram").await.status, 400);
    assert_eq!(bench.get("/api/osd/2/histogram").await.status, 404);
    let devices = bench.get("/api/osd/0/devices").await.json();
    assert_eq!(devices, json!([{"devid": "ACME_1", "life_expectancy_enabled": false}]));
    assert_eq!(bench.get("/api/osd/0/smart").await.json(), json!({}));
    assert_eq!(
        bench.get("/api/osd/7/smart").await.json(),
        json!({"detail": "[errno -2] daemon osd.7 not found", "code": "SendCommandError", "component": null})
    );
}

#[tokio::test]
async fn scrubbing_needs_the_permission_to_update() {
    let bench = bench(Release::Reef).await;
    for path in ["scrub", "reweight", "destroy", "purge"] {
        let answer = bench.ask_as("reader", "POST", &format!("/api/osd/0/{path}"), json!({})).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(bench.ask_as("reader", "GET", "/api/osd/0", json!({})).await.status, 200);
}
