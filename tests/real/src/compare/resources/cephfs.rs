//! File systems, volumes, and performance counters.
//!
//! Not here: clients that have the file system mounted, which the harness has none of.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, Who, delete, get, post, put};

pub fn asks(release: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    for path in [
        "/api/cephfs",
        "/api/cephfs/1",
        "/api/cephfs/1/clients",
        "/api/cephfs/1/mds_counters",
        "/ui-api/cephfs/1/tabs",
        "/ui-api/nfs-ganesha/cephfs/filesystems",
        "/api/perf_counters",
        "/api/perf_counters/mds/a",
        "/api/perf_counters/mon/a",
        "/api/perf_counters/osd/0",
    ] {
        out.extend(get(path).by_everyone());
        out.push(get(path).version("9.0"));
    }
    for bad in ["99", "-1", "abc", "%201", "99999999999999999999"] {
        out.extend([get(format!("/api/cephfs/{bad}")), get(format!("/api/cephfs/{bad}/mds_counters"))]);
    }
    out.extend([
        get("/api/cephfs/abc/clients"),
        get("/ui-api/cephfs/99/tabs"),
        get("/ui-api/cephfs/abc/tabs"),
        get("/api/cephfs/1/mds_counters?counters=mds_mem.ino&counters=mds.nope"),
        get("/api/perf_counters/mds/nope"),
        get("/api/perf_counters/osd/77"),
        get("/api/perf_counters/rgw/x"),
        get("/api/perf_counters/rbd-mirror/x"),
        delete("/api/cephfs/1/client/abc"),
        delete("/api/cephfs/abc/client/1"),
        delete("/api/cephfs/1/client/424242").version("2.0"),
    ]);
    out.extend(delete("/api/cephfs/1/client/424242").by_everyone());
    if release != Release::Pacific {
        out.extend(volumes());
    }
    if release == Release::Tentacle {
        out.extend(get("/ui-api/cephfs/used-pools").by_everyone());
    }
    out
}

/// What the monitors refuse, and who may ask; a volume that is made cannot be removed while pools may not be.
fn volumes() -> Vec<Ask> {
    let auth = |fs: &str, client: &str, caps: &[&str]| {
        let body = json!({"fs_name": fs, "client_id": client, "caps": caps, "root_squash": false});
        put("/api/cephfs/auth", body)
    };
    let rename = |name: &str| put("/api/cephfs/rename", json!({"name": name, "new_name": "renamed"}));
    let create = post("/api/cephfs", json!({"name": "v", "service_spec": {"placement": {}}}));
    let refused = [Who::ReadOnly, Who::Limited, Who::Nobody, Who::Forged];
    let mut out: Vec<Ask> = refused
        .into_iter()
        .flat_map(|who| {
            let all = [create.clone(), rename("nope"), auth("demo", "client.u", &["/", "rw"])];
            all.into_iter().chain([delete("/api/cephfs/remove/nope")]).map(move |ask| ask.who(who))
        })
        .collect();
    out.extend([
        get("/api/cephfs/1/clients?suppress_client_ls_errors=False"),
        get("/api/cephfs/1/clients?suppress_client_ls_errors=x"),
        auth("nofs", "client.u", &["/", "rw"]),
        auth("demo", "u", &["/", "rw"]),
        auth("demo", "client.u", &["/", "zz"]),
        rename("nope"),
        rename("demo"),
        delete("/api/cephfs/remove/nope"),
        delete("/api/cephfs/remove/demo"),
    ]);
    out
}

const OWN_MOUNTS: &str = "the stock manager's volumes module mounts file systems; Axon has no mount";

pub const RULES: &[Rule] = &[
    Rule { on: "GET /api/cephfs/1/clients**", at: "body.data", may: May::Differ, why: OWN_MOUNTS },
    Rule { on: "GET /ui-api/cephfs/1/tabs", at: "body.clients.data", may: May::Differ, why: OWN_MOUNTS },
    Rule { on: "GET /api/cephfs/**", at: "body.cephfs.client_count", may: May::Move, why: OWN_MOUNTS },
    Rule { on: "GET /api/cephfs/**", at: "body.cephfs.ranks.[].*", may: May::Move, why: "moves with time" },
    Rule {
        on: "GET /api/cephfs/**",
        at: "body.cephfs.pools.[].used",
        may: May::Move,
        why: "moves with time",
    },
    Rule {
        on: "GET /api/cephfs/**",
        at: "body.cephfs.pools.[].avail",
        may: May::Move,
        why: "moves with time",
    },
    Rule { on: "GET /ui-api/cephfs/1/tabs", at: "body.ranks.[].*", may: May::Move, why: "moves with time" },
    Rule { on: "GET /ui-api/cephfs/1/tabs", at: "body.pools.[].*", may: May::Move, why: "moves with time" },
    Rule {
        on: "GET /ui-api/cephfs/1/tabs",
        at: "body.mds_counters.*.*.*",
        may: May::Move,
        why: "as many values as reports have come",
    },
    Rule {
        on: "GET /api/cephfs/*/mds_counters**",
        at: "body.*.*.*",
        may: May::Move,
        why: "as many values as reports have come",
    },
    Rule {
        on: "GET /api/perf_counters/**",
        at: "body.counters.[].value",
        may: May::Move,
        why: "moves with time",
    },
    Rule { on: "GET /api/perf_counters", at: "body.**.value", may: May::Move, why: "moves with time" },
    Rule { on: "GET /api/perf_counters", at: "body.**.count", may: May::Move, why: "moves with time" },
    Rule {
        on: "GET /api/perf_counters",
        at: "body.**.priority",
        may: May::Move,
        why: "upstream keeps what the first daemon with a counter of that name declared, and daemons disagree",
    },
];
