//! Hosts, on a cluster without an orchestrator.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, delete, get, post, put};

pub fn asks(release: Release) -> Vec<Ask> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = format!("/api/host/{}", name.trim());
    let (list, one) = if release == Release::Pacific { ("1.1", "1.0") } else { ("1.3", "1.2") };
    let mut out = Vec::new();
    out.extend(get("/api/host").version(list).by_everyone());
    out.extend(get(&host).version(one).by_everyone());
    for version in ["0.1", "1.0", "1.1", "1.2", "1.3", "1.4", "2.0"] {
        out.extend([get("/api/host").version(version), get(&host).version(version)]);
        out.push(post("/api/host", json!({"hostname": "compare"})).version(version));
    }
    for query in [
        "sources=ceph",
        "sources=orchestrator",
        "sources=ceph,orchestrator",
        "sources=nope",
        "facts=true",
        "facts=false",
    ] {
        out.push(get(format!("/api/host?{query}")).version(list));
    }
    if release != Release::Pacific {
        let search = name.get(..2).unwrap_or("");
        let searched = format!("search={search}");
        for query in [
            "limit=-1",
            "limit=-2",
            "limit=0",
            "limit=1&offset=0",
            "offset=1",
            "search=zzz",
            &searched,
            "sort=-hostname",
            "sort=%2Bhostname",
            "sort=bogus",
        ] {
            out.push(get(format!("/api/host?{query}")).version(list));
        }
    }
    for path in ["devices", "smart", "inventory", "inventory?refresh=true", "daemons"] {
        out.extend(get(format!("{host}/{path}")).by_everyone());
        out.push(get(format!("/api/host/compare-no-such/{path}")));
        out.push(get(format!("/api/host/a%20b%2Fc/{path}")));
    }
    for path in ["labels", "inventory", "list"] {
        out.extend(get(format!("/ui-api/host/{path}")).by_everyone());
    }
    out.push(get("/api/host/compare-no-such").version(one));
    out.push(get("/api/host/a%20b%2Fc").version(one));
    for body in [json!({"hostname": "compare"}), json!({})] {
        out.extend(post("/api/host", body).version("0.1").by_everyone());
    }
    for body in [json!({"update_labels": true, "labels": ["a"]}), json!({"maintenance": true}), json!({})] {
        out.extend(put(&host, body).version("0.1").by_everyone());
    }
    out.extend(delete(&host).by_everyone());
    out.push(delete("/api/host/compare-no-such"));
    for body in [json!({"device": "/dev/sda", "duration": 1}), json!({})] {
        out.extend(post(format!("{host}/identify_device"), body).by_everyone());
    }
    out.push(Ask::new("POST", "/api/host").text("").version("0.1"));
    out
}

const ALONE: &str = "one manager runs at a time here, under its own name";

pub const RULES: &[Rule] = &[
    Rule { on: "GET /api/host**", at: "body.**services.[].id", may: May::Move, why: ALONE },
    Rule { on: "GET /ui-api/host/list", at: "body.[].services.[].id", may: May::Move, why: ALONE },
    Rule {
        on: "GET /ui-api/host/list",
        at: "body.[].service_instances",
        may: May::Differ,
        why: "a leak of the stock cache: docs/differences.md",
    },
];
