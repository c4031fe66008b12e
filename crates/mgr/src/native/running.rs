//! A native module's own work: ticks by period and when something has changed, and what is said of a module that fails at it.
//!
//! Invariants: never two ticks of a module at once; one that has not ended in time is a health warning until it ends; disabling the
//! module takes the warning away and gives the hanging thread up, so that enabling it again begins anew.

use super::worker::Workers;
use super::{Operations, carry_out};
use crate::run::{Report, now};
use axon_core::Cluster;
use axon_modules::{Module, Progress, Tick, Work, is_enabled};
use axon_proto::health::{HealthCheckMap, HealthStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a tick may take before it is a health warning, where `axon_module_secs_max` says nothing else.
const TICK_SECS_MAX: u64 = 60;

/// How often a disabled module is looked at again.
const IDLE_SECS: u64 = 5;

/// How often one that hangs is looked at: whether it was disabled meanwhile.
const HANGING_SECS: u64 = 1;

/// After a failure, how long until the next try; then twice that, and so on.
const FAILED_SECS: u64 = 2;
const FAILED_SECS_MAX: u64 = 60;

/// What works.
pub struct Running {
    pub module: &'static Module,
    pub tick: Tick,
    pub cluster: Cluster,
    pub reports: mpsc::Sender<Report>,
    pub workers: Arc<Workers>,
}

impl Running {
    /// Works as long as this is polled.
    pub async fn run(self, wake: Arc<Notify>) {
        let name = self.module.name;
        let mut failures = 0;
        loop {
            let state = self.cluster.state();
            let ready = state.kv.is_known("mgr/") && state.pg_ready;
            let wait_secs = if !ready {
                1
            } else if !is_enabled(name, &state) {
                self.workers.give_up(name);
                self.tell(HealthCheckMap::default(), Progress::default()).await;
                failures = 0;
                IDLE_SECS
            } else {
                match self.tick().await {
                    Ok(()) if !self.is_enabled() => 0,
                    Ok(()) => {
                        failures = 0;
                        (self.tick.period_secs)(&self.cluster.state()).max(1)
                    }
                    Err(why) => {
                        if failures == 0 {
                            tracing::error!(module = name, why, "module failed; it is tried again");
                        }
                        self.tell(failed(name, &why), Progress::default()).await;
                        let wait = FAILED_SECS.saturating_mul(1 << failures.min(10)).min(FAILED_SECS_MAX);
                        failures += 1;
                        wait
                    }
                }
            };
            let wait = Duration::from_secs(wait_secs);
            // What fails is not tried at every change of a map.
            if failures > 0 {
                self.sleep_while_enabled(wait).await;
            } else {
                let _ = timeout(wait, wake.notified()).await;
            }
        }
    }

    async fn sleep_while_enabled(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && self.is_enabled() {
            sleep(Duration::from_secs(HANGING_SECS)).await;
        }
    }

    fn is_enabled(&self) -> bool {
        is_enabled(self.module.name, &self.cluster.state())
    }

    fn tick_secs_max(&self) -> u64 {
        let value = self.cluster.state().settings.value("axon_module_secs_max");
        value.and_then(|text| text.parse().ok()).unwrap_or(TICK_SECS_MAX)
    }

    async fn tick(&self) -> Result<(), String> {
        let (name, state, run) = (self.module.name, self.cluster.state(), self.tick.run);
        let given = self.workers.remembering(name, move |memory| run(&state, now(), memory));
        let mut answer = given.map_err(|why| why.to_string())?.answer;
        let deadline = Instant::now() + Duration::from_secs(self.tick_secs_max());
        let mut late = false;
        let work = loop {
            tokio::select! {
                work = &mut answer => break work,
                () = sleep_until(deadline), if !late => {
                    late = true;
                    tracing::error!(module = name, "module takes too long");
                    self.warn(failed(name, "it takes too long")).await;
                }
                () = sleep(Duration::from_secs(HANGING_SECS)) => {
                    if !self.is_enabled() {
                        // Its thread is given up by the caller, as the module is disabled.
                        return Ok(());
                    }
                }
            }
        };
        let Work { health, progress, actions } =
            work.map_err(|_| "it ended in an error of its own; see the manager's log".to_owned())?;
        self.tell(health, progress).await;
        let operations = Operations { reports: self.reports.clone(), workers: self.workers.clone() };
        for action in actions {
            if let Err(refused) = carry_out(&self.cluster, &operations, name, action).await {
                tracing::warn!(module = name, why = refused.outs, "what the module wants is refused");
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
