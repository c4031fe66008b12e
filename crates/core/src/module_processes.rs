//! The processes that run stock Python modules, as they were measured last. Upstream has no such thing: all its modules are one process.
//!
//! The runtime that keeps the processes (`axon-pyhost`) writes it, once a second for each; `axon module ls` and the REST API read it. It
//! is one table for all snapshots: a measurement publishes none.
//!
//! Invariants: an entry per module that has been started, so as many as are installed; what is read needs no measurement.

use axon_proto::UTime;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a module's process is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessState {
    #[default]
    Stopped,
    Starting,
    Running,
    /// It runs and gives no sign of life.
    Silent,
    /// It has ended and will be started again.
    Failed,
}

impl ProcessState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ProcessState::Stopped => "stopped",
            ProcessState::Starting => "starting",
            ProcessState::Running => "running",
            ProcessState::Silent => "silent",
            ProcessState::Failed => "failed",
        }
    }
}

/// One module's process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleProcess {
    pub state: ProcessState,
    /// The module's part for standby managers.
    pub standby: bool,
    pub pid: Option<u32>,
    /// When the process was started.
    pub started: Option<UTime>,
    pub rss_bytes: u64,
    pub rss_peak_bytes: u64,
    /// Processor time of this process so far.
    pub cpu_ms: u64,
    /// Its share of one core over the last `cpu_window_secs`.
    pub cpu_percent: f64,
    /// How often the module was started again because it had failed.
    pub restarts: u64,
    /// Failures since it last ran for long enough.
    pub failures: u32,
    pub last_failure: Option<(UTime, String)>,
    /// Commands, calls and questions to the module that it has not answered.
    pub calls_to: usize,
    /// Questions of the module that have not been answered.
    pub calls_from: usize,
    /// The limits that hold for it; 0: none.
    pub memory_bytes_warn: u64,
    pub memory_bytes_max: u64,
    pub cpu_percent_warn: u64,
    pub cpu_window_secs: u64,
}

impl ModuleProcess {
    #[must_use]
    pub fn uptime_secs(&self, now: UTime) -> u64 {
        self.started.map_or(0, |started| now.sec.saturating_sub(started.sec).into())
    }

    /// As the command and the REST API show it.
    #[must_use]
    pub fn json(&self, name: &str, now: UTime) -> Value {
        let (failed_at, why) = match &self.last_failure {
            Some((at, why)) => (Value::from(at.to_string()), why.as_str()),
            None => (Value::Null, ""),
        };
        json!({
            "name": name,
            "state": self.state.name(),
            "mode": if self.standby { "standby" } else { "active" },
            "pid": self.pid,
            "uptime_secs": self.uptime_secs(now),
            "rss_bytes": self.rss_bytes,
            "rss_peak_bytes": self.rss_peak_bytes,
            "cpu_secs": self.cpu_ms as f64 / 1e3,
            "cpu_percent": (self.cpu_percent * 10.0).round() / 10.0,
            "restarts": self.restarts,
            "failures_in_a_row": self.failures,
            "last_failure": why,
            "last_failure_at": failed_at,
            "calls_to_module": self.calls_to,
            "calls_from_module": self.calls_from,
            "limits": {
                "memory_bytes_warn": self.memory_bytes_warn,
                "memory_bytes_max": self.memory_bytes_max,
                "cpu_percent_warn": self.cpu_percent_warn,
                "cpu_window_secs": self.cpu_window_secs,
            },
        })
    }
}

/// All of them, by module.
#[derive(Clone, Debug, Default)]
pub struct ModuleProcesses(Arc<Mutex<BTreeMap<String, ModuleProcess>>>);

impl ModuleProcesses {
    /// Changes a module's entry; makes it first where there is none.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut ModuleProcess)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(name.to_owned()).or_default());
    }

    #[must_use]
    pub fn all(&self) -> BTreeMap<String, ModuleProcess> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that run or have failed, then the stopped ones: a list of objects.
    #[must_use]
    pub fn json(&self, now: UTime) -> Value {
        self.all().iter().map(|(name, module)| module.json(name, now)).collect()
    }
}
