//! Options (`ceph_option_get`, `get_typed_config`, `PyModuleConfig::set_config`). Names, types and defaults of the release's
//! options are the daemons' to tell (`config help`); values come from this host first, then from the monitors.

use super::arguments::Arguments;
use super::{Answered, Desk, runtime, wait_until};
use crate::link::Refusal;
use axon_core::config::Level;
use axon_core::{Command, CommandError, State, Target};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Options that the monitors are asked about at a time.
const ASKED_MAX: usize = 64;

/// One option as the release declares it.
#[derive(Clone, Debug)]
struct Schema {
    name: String,
    kind: String,
    default: String,
    /// All that the release says of it.
    help: Value,
}

impl Schema {
    fn of(help: &Value) -> Option<Schema> {
        let text = |key: &str| match help.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let daemon = text("daemon_default");
        let default = if daemon.is_empty() { text("default") } else { daemon };
        Some(Schema {
            name: help.get("name")?.as_str()?.to_owned(),
            kind: text("type"),
            default,
            help: help.clone(),
        })
    }
}

/// What has been asked so far.
#[derive(Default)]
pub struct Schemas {
    one: Mutex<HashMap<String, Arc<Schema>>>,
    all: tokio::sync::OnceCell<Vec<Schema>>,
}

impl Desk {
    async fn schema(&self, name: &str) -> Result<Arc<Schema>, Refusal> {
        if let Some(known) = self.schemas.one.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let command = Command::json("config help").arg("key", name);
        let unknown = || Refusal::new("KeyError", format!("option not found: {name}"));
        let help = match self.cluster.command(Target::Mon, command).await.and_then(|out| out.json()) {
            Ok(help) => help,
            Err(CommandError::Daemon { errno: 2, .. }) => return Err(unknown()),
            Err(why) => return Err(runtime(format!("the monitors do not describe option {name}: {why}"))),
        };
        let schema = Arc::new(Schema::of(&help).filter(|schema| schema.name == name).ok_or_else(unknown)?);
        let mut known = self.schemas.one.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), schema.clone());
        Ok(schema)
    }

    /// Every option: of the first OSD that is up, as every daemon of a release knows all of them; without one the monitors
    /// are asked for each by name.
    async fn all_schemas(&self) -> Result<&[Schema], Refusal> {
        let ask = async || {
            let state = self.cluster.state();
            let Some(osd) = state.osd_map.osds().find(|id| state.osd_map.is_up(*id)) else {
                return self.schemas_by_name().await;
            };
            let help = self.cluster.command(Target::Osd(osd), Command::json("config help")).await;
            let help = help.and_then(|out| out.json()).map_err(runtime)?;
            let options = help.get("options").and_then(Value::as_array);
            let options = options.ok_or_else(|| runtime("config help has no options"))?;
            Ok::<_, Refusal>(options.iter().filter_map(Schema::of).collect())
        };
        self.schemas.all.get_or_try_init(ask).await.map(Vec::as_slice)
    }

    async fn schemas_by_name(&self) -> Result<Vec<Schema>, Refusal> {
        let names = self.cluster.command(Target::Mon, Command::json("config ls")).await;
        let names = names.and_then(|out| out.json()).map_err(runtime)?;
        let names: Vec<String> = serde_json::from_value(names).map_err(runtime)?;
        let one = |name: String| async move { self.schema(&name).await.ok() };
        let all: Vec<_> = futures::stream::iter(names).map(one).buffered(ASKED_MAX).collect().await;
        Ok(all.into_iter().flatten().map(|schema| Schema::clone(&schema)).collect())
    }

    /// The value in force, or the release's default.
    fn value_of(&self, state: &State, schema: &Schema) -> String {
        let name = schema.name.as_str();
        let settings = &self.setup.settings;
        let is_local = settings.levels(name).is_some_and(|l| l.keys().any(|level| *level > Level::Mon));
        let local = || settings.value(name);
        let value = if is_local { local() } else { state.options.get(name).cloned().or_else(local) };
        let value = value.unwrap_or_else(|| schema.default.clone());
        if name == "rbd_default_features" {
            return rbd_features(value);
        }
        canonical(&schema.kind, value)
    }

    pub(super) async fn option(&self, name: &str) -> Answered {
        let schema = self.schema(name).await?;
        Ok(json!([schema.kind, self.value_of(&self.cluster.state(), &schema)]).into())
    }

    /// `ConfigProxy::config_options`: what the release says of every option.
    pub(super) async fn option_helps(&self) -> Result<Vec<&Value>, Refusal> {
        Ok(self.all_schemas().await?.iter().map(|schema| &schema.help).collect())
    }

    /// `show_config`: every option's value as text.
    pub(super) async fn option_values(&self) -> Result<Map<String, Value>, Refusal> {
        let state = self.cluster.state();
        let all = self.all_schemas().await?.iter();
        Ok(all.map(|schema| (schema.name.clone(), self.value_of(&state, schema).into())).collect())
    }

    /// Another daemon's option as the monitors compute it.
    pub(super) async fn foreign_option(&self, who: &str, name: &str) -> Answered {
        let schema = self.schema(name).await?;
        let command = Command::plain("config get").arg("who", who).arg("key", name);
        let told = self.cluster.mon(command).await;
        let told = told.map_err(|why| Refusal::new("KeyError", format!("{who} {name}: {why}")))?;
        let value = String::from_utf8_lossy(&told).trim_end_matches('\n').to_owned();
        Ok(json!([schema.kind, canonical(&schema.kind, value)]).into())
    }

    /// A module's option; null where it is not set.
    pub(super) fn module_option(&self, module: &str, key: &str, prefix: &str) -> crate::link::Answer {
        let state = self.cluster.state();
        let set = |key: String| state.options.get(&key).filter(|value| !value.is_empty());
        let localized = if prefix.is_empty() { None } else { set(format!("mgr/{module}/{prefix}/{key}")) };
        let value = localized.or_else(|| set(format!("mgr/{module}/{key}")));
        let native = || {
            let known = state.mgr_map.available_modules.iter().find(|known| known.name == module)?;
            Some(known.module_options.get(key)?.kind)
        };
        let kind = self.descriptions.get(module).and_then(|d| d.option_type(key)).or_else(native);
        value.map_or(Value::Null, |value| json!([kind.map_or("str", |kind| kind.name()), value])).into()
    }

    pub(super) async fn set_module_option(&self, args: Arguments<'_>) -> Answered {
        let (module, key, value) = (args.text(0)?, args.text(1)?, args.optional_text(2));
        let set = self.cluster.set_module_option(module, key, value).await;
        set.map_err(|why| Refusal::new("ValueError", why.to_string()))?;
        let name = format!("mgr/{module}/{key}");
        wait_until(|| self.cluster.state().options.get(&name).map(String::as_str) == value).await;
        Ok(Value::Null.into())
    }
}

/// The features of an image as the number that the option's validator makes of their names (`librbd::rbd_features_from_string`).
fn rbd_features(value: String) -> String {
    const NAMES: [&str; 8] = [
        "layering",
        "striping",
        "exclusive-lock",
        "object-map",
        "fast-diff",
        "deep-flatten",
        "journaling",
        "data-pool",
    ];
    let bit = |name: &str| Some(1_u64 << NAMES.iter().position(|known| *known == name.trim())?);
    let bits: Option<u64> = value.split([',', '+']).map(bit).sum();
    bits.map_or(value, |bits| bits.to_string())
}

/// The text that the option's own daemon would show: sizes and numbers without their unit.
fn canonical(kind: &str, value: String) -> String {
    if !matches!(kind, "size" | "int" | "uint") {
        return value;
    }
    let text = value.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ' ');
    let unit = text.get(digits.len()..).unwrap_or_default().trim_matches(['_', ' ']).to_ascii_uppercase();
    let shift = match unit.trim_end_matches('B').trim_end_matches('I') {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        _ => return value,
    };
    match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)) {
        Some(bytes) => bytes.to_string(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_lose_their_unit_and_other_texts_stay() {
        let canonical = |kind, text: &str| canonical(kind, text.to_owned());
        assert_eq!(canonical("size", "4_Ki"), "4096");
        assert_eq!(canonical("size", "2G"), "2147483648");
        assert_eq!(canonical("uint", "3"), "3");
        assert_eq!(canonical("str", "2G"), "2G");
        assert_eq!(canonical("size", "many"), "many");
    }

    #[test]
    fn features_of_images_are_a_number() {
        let features = |text: &str| rbd_features(text.to_owned());
        assert_eq!(features("layering,exclusive-lock,object-map,fast-diff,deep-flatten"), "61");
        assert_eq!((features("layering"), features("61")), ("1".to_owned(), "61".to_owned()));
    }

    #[test]
    fn a_daemons_default_counts_before_the_general_one() {
        let help = json!({"name": "a", "type": "int", "default": 3, "daemon_default": ""});
        assert_eq!(Schema::of(&help).unwrap().default, "3");
        let help = json!({"name": "a", "type": "str", "default": "1", "daemon_default": "2"});
        assert_eq!(Schema::of(&help).unwrap().default, "2");
        assert!(Schema::of(&json!({})).is_none());
    }
}
