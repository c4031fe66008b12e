//! `config …` of `ceph tell mgr.x` (`md_config_t`). What an option is, its type, bounds and default, the monitors know
//! (`config help`), who run the release that this manager stands in for; so no table of two thousand options is kept here.
//!
//! Invariant: a value set here is above the file's and the monitors' and lasts until it is unset or the manager ends.
//!
//! `config show` lists the options that are set and those that this manager follows, not every option that exists.

use super::{Answer, Tell};
use crate::run::Report;
use axon_core::config::{Level, Settings};
use axon_core::health::HealthOptions;
use axon_core::{Command, CommandOutput, MgrOptions};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const ENOENT: i32 = 2;
const EINVAL: i32 = 22;

/// How long a change may take to be published, and how often that is looked at.
const CHANGE_MS_MAX: u64 = 2_000;
const CHANGE_POLL_MS: u64 = 5;

pub(super) async fn answer(tell: &Tell<'_>, prefix: &str, command: &Command) -> Answer {
    let var = command.args.get("var").and_then(Value::as_str).unwrap_or_default().replace([' ', '-'], "_");
    match prefix {
        "config get" => get(tell, &var).await,
        "config set" => set(tell, &var, &words(command.args.get("val"))).await,
        "config unset" => unset(tell, &var).await,
        "config help" => help(tell, &var).await,
        "config show" => Ok((show(tell).await, String::new())),
        "config diff" => Ok((diff(tell, None).await, String::new())),
        "config diff get" => Ok((diff(tell, Some(&var)).await, String::new())),
        other => Err(CommandOutput::failed(EINVAL, format!("unknown command prefix {other}"))),
    }
}

/// `val` may be several words.
fn words(val: Option<&Value>) -> String {
    match val {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::String(word)) => word.clone(),
        _ => String::new(),
    }
}

/// All levels together.
fn in_force(tell: &Tell<'_>) -> Settings {
    let state = tell.cluster.state();
    let mut settings = tell.settings.clone();
    settings.set_mon(&state.options);
    for (name, value) in state.overrides.iter() {
        settings.set(Level::Override, name, value.clone());
    }
    settings
}

/// A secret of this host is not for the wire.
fn is_secret(name: &str) -> bool {
    name == "key"
}

/// The monitors' description of an option.
async fn schema(tell: &Tell<'_>, var: &str) -> Option<Value> {
    let asked = tell.cluster.mon(Command::json("config help").arg("key", var)).await.ok()?;
    serde_json::from_slice(&asked).ok()
}

/// The default as text: the one for daemons where there is one.
fn default_text(schema: &Value) -> String {
    let text = |key: &str| match schema.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    Some(text("daemon_default")).filter(|t| !t.is_empty()).unwrap_or_else(|| text("default"))
}

async fn get(tell: &Tell<'_>, var: &str) -> Answer {
    let value = in_force(tell).value(var).filter(|_| !is_secret(var));
    let value = match value {
        Some(value) => value,
        None => match schema(tell, var).await {
            Some(schema) if !is_secret(var) => default_text(&schema),
            _ => {
                let why = format!("error getting '{var}': (2) No such file or directory");
                return Err(CommandOutput::failed(ENOENT, why));
            }
        },
    };
    Ok((json!({ var: value }), String::new()))
}

async fn set(tell: &Tell<'_>, var: &str, val: &str) -> Answer {
    let refused = |errno: i32, words: &str| {
        CommandOutput::failed(errno, format!("error setting '{var}' to '{val}': ({errno}) {words}"))
    };
    let Some(schema) = schema(tell, var).await else {
        return Err(refused(ENOENT, "No such file or directory"));
    };
    if !fits(val, &schema) {
        return Err(refused(EINVAL, "Invalid argument"));
    }
    change(tell, var, Some(val.to_owned())).await?;
    Ok((json!({ "success": said(var, val) }), String::new()))
}

async fn unset(tell: &Tell<'_>, var: &str) -> Answer {
    if !tell.cluster.state().overrides.contains_key(var) {
        return Ok((json!({}), String::new()));
    }
    change(tell, var, None).await?;
    let now = match in_force(tell).value(var) {
        Some(value) => value,
        None => schema(tell, var).await.map(|schema| default_text(&schema)).unwrap_or_default(),
    };
    Ok((json!({}), said(var, &now)))
}

/// Upstream's words, which tell whether anybody listens.
fn said(var: &str, val: &str) -> String {
    let followed = MgrOptions::NAMES.contains(&var) || HealthOptions::NAMES.contains(&var);
    let note = if followed { "" } else { "(not observed, change may require restart) " };
    format!("{var} = '{val}' {note}")
}

/// Hands the change to the owner and waits until readers see it.
async fn change(tell: &Tell<'_>, var: &str, val: Option<String>) -> Result<(), CommandOutput> {
    let report = Report::Override { name: var.to_owned(), value: val.clone() };
    if tell.reports.send(report).await.is_err() {
        return Err(CommandOutput::failed(11, "the manager is stopping"));
    }
    for _ in 0..CHANGE_MS_MAX / CHANGE_POLL_MS {
        if tell.cluster.state().overrides.get(var) == val.as_ref() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(CHANGE_POLL_MS)).await;
    }
    Err(CommandOutput::failed(110, "the manager has not taken the change over in time"))
}

/// Whether a value is of the option's type and within its bounds (`Option::parse_value`, `Option::validate`).
pub(super) fn fits(val: &str, schema: &Value) -> bool {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let within = |n: f64| bound("min").is_none_or(|min| n >= min) && bound("max").is_none_or(|max| n <= max);
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let allowed = schema.get("enum_values").and_then(Value::as_array).filter(|values| !values.is_empty());
    if let Some(allowed) = allowed
        && !allowed.iter().any(|value| value == val)
    {
        return false;
    }
    match kind {
        "int" | "uint" | "size" => number(val).is_some_and(|n| (kind == "int" || n >= 0.0) && within(n)),
        "float" => val.parse::<f64>().is_ok_and(|n| n.is_finite() && within(n)),
        "bool" => matches!(val, "true" | "false" | "0" | "1"),
        "secs" => val.parse::<axon_core::config::typed::Secs>().is_ok(),
        _ => true,
    }
}

/// A whole number, with a unit where the operator likes one (`4K`).
fn number(val: &str) -> Option<f64> {
    let digits = val.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match val.get(digits.len()..)? {
        "" | "B" => 1.0,
        "K" | "Ki" => 1024.0,
        "M" | "Mi" => 1024f64.powi(2),
        "G" | "Gi" => 1024f64.powi(3),
        "T" | "Ti" => 1024f64.powi(4),
        _ => return None,
    };
    digits.parse::<i64>().ok().map(|n| n as f64 * factor)
}

async fn help(tell: &Tell<'_>, var: &str) -> Answer {
    if var.is_empty() {
        // The monitors describe one option at a time.
        let why = "which option? `config ls` of the monitors lists them";
        return Err(CommandOutput::failed(EINVAL, why));
    }
    match schema(tell, var).await {
        Some(schema) => Ok((json!({ "option": schema }), String::new())),
        None => Err(CommandOutput::failed(ENOENT, format!("Setting not found: '{var}'"))),
    }
}

async fn show(tell: &Tell<'_>) -> Value {
    let settings = in_force(tell);
    let mut out = BTreeMap::new();
    let followed = MgrOptions::NAMES.iter().chain(HealthOptions::NAMES).copied();
    for name in settings.names().chain(followed).filter(|name| !is_secret(name)) {
        if let Some(value) = settings.value(name) {
            out.insert(name.to_owned(), value);
        } else if let Some(schema) = schema(tell, name).await {
            out.insert(name.to_owned(), default_text(&schema));
        }
    }
    let variables = settings.variables();
    out.insert("name".to_owned(), variables.name.to_string());
    out.insert("cluster".to_owned(), variables.cluster.clone());
    json!(out)
}

async fn diff(tell: &Tell<'_>, only: Option<&str>) -> Value {
    let settings = in_force(tell);
    let mut out = Map::new();
    for name in settings.names().filter(|name| !is_secret(name) && only.is_none_or(|only| only == *name)) {
        let levels =
            settings.levels(name).into_iter().flatten().filter(|(level, _)| **level != Level::Default);
        let levels: Vec<_> = levels.collect();
        if levels.is_empty() {
            continue;
        }
        let schema = schema(tell, name).await.unwrap_or(Value::Null);
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut entry = Map::new();
        entry.insert("default".to_owned(), typed(&default_text(&schema), kind));
        for (level, value) in levels {
            entry.insert(level.name().to_owned(), typed(value, kind));
        }
        entry.insert("final".to_owned(), typed(&settings.value(name).unwrap_or_default(), kind));
        out.insert(name.to_owned(), entry.into());
    }
    json!({ "diff": out })
}

/// A value as JSON of the option's type.
fn typed(text: &str, kind: &str) -> Value {
    let parsed = match kind {
        "int" | "uint" | "size" | "secs" | "millisecs" => text.parse::<i64>().ok().map(Value::from),
        "float" => text.parse::<f64>().ok().map(Value::from),
        "bool" => match text {
            "true" | "1" => Some(true.into()),
            "false" | "0" => Some(false.into()),
            _ => None,
        },
        _ => None,
    };
    parsed.unwrap_or_else(|| text.into())
}
