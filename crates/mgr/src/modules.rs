//! The modules that this manager can run, as the manager map lists them: the native ones with their options and commands, and
//! the stock Python modules that the distribution has installed, which this version cannot run and says so.

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
    pub fn infos(&self) -> Vec<ModuleInfo> {
        let mut out = vec![dashboard()];
        let stock = self.stock.iter().filter(|name| *name != "dashboard");
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
        out.extend(axon_api::commands::descriptors(axon_api::Release::of_major(u32::from(release.number()))));
        out
    }
}

/// The native dashboard, with the options of upstream's module that decide where it serves.
fn dashboard() -> ModuleInfo {
    const OPTIONS: &[(&str, OptionType, &str)] = &[
        ("server_addr", OptionType::STR, "::"),
        ("server_port", OptionType::INT, "8080"),
        ("ssl_server_port", OptionType::INT, "8443"),
        ("jwt_token_ttl", OptionType::INT, "28800"),
        ("url_prefix", OptionType::STR, ""),
        ("key_file", OptionType::STR, ""),
        ("crt_file", OptionType::STR, ""),
        ("ssl", OptionType::BOOL, "True"),
        ("standby_behaviour", OptionType::STR, "redirect"),
        ("standby_error_status_code", OptionType::INT, "500"),
        ("redirect_resolve_ip_addr", OptionType::BOOL, "False"),
        ("cross_origin_url", OptionType::STR, ""),
        ("debug", OptionType::BOOL, "False"),
        ("motd", OptionType::STR, ""),
    ];
    const FEATURES: [&str; 7] = ["RBD", "MIRRORING", "ISCSI", "CEPHFS", "RGW", "NFS", "DASHBOARD"];
    let option = |name: String, kind: OptionType, default: &str| ModuleOption {
        name,
        kind,
        level: OptionLevel::ADVANCED,
        default_value: default.to_owned(),
        ..Default::default()
    };
    let fixed = OPTIONS.iter().map(|(name, kind, default)| option((*name).to_owned(), *kind, default));
    let toggles = FEATURES.iter().map(|f| option(format!("FEATURE_TOGGLE_{f}"), OptionType::BOOL, "True"));
    let settings = axon_api::settings::ALL.iter().map(|setting| {
        let kind = match setting.types {
            types if types.contains("bool") => OptionType::BOOL,
            types if types.contains("int") => OptionType::INT,
            _ => OptionType::STR,
        };
        option(setting.name.to_owned(), kind, setting.default)
    });
    let options = fixed.chain(toggles).chain(settings).map(|o| (o.name.clone(), o)).collect();
    ModuleInfo {
        name: "dashboard".to_owned(),
        can_run: true,
        error_string: String::new(),
        module_options: options,
    }
}

fn is_module(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return false };
    !name.starts_with(['_', '.']) && name != "tests" && path.join("__init__.py").is_file()
}
