//! Login, users and roles.

use axon_launcher::Release;
use serde_json::json;

use crate::compare::{Ask, May, Rule, Who, delete, get, post, put};

pub fn asks(release: Release) -> Vec<Ask> {
    let mut out = Vec::new();
    for path in
        ["/api/user", "/api/user/compare-admin", "/api/user/nope", "/api/role", "/api/role/administrator"]
    {
        out.extend(get(path).by_everyone());
    }
    let user = json!({"username": "compare-new", "password": "Xyz-pass-77!", "name": "N", "email": "a@b.c",
        "roles": ["pool-manager"], "enabled": true});
    let role = json!({"name": "compare-role", "description": "d", "scopes_permissions": {"osd": ["read", "update"]}});
    out.extend([
        get("/api/role/nope"),
        get("/ui-api/scope"),
        post("/api/auth", json!({"username": "compare-admin", "password": "Compare-Pass-1!"}))
            .who(Who::Nobody),
        post("/api/auth", json!({"username": "nope", "password": "x"})).who(Who::Nobody),
        post("/api/role", role.clone()),
        post("/api/role", role),
        get("/api/role/compare-role"),
        put("/api/role/compare-role", json!({"description": "e", "scopes_permissions": {"pool": ["read"]}})),
        get("/api/role/compare-role"),
        post("/api/role/compare-role/clone", json!({"new_name": "compare-clone"})),
        delete("/api/role/compare-clone"),
        post("/api/user", user.clone()),
        post("/api/user", user.clone()).who(Who::ReadOnly),
        post("/api/user", user),
        get("/api/user/compare-new"),
        post("/api/auth", json!({"username": "compare-new", "password": "Xyz-pass-77!"})).who(Who::Nobody),
        put("/api/user/compare-new", json!({"roles": ["compare-role"], "enabled": true, "email": "x@y.z"})),
        delete("/api/role/compare-role"),
        put("/api/user/compare-new", json!({"roles": [], "enabled": false})),
        post("/api/auth", json!({"username": "compare-new", "password": "Xyz-pass-77!"})).who(Who::Nobody),
        delete("/api/role/compare-role"),
        delete("/api/user/compare-new"),
        delete("/api/user/compare-new"),
        delete("/api/user/compare-admin"),
        put("/api/user/compare-admin", json!({"enabled": false})),
        put("/api/user/nope", json!({})),
        post("/api/role", json!({"name": ""})),
        post("/api/role", json!({"name": "administrator"})),
        post("/api/role", json!({"name": "q", "scopes_permissions": {"zz": ["read"]}})),
        post("/api/role", json!({"name": "q", "scopes_permissions": {"osd": ["zz"]}})),
        put("/api/role/administrator", json!({})),
        delete("/api/role/administrator"),
        delete("/api/role/nope"),
        put("/api/role/nope", json!({})),
        post("/api/user", json!({"username": ""})),
        post("/api/user", json!({"username": "q", "password": "x"})),
        post("/api/user", json!({"username": "q", "roles": ["zz"]})),
        post("/api/user", json!({"username": "q", "pwdExpirationDate": 3})),
        post("/api/user/validate_password", json!({"password": "abc"})),
        post("/api/user/validate_password", json!({"password": "abcdefgh12", "username": "abcdefgh"})),
        post(
            "/api/user/validate_password",
            json!({"password": "Xyz-pass-77!", "old_password": "Xyz-pass-77!"}),
        ),
        post("/api/user/zz/change_password", json!({"old_password": "a", "new_password": "b"})),
        post("/api/user/compare-admin/change_password", json!({"old_password": "a", "new_password": "b"})),
    ]);
    // 20.2 answers 500 to a token that it did not issue: docs/differences.md.
    if release == Release::Pacific {
        let check = post("/api/auth/check", json!({"token": "x"}));
        out.extend([check.clone(), check.who(Who::Nobody)]);
    }
    out
}

pub const RULES: &[Rule] = &[
    Rule { on: "POST /api/auth", at: "body.token", may: May::Move, why: "a new one each time" },
    Rule { on: "**", at: "body.lastUpdate", may: May::Move, why: "the time of the change" },
    Rule { on: "**", at: "body.[].lastUpdate", may: May::Move, why: "the time of the change" },
];
