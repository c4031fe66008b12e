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
