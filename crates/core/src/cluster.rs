//! The handle by which modules and the REST API reach the cluster: a snapshot of everything that was pushed to the
//! manager, and commands. Readers never wait for writers; a snapshot once taken does not change.

use crate::command::{Command, CommandError, CommandOutput, Commands, Target};
use crate::perf_queries::PerfQueries;
use crate::state::State;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::sync::Arc;

/// Shared by everything that serves requests. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    state: Arc<ArcSwap<State>>,
    commands: Commands,
    perf_queries: Arc<PerfQueries>,
}

impl Cluster {
    /// A handle over a first snapshot and a sink for commands.
    #[must_use]
    pub fn new(state: State, commands: Commands) -> Self {
        let state = Arc::new(ArcSwap::from_pointee(state));
        Cluster { state, commands, perf_queries: Arc::default() }
    }

    /// The newest snapshot.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Publishes a snapshot. Only the owner task calls it.
    pub fn publish(&self, state: State) {
        self.state.store(Arc::new(state));
    }

    /// The performance queries that modules have OSDs and MDSs answer.
    #[must_use]
    pub fn perf_queries(&self) -> &PerfQueries {
        &self.perf_queries
    }

    /// Sends a command; an answer, an error, or the deadline's end. Dropping the future frees everything.
    pub async fn command(&self, target: Target, command: Command) -> Result<CommandOutput, CommandError> {
        self.commands.command(target, command).await
    }

    /// A monitor command whose failure is an error; its output data.
    pub async fn mon(&self, command: Command) -> Result<Bytes, CommandError> {
        self.command(Target::Mon, command).await?.success()
    }

    /// A module's `set_store`: writes `mgr/<module>/<key>` to the monitors' store, or removes it.
    /// The mirror in [`State::kv`] follows when the monitors push the change.
    pub async fn store(&self, module: &str, key: &str, value: Option<&str>) -> Result<(), CommandError> {
        let key = format!("mgr/{module}/{key}");
        let command = match value {
            Some(value) => Command::json("config-key set")
                .arg("key", key)
                .input(Bytes::copy_from_slice(value.as_bytes())),
            None => Command::json("config-key rm").arg("key", key),
        };
        self.mon(command).await.map(drop)
    }

    /// A module's `set_module_option`: `config set mgr mgr/<module>/<name>`, or `config rm`.
    pub async fn set_module_option(
        &self,
        module: &str,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), CommandError> {
        let name = format!("mgr/{module}/{name}");
        let command = match value {
            Some(value) => {
                Command::json("config set").arg("who", "mgr").arg("name", name).arg("value", value)
            }
            None => Command::json("config rm").arg("who", "mgr").arg("name", name),
        };
        self.mon(command).await.map(drop)
    }
}
