//! CRUSH rules: made, shown, refused and removed.

use axon_launcher::Release;
use serde_json::{Value, json};

use crate::compare::{Ask, Rule, Who, delete, get, post};

const RULE: &str = "/api/crush_rule";

pub fn asks(release: Release) -> Vec<Ask> {
    let version = if release == Release::Pacific { "1.0" } else { "2.0" };
    let list = || get(RULE).version(version);
    let one = |name: &str| get(format!("{RULE}/{name}")).version(version);
    let create = |body: Value| post(RULE, body);
    let mut out = list().by_everyone();
    out.extend(get("/ui-api/crush_rule/info").by_everyone());
    out.extend(one("replicated_rule").by_everyone());
    out.extend([get(RULE), list().version("3.0"), list().any_version(), one("nope")]);
    for body in [
        json!({"name": "r1", "root": "default", "failure_domain": "osd"}),
        json!({"name": "r1", "root": "default", "failure_domain": "osd"}),
        json!({"name": "r2", "root": "default", "failure_domain": "osd", "device_class": "hdd"}),
        json!({"name": "r3", "root": "default", "failure_domain": "host", "device_class": null}),
        json!({"name": "r4", "root": "nope", "failure_domain": "osd"}),
        json!({"name": "r4", "root": "default", "failure_domain": "nope"}),
        json!({"name": "r4", "root": "default", "failure_domain": "osd", "device_class": "nope"}),
    ] {
        out.extend([create(body), list(), get("/ui-api/crush_rule/info")]);
    }
    if release == Release::Tentacle {
        for profile in ["default", "nope"] {
            let body =
                json!({"name": "e1", "failure_domain": "osd", "pool_type": "erasure", "profile": profile});
            out.extend([create(body), one("e1")]);
        }
        out.push(create(json!({"name": "e2", "failure_domain": "osd"})));
    }
    let body = json!({"name": "r5", "root": "default", "failure_domain": "osd"});
    out.extend([create(body).who(Who::ReadOnly), delete(format!("{RULE}/r1")).who(Who::ReadOnly)]);
    for name in ["r1", "r2", "r3", "e1", "nope", "replicated_rule"] {
        out.push(delete(format!("{RULE}/{name}")));
    }
    out.push(list());
    out
}

pub const RULES: &[Rule] = &[];
