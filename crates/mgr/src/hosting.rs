//! The stock modules' hosts as the running manager has them: which are wanted by the manager map, what they need of it, and
//! the options that say how they run.

use crate::log::Log;
use crate::modules::{Modules, NOT_HOSTED, is_native};
use crate::native::Operations;
use axon_core::config::Settings;
use axon_core::{Cluster, State};
use axon_net::Client;
use axon_net::mon::SessionState;
use axon_proto::EntityAddrVec;
use axon_proto::log_entry::LogPriority;
use axon_proto::mgr_map::ModuleInfo;
use axon_pyhost::{
    Board, Description, Descriptions, Hosts, Mode, Outside, Refusal, Setup, describe, find_modules,
};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long the modules may take to end by themselves when the manager stops.
const STOP_SECS_MAX: u64 = 5;

/// What is configured about stock modules.
#[derive(Clone, Debug)]
pub struct HostingConfig {
    /// `mgr_module_path`.
    pub module_path: PathBuf,
    /// The configuration file that was read.
    pub conf_path: Option<String>,
    pub settings: Settings,
}

impl HostingConfig {
    /// `axon_python_modules`: whether stock modules run at all. They do where nothing is said.
    fn enabled(&self) -> bool {
        !matches!(self.settings.value("axon_python_modules").as_deref(), Some("false" | "0" | "no" | "off"))
    }

    fn setup(&self, id: &str) -> Setup {
        let value = |name: &str| self.settings.value(name).filter(|value| !value.is_empty());
        Setup {
            python: value("axon_python").map_or_else(distribution_python, PathBuf::from),
            module_path: self.module_path.clone(),
            data_path: value("mgr_data").map(PathBuf::from),
            entity: format!("mgr.{id}"),
            conf_path: self.conf_path.clone(),
            settings: Arc::new(self.settings.clone()),
            native: axon_modules::all().map(|module| module.name.to_owned()).collect(),
        }
    }

    /// Looks at the modules that are installed.
    pub async fn describe(&self, id: &str) -> Descriptions {
        let mut names: BTreeSet<String> = find_modules(Path::new(&self.module_path));
        names.retain(|name| !is_native(name));
        if !self.enabled() {
            return names.into_iter().map(not_hosted).collect();
        }
        let has_dashboard = find_modules(Path::new(&self.module_path)).contains(DASHBOARD);
        let mut stock = describe(&self.setup(id), &names).await;
        if has_dashboard {
            stock.insert(DASHBOARD.to_owned(), behind_ours());
        }
        stock
    }
}

const DASHBOARD: &str = "dashboard";

/// The stock dashboard: what it is for the cluster, the native one says. It runs once the REST server has a request for it.
fn behind_ours() -> Description {
    let info = ModuleInfo { name: DASHBOARD.to_owned(), can_run: true, ..ModuleInfo::default() };
    Description { info, loaded: true, notify: BTreeSet::from(["clog".to_owned()]), ..Description::default() }
}

/// A module that is installed and not run, which its enabling does not change.
fn not_hosted(name: String) -> (String, Description) {
    let info = ModuleInfo {
        name: name.clone(),
        can_run: false,
        error_string: NOT_HOSTED.to_owned(),
        ..ModuleInfo::default()
    };
    (name, Description { info, loaded: true, ..Description::default() })
}

/// The interpreter that the distribution's modules and bindings are made for.
fn distribution_python() -> PathBuf {
    const PATH: &str = "/usr/bin/python3";
    if Path::new(PATH).exists() { PATH.into() } else { "python3".into() }
}

/// The hosts.
pub struct Hosting {
    hosts: Hosts,
    board: watch::Receiver<Arc<Board>>,
    wanted: Option<(Mode, BTreeSet<String>)>,
}

impl Hosting {
    pub fn new(
        config: &HostingConfig,
        id: &str,
        cluster: Cluster,
        client: Client,
        log: Log,
        operations: Operations,
        stock: Arc<Descriptions>,
    ) -> Self {
        let outside = Arc::new(Manager { client, cluster: cluster.clone(), log, operations });
        let hosts = Hosts::new(config.setup(id), cluster, outside, stock);
        let board = hosts.board();
        Hosting { hosts, board, wanted: None }
    }

    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Follows the map and this manager's part; while it becomes active nothing changes.
    pub fn follow(&mut self, state: &State, mode: Option<Mode>) {
        let Some(mode) = mode else { return };
        let wanted = (mode, Modules::wanted(&state.mgr_map, state.release));
        if self.wanted.as_ref() != Some(&wanted) {
            self.hosts.want(&wanted.1, mode);
            self.wanted = Some(wanted);
        }
    }

    /// The board, once it has changed.
    pub async fn next_board(&mut self) -> Arc<Board> {
        if self.board.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.board.borrow_and_update().clone()
    }

    pub async fn stop(&self) {
        self.hosts.stop(Duration::from_secs(STOP_SECS_MAX)).await;
    }
}

struct Manager {
    client: Client,
    cluster: Cluster,
    log: Log,
    operations: Operations,
}

impl Outside for Manager {
    fn my_addrs(&self) -> EntityAddrVec {
        let state = self.cluster.state();
        let map = &state.mgr_map;
        // Where daemons reach an active manager; a standby listens nowhere.
        if map.active_gid == state.me.gid && !map.active_addrs.0.is_empty() {
            return map.active_addrs.clone();
        }
        self.client.my_addrs()
    }

    fn is_connected(&self) -> bool {
        matches!(self.client.state(), SessionState::Open(_))
    }

    fn cluster_log(&self, channel: &str, priority: LogPriority, message: String) {
        self.log.write(channel, priority, message);
    }

    fn remote<'a>(
        &'a self,
        module: &'a str,
        method: &'a str,
        args: &'a [Value],
        kwargs: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Value, Refusal>> {
        Box::pin(crate::remote::call(&self.cluster, &self.operations, module, method, args, kwargs))
    }
}
