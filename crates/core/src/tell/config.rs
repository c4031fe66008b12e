//! `config show|get|set|unset|diff|help` and `injectargs`: this process's own options (`CephContext::_do_command`,
//! `md_config_t` in `src/common/config.cc`).
//!
//! Unlike upstream, the key is not shown, and `config diff get` shows the one option that it names: upstream reads the name and drops it.

use super::{Action, Answer, Ask, EINVAL, ENOENT, EPERM, Needs, Row, row};
use crate::command::Command;
use crate::config::expand::expand_option;
use crate::config::{Level, OptionDesc, OptionValue, Schema, Settings, normalized};
use crate::health::HealthOptions;
use crate::mgr_options::MgrOptions;
use axon_proto::Release;
use serde_json::{Map, Value, json};

pub(super) const ROWS: &[Row] = &[
    row("config show", "dump current config settings", show),
    row("config help name=var,type=CephString,req=false", "get config setting schema and descriptions", help),
    row(
        "config set name=var,type=CephString name=val,type=CephString,n=N",
        "config set <field> <val> [<val> ...]: set a config variable",
        set,
    ),
    row("config unset name=var,type=CephString", "config unset <field>: unset a config variable", unset),
    row("config get name=var,type=CephString", "config get <field>: get the config value", get),
    row("config diff", "dump diff of current config and default config", |ask| diff(ask, None)),
    row(
        "config diff get name=var,type=CephString",
        "dump diff get <field>: dump diff of current and default config setting <field>",
        |ask| diff(ask, Some(variable(ask.command))),
    ),
    row(
        "injectargs name=injected_args,type=CephString,n=N",
        "inject configuration arguments into running daemon",
        inject,
    ),
];

/// Which descriptions a command needs.
#[must_use]
pub fn needs(command: &Command, settings: &Settings) -> Needs {
    match command.prefix() {
        "config show" => Needs::AllOptions,
        "config help" if command.args.get("var").is_none() => Needs::AllOptions,
        "config help" | "config get" | "config set" | "config unset" | "config diff get" => {
            Needs::Options(vec![variable(command)])
        }
        "config diff" => Needs::Options(settings.names().map(str::to_owned).collect()),
        "injectargs" => {
            let names = words(command).into_iter().flat_map(|word| {
                let name = option_word(&word).0;
                let bare = name.strip_prefix("no_").map(str::to_owned);
                std::iter::once(name).chain(bare)
            });
            Needs::Options(names.filter(|name| !name.is_empty()).collect())
        }
        _ => Needs::Nothing,
    }
}

/// An option that is set, as it was written: for `config get` while nobody can be asked what the option is.
#[must_use]
pub fn undescribed(command: &Command, settings: &Settings) -> Option<Schema> {
    let name = variable(command);
    let wanted = command.prefix() == "config get" && settings.raw(&name).is_some();
    let text = json!({ "name": name, "type": "str" });
    wanted.then(|| OptionDesc::from_json(text).into_iter().collect())
}

/// The option that a command names; blanks count as underscores.
fn variable(command: &Command) -> String {
    normalized(command.args.get("var").and_then(Value::as_str).unwrap_or_default())
}

fn strings(command: &Command, name: &str) -> Vec<String> {
    match command.args.get(name) {
        Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Number(number)) => vec![number.to_string()],
        _ => Vec::new(),
    }
}

impl Ask<'_> {
    fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// The value in force, variables replaced.
    fn in_force(&self, name: &str, desc: &OptionDesc) -> OptionValue {
        let set = self.settings().raw(name).map(|raw| parsed(desc, raw));
        match set.unwrap_or_else(|| desc.default_value()) {
            OptionValue::Text(text) if text.contains('$') => {
                let other = |other: &str| {
                    let set = self.settings().raw(other).map(str::to_owned);
                    set.or_else(|| self.schema.get(other).map(|desc| desc.default_value().text()))
                };
                OptionValue::Text(expand_option(name, &text, self.settings().variables(), &other))
            }
            value => value,
        }
    }
}

/// A secret of this host is not for the wire.
fn is_secret(name: &str) -> bool {
    name == "key"
}

/// A value that was taken when the daemon started; what does not fit stands as it was written.
fn parsed(desc: &OptionDesc, raw: &str) -> OptionValue {
    desc.parse(raw).unwrap_or_else(|_| OptionValue::Text(raw.to_owned()))
}

fn show(ask: &Ask<'_>) -> Answer {
    let variables = ask.settings().variables();
    let mut out = Map::new();
    out.insert("name".to_owned(), variables.name.to_string().into());
    out.insert("cluster".to_owned(), variables.cluster.as_str().into());
    for (name, desc) in ask.schema.iter().filter(|(name, _)| !is_secret(name)) {
        out.insert(name.clone(), ask.in_force(name, desc).text().into());
    }
    Answer::json(out.into())
}

fn get(ask: &Ask<'_>) -> Answer {
    let named = ask.command.args.get("var").and_then(Value::as_str).unwrap_or_default();
    let name = variable(ask.command);
    let value = ask.schema.get(&name).filter(|_| !is_secret(&name)).map(|desc| ask.in_force(&name, desc));
    match value {
        None | Some(OptionValue::None) => {
            Answer::refuse(ENOENT, format!("error getting '{named}': {}", strerror(ENOENT)))
        }
        Some(value) => Answer::json(json!({ named: value.text() })),
    }
}

fn help(ask: &Ask<'_>) -> Answer {
    if ask.command.args.get("var").is_none() {
        // Levels of logging subsystems are found by name only, as upstream has it.
        let mut listed: Vec<&OptionDesc> = ask.schema.values().filter(|desc| !desc.is_log_level()).collect();
        listed.sort_by_key(|desc| desc.place);
        return Answer::json(json!({ "options": listed.iter().map(|desc| &desc.json).collect::<Vec<_>>() }));
    }
    let name = variable(ask.command);
    match ask.schema.get(&name) {
        Some(desc) => Answer::json(json!({ "option": desc.json })),
        None => Answer::refuse(ENOENT, format!("Setting not found: '{name}'")),
    }
}

fn diff(ask: &Ask<'_>, only: Option<String>) -> Answer {
    let mut out = Map::new();
    for name in ask
        .settings()
        .names()
        .filter(|name| !is_secret(name) && only.as_deref().is_none_or(|only| only == *name))
    {
        let (Some(desc), Some(levels)) = (ask.schema.get(name), ask.settings().levels(name)) else {
            continue;
        };
        let default = desc.default_value();
        let given = levels.iter().map(|(level, raw)| (*level, parsed(desc, raw)));
        let given: Vec<(Level, OptionValue)> =
            given.filter(|(level, value)| *level != Level::Default || *value != default).collect();
        let Some((first, _)) = given.first() else { continue };
        let mut entry = Map::new();
        if *first != Level::Default {
            entry.insert(Level::Default.name().to_owned(), desc.to_json(&default));
        }
        for (level, value) in &given {
            entry.insert(level.name().to_owned(), desc.to_json(value));
        }
        entry.insert("final".to_owned(), desc.to_json(&ask.in_force(name, desc)));
        out.insert(name.to_owned(), entry.into());
    }
    Answer::json(json!({ "diff": out }))
}

/// A value to set, if it may be; `None` when it changes nothing.
fn checked(
    ask: &Ask<'_>,
    name: &str,
    desc: &OptionDesc,
    text: &str,
) -> Result<Option<Action>, (i32, String)> {
    let value = desc.parse(text).map_err(|why| (EINVAL, why.0))?;
    if !desc.can_update_at_runtime() && !is_observed(name) && value != ask.in_force(name, desc) {
        let why = format!("Configuration option '{name}' may not be modified at runtime");
        return Err((EPERM, why));
    }
    let now = ask.settings().levels(name).and_then(|levels| levels.get(&Level::Override));
    if now.is_some_and(|now| parsed(desc, now) == value) {
        return Ok(None);
    }
    Ok(Some(Action::SetOption { name: name.to_owned(), value: Some(value.text()) }))
}

/// Options whose change counts at once.
fn is_observed(name: &str) -> bool {
    MgrOptions::NAMES.contains(&name) || HealthOptions::NAMES.contains(&name) || OF_THE_LOG.contains(&name)
}

/// Those that the process's log follows (`LogObs`).
const OF_THE_LOG: [&str; 9] = [
    "log_file",
    "log_to_file",
    "log_to_stderr",
    "err_to_stderr",
    "log_stderr_prefix",
    "log_to_syslog",
    "err_to_syslog",
    "log_to_journald",
    "err_to_journald",
];

/// What upstream says of a change. Since Reef it leaves the value out.
fn changed(ask: &Ask<'_>, name: &str, desc: &OptionDesc, value: &str) -> String {
    if desc.is_log_level() {
        return String::new();
    }
    let shown = if ask.state.release >= Release::Reef { "" } else { value };
    let observed = if is_observed(name) { "" } else { "(not observed, change may require restart) " };
    format!("{name} = '{shown}' {observed}")
}

fn set(ask: &Ask<'_>) -> Answer {
    let named = ask.command.args.get("var").and_then(Value::as_str).unwrap_or_default();
    let name = variable(ask.command);
    let text = strings(ask.command, "val").join(" ");
    let refuse =
        |errno| Answer::refuse(errno, format!("error setting '{named}' to '{text}': {}", strerror(errno)));
    let Some(desc) = ask.schema.get(&name) else { return refuse(ENOENT) };
    match checked(ask, &name, desc, &text) {
        Err((errno, _)) => refuse(errno),
        Ok(None) => Answer::json(json!({ "success": "" })),
        Ok(Some(action)) => {
            let value = match &action {
                Action::SetOption { value: Some(value), .. } => value.as_str(),
                _ => "",
            };
            Answer::json(json!({ "success": changed(ask, &name, desc, value) })).with(action)
        }
    }
}

fn unset(ask: &Ask<'_>) -> Answer {
    let named = ask.command.args.get("var").and_then(Value::as_str).unwrap_or_default();
    let name = variable(ask.command);
    let Some(desc) = ask.schema.get(&name) else {
        return Answer::refuse(EINVAL, format!("error unsetting '{named}': {}", strerror(EINVAL)));
    };
    let mut settings = ask.settings().clone();
    if settings.levels(&name).and_then(|levels| levels.get(&Level::Override)).is_none() {
        return Answer::json(json!({}));
    }
    settings.unset(Level::Override, &name);
    let after = settings.raw(&name).map_or_else(|| desc.default_value(), |raw| parsed(desc, raw));
    let outs = changed(ask, &name, desc, &after.text());
    Answer { outs, ..Answer::json(json!({})) }.with(Action::SetOption { name, value: None })
}

/// The words behind `injectargs`.
fn words(command: &Command) -> Vec<String> {
    let text = strings(command, "injected_args").join(" ");
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `--mgr-tick-period=3` → the option's name and the value in the word; no name where the word is no option.
fn option_word(word: &str) -> (String, Option<&str>) {
    let Some(option) = word.strip_prefix("--") else { return (String::new(), None) };
    let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
    (name.replace('-', "_"), value)
}

fn inject(ask: &Ask<'_>) -> Answer {
    let mut words = words(ask.command).into_iter().peekable();
    let (mut unknown, mut faults, mut told, mut actions) =
        (Vec::new(), String::new(), String::new(), Vec::new());
    let mut retval = 0;
    while let Some(word) = words.next() {
        let (name, value) = option_word(&word);
        let negated = name.strip_prefix("no_").filter(|_| value.is_none());
        let (name, desc, value) =
            match (ask.schema.get(&name), negated.and_then(|n| Some((n, ask.schema.get(n)?)))) {
                (Some(desc), _) => {
                    let switch = desc.is_bool() && words.peek().is_none_or(|next| next.starts_with("--"));
                    let value = match value {
                        Some(value) => value.to_owned(),
                        None if switch => "true".to_owned(),
                        None => words.next().unwrap_or_default(),
                    };
                    (name.as_str(), desc, value)
                }
                (None, Some((name, desc))) if desc.is_bool() => (name, desc, "false".to_owned()),
                _ => {
                    unknown.push(word);
                    continue;
                }
            };
        match checked(ask, name, desc, &value) {
            Ok(action) => {
                if action.is_some() {
                    told.push_str(&changed(ask, name, desc, &value));
                }
                actions.extend(action);
            }
            Err((errno, why)) => {
                retval = -errno;
                faults.push_str(&format!(
                    "Parse error setting {name} to '{value}' using injectargs ({why}).\n"
                ));
            }
        }
    }
    if !unknown.is_empty() {
        retval = -EINVAL;
        faults.push_str(&format!(" failed to parse arguments: {}\n", unknown.join(",")));
    }
    Answer { retval, outs: faults + &told, actions, ..Answer::json(json!({})) }
}

/// glibc's words with the number before them (`cpp_strerror`).
fn strerror(errno: i32) -> &'static str {
    match errno {
        EPERM => "(1) Operation not permitted",
        ENOENT => "(2) No such file or directory",
        _ => "(22) Invalid argument",
    }
}
