//! The central configuration.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, Rule, Who, delete, get, post, put};

pub fn asks(_: Release) -> Vec<Ask> {
    let set = json!({"name": "osd_max_scrubs", "value": [{"section": "osd", "value": "3"}]});
    let mut out = get("/api/cluster_conf/osd_max_scrubs").by_everyone();
    out.extend([
        get("/api/cluster_conf"),
        get("/api/cluster_conf/fsid"),
        get("/api/cluster_conf/nope"),
        get("/api/cluster_conf/filter?names=x"),
        get("/api/cluster_conf/filter?names=fsid,osd_max_scrubs,zz"),
        get("/api/cluster_conf/filter"),
        post("/api/cluster_conf", set.clone()).who(Who::ReadOnly),
        post("/api/cluster_conf", set),
        get("/api/cluster_conf/osd_max_scrubs"),
        post("/api/cluster_conf", json!({"name": "fsid", "value": []})),
        post("/api/cluster_conf", json!({"name": "nope", "value": []})),
        post(
            "/api/cluster_conf",
            json!({"name": "osd_max_scrubs", "value": [{"section": "osd", "value": "abc"}]}),
        ),
        put("/api/cluster_conf", json!({"options": {"osd_max_scrubs": {"section": "osd", "value": "2"}}})),
        get("/api/cluster_conf/osd_max_scrubs"),
        delete("/api/cluster_conf/osd_max_scrubs?section=osd"),
        get("/api/cluster_conf/osd_max_scrubs"),
        delete("/api/cluster_conf/zz/yy"),
        delete("/api/cluster_conf/zz?section=osd"),
        delete("/api/cluster_conf/zz?section=b%20d"),
    ]);
    out
}

pub const RULES: &[Rule] = &[];
