//! What the stock modules are: options, commands, notifications, whether they can run (`PyModule::load` and its `load_…`).
//! One process looks at all of them, each in a fork of its own (`python/axon_describe.py`). What it finds is kept in the manager's
//! folder (`kept`), so that the next start need not wait for it.

mod kept;

use crate::link::{Incoming, Link};
use crate::process;
use crate::setup::Setup;
use axon_proto::mgr_map::{ModuleInfo, ModuleOption, OptionLevel, OptionType};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// How long looking at all modules may take.
const DESCRIBE_SECS_MAX: u64 = 120;

/// Modules by name.
pub type Descriptions = BTreeMap<String, Description>;

/// A command of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ModuleCommand {
    /// Upstream's descriptor.
    #[serde(rename = "cmd")]
    pub cmdstring: String,
    #[serde(rename = "desc")]
    pub help: String,
    pub perm: String,
    pub poll: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawOption {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    level: Option<i64>,
    desc: String,
    long_desc: String,
    #[serde(rename = "default")]
    default_value: String,
    min: String,
    max: String,
    enum_allowed: BTreeSet<String>,
    see_also: BTreeSet<String>,
    tags: BTreeSet<String>,
    runtime: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    name: String,
    loaded: bool,
    can_run: bool,
    error: String,
    options: Vec<RawOption>,
    commands: Vec<ModuleCommand>,
    notify: BTreeSet<String>,
    standby: bool,
}

/// One module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// As the manager map lists it.
    pub info: ModuleInfo,
    /// It could be imported and has a class for the active manager.
    pub loaded: bool,
    /// It has one for standbys too.
    pub standby: bool,
    pub commands: Vec<ModuleCommand>,
    /// Notifications that it wants; `*`: all.
    pub notify: BTreeSet<String>,
}

impl Description {
    /// Whether it wants to hear of such a change.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.notify.contains(kind) || self.notify.contains("*")
    }

    /// The declared type of an option.
    #[must_use]
    pub fn option_type(&self, name: &str) -> Option<OptionType> {
        self.info.module_options.get(name).map(|option| option.kind)
    }
}

impl From<RawOption> for ModuleOption {
    fn from(raw: RawOption) -> Self {
        let level = raw.level.and_then(|level| u8::try_from(level).ok());
        ModuleOption {
            name: raw.name,
            kind: OptionType::from_name(&raw.kind).unwrap_or(OptionType::STR),
            level: level.map_or(OptionLevel::ADVANCED, OptionLevel),
            flags: if raw.runtime { ModuleOption::FLAG_RUNTIME } else { 0 },
            default_value: raw.default_value,
            min: raw.min,
            max: raw.max,
            enum_allowed: raw.enum_allowed,
            desc: raw.desc,
            long_desc: raw.long_desc,
            tags: raw.tags,
            see_also: raw.see_also,
        }
    }
}

impl From<Raw> for Description {
    fn from(raw: Raw) -> Self {
        let options = raw.options.into_iter().map(ModuleOption::from);
        let info = ModuleInfo {
            name: raw.name,
            can_run: raw.loaded && raw.can_run,
            error_string: raw.error,
            module_options: options.map(|o| (o.name.clone(), o)).collect(),
        };
        Description {
            info,
            loaded: raw.loaded,
            standby: raw.standby,
            commands: raw.commands,
            notify: raw.notify,
        }
    }
}

/// Names of the modules in a folder; one that cannot be read has none (`PyModuleRegistry::probe_modules`).
#[must_use]
pub fn find_modules(module_path: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(module_path).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)));
    let is_module = |path: &Path, name: &str| {
        !name.starts_with(['_', '.']) && name != "tests" && path.join("__init__.py").is_file()
    };
    named.filter(|(path, name)| is_module(path, name)).map(|(_, name)| name).collect()
}

/// Looks at these modules. Those that cannot be looked at cannot run, and say why.
pub async fn describe(setup: &Setup, names: &BTreeSet<String>) -> Descriptions {
    let mut out = Descriptions::new();
    if names.is_empty() {
        return out;
    }
    let looked = tokio::time::timeout(Duration::from_secs(DESCRIBE_SECS_MAX), look(setup, names, &mut out));
    let why = match looked.await {
        Ok(Ok(())) => "the process that looks at modules ended before it came to this one".to_owned(),
        Ok(Err(why)) => why,
        Err(_) => format!("looking at all modules took longer than {DESCRIBE_SECS_MAX} s"),
    };
    for name in names {
        out.entry(name.clone()).or_insert_with(|| {
            tracing::error!(module = %name, %why, "cannot be looked at");
            let error_string = why.clone();
            let info = ModuleInfo { can_run: false, error_string, ..ModuleInfo::new(name.clone()) };
            Description { info, ..Description::default() }
        });
    }
    out
}

async fn look(setup: &Setup, names: &BTreeSet<String>, out: &mut Descriptions) -> Result<(), String> {
    let key = kept::key(setup);
    let mut found = kept::read(setup, &key);
    found.retain(|name, _| names.contains(name));
    for (name, raw) in &found {
        if let Ok(raw) = serde_json::from_value::<Raw>(raw.clone()) {
            out.insert(name.clone(), raw.into());
        }
    }
    let names: BTreeSet<&String> = names.iter().filter(|name| !out.contains_key(*name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let words = json!({
        "mode": "describe", "module": "", "modules": names, "module_path": setup.module_path,
        "parent": std::process::id(),
    });
    let started = process::start(setup, "describe", words).await;
    let mut started = started.map_err(|why| {
        format!("{} cannot be started: {why}; check that python3 is installed", setup.python.display())
    })?;
    let (_link, mut incoming) = Link::open(started.stream);
    while let Some(Incoming::Note { what }) = incoming.recv().await {
        match (what.first().and_then(|w| w.as_str()), what.get(1)) {
            (Some("described"), Some(value)) => {
                let raw: Raw = serde_json::from_value(value.clone())
                    .map_err(|e| format!("a module's description cannot be read: {e}"))?;
                if !raw.loaded {
                    tracing::warn!(module = %raw.name, why = %raw.error, "cannot be loaded");
                }
                // What cannot run may be able to next time, by something that no file here tells.
                if raw.loaded && raw.can_run {
                    found.insert(raw.name.clone(), value.clone());
                }
                out.insert(raw.name.clone(), raw.into());
            }
            (Some("broken"), why) => {
                let why = why.and_then(|w| w.as_str()).unwrap_or_default();
                return Err(format!("mgr_module cannot be imported: {why}"));
            }
            _ => break,
        }
    }
    let _ = started.child.wait().await;
    kept::write(setup, &key, &found);
    Ok(())
}
