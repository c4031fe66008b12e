//! The options in force (`md_config_t`, `ConfigValues`, `src/common/config.{h,cc}`): values by level, the highest level
//! wins, and the options of modules, which only the monitors keep.
//!
//! Invariants: the monitors' values are replaced as a whole by each `MConfig`, so what was removed there is gone here;
//! options that upstream does not take from the monitors are kept apart (`ignored`), not used.
//!
//! Not here: what each option means and its default; the few defaults that others refer to are in [`Settings::new`].

use super::conf_file::{ConfFile, normalized};
use super::expand::{Variables, expand_option};
use axon_proto::daemon_config::DaemonConfig;
use std::collections::BTreeMap;

/// Where a value comes from, weakest first (`CONF_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Default = 0,
    Mon = 1,
    File = 2,
    Env = 3,
    CommandLine = 4,
    Override = 5,
}

impl Level {
    /// Upstream's name in `config diff` and `config show`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Default => "default",
            Level::Mon => "mon",
            Level::File => "file",
            Level::Env => "env",
            Level::CommandLine => "cmdline",
            Level::Override => "override",
        }
    }
}

/// The options of one entity. Its `Debug` shows only names: values may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    variables: Variables,
    values: BTreeMap<String, BTreeMap<Level, String>>,
    modules: BTreeMap<String, String>,
    ignored: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("values", &self.values.keys()).finish_non_exhaustive()
    }
}

impl Settings {
    /// Defaults of the options that stand in paths, for the entity that `variables` name.
    #[must_use]
    pub fn new(variables: Variables) -> Self {
        let mut settings = Settings { variables, ..Settings::default() };
        let data = format!("/var/lib/ceph/{}/$cluster-$id", settings.variables.name.kind.name());
        settings.set(Level::Default, &format!("{}_data", settings.variables.name.kind.name()), data);
        for (name, value) in [
            ("run_dir", "/var/run/ceph"),
            ("admin_socket", "$run_dir/$cluster-$name.asok"),
            ("log_file", "/var/log/ceph/$cluster-$name.log"),
            ("mgr_module_path", "/usr/share/ceph/mgr"),
        ] {
            settings.set(Level::Default, name, value);
        }
        settings
    }

    /// What variables in values stand for.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Sets a value; blanks and dashes in the name count as underscores.
    pub fn set(&mut self, level: Level, name: &str, value: impl Into<String>) {
        let name = normalized(name).replace('-', "_");
        self.values.entry(name).or_default().insert(level, value.into());
    }

    /// Takes a value back.
    pub fn unset(&mut self, level: Level, name: &str) {
        if let Some(levels) = self.values.get_mut(name) {
            levels.remove(&level);
        }
        self.values.retain(|_, levels| !levels.is_empty());
    }

    /// Takes what the file says for this entity: its own section before its type's before `[global]`
    /// (`get_my_sections`).
    pub fn set_file(&mut self, file: &ConfFile) {
        let name = &self.variables.name;
        let sections = [name.to_string(), name.kind.name().to_owned(), "global".to_owned()];
        self.drop_level(Level::File);
        for section in sections.iter().rev() {
            for (key, value) in file.section(section) {
                self.values.entry(key.to_owned()).or_default().insert(Level::File, value.to_owned());
            }
        }
    }

    /// Takes what the monitors say (`MConfig`), in place of what they said before; the names whose value in force
    /// changed, modules' options by their whole key.
    pub fn set_mon(&mut self, config: &BTreeMap<String, String>) -> Vec<String> {
        let before = (self.values.clone(), std::mem::take(&mut self.modules));
        self.drop_level(Level::Mon);
        self.ignored.clear();
        for (name, value) in config {
            if name.starts_with("mgr/") {
                // An empty value means "not set", as upstream's registry of modules takes it.
                if !value.is_empty() {
                    self.modules.insert(name.clone(), value.clone());
                }
            } else if NO_MON_UPDATE.contains(&name.as_str()) {
                self.ignored.insert(name.clone(), value.clone());
            } else {
                self.values.entry(name.clone()).or_default().insert(Level::Mon, value.clone());
            }
        }
        let top = |values: &BTreeMap<String, BTreeMap<Level, String>>, name: &str| {
            values.get(name).and_then(|levels| levels.last_key_value()).map(|(_, v)| v.clone())
        };
        let names: std::collections::BTreeSet<&String> = before.0.keys().chain(self.values.keys()).collect();
        let keys: std::collections::BTreeSet<&String> = before.1.keys().chain(self.modules.keys()).collect();
        let options = names.into_iter().filter(|n| top(&before.0, n) != top(&self.values, n));
        let modules = keys.into_iter().filter(|k| before.1.get(*k) != self.modules.get(*k));
        options.chain(modules).cloned().collect()
    }

    /// The value in force, variables replaced.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        Some(expand_option(name, raw, &self.variables, &|other| self.raw(other).map(str::to_owned)))
    }

    /// A text with its variables replaced, as in a value.
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        super::expand::expand(text, &self.variables, &|other| self.raw(other).map(str::to_owned))
    }

    /// The value in force as it was written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last_key_value().map(|(_, value)| value.as_str())
    }

    /// Values of an option by level.
    #[must_use]
    pub fn levels(&self, name: &str) -> Option<&BTreeMap<Level, String>> {
        self.values.get(name)
    }

    /// Names of all options that have a value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// What the monitors say and this daemon does not follow.
    #[must_use]
    pub fn ignored(&self) -> &BTreeMap<String, String> {
        &self.ignored
    }

    /// A module's option: the one for the manager `id` (`mgr/<module>/<id>/<option>`) before the one for all
    /// (`mgr/<module>/<option>`). `None`: the module's default counts.
    #[must_use]
    pub fn module_option(&self, module: &str, id: Option<&str>, option: &str) -> Option<&str> {
        let localized = id.and_then(|id| self.modules.get(&module_key(module, Some(id), option)));
        localized.or_else(|| self.modules.get(&module_key(module, None, option))).map(String::as_str)
    }

    /// All options of a module that are set, by what stands behind `mgr/<module>/`.
    pub fn module_options<'a>(&'a self, module: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let prefix = format!("mgr/{module}/");
        let from = prefix.clone();
        self.modules
            .range(from..)
            .map_while(move |(key, value)| Some((key.strip_prefix(&prefix)?, value.as_str())))
    }

    /// What a daemon tells a manager about its configuration: everything above the defaults (`get_config_bl`).
    #[must_use]
    pub fn report(&self) -> DaemonConfig {
        let told = self.values.iter().filter(|(name, _)| !matches!(name.as_str(), "fsid" | "host"));
        let config = told
            .map(|(name, levels)| {
                let set = levels.iter().filter(|(level, _)| **level != Level::Default);
                (name.clone(), set.map(|(level, value)| (*level as i32, value.clone())).collect())
            })
            .filter(|(_, levels): &(String, BTreeMap<i32, String>)| !levels.is_empty());
        DaemonConfig { config: config.collect(), ignored_mon_config: self.ignored.clone() }
    }

    fn drop_level(&mut self, level: Level) {
        for levels in self.values.values_mut() {
            levels.remove(&level);
        }
        self.values.retain(|_, levels| !levels.is_empty());
    }
}

/// The key in the monitors' configuration of a module's option, for one manager or for all.
#[must_use]
pub fn module_key(module: &str, id: Option<&str>, option: &str) -> String {
    match id {
        Some(id) => format!("mgr/{module}/{id}/{option}"),
        None => format!("mgr/{module}/{option}"),
    }
}

/// Where the file is looked for when neither `-c` nor `CEPH_CONF` says (`CEPH_CONF_FILE_DEFAULT`), in this order. A list
/// that says is split at `,` and `;` and expanded in the same way.
#[must_use]
pub fn conf_paths(list: Option<&str>, settings: &Settings) -> Vec<String> {
    const DEFAULT: &str = "$data_dir/config,/etc/ceph/$cluster.conf,$home/.ceph/$cluster.conf,$cluster.conf";
    let option = |name: &str| settings.raw(name).map(str::to_owned);
    let paths = list.unwrap_or(DEFAULT).split([',', ';']).map(str::trim).filter(|path| !path.is_empty());
    paths.map(|path| super::expand::expand(path, settings.variables(), &option)).collect()
}

/// The cluster's name that a file's name gives: `/etc/ceph/backup.conf` → `backup`, others → `ceph`.
#[must_use]
pub fn cluster_of(conf: &str) -> &str {
    let file = conf.rsplit('/').next().unwrap_or(conf);
    file.strip_suffix(".conf").filter(|stem| !stem.is_empty()).unwrap_or("ceph")
}

/// Options that only the file, the environment or the command line set (`FLAG_NO_MON_UPDATE`, 20.2; those of older
/// releases are among them).
const NO_MON_UPDATE: [&str; 30] = [
    "host",
    "fsid",
    "monmap",
    "mon_host",
    "mon_host_override",
    "no_config_file",
    "lockdep",
    "daemonize",
    "chdir",
    "mempool_debug",
    "key",
    "keyfile",
    "keyring",
    "mon_initial_members",
    "mon_osd_full_ratio",
    "mon_osd_backfillfull_ratio",
    "mon_osd_nearfull_ratio",
    "mon_osd_initial_require_min_compat_client",
    "service_unique_id",
    "fuse_debug",
    "client_use_faked_inos",
    "mds_data",
    "mgr_data",
    "mgr_initial_modules",
    "mon_cache_target_full_warn_ratio",
    "mon_auth_emergency_allowed_ciphers",
    "mon_data",
    "osd_data",
    "osd_journal",
    "rgw_data",
];

#[cfg(test)]
mod tests;
