//! What every operation shares: routes, versions, methods, bodies, tokens; and the small operations.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, get, post};

pub fn asks(release: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    for path in
        ["/api/summary", "/api/task", "/api/feature_toggles", "/ui-api/langs", "/ui-api/motd", "/api/nope"]
    {
        out.extend(get(path).by_everyone());
        out.push(get(path).version("9.0"));
        out.push(get(path).any_version());
    }
    out.extend([
        get("/ui-api/login/custom_banner"),
        get("/api/cluster").version("0.1"),
        get("/api/cluster"),
        get("/nope.js"),
        get("/api/user/"),
        get("/api/user//"),
        get("/api/user/a%2Fb"),
        Ask::new("PATCH", "/api/user").text("{}"),
        Ask::new("OPTIONS", "/api/user"),
        Ask::new("PUT", "/api/user").text("{}"),
        Ask::new("DELETE", "/api/user"),
        Ask::new("POST", "/api/user").text("{"),
        Ask::new("POST", "/api/user").text("x").header("content-type", "text/plain"),
    ]);
    // 20.2 answers 500 to a token that it did not issue: docs/differences.md.
    if release == Release::Pacific {
        out.push(post("/api/auth/check?token=x", json!({})));
    }
    out
}

pub const RULES: &[Rule] = &[
    Rule { on: "GET /ui-api/langs", at: "body", may: May::Reorder, why: "the order of a folder" },
    Rule { on: "GET /api/summary", at: "body.mgr_id", may: May::Move, why: "each manager has its own name" },
    Rule { on: "GET /api/summary", at: "body.mgr_host", may: May::Move, why: "the URL of the active one" },
    Rule {
        on: "GET /api/summary",
        at: "body.version",
        may: May::Differ,
        why: "docs/decisions/0003-version-shown.md",
    },
    Rule {
        on: "GET /api/summary",
        at: "body.finished_tasks",
        may: May::Move,
        why: "each manager lists its own",
    },
    Rule {
        on: "GET /api/task",
        at: "body.finished_tasks",
        may: May::Move,
        why: "each manager lists its own",
    },
];
