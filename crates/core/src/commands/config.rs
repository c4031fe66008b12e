//! A daemon's running configuration: `config show`, `config show-with-defaults` (`DaemonServer::_handle_command`).

use super::request::{Ask, EINVAL, ENOENT, refuse};
use super::{Done, Row};
use crate::command::CommandOutput;
use crate::daemons::{DaemonKey, DaemonState};
use crate::state::State;
use crate::text::{Column, Table};
use axon_proto::Release;
use axon_proto::daemon_config::{self, DaemonDefaults};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ROWS: &[Row] = &[
    Row::read(
        "config show name=who,type=CephString name=key,type=CephString,req=False",
        "Show running configuration",
        "mgr",
        |ask| show(ask, false),
    ),
    Row::read(
        "config show-with-defaults name=who,type=CephString",
        "Show running configuration (including compiled-in defaults)",
        "mgr",
        |ask| show(ask, true),
    ),
];

/// `ceph_conf_level_name`.
fn level_name(level: i32) -> &'static str {
    match level {
        0 => "default",
        1 => "mon",
        2 => "file",
        3 => "env",
        4 => "cmdline",
        5 => "override",
        6 => "final",
        _ => "???",
    }
}

const LEVEL_DEFAULT: i32 = 0;

/// An option's value at each level where it is set.
type Levels = BTreeMap<i32, String>;

fn show(ask: &Ask<'_>, with_defaults: bool) -> Done {
    let who = ask.text("who").unwrap_or_default();
    let Some((kind, name)) = who.split_once('.') else {
        return refuse(EINVAL, "invalid daemon name: use <type>.<id>");
    };
    let Some(daemon) = daemon(ask.state, kind, name) else {
        return refuse(ENOENT, format!("no config state for daemon {who}"));
    };
    if let Some(key) = ask.text("key").filter(|key| !key.is_empty()) {
        return one(ask, &daemon, &key);
    }
    if daemon.config_defaults_bl.is_empty() {
        // It has not told its configuration yet.
        return CommandOutput::default().into();
    }
    let mut options: BTreeMap<String, Levels> = daemon.config.clone();
    options.retain(|_, levels| !levels.is_empty());
    if with_defaults {
        for (name, value) in defaults(&daemon) {
            options.entry(name).or_insert_with(|| [(LEVEL_DEFAULT, value)].into());
        }
    }
    let ignored = |name: &str| daemon.ignored_mon_config.contains_key(name);
    let json =
        || options.iter().map(|(name, levels)| option_json(name, levels, ignored(name))).collect::<Value>();
    ask.answer("config", json, || {
        let mut table = Table::new(["NAME", "VALUE", "SOURCE", "OVERRIDES", "IGNORES"].map(Column::left));
        for (name, levels) in &options {
            let Some((level, value)) = levels.last_key_value() else { continue };
            let ignores = if ignored(name) { "mon" } else { "" };
            table.row([
                name.clone(),
                value.clone(),
                level_name(*level).to_owned(),
                overrides(levels, value),
                ignores.to_owned(),
            ]);
        }
        table.to_string()
    })
}

/// By type and name. An RGW's key is a number, so a name with `rgw` in it may end in the name that the metadata gives it
/// (`client.rgw.a`); without one it is the last of the RGWs. 16.2 takes the key only.
fn daemon(state: &State, kind: &str, name: &str) -> Option<Arc<DaemonState>> {
    if state.release >= Release::Reef && name.contains("rgw") {
        let mut rgws = state.daemons.of_kind("rgw").map(|(_, daemon)| daemon);
        let found = match name.split_once('.') {
            None => rgws.last(),
            Some((_, id)) => rgws.find(|daemon| daemon.metadata.get("id").is_some_and(|own| own == id)),
        };
        if let Some(daemon) = found {
            return Some(daemon.clone());
        }
    }
    state.daemons.daemon(&DaemonKey::new(kind, name)).cloned()
}

fn defaults(daemon: &DaemonState) -> DaemonDefaults {
    daemon_config::decode(&daemon.config_defaults_bl).ok().flatten().unwrap_or_default()
}

fn one(ask: &Ask<'_>, daemon: &DaemonState, key: &str) -> Done {
    if key == "fsid" {
        return CommandOutput::ok(format!("{}\n", ask.state.fsid)).into();
    }
    let set = daemon.config.get(key).and_then(|levels| levels.last_key_value());
    match set.map(|(_, value)| value.clone()).or_else(|| defaults(daemon).remove(key)) {
        Some(value) => CommandOutput::ok(format!("{value}\n")).into(),
        None => refuse(ENOENT, ""),
    }
}

fn option_json(name: &str, levels: &Levels, ignored: bool) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), name.into());
    if let Some((level, value)) = levels.last_key_value() {
        out.insert("value".to_owned(), value.as_str().into());
        out.insert("source".to_owned(), level_name(*level).into());
    }
    if levels.len() > 1 {
        let below = levels.iter().take(levels.len() - 1);
        let below = below.map(|(level, value)| json!({"source": level_name(*level), "value": value}));
        out.insert("overrides".to_owned(), below.collect());
    }
    if ignored {
        out.insert("ignores".to_owned(), "mon".into());
    }
    out.into()
}

/// The values that the highest level hides; one that is the same is in brackets.
fn overrides(levels: &Levels, value: &str) -> String {
    let below = levels.iter().take(levels.len().saturating_sub(1)).rev();
    let texts: Vec<String> = below
        .map(|(level, hidden)| {
            let text = format!("{}[{hidden}]", level_name(*level));
            if hidden == value { format!("({text})") } else { text }
        })
        .collect();
    texts.join(",")
}
