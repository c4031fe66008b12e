//! The dashboard's settings, and what they feed.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, Who, delete, get, put};

pub fn asks(_: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    for path in
        ["/api/settings", "/api/settings/grafana-api-url", "/api/grafana/url", "/ui-api/standard_settings"]
    {
        out.extend(get(path).by_everyone());
    }
    out.extend([
        get("/api/settings/nope"),
        get("/api/settings?names=PWD_POLICY_ENABLED"),
        get("/api/settings?names=PWD_POLICY_ENABLED,GRAFANA_API_URL"),
        put("/api/settings/nope", json!({"value": 1})),
        delete("/api/settings/nope"),
        put("/api/settings/grafana-api-url", json!({"value": "http://127.0.0.1:9"})).who(Who::ReadOnly),
        put("/api/settings/grafana-api-url", json!({"value": "http://127.0.0.1:9"})),
        get("/api/settings/grafana-api-url"),
        get("/api/grafana/url"),
        delete("/api/settings/grafana-api-url"),
        get("/api/settings/grafana-api-url"),
        put("/api/settings", json!({"PWD_POLICY_MIN_LENGTH": 9})),
        get("/api/settings/PWD_POLICY_MIN_LENGTH"),
        delete("/api/settings/PWD_POLICY_MIN_LENGTH"),
        get("/api/settings/PWD_POLICY_MIN_LENGTH"),
    ]);
    out
}

pub const RULES: &[Rule] = &[Rule {
    on: "GET /api/settings?names=**",
    at: "body",
    may: May::Reorder,
    why: "the stock dashboard lists names in the order of a hash table",
}];
