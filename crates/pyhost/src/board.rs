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
    /// Why it has failed, until it has run for long enough since.
    pub trouble: Option<String>,
    /// It fails again and again.
    pub lasting: bool,
    /// It gives no sign of life, and for so long.
    pub silent_secs: Option<u64>,
    /// It takes much memory: how much.
    pub memory_high: Option<String>,
    /// It takes much of the processor: how much.
    pub cpu_high: Option<String>,
    pub health: HealthCheckMap,
    pub uri: String,
    /// Where the stock dashboard serves: a Unix socket in a folder of its own.
    pub door: Option<PathBuf>,
    /// RADOS clients to be blocklisted with this manager: name and addresses.
    pub clients: Vec<(String, EntityAddrVec)>,
}

impl ModuleBoard {
    /// What keeps it from working.
    fn fault(&self) -> Option<String> {
        let first_line = |why: &str| why.lines().next().unwrap_or_default().to_owned();
        let silent = || self.silent_secs.map(|secs| format!("it has not answered for {secs} s"));
        // What holds now goes before what was.
        silent().or_else(|| self.trouble.as_deref().map(first_line))
    }
}

/// All modules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    pub modules: BTreeMap<String, ModuleBoard>,
    pub progress: BTreeMap<String, ProgressEvent>,
}

/// Upstream's code for a module that does not work.
const FAILED: &str = "MGR_MODULE_ERROR";
/// Axon's own.
const MEMORY: &str = "AXON_MODULE_MEMORY";
const CPU: &str = "AXON_MODULE_CPU";

impl Board {
    /// Every module's own checks, and those about modules that do not run.
    #[must_use]
    pub fn health(&self) -> HealthCheckMap {
        let mut out = HealthCheckMap::default();
        for module in self.modules.values() {
            out.merge(module.health.clone());
        }
        let lasting = self.modules.values().any(|module| module.lasting);
        let severity = if lasting { HealthStatus::ERR } else { HealthStatus::WARN };
        let failed = self.details(|name, m| Some(format!("Module '{name}' has failed: {}", m.fault()?)));
        add(&mut out, FAILED, severity, failed, "mgr modules have failed");
        let memory = self.details(|name, m| Some(format!("Module '{name}' {}", m.memory_high.as_ref()?)));
        add(&mut out, MEMORY, HealthStatus::WARN, memory, "mgr modules take much memory");
        let cpu = self.details(|name, m| Some(format!("Module '{name}' {}", m.cpu_high.as_ref()?)));
        add(&mut out, CPU, HealthStatus::WARN, cpu, "mgr modules take much of the processor");
        out
    }

    fn details(&self, of: impl Fn(&str, &ModuleBoard) -> Option<String>) -> Vec<String> {
        self.modules.iter().filter_map(|(name, module)| of(name, module)).collect()
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

/// A check with a line per module; none without.
fn add(
    out: &mut HealthCheckMap,
    code: &'static str,
    severity: HealthStatus,
    detail: Vec<String>,
    many: &str,
) {
    let summary = match detail.as_slice() {
        [] => return,
        [one] => one.clone(),
        several => format!("{} {many}", several.len()),
    };
    let count = i64::try_from(detail.len()).unwrap_or(i64::MAX);
    out.add(code, severity, summary, count).detail = detail;
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
        board.module("a", |m| m.trouble = Some("boom\ntraceback".to_owned()));
        let check = |board: &Writer| {
            let health = board.read().health();
            let check = &health.checks["MGR_MODULE_ERROR"];
            (check.severity, check.summary.clone(), check.detail.len(), check.count)
        };
        let words = "Module 'a' has failed: boom".to_owned();
        assert_eq!(check(&board), (HealthStatus::WARN, words, 1, 1));
        board.module("b", |m| (m.trouble, m.lasting) = (Some("bang".to_owned()), true));
        assert_eq!(check(&board), (HealthStatus::ERR, "2 mgr modules have failed".to_owned(), 2, 2));
        for name in ["a", "b"] {
            board.module(name, |m| *m = ModuleBoard::default());
        }
        assert!(board.read().health().checks.is_empty());
    }

    #[test]
    fn what_a_module_takes_too_much_of_has_codes_of_its_own() {
        let board = Writer::default();
        board.module("a", |m| m.memory_high = Some("takes 2 GiB of memory, more than 1 GiB".to_owned()));
        board.module("a", |m| m.cpu_high = Some("takes 100% of a core over 60 s, more than 90%".to_owned()));
        board.module("b", |m| m.silent_secs = Some(31));
        let health = board.read().health();
        let of = |code: &str| (health.checks[code].severity, health.checks[code].summary.as_str());
        let expected = "Module 'a' takes 2 GiB of memory, more than 1 GiB";
        assert_eq!(of("AXON_MODULE_MEMORY"), (HealthStatus::WARN, expected));
        let expected = "Module 'a' takes 100% of a core over 60 s, more than 90%";
        assert_eq!(of("AXON_MODULE_CPU"), (HealthStatus::WARN, expected));
        let expected = "Module 'b' has failed: it has not answered for 31 s";
        assert_eq!(of("MGR_MODULE_ERROR"), (HealthStatus::WARN, expected));
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
