//! What host processes are started with, and what they need of the manager beside the snapshot and commands.

use crate::link::Refusal;
use axon_core::config::Settings;
use axon_proto::EntityAddrVec;
use axon_proto::log_entry::LogPriority;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The same for all hosts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The interpreter.
    pub python: PathBuf,
    /// `mgr_module_path`.
    pub module_path: PathBuf,
    /// The manager's own folder (`mgr_data`), if it has one.
    pub data_path: Option<PathBuf>,
    /// `mgr.x`.
    pub entity: String,
    /// The configuration file that the manager reads.
    pub conf_path: Option<String>,
    /// The manager's options from the command line, environment and file.
    pub settings: Arc<Settings>,
    /// Modules that are native: their methods are asked of the manager.
    pub native: BTreeSet<String>,
}

impl Setup {
    /// The options that a librados client in a host needs beside the file: what the command line may have said, and no log
    /// or admin socket of the manager's.
    #[must_use]
    pub fn client_options(&self) -> Vec<(&'static str, String)> {
        let given = ["keyring", "keyfile", "key", "mon_host", "fsid"];
        let given = given.into_iter().filter_map(|name| Some((name, self.settings.value(name)?)));
        let silent = [("log_file", String::new()), ("admin_socket", String::new())];
        given.chain(silent).collect()
    }
}

/// What the manager does for its modules.
pub trait Outside: Send + Sync {
    /// The addresses that this manager is known by.
    fn my_addrs(&self) -> EntityAddrVec;
    /// Whether there is a session with a monitor.
    fn is_connected(&self) -> bool;
    /// A line for the cluster log.
    fn cluster_log(&self, channel: &str, priority: LogPriority, message: String);
    /// A method of a native module, with positional and named arguments.
    fn remote<'a>(
        &'a self,
        module: &'a str,
        method: &'a str,
        args: &'a [Value],
        kwargs: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Value, Refusal>>;
}
