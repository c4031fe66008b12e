//! Every operation over a cluster with two file systems, per release.

use crate::release::Release;
use crate::testing::{Bench, Running};
use axon_core::daemons::{DaemonIndex, DaemonKey, DaemonState};
use axon_core::{Command, CommandOutput, State};
use axon_proto::fs_map::{Filesystem, FsMap, MdsInfo, MdsMap, MdsState};
use serde_json::{Value, json};
use std::sync::Arc;

fn fs(id: i32, name: &str, gid: u64, mds: &str, pools: [i64; 2]) -> (i32, Filesystem) {
    let info = MdsInfo { gid, name: mds.to_owned(), rank: 0, state: MdsState::ACTIVE, ..MdsInfo::default() };
    let mdsmap = MdsMap {
        fs_name: name.to_owned(),
        r#in: [0].into(),
        up: [(0, gid)].into(),
        info: [(gid, info)].into(),
        metadata_pool: pools[0],
        data_pools: vec![pools[1]],
        ..MdsMap::default()
    };
    (id, Filesystem { id, mdsmap, ..Filesystem::default() })
}

fn fill(state: &mut State) {
    let filesystems = [fs(1, "demo", 10, "a", [5, 6]), fs(3, "other", 11, "b", [7, 8])].into();
    state.fs_map = Arc::new(FsMap { epoch: 4, filesystems, ..FsMap::default() });
    let names = [(5, "m1"), (6, "d1"), (7, "cephfs.other.meta"), (8, "d3")];
    let names = names.into_iter().map(|(id, n)| (id, n.to_owned())).collect();
    Arc::make_mut(&mut state.osd_map).pool_name = Arc::new(names);
    let mut daemons = DaemonIndex::default();
    daemons
        .insert(DaemonKey::new("mds", "a"), DaemonState { hostname: "h".to_owned(), ..Default::default() });
    state.daemons = Arc::new(daemons);
}

/// The monitors accept everything.
fn bench(release: Release) -> Bench {
    let mut bench = Bench::new(release).user("ro", &["read-only"]).state(fill);
    let accepted = [
        "osd pool create",
        "osd pool rm",
        "osd pool rename",
        "fs new",
        "fs fail",
        "fs rm",
        "fs rename",
        "fs authorize",
    ];
    for prefix in accepted {
        bench = bench.answer(prefix, |_| CommandOutput::ok(""));
    }
    bench.answer("config get", |_| CommandOutput::ok("true\n"))
}

fn sessions(_: &Command) -> CommandOutput {
    let client = |id: u64, metadata: Value| json!({"id": id, "client_metadata": metadata});
    let listed = json!([
        client(7, json!({"ceph_version": "16", "hostname": "h1", "root": "/"})),
        client(8, json!({"kernel_version": "6.1", "hostname": "h2", "root": "/x"})),
        client(9, json!({})),
    ]);
    CommandOutput::ok(listed.to_string())
}

/// Prefix and arguments of what was sent, in order.
fn sent(bench: &Running) -> Vec<String> {
    let sent = bench.sink.sent.lock().unwrap();
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let args =
        |c: &Command| c.args.iter().filter(|(k, _)| *k != "format").map(|(_, v)| text(v)).collect::<Vec<_>>();
    sent.iter().map(|(target, c)| format!("{target}: {}", args(c).join(" "))).collect()
}

#[tokio::test]
async fn file_systems_are_listed_as_the_map_has_them() {
    for release in Release::ALL {
        let bench = bench(release).start().await;
        let listed = bench.get("/api/cephfs").await.json();
        assert_eq!((&listed[0]["id"], &listed[1]["mdsmap"]["fs_name"]), (&json!(1), &json!("other")));
        assert_eq!(listed[0]["mdsmap"].get("flags_state").is_some(), release >= Release::Reef);
    }
}

#[tokio::test]
async fn one_is_found_by_its_number_and_a_wrong_number_is_named() {
    let bench = bench(Release::Tentacle).start().await;
    let one = bench.get("/api/cephfs/1").await.json();
    assert_eq!((&one["cephfs"]["name"], &one["cephfs"]["ranks"][0]["mds"]), (&json!("demo"), &json!("a")));
    assert_eq!(one["cephfs"]["pools"][1], json!({"pool": "d1", "type": "data", "used": 0, "avail": 0}));
    assert_eq!(one["versions"], json!({"unknown": ["a"]}), "b has not told anything");
    assert_eq!(one["cephfs"]["flags"]["joinable"], true);
    let missing = bench.get("/api/cephfs/2").await;
    assert_eq!((missing.status.as_u16(), &missing.json()["detail"]), (404, &json!("CephFS id 2 not found")));
    for path in
        ["/api/cephfs/x", "/api/cephfs/x/clients", "/api/cephfs/x/mds_counters", "/ui-api/cephfs/x/tabs"]
    {
        let refused = bench.get(path).await;
        assert_eq!(refused.status, 400);
        let body =
            json!({"detail": "Invalid cephfs ID x", "code": "invalid_cephfs_id", "component": "cephfs"});
        assert_eq!(refused.json(), body, "{path}");
    }
}

#[tokio::test]
async fn clients_come_from_rank_0_and_say_what_they_are() {
    let bench = bench(Release::Pacific).answer("session ls", sessions).start().await;
    let clients = bench.get("/api/cephfs/1/clients").await.json();
    assert_eq!(clients["status"], 0);
    let shown = |n: usize| {
        let client = &clients["data"][n];
        ["type", "version", "hostname", "root"].map(|key| client.get(key).cloned().unwrap_or_default())
    };
    assert_eq!(shown(0), [json!("userspace"), json!("16"), json!("h1"), json!("/")]);
    assert_eq!(shown(1), [json!("kernel"), json!("6.1"), json!("h2"), json!("/x")]);
    assert_eq!(shown(2), [json!("unknown"), json!(""), json!(""), json!(null)]);
    assert_eq!(clients["data"][0]["client_metadata"]["hostname"], "h1");
    bench.get("/api/cephfs/1/clients").await;
    assert_eq!(sent(&bench), ["mds.1:0: session ls"], "the second answer is the first one's");
}

#[tokio::test]
async fn a_client_is_sent_away_by_the_mds_that_has_it() {
    let accept = |_: &Command| CommandOutput::ok("");
    let bench =
        bench(Release::Reef).answer("session ls", sessions).answer("client evict", accept).start().await;
    let evict = |path: &'static str| bench.ask("DELETE", path, json!(null));
    let done = evict("/api/cephfs/3/client/8").await;
    assert_eq!((done.status.as_u16(), &done.body[..]), (200, b"null".as_slice()));
    assert_eq!(sent(&bench), ["mds.3:0: session ls", r#"mds.3:0: client evict ["id=8"]"#]);
    let missing = evict("/api/cephfs/3/client/5").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["detail"], "Client 5 does not exist in cephfs 3");
    assert_eq!(evict("/api/cephfs/3/client/x").await.json()["code"], "invalid_cephfs_client_id");
    assert_eq!(bench.ask_as("ro", "DELETE", "/api/cephfs/3/client/8", json!(null)).await.status, 403);
}

#[tokio::test]
async fn an_mds_that_refuses_is_told_and_one_that_cannot_be_asked_has_no_clients_since_reef() {
    let refuse = |_: &Command| CommandOutput::failed(22, "no");
    let refusing = bench(Release::Reef).answer("session ls", refuse).start().await;
    let refused = refusing.get("/api/cephfs/1/clients").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("SendCommandError")));

    let reef = bench(Release::Reef).unreachable("session ls", 11).start().await;
    assert_eq!(reef.get("/api/cephfs/1/clients").await.json(), json!({"status": 0, "data": []}));
    let strict = reef.get("/api/cephfs/1/clients?suppress_client_ls_errors=False").await;
    assert_eq!(strict.status, 500);
    assert!(
        strict.json()["detail"].as_str().unwrap().starts_with("Could not fetch client(s), maybe there is no")
    );
    let odd = reef.get("/api/cephfs/1/clients?suppress_client_ls_errors=maybe").await;
    assert_eq!((odd.status.as_u16(), odd.json().get("code")), (400, None));

    assert_eq!(reef.get("/api/cephfs/9/clients").await.json(), json!({"status": 0, "data": []}));

    let tentacle = bench(Release::Tentacle).unreachable("session ls", 11).start().await;
    assert_eq!(tentacle.get("/api/cephfs/1/clients").await.json(), json!({"status": 0, "data": []}));
    assert_eq!(tentacle.get("/api/cephfs/9/clients").await.status, 404);

    let pacific = bench(Release::Pacific).unreachable("session ls", 11).start().await;
    assert_eq!(pacific.get("/api/cephfs/1/clients").await.status, 503);
    let missing = pacific.get("/api/cephfs/9/clients").await;
    assert_eq!((missing.status.as_u16(), &missing.json()["detail"]), (404, &json!("No cephfs with id 9")));
    assert_eq!(pacific.get("/api/cephfs/1/clients?suppress_client_ls_errors=True").await.status, 400);
}

#[tokio::test]
async fn counters_are_the_asked_ones_or_the_web_uis() {
    let bench = bench(Release::Reef).start().await;
    let all = bench.get("/api/cephfs/1/mds_counters").await.json();
    assert_eq!(all["a"].as_object().unwrap().len(), 11);
    assert_eq!(all["a"]["mds_mem.ino"], json!([]), "nothing was reported yet");
    let two = bench.get("/api/cephfs/1/mds_counters?counters=x&counters=y").await.json();
    assert_eq!(two, json!({"a": {"x": [], "y": []}}));
    assert_eq!(bench.get("/api/cephfs/1/mds_counters?counters=x").await.json(), json!({"a": {"x": []}}));
    assert_eq!(bench.get("/api/cephfs/9/mds_counters").await.json(), json!({}));
}

#[tokio::test]
async fn the_web_uis_page_has_everything_at_once() {
    let bench = bench(Release::Tentacle).answer("session ls", sessions).start().await;
    let page = bench.get("/ui-api/cephfs/1/tabs").await.json();
    assert_eq!((&page["name"], &page["standbys"]), (&json!("demo"), &json!("")));
    assert_eq!(page["pools"][0]["size"], 0);
    assert_eq!(page["mds_counters"]["a"]["name"], "a");
    assert_eq!(page["clients"]["data"].as_array().unwrap().len(), 3);
    assert_eq!(bench.get("/ui-api/cephfs/9/tabs").await.status, 404);
    assert_eq!(bench.get("/ui-api/cephfs/used-pools").await.json(), json!([6, 5, 8, 7]));
    let names = json!([{"id": 1, "name": "demo"}, {"id": 3, "name": "other"}]);
    assert_eq!(bench.get("/ui-api/nfs-ganesha/cephfs/filesystems").await.json(), names);
}

#[tokio::test]
async fn a_new_volume_gets_pools_of_its_own_or_the_named_ones() {
    let bench = bench(Release::Tentacle).start().await;
    let spec = json!({"placement": {"hosts": ["h"]}});
    let made = bench.ask("POST", "/api/cephfs", json!({"name": "v", "service_spec": spec})).await;
    assert_eq!((made.status.as_u16(), made.json()), (201, json!("Volume v created successfully")));
    let given = json!({"name": "w", "service_spec": spec, "data_pool": "d", "metadata_pool": "m"});
    assert_eq!(bench.ask("POST", "/api/cephfs", given).await.status, 201);
    let half = json!({"name": "w", "service_spec": spec, "data_pool": "d"});
    let half = bench.ask("POST", "/api/cephfs", half).await;
    assert_eq!(half.status, 400);
    assert!(half.json()["detail"].as_str().unwrap().ends_with("metadata pool name isn't passed"), "{half:?}");
    assert_eq!(bench.ask("POST", "/api/cephfs", json!({"name": "w", "service_spec": {}})).await.status, 400);
    assert_eq!(
        sent(&bench),
        [
            "mon: osd pool create cephfs.v.meta",
            "mon: osd pool create cephfs.v.data true",
            "mon: fs new v cephfs.v.meta cephfs.v.data",
            "mon: fs new w m d",
        ]
    );
}

#[tokio::test]
async fn what_was_made_goes_again_when_the_volume_cannot_be_made() {
    let refuse = |_: &Command| CommandOutput::failed(22, "no such thing");
    let bench = Bench::new(Release::Reef)
        .answer("fs new", refuse)
        .answer("osd pool create", |_| CommandOutput::ok(""))
        .answer("osd pool rm", |_| CommandOutput::ok(""))
        .start()
        .await;
    let body = json!({"name": "v", "service_spec": {"placement": {}}});
    let refused = bench.ask("POST", "/api/cephfs", body).await;
    let detail = "Error creating volume v with placement {'placement': {}}: no such thing";
    assert_eq!(refused.json(), json!({"detail": detail, "component": "cephfs"}));
    let removed: Vec<_> = sent(&bench).into_iter().filter(|c| c.contains("pool rm")).collect();
    assert_eq!(
        removed,
        [
            "mon: osd pool rm cephfs.v.data cephfs.v.data true",
            "mon: osd pool rm cephfs.v.meta cephfs.v.meta true"
        ]
    );
}

#[tokio::test]
async fn a_removed_volume_takes_its_pools_along() {
    let bench = bench(Release::Reef).start().await;
    let remove = |path: &'static str| bench.ask("DELETE", path, json!(null));
    let missing = remove("/api/cephfs/remove/nope").await;
    let detail = "Error deleting volume nope: volume nope doesn't exist";
    assert_eq!(
        (missing.status.as_u16(), missing.json()),
        (400, json!({"detail": detail, "component": "cephfs"}))
    );
    let done = remove("/api/cephfs/remove/demo").await;
    assert_eq!((done.status.as_u16(), done.json()), (200, json!("Volume demo removed successfully")));
    assert_eq!(
        sent(&bench)[2..],
        [
            "mon: fs fail demo",
            "mon: fs rm demo true",
            "mon: osd pool rm m1 m1 true",
            "mon: osd pool rm d1 d1 true"
        ]
    );

    let refusing = Bench::new(Release::Reef)
        .state(fill)
        .answer("config get", |_| CommandOutput::ok("false"))
        .start()
        .await;
    let refused = refusing.ask("DELETE", "/api/cephfs/remove/demo", json!(null)).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("pool deletion is disabled"));
    assert_eq!(refusing.prefixes(), ["config get"]);
}

#[tokio::test]
async fn a_renamed_volume_renames_its_pools() {
    let bench = bench(Release::Tentacle).start().await;
    let rename = |name: &str, new: &str| {
        bench.ask("PUT", "/api/cephfs/rename", json!({"name": name, "new_name": new}))
    };
    assert_eq!(rename("demo", "new").await.json(), json!("Volume demo renamed successfully to new"));
    // The map has the new name already; one pool is renamed already too.
    rename("old", "other").await;
    assert_eq!(
        sent(&bench),
        [
            "mon: fs rename demo new true",
            "mon: osd pool rename m1 cephfs.new.meta",
            "mon: osd pool rename d1 cephfs.new.data",
            "mon: fs rename old other true",
            "mon: osd pool rename d3 cephfs.other.data",
        ]
    );
    let refused = Bench::new(Release::Reef)
        .answer("fs rename", |_| CommandOutput::failed(1, "not offline"))
        .start()
        .await;
    let refused = refused.ask("PUT", "/api/cephfs/rename", json!({"name": "a", "new_name": "b"})).await;
    let detail = "Error renaming volume a to b: Failed to rename file system 'a' to 'b'; not offline";
    assert_eq!(refused.json(), json!({"detail": detail, "component": "cephfs"}));
}

#[tokio::test]
async fn with_an_orchestrator_volumes_are_left_to_it() {
    let bench = Bench::new(Release::Reef)
        .state(fill)
        .raw_option("mgr/orchestrator/orchestrator", "cephadm")
        .start()
        .await;
    let refused = bench.ask("DELETE", "/api/cephfs/remove/demo", json!(null)).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (501, &json!("orchestrator_not_served")));
    assert!(bench.prefixes().is_empty());
}

#[tokio::test]
async fn a_clients_capabilities_may_squash_root() {
    let bench = bench(Release::Reef).start().await;
    let auth = |squash: bool| {
        let caps = json!(["/", "rw", "/d", "r"]);
        let body = json!({"fs_name": "demo", "client_id": "client.u", "caps": caps, "root_squash": squash});
        bench.ask("PUT", "/api/cephfs/auth", body)
    };
    assert_eq!(auth(false).await.json(), json!("Updated client.u authorization successfully"));
    auth(true).await;
    assert_eq!(
        sent(&bench),
        [
            r#"mon: fs authorize demo client.u ["/","rw","/d","r"]"#,
            r#"mon: fs authorize demo client.u ["/","rw","root_squash","/d","r"]"#
        ]
    );
    let missing = bench.ask("PUT", "/api/cephfs/auth", json!({"fs_name": "demo"})).await;
    assert_eq!(missing.json()["code"], "invalid_parameter");
}
