//! Runs the native modules (`axon_modules`) while this manager is active: their own work by period, their commands, and what
//! both want done.
//!
//! Invariants: a module's code runs beside the runtime's threads, one tick of a module at a time, so that one which spins or
//! blocks holds up nobody else; a tick that panics or takes longer than [`TICK_SECS_MAX`] is a health warning, which goes with
//! the next one that ends well; a disabled module neither works nor warns.

use crate::run::{Report, now};
use axon_core::commands::Ask;
use axon_core::{Cluster, Command, CommandOutput, Target};
use axon_modules::{ALL, Action, Done, Module, Row, Tick, Work, is_enabled};
use axon_proto::health::{HealthCheckMap, HealthStatus};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// What a tick may take before it is a health warning.
const TICK_SECS_MAX: u64 = 60;

/// How often a disabled module, or one that has just failed, is looked at again.
const IDLE_SECS: u64 = 5;
const FAILED_SECS: u64 = 60;

const EOPNOTSUPP: i32 = 95;

/// The running modules.
pub struct Native {
    reports: mpsc::Sender<Report>,
    /// By module: what makes it work before its time.
    wake: BTreeMap<&'static str, Arc<Notify>>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Native {
    pub fn new(reports: mpsc::Sender<Report>) -> Self {
        let wake = ALL.iter().map(|module| (module.name, Arc::new(Notify::new()))).collect();
        Native { reports, wake, tasks: Mutex::default() }
    }

    /// Starts the modules' own work.
    pub fn start(&self, cluster: &Cluster) {
        self.stop();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for module in ALL {
            let (Some(tick), Some(wake)) = (module.tick, self.wake.get(module.name)) else { continue };
            let running = Running { module, tick, cluster: cluster.clone(), reports: self.reports.clone() };
            tasks.push(tokio::spawn(running.run(wake.clone())).abort_handle());
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
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
        let asked = command.clone();
        let run = move || (row.run)(&Ask { command: &asked, state: &state, now: now() });
        let Ok(done) = tokio::task::spawn_blocking(run).await else {
            let why = format!("module '{}' failed over this command; see the manager's log", module.name);
            return CommandOutput::failed(5, why);
        };
        let output =
            CommandOutput { retval: done.retval, outs: done.err.clone(), outbl: done.lines().into() };
        let Done { actions, .. } = done;
        if actions.is_empty() {
            return output;
        }
        for action in actions {
            if let Err(failed) = carry_out(cluster, module.name, action).await {
                return failed;
            }
        }
        if let Some(wake) = self.wake.get(module.name) {
            wake.notify_one();
        }
        output
    }
}

/// Does what a module wants done; what it stores is there when this ends.
async fn carry_out(cluster: &Cluster, module: &str, action: Action) -> Result<(), CommandOutput> {
    let done = match action {
        Action::Store { key, value } => {
            let done = cluster.store(module, &key, value.as_deref()).await;
            if done.is_ok() {
                let value = value.map(Into::into);
                crate::dispatch::mirrored(cluster, &format!("mgr/{module}/{key}"), value.as_ref()).await;
            }
            done
        }
        Action::Option { name, value } => cluster.set_module_option(module, name, Some(&value)).await,
        Action::Mon(command) => {
            cluster.command(Target::Mon, *command).await.and_then(|o| o.success()).map(drop)
        }
    };
    done.map_err(|why| CommandOutput::failed(why.errno(), why.to_string()))
}

struct Running {
    module: &'static Module,
    tick: Tick,
    cluster: Cluster,
    reports: mpsc::Sender<Report>,
}

impl Running {
    async fn run(self, wake: Arc<Notify>) {
        let mut failing = false;
        loop {
            let state = self.cluster.state();
            let ready = state.kv.is_known("mgr/") && state.pg_ready;
            let wait_secs = if !ready {
                1
            } else if !is_enabled(self.module.name, &state) {
                self.tell(HealthCheckMap::default()).await;
                IDLE_SECS
            } else {
                match self.tick().await {
                    Ok(()) => {
                        failing = false;
                        (self.tick.period_secs)(&self.cluster.state()).max(1)
                    }
                    Err(why) => {
                        if !failing {
                            tracing::error!(
                                module = self.module.name,
                                why,
                                "module failed; it is tried again"
                            );
                        }
                        failing = true;
                        self.tell(failed(self.module.name, why)).await;
                        FAILED_SECS
                    }
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(wait_secs), wake.notified()).await;
        }
    }

    async fn tick(&self) -> Result<(), &'static str> {
        let (state, run) = (self.cluster.state(), self.tick.run);
        let mut running = tokio::task::spawn_blocking(move || run(&state, now()));
        let deadline = tokio::time::sleep(Duration::from_secs(TICK_SECS_MAX));
        let work = tokio::select! {
            work = &mut running => work,
            () = deadline => {
                self.tell(failed(self.module.name, "it takes too long")).await;
                // Never two at once.
                running.await
            }
        };
        let Work { health, actions } =
            work.map_err(|_| "it ended in an error of its own; see the manager's log")?;
        self.tell(health).await;
        for action in actions {
            if let Err(refused) = carry_out(&self.cluster, self.module.name, action).await {
                tracing::warn!(
                    module = self.module.name,
                    why = refused.outs,
                    "what the module wants is refused"
                );
            }
        }
        Ok(())
    }

    async fn tell(&self, checks: HealthCheckMap) {
        let _ = self.reports.send(Report::ModuleChecks { module: self.module.name, checks }).await;
    }
}

fn failed(module: &str, why: &str) -> HealthCheckMap {
    let mut out = HealthCheckMap::default();
    let summary = format!("Module '{module}' has failed: {why}");
    let detail = vec![summary.clone()];
    out.add("MGR_MODULE_ERROR", HealthStatus::WARN, summary, 1).detail = detail;
    out
}

#[cfg(test)]
#[path = "native_tests.rs"]
mod tests;
