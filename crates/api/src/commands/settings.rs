//! `get-`, `set-` and `reset-<setting>` (`settings.py` `options_command_list`, `handle_option_command`).

use super::{Answer, Args, EINVAL, Refused, SECRET};
use crate::release::Release;
use crate::settings::{self, Setting, repr};
use serde_json::Value;

/// Descriptor, help and permission of every command.
pub fn descriptors(release: Release) -> impl Iterator<Item = (String, String, &'static str)> {
    settings::ALL.iter().filter(move |s| s.since <= release).flat_map(|setting| {
        let (command, name) = (setting.command_name(), setting.name);
        let set = format!("dashboard set-{command}");
        let (set, set_help) = match takes_secret(&set) {
            true => (set, format!("Set the {name} option value read from -i <file>")),
            false => (format!("{set} name=value,type=CephString"), format!("Set the {name} option value")),
        };
        [
            (format!("dashboard get-{command}"), format!("Get the {name} option value"), "r"),
            (set, set_help, "w"),
            (
                format!("dashboard reset-{command}"),
                format!("Reset the {name} option to its default value"),
                "w",
            ),
        ]
    })
}

/// Runs one of them; `None` for another command.
pub async fn run(args: Args<'_>) -> Option<Answer> {
    let (verb, name) = args.command.prefix().strip_prefix("dashboard ")?.split_once('-')?;
    let setting = args.dash.settings().known().find(|s| s.command_name() == name)?;
    match verb {
        "get" => Some(Ok(shown(&args, setting))),
        "set" => Some(set(&args, setting).await),
        "reset" => Some(reset(&args, setting).await),
        _ => None,
    }
}

/// Upstream looks for these words anywhere in the command.
fn takes_secret(command: &str) -> bool {
    command.contains("password") || command.contains("key")
}

fn shown(args: &Args<'_>, setting: &Setting) -> String {
    repr(&args.dash.settings().value(setting))
}

async fn set(args: &Args<'_>, setting: &Setting) -> Answer {
    let text = match takes_secret(args.command.prefix()) {
        true => args.input(SECRET)?,
        false => match args.command.args.get("value") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => repr(other),
            None => return Err(Refused::new(EINVAL, "missing argument: value")),
        },
    };
    let value = setting
        .cast(&text)
        .ok_or_else(|| Refused::new(EINVAL, format!("{} must be of type {}", setting.name, setting.types)))?;
    args.dash.set_option(setting.name, Some(&setting.to_text(&value))).await?;
    Ok(format!("Option {} updated", setting.name))
}

async fn reset(args: &Args<'_>, setting: &Setting) -> Answer {
    args.dash.set_option(setting.name, None).await?;
    Ok(format!("Option {} reset to default value \"{}\"", setting.name, shown(args, setting)))
}
