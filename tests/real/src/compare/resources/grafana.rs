//! Grafana, where none is set up and where what is set up cannot be reached.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, delete, get, post, put};

pub fn asks(_: Release) -> Vec<Ask> {
    let mut out = around();
    let set = |name: &str, value: &str| put(format!("/api/settings/{name}"), json!({"value": value}));
    let reset = |name: &str| delete(format!("/api/settings/{name}"));
    // Nobody listens on the first port.
    out.push(set("grafana-api-url", "http://127.0.0.1:1/"));
    out.extend([get("/api/grafana/url"), get("/api/grafana/validation/x")]);
    out.push(set("grafana-frontend-api-url", "http://frontend/"));
    out.push(get("/api/grafana/url"));
    out.push(reset("grafana-api-url"));
    out.push(get("/api/grafana/url"));
    out.push(reset("grafana-frontend-api-url"));
    out
}

fn around() -> Vec<Ask> {
    let mut out = Vec::new();
    out.extend(get("/api/grafana/url").by_everyone());
    out.extend(get("/api/grafana/validation/x").by_everyone());
    out.extend(post("/api/grafana/dashboards", json!({})).by_everyone());
    for path in ["/api/grafana/url", "/api/grafana/validation/x"] {
        out.extend([get(path).version("1.1"), get(path).any_version()]);
    }
    out.extend([
        get("/api/grafana/validation"),
        get("/api/grafana/dashboards"),
        Ask::new("POST", "/api/grafana/dashboards").text(""),
        post("/api/grafana/dashboards", json!({})).version("2.0"),
    ]);
    out
}

pub const RULES: &[Rule] = &[Rule {
    on: "GET /api/grafana/validation/*",
    at: "body.detail",
    may: May::Move,
    why: "says which server failed how: docs/differences.md",
}];
