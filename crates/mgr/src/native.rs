//! Runs the native modules (`axon_modules`) while this manager is active: their own work by period, their commands, and what
//! both want done.
//!
//! Invariants: a module's code runs beside the runtime's threads, one tick of a module at a time, so that one which spins or
//! blocks holds up nobody else; a tick that panics or takes longer than [`TICK_SECS_MAX`] is a health warning, which goes with
//! the next one that ends well; a disabled module neither works nor warns. What a module remembers is used by one tick or
//! command at a time and is new after an activation and after a failure.

use crate::run::{Report, now};
use axon_core::commands::Ask;
use axon_core::{Cluster, Command, CommandOutput, State, Target};
use axon_modules::{ALL, Action, Done, Memory, Module, Progress, Row, Tick, Work, is_enabled};
use axon_proto::health::{HealthCheckMap, HealthStatus};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedMutexGuard, mpsc};
use tokio::task::AbortHandle;

/// What a tick may take before it is a health warning.
const TICK_SECS_MAX: u64 = 60;

/// How often a disabled module, or one that has just failed, is looked at again.
const IDLE_SECS: u64 = 5;
const FAILED_SECS: u64 = 60;

/// How long a command waits for the module's own work to end, and for an option that it set to come back.
const MEMORY_SECS_MAX: u64 = 20;
const OPTION_SECS_MAX: u64 = 2;

const EIO: i32 = 5;
const EBUSY: i32 = 16;
const EOPNOTSUPP: i32 = 95;

/// The running modules.
pub struct Native {
    reports: mpsc::Sender<Report>,
    /// By module: what makes it work before its time.
    wake: BTreeMap<&'static str, Arc<Notify>>,
    /// By module: what it remembers.
    memories: Mutex<BTreeMap<&'static str, SharedMemory>>,
    tasks: Mutex<Vec<AbortHandle>>,
}

type SharedMemory = Arc<tokio::sync::Mutex<Memory>>;

impl Native {
    pub fn new(reports: mpsc::Sender<Report>) -> Self {
        let wake = ALL.iter().map(|module| (module.name, Arc::new(Notify::new()))).collect();
        Native { reports, wake, memories: Mutex::default(), tasks: Mutex::default() }
    }

    /// Starts the modules' own work.
    pub fn start(&self, cluster: &Cluster) {
        self.stop();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for module in ALL {
            let (Some(tick), Some(wake)) = (module.tick, self.wake.get(module.name)) else { continue };
            let (cluster, reports, memory) =
                (cluster.clone(), self.reports.clone(), self.memory(module.name));
            let running = Running { module, tick, cluster, reports, memory };
            tasks.push(tokio::spawn(running.run(wake.clone())).abort_handle());
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
        // A tick that still runs keeps the old one.
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Something has changed that modules may watch, by upstream's name of it.
    pub fn notify(&self, kind: &str) {
        let watching = ALL.iter().filter(|module| module.tick.is_some_and(|t| t.watches.contains(&kind)));
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

    fn memory(&self, module: &'static str) -> SharedMemory {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).entry(module).or_default().clone()
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
            if let Err(failed) = carry_out(cluster, module.name, action).await {
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
        let memory = match row.remembers() {
            true => self.memory(module.name),
            false => SharedMemory::default(),
        };
        let waited = tokio::time::timeout(Duration::from_secs(MEMORY_SECS_MAX), memory.lock_owned()).await;
        let Ok(mut memory) = waited else {
            let why = format!("module '{}' is busy with its own work; try again", module.name);
            return Err(CommandOutput::failed(EBUSY, why));
        };
        let asked = command.clone();
        let run =
            move || guarded(&mut memory, |m| row.run(&Ask { command: &asked, state: &state, now: now() }, m));
        match tokio::task::spawn_blocking(run).await {
            Ok(Some(done)) => Ok(done),
            _ => {
                let why = format!("module '{}' failed over this command; see the manager's log", module.name);
                Err(CommandOutput::failed(EIO, why))
            }
        }
    }
}

/// Runs a module's code; nothing comes of it, and the module begins anew, where it panics.
fn guarded<T>(memory: &mut OwnedMutexGuard<Memory>, run: impl FnOnce(&mut Memory) -> T) -> Option<T> {
    let begun = std::time::Instant::now();
    let out = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(memory))).ok();
    memory.took(begun.elapsed());
    if out.is_none() {
        **memory = Memory::default();
    }
    out
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

struct Running {
    module: &'static Module,
    tick: Tick,
    cluster: Cluster,
    reports: mpsc::Sender<Report>,
    memory: SharedMemory,
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
                *self.memory.lock().await = Memory::default();
                self.tell(HealthCheckMap::default(), Progress::default()).await;
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
                        self.tell(failed(self.module.name, why), Progress::default()).await;
                        FAILED_SECS
                    }
                }
            };
            let wait = Duration::from_secs(wait_secs);
            // What fails is not tried at every change of a map.
            if failing {
                tokio::time::sleep(wait).await;
            } else {
                let _ = tokio::time::timeout(wait, wake.notified()).await;
            }
        }
    }

    async fn tick(&self) -> Result<(), &'static str> {
        let (state, run) = (self.cluster.state(), self.tick.run);
        let mut memory = self.memory.clone().lock_owned().await;
        let mut running =
            tokio::task::spawn_blocking(move || guarded(&mut memory, |m| run(&state, now(), m)));
        let deadline = tokio::time::sleep(Duration::from_secs(TICK_SECS_MAX));
        let work = tokio::select! {
            work = &mut running => work,
            () = deadline => {
                self.warn(failed(self.module.name, "it takes too long")).await;
                // Never two at once.
                running.await
            }
        };
        let Work { health, progress, actions } =
            work.ok().flatten().ok_or("it ended in an error of its own; see the manager's log")?;
        self.tell(health, progress).await;
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

    async fn tell(&self, checks: HealthCheckMap, events: Progress) {
        self.warn(checks).await;
        let _ = self.reports.send(Report::ModuleProgress { module: self.module.name, events }).await;
    }

    async fn warn(&self, checks: HealthCheckMap) {
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
