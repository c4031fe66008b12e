//! One immutable snapshot of all that the monitors and daemons have pushed to the manager. Cloning it costs a reference
//! count per part, so the owner task publishes a new one after every event that changed something.

use crate::config::Settings;
use crate::daemons::DaemonIndex;
use crate::health::HealthOptions;
use crate::kv::Kv;
use crate::mgr_options::MgrOptions;
use crate::module_processes::ModuleProcesses;
use crate::perf::PerfIndex;
use crate::pg_map::PgMap;
use axon_proto::Fsid;
use axon_proto::fs_map::FsMap;
use axon_proto::mgr_map::MgrMap;
use axon_proto::mon_map::MonMap;
use axon_proto::osd_map::OSDMap;
use axon_proto::release::Release;
use axon_proto::service_map::ServiceMap;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who this manager is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `x` of `mgr.x`.
    pub id: String,
    /// The global id that the monitors gave this instance.
    pub gid: u64,
    pub hostname: String,
    /// The long version text of the release that this manager stands in for (`docs/decisions/0003-version-shown.md`).
    pub ceph_version: String,
}

/// The snapshot. Fields are upstream's names of what `ClusterState` and `DaemonStateIndex` keep.
#[derive(Clone, Debug)]
pub struct State {
    pub fsid: Fsid,
    pub me: Arc<Identity>,
    /// The release that the monitors run: it decides which commands, operations and JSON shapes there are.
    pub release: Release,
    pub mon_map: Arc<MonMap>,
    pub mgr_map: Arc<MgrMap>,
    pub osd_map: Arc<OSDMap>,
    /// Settled at every report to the monitors.
    pub pg_map: Arc<PgMap>,
    /// Every OSD that is up has reported since the activation, or waiting for it was given up.
    pub pg_ready: bool,
    pub fs_map: Arc<FsMap>,
    pub service_map: Arc<ServiceMap>,
    pub daemons: Arc<DaemonIndex>,
    pub perf: Arc<PerfIndex>,
    /// `MMgrDigest`'s health: what `ceph health detail --format json` shows.
    pub health: Arc<Value>,
    /// `MMgrDigest`'s monitor status.
    pub mon_status: Arc<Value>,
    /// The central configuration as the monitors computed it for this manager, `mgr/<module>/<option>` included.
    pub options: Arc<BTreeMap<String, String>>,
    /// All options of this manager by level: this host's `ceph.conf` and command line, the monitors', and what was set at
    /// runtime.
    pub settings: Arc<Settings>,
    /// The monitors' store for modules and devices.
    pub kv: Kv,
    /// The one part that is no snapshot: processes of Python modules as they were measured last.
    pub module_processes: ModuleProcesses,
}

impl Default for State {
    fn default() -> Self {
        State {
            fsid: Fsid::default(),
            me: Arc::default(),
            release: Release::NEWEST,
            mon_map: Arc::default(),
            mgr_map: Arc::default(),
            osd_map: Arc::default(),
            pg_map: Arc::default(),
            pg_ready: false,
            fs_map: Arc::default(),
            service_map: Arc::default(),
            daemons: Arc::default(),
            perf: Arc::default(),
            health: Arc::default(),
            mon_status: Arc::default(),
            options: Arc::default(),
            settings: Arc::default(),
            kv: Kv::default(),
            module_processes: ModuleProcesses::default(),
        }
    }
}

impl State {
    /// The options of the manager's health checks: this host's configuration counts before the monitors'.
    #[must_use]
    pub fn health_options(&self) -> HealthOptions {
        HealthOptions::from_config(|name| self.set_option(name))
    }

    /// The manager's own options, in the same order.
    #[must_use]
    pub fn mgr_options(&self) -> MgrOptions {
        MgrOptions::from_config(|name| self.set_option(name))
    }

    /// An option that is set: at runtime, on this host, or by the monitors.
    fn set_option(&self, name: &str) -> Option<&str> {
        self.settings.raw(name).or_else(|| self.options.get(name).map(String::as_str))
    }

    /// An option of the manager by upstream's name: this host's configuration counts before the monitors', and what cannot
    /// be read is the default.
    #[must_use]
    pub fn option<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.set_option(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// A module's option: `mgr/<module>/<id>/<name>` first, then `mgr/<module>/<name>`.
    #[must_use]
    pub fn module_option(&self, module: &str, name: &str) -> Option<&str> {
        let localized = self.options.get(&format!("mgr/{module}/{}/{name}", self.me.id));
        localized.or_else(|| self.options.get(&format!("mgr/{module}/{name}"))).map(String::as_str)
    }

    /// A module's stored value: `mgr/<module>/<key>`.
    #[must_use]
    pub fn module_store(&self, module: &str, key: &str) -> Option<&str> {
        self.kv.text(&format!("mgr/{module}/{key}"))
    }

    /// A module's stored value, this manager's own (`mgr/<module>/<id>/<key>`) first.
    #[must_use]
    pub fn localized_module_store(&self, module: &str, key: &str) -> Option<&str> {
        self.kv.text(&format!("mgr/{module}/{}/{key}", self.me.id)).or_else(|| self.module_store(module, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_managers_own_value_wins() {
        let options = [
            ("mgr/dashboard/x/server_port", "1"),
            ("mgr/dashboard/server_port", "2"),
            ("mgr/dashboard/ssl", "true"),
        ];
        let state = State {
            me: Arc::new(Identity { id: "x".to_owned(), ..Default::default() }),
            options: Arc::new(options.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            kv: Kv::from_entries([("mgr/dashboard/y/crt", "other"), ("mgr/dashboard/crt", "all")]),
            ..Default::default()
        };
        assert_eq!(state.module_option("dashboard", "server_port"), Some("1"));
        assert_eq!(state.module_option("dashboard", "ssl"), Some("true"));
        assert_eq!(state.localized_module_store("dashboard", "crt"), Some("all"));
    }
}
