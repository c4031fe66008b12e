//! The modules that this manager can run, as the manager map lists them: the native ones with their options and commands, and
//! the stock Python modules that the distribution has installed, which run in processes of their own (`axon-pyhost`).

use axon_core::commands::prefix_of;
use axon_modules::option;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::mgr_map::{MgrMap, ModuleInfo, ModuleOption, OptionLevel, OptionType};
use axon_proto::mon_command_desc::MonCommandDesc;
use axon_proto::release::Release;
use axon_pyhost::{Descriptions, ModuleCommand};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where a distribution installs the stock modules (`mgr_module_path`).
pub const MODULE_PATH: &str = "/usr/share/ceph/mgr";

/// Why a stock module cannot run where none may.
pub const NOT_HOSTED: &str = "axon_python_modules = false in ceph.conf: Axon runs no Python modules";

/// All modules.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    stock: Arc<Descriptions>,
}

impl Modules {
    /// The native ones and these.
    #[must_use]
    pub fn new(stock: Arc<Descriptions>) -> Self {
        Modules { stock }
    }

    /// What the beacon says of each module.
    #[must_use]
    pub fn infos(&self, release: Release) -> Vec<ModuleInfo> {
        let mut out = vec![dashboard(release)];
        out.extend(axon_modules::all().map(|module| native(module, release)));
        let stock = self.stock.iter().filter(|(name, _)| !is_native(name));
        out.extend(stock.map(|(_, module)| module.info.clone()));
        out
    }

    /// The command table for the monitors: the manager's own commands, the native modules' and the stock modules'.
    #[must_use]
    pub fn command_descs(&self, release: Release) -> Vec<MonCommandDesc> {
        let mut out = axon_core::commands::descriptors(release);
        out.extend(axon_modules::descriptors(release));
        out.extend(axon_api::commands::descriptors(axon_api::Release::of_major(u32::from(release.number()))));
        let native: BTreeSet<String> = out.iter().map(|desc| prefix_of(&desc.cmdstring).to_owned()).collect();
        let stock = self.stock.values().flat_map(|module| &module.commands);
        let stock = stock.filter(|command| !native.contains(prefix_of(&command.cmdstring)));
        out.extend(stock.map(|command| MonCommandDesc {
            cmdstring: command.cmdstring.clone(),
            helpstring: command.help.clone(),
            module: "mgr".to_owned(),
            req_perms: command.perm.clone(),
            flags: MonCommandDesc::FLAG_MGR | if command.poll { MonCommandDesc::FLAG_POLL } else { 0 },
        }));
        out
    }

    /// The stock module that has a command of that prefix.
    #[must_use]
    pub fn command(&self, prefix: &str) -> Option<(&str, &ModuleCommand)> {
        self.stock.iter().find_map(|(name, module)| {
            let command = module.commands.iter().find(|command| prefix_of(&command.cmdstring) == prefix)?;
            Some((name.as_str(), command))
        })
    }

    /// Checks about enabled modules that cannot run (`PyModuleRegistry::get_health_checks`).
    #[must_use]
    pub fn health(&self, map: &MgrMap, release: Release) -> HealthCheckMap {
        let mut out = HealthCheckMap::default();
        // Where no module may run this is the operator's choice, not a fault.
        if self.stock.values().all(|module| module.info.error_string == NOT_HOSTED) {
            return out;
        }
        let wanted = Self::wanted(map, release);
        let (mut dependency, mut failed) = (Vec::new(), Vec::new());
        for name in &wanted {
            match self.stock.get(name) {
                Some(module) if module.loaded && !module.info.can_run => {
                    let why = &module.info.error_string;
                    dependency.push(format!("Module '{name}' has failed dependency: {why}"));
                }
                Some(module) if !module.loaded => {
                    failed.push(format!("Module '{name}' has failed: {}", module.info.error_string));
                }
                // Modules that are always on and have gone from newer releases are missing rightly.
                Some(_) => {}
                None if map.always_on(release).contains(name.as_str()) => {
                    failed.push(format!("Module '{name}' has failed: Not found or unloadable"));
                }
                None => {}
            }
        }
        let mut add = |code: &str, severity, details: Vec<String>, many: &str| {
            let summary = match details.as_slice() {
                [] => return,
                [one] => one.clone(),
                several => format!("{} mgr modules have failed{many}", several.len()),
            };
            let count = i64::try_from(details.len()).unwrap_or(i64::MAX);
            out.add(code, severity, summary, count).detail = details;
        };
        add("MGR_MODULE_DEPENDENCY", HealthStatus::WARN, dependency, " dependencies");
        add("MGR_MODULE_ERROR", HealthStatus::ERR, failed, "");
        out
    }

    /// The stock modules that shall run by that map: those that are enabled or always on.
    #[must_use]
    pub fn wanted(map: &MgrMap, release: Release) -> BTreeSet<String> {
        let always_on = map.always_on(release).into_iter().map(str::to_owned);
        let enabled = map.modules.iter().cloned().chain(always_on);
        enabled.filter(|name| !is_native(name) && !map.force_disabled_modules.contains(name)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use axon_pyhost::Description;

    #[test]
    fn a_stock_modules_commands_are_announced_and_found_unless_a_native_one_has_the_name() {
        let command =
            |cmd: &str, poll| ModuleCommand { cmdstring: cmd.to_owned(), poll, ..Default::default() };
        let commands = vec![command("iostat name=width,type=CephInt", true), command("pg dump", false)];
        let module = Description { commands, ..Description::default() };
        let modules = Modules::new(Arc::new([("iostat".to_owned(), module)].into()));
        assert_eq!(modules.command("iostat").map(|(module, _)| module), Some("iostat"));
        assert!(modules.command("iostats").is_none());
        let descs = modules.command_descs(Release::Reef);
        let flags = |prefix: &str| {
            let found = descs.iter().filter(|d| prefix_of(&d.cmdstring) == prefix);
            found.map(|d| d.flags).collect::<Vec<_>>()
        };
        assert_eq!(flags("iostat"), [MonCommandDesc::FLAG_MGR | MonCommandDesc::FLAG_POLL]);
        assert_eq!(flags("pg dump"), [MonCommandDesc::FLAG_MGR]);
    }

    #[test]
    fn enabled_and_always_on_modules_are_wanted_without_native_and_forbidden_ones() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        let map = MgrMap {
            modules: names(&["dashboard", "prometheus"]),
            always_on_modules: [(18, names(&["volumes", "balancer"]))].into(),
            force_disabled_modules: names(&["balancer"]),
            ..Default::default()
        };
        assert_eq!(Modules::wanted(&map, Release::Reef), names(&["volumes", "prometheus"]));
    }

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
