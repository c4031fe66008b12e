//! The modules that this manager can run, as the manager map lists them: the native ones with their options and commands, and
//! the stock Python modules that the distribution has installed, which this version cannot run and says so.

use axon_modules::option;
use axon_proto::mgr_map::{ModuleInfo, ModuleOption, OptionLevel, OptionType};
use axon_proto::mon_command_desc::MonCommandDesc;
use axon_proto::release::Release;
use std::path::{Path, PathBuf};

/// Where a distribution installs the stock modules (`mgr_module_path`).
pub const MODULE_PATH: &str = "/usr/share/ceph/mgr";

/// All modules.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// Names of the stock modules in the module folder.
    stock: Vec<String>,
}

impl Modules {
    /// Looks into the module folder; one that cannot be read has no modules.
    #[must_use]
    pub fn find(module_path: &Path) -> Self {
        let mut stock: Vec<String> = std::fs::read_dir(module_path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path: &PathBuf| is_module(path))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        stock.sort();
        Modules { stock }
    }

    /// What the beacon says of each module.
    #[must_use]
    pub fn infos(&self, release: Release) -> Vec<ModuleInfo> {
        let mut out = vec![dashboard(release)];
        out.extend(axon_modules::ALL.iter().map(|module| native(module, release)));
        let stock = self.stock.iter().filter(|name| !is_native(name));
        out.extend(stock.map(|name| ModuleInfo {
            name: name.clone(),
            can_run: false,
            error_string: "Axon does not run Python modules yet".to_owned(),
            ..Default::default()
        }));
        out
    }

    /// The command table for the monitors: the manager's own commands and the native modules'.
    #[must_use]
    pub fn command_descs(&self, release: Release) -> Vec<MonCommandDesc> {
        let mut out = axon_core::commands::descriptors(release);
        out.extend(axon_modules::descriptors(release));
        out.extend(axon_api::commands::descriptors(axon_api::Release::of_major(u32::from(release.number()))));
        out
    }
}

/// Whether Axon has a module of that name itself; a stock module of that name is not run then.
#[must_use]
pub fn is_native(name: &str) -> bool {
    name == "dashboard" || axon_modules::find(name).is_some()
}

/// A native module with the options of upstream's.
fn native(module: &axon_modules::Module, release: Release) -> ModuleInfo {
    let options = (module.options)(release).into_iter().chain(log_options(release));
    ModuleInfo {
        name: module.name.to_owned(),
        can_run: true,
        error_string: String::new(),
        module_options: options.map(|o| (o.name.clone(), o)).collect(),
    }
}

/// The native dashboard, with the options of upstream's module in that release.
fn dashboard(release: Release) -> ModuleInfo {
    let rest = axon_api::Release::of_major(u32::from(release.number()));
    let settings = axon_api::settings::ALL.iter().filter(|setting| setting.since <= rest).map(|setting| {
        let kind = match setting.types {
            types if types.contains("bool") => OptionType::BOOL,
            types if types.contains("int") => OptionType::INT,
            _ => OptionType::STR,
        };
        option(setting.name, kind, &axon_api::settings::repr(&setting.default_value()))
    });
    let options = server_options(release).into_iter().chain(log_options(release)).chain(toggles(release));
    ModuleInfo {
        name: "dashboard".to_owned(),
        can_run: true,
        error_string: String::new(),
        module_options: options.chain(settings).map(|o| (o.name.clone(), o)).collect(),
    }
}

/// Where and how the module serves.
fn server_options(release: Release) -> Vec<ModuleOption> {
    let text = |name: &str, default: &str| option(name, OptionType::STR, default);
    let number = |name: &str, default: &str| option(name, OptionType::INT, default);
    let truth = |name: &str, default: &str| option(name, OptionType::BOOL, default);
    let behaviours = ["error", "redirect"].map(str::to_owned).into();
    let mut out = vec![
        text("server_addr", "::"),
        number("server_port", "8080"),
        number("ssl_server_port", "8443"),
        number("jwt_token_ttl", "28800"),
        text("url_prefix", ""),
        text("key_file", ""),
        text("crt_file", ""),
        truth("ssl", "True"),
        ModuleOption { enum_allowed: behaviours, ..text("standby_behaviour", "redirect") },
        ModuleOption {
            min: "400".to_owned(),
            max: "599".to_owned(),
            ..number("standby_error_status_code", "500")
        },
        truth("redirect_resolve_ip_addr", "False"),
        text("cross_origin_url", ""),
        ModuleOption { desc: "Enable/disable debug options".to_owned(), ..truth("debug", "False") },
        ModuleOption { desc: "The message of the day".to_owned(), ..text("motd", "") },
    ];
    if release >= Release::Tentacle {
        out.extend([text("crypto_caller", ""), truth("sso_oauth2", "False")]);
    }
    out
}

/// What upstream's every module has.
fn log_options(release: Release) -> Vec<ModuleOption> {
    let runtime = |name: &str, kind, default: &str| ModuleOption {
        flags: ModuleOption::FLAG_RUNTIME,
        ..option(name, kind, default)
    };
    let levels = || ["", "critical", "debug", "error", "info", "warning"].map(str::to_owned).into();
    let level = |name: &str, default: &str| ModuleOption {
        enum_allowed: levels(),
        ..runtime(name, OptionType::STR, default)
    };
    let mut out = vec![
        level("log_level", ""),
        runtime("log_to_file", OptionType::BOOL, "False"),
        runtime("log_to_cluster", OptionType::BOOL, "False"),
        level("log_to_cluster_level", "info"),
    ];
    if release >= Release::Reef {
        let killpoint = runtime("sqlite3_killpoint", OptionType::INT, "0");
        out.push(ModuleOption { level: OptionLevel::DEV, ..killpoint });
    }
    out
}

/// Parts of the web UI that can be switched off.
fn toggles(release: Release) -> Vec<ModuleOption> {
    let mut features = vec!["RBD", "MIRRORING", "ISCSI", "CEPHFS", "RGW", "NFS"];
    if release >= Release::Reef {
        features.push("DASHBOARD");
    }
    features.iter().map(|f| option(&format!("FEATURE_TOGGLE_{f}"), OptionType::BOOL, "True")).collect()
}

fn is_module(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return false };
    !name.starts_with(['_', '.']) && name != "tests" && path.join("__init__.py").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_upstreams_module_in_the_release() {
        let names = |release| dashboard(release).module_options.into_keys().collect::<Vec<_>>();
        // Counted in the manager maps of real clusters.
        assert_eq!((names(Release::Pacific).len(), names(Release::Tentacle).len()), (60, 69));
        assert!(!names(Release::Reef).contains(&"sso_oauth2".to_owned()));
        let options = dashboard(Release::Tentacle).module_options;
        let default = |name: &str| options[name].default_value.as_str();
        assert_eq!([default("GRAFANA_API_USERNAME"), default("GRAFANA_API_SSL_VERIFY")], ["admin", "True"]);
        assert_eq!([default("MULTICLUSTER_CONFIG"), default("MANAGED_BY_CLUSTERS")], ["{}", "[]"]);
        assert_eq!(options["standby_error_status_code"].max, "599");
    }
}
