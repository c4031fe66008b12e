//! Runs the native modules (`axon_modules`) while this manager is active: their own work by period, their commands, and what
//! both want done.
//!
//! Invariants: a module's code runs on threads of its own (`worker.rs`), one tick of a module at a time, so that one which spins or
//! blocks holds up nobody else; a tick that panics or takes too long is a health warning, which goes with the next one that ends
//! well (`running.rs`); a disabled module neither works nor warns. What a module remembers is used by one tick or command at a
//! time and is new after an activation and after a failure.

mod operations;
mod running;
mod worker;

pub use operations::Operations;

use crate::run::{Report, now};
use axon_core::commands::Ask;
use axon_core::{Cluster, Command, CommandOutput, State, Target};
use axon_modules::{Action, Done, Module, Row, all, is_enabled};
use running::Running;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use worker::{Refused, Workers};

/// How long a command waits for the module's own work to end, how long it may run, and how long it waits for an option that it set
/// to come back.
const BUSY_SECS_MAX: u64 = 20;
const COMMAND_SECS_MAX: u64 = 300;
const OPTION_SECS_MAX: u64 = 2;

const EIO: i32 = 5;
const EBUSY: i32 = 16;
const EOPNOTSUPP: i32 = 95;
const ETIMEDOUT: i32 = 110;

/// The running modules.
pub struct Native {
    reports: mpsc::Sender<Report>,
    /// By module: what makes it work before its time.
    wake: BTreeMap<&'static str, Arc<Notify>>,
    workers: Arc<Workers>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Native {
    pub fn new(reports: mpsc::Sender<Report>) -> Self {
        let wake = all().map(|module| (module.name, Arc::new(Notify::new()))).collect();
        Native { reports, wake, workers: Arc::default(), tasks: Mutex::default() }
    }

    /// Starts the modules' own work.
    pub fn start(&self, cluster: &Cluster) {
        self.stop();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for module in all() {
            let (Some(tick), Some(wake)) = (module.tick, self.wake.get(module.name)) else { continue };
            let (cluster, reports, workers) = (cluster.clone(), self.reports.clone(), self.workers.clone());
            let running = Running { module, tick, cluster, reports, workers };
            tasks.push(tokio::spawn(running.run(wake.clone())).abort_handle());
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
        // A tick that still runs keeps its thread until it ends.
        self.workers.give_up_all();
    }

    /// Something has changed that modules may watch, by upstream's name of it.
    pub fn notify(&self, kind: &str) {
        let watching = all().filter(|module| module.tick.is_some_and(|t| t.watches.contains(&kind)));
        watching.for_each(|module| self.wake(module.name));
    }

    /// Options may have changed.
    pub fn options_changed(&self) {
        self.wake.values().for_each(|wake| wake.notify_one());
    }

    fn wake(&self, module: &str) {
        if let Some(wake) = self.wake.get(module) {
            wake.notify_one();
        }
    }

    /// Where events for `progress` go.
    pub fn operations(&self) -> Operations {
        Operations { reports: self.reports.clone(), workers: self.workers.clone() }
    }

    /// Runs a module's command and what it wants done.
    pub async fn command(
        &self,
        cluster: &Cluster,
        module: &'static Module,
        row: &'static Row,
        command: &Command,
    ) -> CommandOutput {
        let state = cluster.state();
        if !is_enabled(module.name, &state) {
            // Upstream's words.
            let (name, prefix) = (module.name, row.prefix());
            let why = format!(
                "Module '{name}' is not enabled (required by command '{prefix}'): use `ceph mgr module enable {name}` to \
                 enable it"
            );
            return CommandOutput::failed(EOPNOTSUPP, why);
        }
        let done = match self.run(module, row, command, state).await {
            Ok(done) => done,
            Err(failed) => return failed,
        };
        let output =
            CommandOutput { retval: done.retval, outs: done.err.clone(), outbl: done.lines().into() };
        let Done { actions, progress, .. } = done;
        if let Some(events) = progress {
            let _ = self.reports.send(Report::ModuleProgress { module: module.name, events }).await;
        }
        if actions.is_empty() {
            return output;
        }
        for action in actions {
            if let Err(failed) = carry_out(cluster, &self.operations(), module.name, action).await {
                return failed;
            }
        }
        self.wake(module.name);
        output
    }

    async fn run(
        &self,
        module: &'static Module,
        row: &'static Row,
        command: &Command,
        state: Arc<State>,
    ) -> Result<Done, CommandOutput> {
        let (name, asked, remembers) = (module.name, command.clone(), row.remembers());
        let run = move |memory: &mut axon_modules::Memory| {
            row.run(&Ask { command: &asked, state: &state, now: now() }, memory)
        };
        let busy = |why: String| CommandOutput::failed(EBUSY, why);
        let given = match remembers {
            true => self.workers.remembering(name, run),
            false => self.workers.apart(name, run),
        };
        let given = given.map_err(|why: Refused| busy(format!("module '{name}' takes no command: {why}")))?;
        if timeout(Duration::from_secs(BUSY_SECS_MAX), given.begun).await.is_err() {
            return Err(busy(format!("module '{name}' is busy with its own work; try again")));
        }
        match timeout(Duration::from_secs(COMMAND_SECS_MAX), given.answer).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => {
                let why = format!("module '{name}' failed over this command; see the manager's log");
                Err(CommandOutput::failed(EIO, why))
            }
            Err(_) => {
                let why = format!("module '{name}' has not answered within {COMMAND_SECS_MAX} s");
                Err(CommandOutput::failed(ETIMEDOUT, why))
            }
        }
    }
}

/// Does what a module wants done; what it stores is there when this ends.
async fn carry_out(
    cluster: &Cluster,
    operations: &Operations,
    module: &str,
    action: Action,
) -> Result<(), CommandOutput> {
    let done = match action {
        Action::Store { key, value } => {
            let done = cluster.store(module, &key, value.as_deref()).await;
            if done.is_ok() {
                let value = value.map(Into::into);
                crate::dispatch::mirrored(cluster, &format!("mgr/{module}/{key}"), value.as_ref()).await;
            }
            done
        }
        Action::Option { name, value } => {
            let done = cluster.set_module_option(module, name, Some(&value)).await;
            if done.is_ok() {
                option_seen(cluster, module, name, &value).await;
            }
            done
        }
        Action::Mon(command) => {
            cluster.command(Target::Mon, *command).await.and_then(|o| o.success()).map(drop)
        }
        Action::Operation(operation) => {
            operations.tell(cluster, operation).await;
            Ok(())
        }
    };
    done.map_err(|why| CommandOutput::failed(why.errno(), why.to_string()))
}

/// Waits until an option has come back from the monitors, so that what is next goes by it.
async fn option_seen(cluster: &Cluster, module: &str, name: &str, value: &str) {
    let seen = async {
        while cluster.state().module_option(module, name) != Some(value) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(OPTION_SECS_MAX), seen).await.is_err() {
        tracing::warn!(module, name, "the monitors have not sent the option back yet");
    }
}

#[cfg(test)]
mod tests;
