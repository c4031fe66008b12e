//! What the modules have told, and how their processes do: read by the manager for beacons, reports and health.

use axon_proto::EntityAddrVec;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// How a module does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Off,
    Starting,
    Running,
    /// It ended and will be started again.
    Failed {
        why: String,
    },
}

/// One module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleBoard {
    pub phase: Phase,
    /// Failures since it last ran for long enough.
    pub failures: u32,
    pub health: HealthCheckMap,
    pub uri: String,
    /// Where the stock dashboard serves: a Unix socket in a folder of its own.
    pub door: Option<PathBuf>,
    /// RADOS clients to be blocklisted with this manager: name and addresses.
    pub clients: Vec<(String, EntityAddrVec)>,
    pub pid: Option<u32>,
    pub rss_bytes: u64,
    /// CPU time of the process so far.
    pub cpu_ms: u64,
    /// It does not answer, and since when.
    pub silent_secs: u64,
}

/// All modules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    pub modules: BTreeMap<String, ModuleBoard>,
    pub progress: BTreeMap<String, ProgressEvent>,
}

/// From so many failures on in a row a module counts as failed for good, though it is still started again.
const FAILURES_ERR: u32 = 3;

impl Board {
    /// Every module's own checks, and those about modules that do not run.
    #[must_use]
    pub fn health(&self) -> HealthCheckMap {
        let mut out = HealthCheckMap::default();
        for module in self.modules.values() {
            out.merge(module.health.clone());
        }
        let failed = self.modules.iter().filter_map(|(name, module)| {
            let silent = || format!("it has not answered for {} s", module.silent_secs);
            match &module.phase {
                // Between two attempts the reason of the first one stands.
                Phase::Failed { why } => Some((name, module, why.clone())),
                Phase::Running if module.silent_secs > 0 => Some((name, module, silent())),
                Phase::Off | Phase::Starting | Phase::Running => None,
            }
        });
        let failed: Vec<_> = failed.collect();
        let Some((name, _, why)) = failed.first() else { return out };
        let lasting = failed.iter().any(|(_, module, _)| module.failures >= FAILURES_ERR);
        let severity = if lasting { HealthStatus::ERR } else { HealthStatus::WARN };
        let first_line = |why: &str| why.lines().next().unwrap_or_default().to_owned();
        let summary = match failed.len() {
            1 => format!("Module '{name}' has failed: {}", first_line(why)),
            count => format!("{count} mgr modules have failed"),
        };
        let count = i64::try_from(failed.len()).unwrap_or(i64::MAX);
        let check = out.add("MGR_MODULE_ERROR", severity, summary, count);
        check.detail = failed
            .iter()
            .map(|(name, _, why)| format!("Module '{name}' has failed: {}", first_line(why)))
            .collect();
        out
    }

    /// URIs by module.
    #[must_use]
    pub fn services(&self) -> BTreeMap<String, String> {
        let served = self.modules.iter().filter(|(_, m)| !m.uri.is_empty());
        served.map(|(name, m)| (name.clone(), m.uri.clone())).collect()
    }

    /// RADOS clients of all modules, sorted by name.
    #[must_use]
    pub fn clients(&self) -> Vec<(String, EntityAddrVec)> {
        let mut out: Vec<_> = self.modules.values().flat_map(|m| m.clients.iter().cloned()).collect();
        out.sort_by(|a, b| a.0.cmp(&b.0));
        out
    }
}

/// The board as hosts write it.
#[derive(Clone, Debug)]
pub struct Writer(Arc<watch::Sender<Arc<Board>>>);

impl Default for Writer {
    fn default() -> Self {
        Writer(Arc::new(watch::Sender::new(Arc::default())))
    }
}

impl Writer {
    pub fn subscribe(&self) -> watch::Receiver<Arc<Board>> {
        self.0.subscribe()
    }

    #[cfg(test)]
    pub fn read(&self) -> Arc<Board> {
        self.0.borrow().clone()
    }

    /// Changes the board; readers hear of it when something is different.
    pub fn change(&self, change: impl FnOnce(&mut Board)) {
        self.0.send_if_modified(|board| {
            let mut new = Board::clone(board);
            change(&mut new);
            let differs = new != **board;
            if differs {
                *board = Arc::new(new);
            }
            differs
        });
    }

    pub fn module(&self, name: &str, change: impl FnOnce(&mut ModuleBoard)) {
        self.change(|board| change(board.modules.entry(name.to_owned()).or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_warning_first_an_error_when_it_lasts_and_clears_itself() {
        let board = Writer::default();
        assert!(board.read().health().checks.is_empty());
        let failed = Phase::Failed { why: "boom\ntraceback".to_owned() };
        board.module("a", |m| (m.phase, m.failures) = (failed.clone(), 1));
        let health = board.read().health();
        let check = &health.checks["MGR_MODULE_ERROR"];
        assert_eq!(
            (check.severity, check.summary.as_str()),
            (HealthStatus::WARN, "Module 'a' has failed: boom")
        );
        board.module("b", |m| (m.phase, m.failures) = (failed, FAILURES_ERR));
        let health = board.read().health();
        let check = &health.checks["MGR_MODULE_ERROR"];
        assert_eq!(
            (check.severity, check.summary.as_str()),
            (HealthStatus::ERR, "2 mgr modules have failed")
        );
        assert_eq!((check.detail.len(), check.count), (2, 2));
        for name in ["a", "b"] {
            board.module(name, |m| m.phase = Phase::Running);
        }
        assert!(board.read().health().checks.is_empty());
    }

    #[test]
    fn readers_hear_of_changes_only() {
        let board = Writer::default();
        let mut reader = board.subscribe();
        board.module("a", |m| m.uri = "u".to_owned());
        assert!(reader.has_changed().unwrap());
        reader.borrow_and_update();
        board.module("a", |m| m.uri = "u".to_owned());
        assert!(!reader.has_changed().unwrap());
        assert_eq!(board.read().services()["a"], "u");
    }
}
