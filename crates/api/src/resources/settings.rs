//! The dashboard's settings (`controllers/settings.py`).
//!
//! Invariants: names are taken in any case, with `-` or `_`; a `PUT` or `DELETE` of an unknown name does nothing and
//! succeeds, as upstream.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use crate::settings::Setting;
use serde_json::{Map, Value, json};

pub const RESOURCE: Resource =
    Resource {
        tag: "Settings",
        doc: "Settings Management API",
        operations: &[
            Operation::get("/api/settings", now(list))
                .scope(Scope::ConfigOpt)
                .summary("Display Settings Information")
                .params(&[Param::query("names", Kind::Text).doc("Name of Settings")]),
            Operation::put("/api/settings", later!(bulk_set)).scope(Scope::ConfigOpt).open(),
            Operation::get("/api/settings/{name}", now(get)).scope(Scope::ConfigOpt),
            Operation::put("/api/settings/{name}", later!(set))
                .scope(Scope::ConfigOpt)
                .params(&[Param::body("value", Kind::Text).required()]),
            Operation::delete("/api/settings/{name}", later!(delete)).scope(Scope::ConfigOpt),
        ],
    };

pub const STANDARD: Resource = Resource {
    tag: "StandardSettings",
    doc: "",
    operations: &[Operation::get("/ui-api/standard_settings", now(standard))],
};

/// What the UI asks for at every login.
const STANDARD_NAMES: [&str; 12] = [
    "USER_PWD_EXPIRATION_SPAN",
    "USER_PWD_EXPIRATION_WARNING_1",
    "USER_PWD_EXPIRATION_WARNING_2",
    "PWD_POLICY_ENABLED",
    "PWD_POLICY_MIN_LENGTH",
    "PWD_POLICY_CHECK_LENGTH_ENABLED",
    "PWD_POLICY_CHECK_OLDPWD_ENABLED",
    "PWD_POLICY_CHECK_USERNAME_ENABLED",
    "PWD_POLICY_CHECK_EXCLUSION_LIST_ENABLED",
    "PWD_POLICY_CHECK_REPETITIVE_CHARS_ENABLED",
    "PWD_POLICY_CHECK_SEQUENTIAL_CHARS_ENABLED",
    "PWD_POLICY_CHECK_COMPLEXITY_ENABLED",
];

fn standard(call: &Call) -> Answer {
    let settings = call.dash.settings();
    let values: Map<String, Value> =
        STANDARD_NAMES.iter().map(|name| (name.to_lowercase(), settings.by_name(name))).collect();
    Ok(Reply::json(&values))
}

fn list(call: &Call) -> Answer {
    let names = call.opt_text("names")?.filter(|names| !names.is_empty());
    let wanted =
        |s: &&Setting| s.in_rest() && names.is_none_or(|names| names.split(',').any(|n| n == s.name));
    Ok(Reply::json(&call.dash.settings().known().filter(wanted).map(|s| shown(call, s)).collect::<Vec<_>>()))
}

fn get(call: &Call) -> Answer {
    let name = native(call.path("name"));
    let setting = call.dash.settings().named(&name).filter(|s| s.in_rest());
    Ok(Reply::json(&shown(call, setting.ok_or_else(|| ApiError::not_found_path(&name))?)))
}

async fn set(call: Call) -> Answer {
    let value = call.value("value").cloned().unwrap_or(Value::Null);
    write(&call, call.path("name"), &value).await?;
    Ok(Reply::null())
}

async fn bulk_set(call: Call) -> Answer {
    for (name, value) in call.args() {
        write(&call, name, value).await?;
    }
    Ok(Reply::null())
}

async fn delete(call: Call) -> Answer {
    if let Some(setting) = call.dash.settings().named(&native(call.path("name"))) {
        call.dash.set_option(setting.name, None).await?;
    }
    Ok(Reply::default())
}

async fn write(call: &Call, name: &str, value: &Value) -> Result<(), ApiError> {
    let Some(setting) = call.dash.settings().named(&native(name)) else { return Ok(()) };
    Ok(call.dash.set_option(setting.name, Some(&setting.to_text(value))).await?)
}

fn native(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn shown(call: &Call, setting: &Setting) -> Value {
    json!({
        "name": setting.name,
        "default": setting.default_value(),
        "type": setting.types,
        "value": call.dash.settings().value(setting),
    })
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Bench, Running};
    use serde_json::{Value, json};

    async fn value(bench: &Running, name: &str) -> Value {
        bench.get(&format!("/api/settings/{name}")).await.json()["value"].clone()
    }

    #[tokio::test]
    async fn names_are_taken_in_any_case() {
        let bench = Bench::new(Release::Pacific).start().await;
        assert_eq!(
            bench.get("/api/settings/grafana-api-username").await.json(),
            json!({"name": "GRAFANA_API_USERNAME", "default": "admin", "type": "str", "value": "admin"})
        );
        let unknown = bench.get("/api/settings/nope").await;
        assert_eq!(
            (unknown.status.as_u16(), &unknown.json()["detail"]),
            (404, &json!("The path 'NOPE' was not found."))
        );
        assert_eq!(bench.get("/api/settings/UNSAFE_TLS_v1_2").await.status, 404);
    }

    #[tokio::test]
    async fn a_write_is_read_back_before_the_monitors_push_it() {
        for bench in [Bench::new(Release::Reef), Bench::new(Release::Reef).without_push()] {
            let bench = bench.start().await;
            let put = bench.ask("PUT", "/api/settings/grafana_api_url", json!({"value": "http://g"})).await;
            assert_eq!((put.status.as_u16(), put.json()), (200, json!(null)));
            assert_eq!(value(&bench, "GRAFANA_API_URL").await, json!("http://g"));
            bench.ask("PUT", "/api/settings", json!({"PWD_POLICY_ENABLED": false, "nope": 1})).await;
            assert_eq!(value(&bench, "PWD_POLICY_ENABLED").await, json!(false));
            assert_eq!(bench.ask("DELETE", "/api/settings/grafana_api_url", json!(null)).await.status, 204);
            assert_eq!(value(&bench, "GRAFANA_API_URL").await, json!(""));
        }
    }

    #[tokio::test]
    async fn the_list_can_be_narrowed() {
        let bench = Bench::new(Release::Tentacle).start().await;
        assert_eq!(bench.get("/api/settings").await.json().as_array().unwrap().len(), 40);
        let two = bench.get("/api/settings?names=PWD_POLICY_ENABLED,REST_REQUESTS_TIMEOUT,x").await.json();
        assert_eq!(two.as_array().unwrap().len(), 2);
    }
}
