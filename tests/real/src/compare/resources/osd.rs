//! OSDs: the list and its pages, single ones, flags, and what changes one; everything is undone again.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, Who, delete, get, post, put};

pub fn asks(release: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    lists(release, &mut out);
    reads(&mut out);
    flags(&mut out);
    changes(&mut out);
    making_and_ending(&mut out);
    out
}

fn lists(release: Release, out: &mut Vec<Ask>) {
    if release == Release::Pacific {
        out.extend(get("/api/osd").by_everyone());
    } else {
        let list = |query: &str| get(format!("/api/osd{query}")).version("1.1");
        out.extend(list("").by_everyone());
        out.extend([list("").version("1.0"), list("").version("2.0")]);
        for query in [
            "limit=1",
            "limit=0",
            "limit=-1",
            "limit=-2",
            "offset=1",
            "offset=1&limit=1",
            "offset=7",
            "offset=-1",
            "offset=-3&limit=2",
            "search=1",
            "search=zz",
            "sort=-id",
            "sort=-id&limit=2",
            "sort=%2Bid",
            "sort=-uuid",
            "sort=-",
        ] {
            out.push(list(&format!("?{query}")));
        }
    }
}

fn reads(out: &mut Vec<Ask>) {
    for path in [
        "/api/osd/0",
        "/api/osd/0/histogram",
        "/api/osd/0/smart",
        "/api/osd/0/devices",
        "/api/osd/flags",
        "/api/osd/flags/individual",
        "/api/osd/safe_to_destroy?ids=0",
        "/api/osd/safe_to_delete?svc_ids=0",
        "/ui-api/osd/deployment_options",
    ] {
        out.extend(get(path).by_everyone());
        out.extend([get(path).version("9.0"), get(path).any_version()]);
    }
    out.extend(get("/api/osd/settings").version("0.1").by_everyone());
    for ids in ["9", "[0,1]", "[0,9]", "[]", "%220%22", "%22x%22"] {
        out.push(get(format!("/api/osd/safe_to_destroy?ids={ids}")));
    }
    out.extend([
        get("/api/osd/settings"),
        get("/api/osd/7/smart"),
        get("/api/osd/7/devices"),
        get("/api/osd/x/devices"),
        get("/api/osd/safe_to_delete"),
    ]);
}

fn flags(out: &mut Vec<Ask>) {
    let of_map = "/api/osd/flags";
    let set = |more: &[&str]| {
        let mut flags = vec!["sortbitwise", "recovery_deletes", "purged_snapdirs", "pglog_hardlimit"];
        flags.extend(more);
        put("/api/osd/flags", json!({"flags": flags}))
    };
    // The first brings the flags to what the others begin with; read-only users may not change them.
    for more in [&[][..], &["noin", "noout"], &["noin", "pause"], &["noin", "noin"], &["bogus"], &[]] {
        out.extend([set(more), get(of_map)]);
    }
    out.push(set(&["noin"]).who(Who::ReadOnly));
    let individual = "/api/osd/flags/individual";
    for (flags, ids) in [
        (json!({"noout": true, "noup": true}), json!([0, 1])),
        (json!({"noout": false, "noup": null, "zzz": true}), json!([0])),
        (json!({"noout": false, "noup": false}), json!([0, 1])),
        (json!({"noin": 1}), json!([2])),
        (json!({"noin": 0}), json!([2])),
        (json!({"noin": true}), json!([])),
        (json!({}), json!([1])),
    ] {
        out.extend([put(individual, json!({"flags": flags, "ids": ids})), get(individual)]);
    }
    out.push(put(individual, json!({"flags": {}, "ids": []})).who(Who::ReadOnly));
}

fn changes(out: &mut Vec<Ask>) {
    let mark = |osd: &str, action: &str| put(format!("/api/osd/{osd}/mark"), json!({"action": action}));
    out.extend([
        mark("2", "out"),
        get("/api/osd/2"),
        mark("2", "in"),
        get("/api/osd/2"),
        mark("2", "bogus"),
        mark("2", "OUT"),
        mark("2", "lost"),
        mark("9", "lost"),
        mark("x", "out"),
        mark("2", "out").who(Who::ReadOnly),
    ]);
    for weight in [json!(0.5), json!("0.75"), json!(-1), json!(1)] {
        out.extend([post("/api/osd/2/reweight", json!({"weight": weight})), get("/api/osd/2")]);
    }
    out.push(post("/api/osd/9/reweight", json!({"weight": 1})));
    for osd in ["0", "9", "x", "-1"] {
        out.push(post(format!("/api/osd/{osd}/scrub"), json!({})));
    }
    out.extend([
        post("/api/osd/0/scrub?deep=true", json!({})),
        post("/api/osd/0/scrub", json!({"deep": "no"})),
    ]);
    out.push(post("/api/osd/0/scrub", json!({})).who(Who::ReadOnly));
    // The device class that the launcher's OSDs have comes last.
    for class in [json!("fast"), json!("fast"), json!(""), json!(null), json!("hdd")] {
        out.extend([put("/api/osd/1", json!({"device_class": class})), get("/ui-api/crush_rule/info")]);
    }
    out.extend([
        put("/api/osd/9", json!({"device_class": "hdd"})),
        put("/api/osd/x", json!({"device_class": "hdd"})),
        put("/api/osd/1", json!({"device_class": "x"})).who(Who::ReadOnly),
    ]);
}

fn making_and_ending(out: &mut Vec<Ask>) {
    let create =
        |method: &str, data| post("/api/osd", json!({"method": method, "data": data, "tracking_id": "t"}));
    let uuid = "a1b2c3d4-0000-4000-8000-000000000001";
    out.extend([
        create("nope", json!({})),
        create("bare", json!({})),
        create("bare", json!({"uuid": uuid, "svc_id": "x"})),
        create("bare", json!({"uuid": "zz", "svc_id": 3})),
        create("drive_groups", json!([{"service_type": "osd"}])),
        create("bare", json!({"uuid": uuid, "svc_id": 3})).who(Who::ReadOnly),
        create("bare", json!({"uuid": uuid, "svc_id": 3})),
        get("/api/osd/3"),
        get("/api/osd/flags/individual"),
        get("/api/osd/3/smart"),
        post("/api/osd/3/scrub", json!({})),
        Ask::new("POST", "/api/osd/3/scrub"),
    ]);
    for what in ["destroy", "purge"] {
        for osd in ["0", "9", "3"] {
            out.push(post(format!("/api/osd/{osd}/{what}"), json!({})));
        }
        out.push(post(format!("/api/osd/3/{what}"), json!({})).who(Who::ReadOnly));
        out.push(get("/api/osd/flags/individual"));
    }
    out.extend([
        delete("/api/osd/0"),
        delete("/api/osd/0?preserve_id=true&force=true"),
        delete("/api/osd/0").who(Who::ReadOnly),
        delete("/api/osd/0").who(Who::Nobody),
    ]);
}

const EPOCHS: &str = "epochs of the map, which both rounds make";
const USE: &str = "what the stores use, and what is going on";

pub const RULES: &[Rule] = &[
    Rule { on: "GET /api/osd**", at: "body.**up_from", may: May::Move, why: EPOCHS },
    Rule { on: "GET /api/osd**", at: "body.**up_thru", may: May::Move, why: EPOCHS },
    Rule { on: "GET /api/osd**", at: "body.**down_at", may: May::Move, why: EPOCHS },
    Rule { on: "GET /api/osd**", at: "body.**last_clean_*", may: May::Move, why: EPOCHS },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.seq", may: May::Move, why: EPOCHS },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.kb_*", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.statfs.*", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.perf_stat.*", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.op_queue_age_hist.**", may: May::Differ, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.num_snap_trimming", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].osd_stats.snap_trim_queue_len", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].stats.*", may: May::Move, why: USE },
    Rule { on: "GET /api/osd**", at: "body.[].stats_history.*", may: May::Move, why: USE },
    Rule { on: "GET /api/osd/*/histogram", at: "body.*.*.values**", may: May::Move, why: USE },
];
