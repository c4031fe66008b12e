//! Native manager modules, a folder each, under upstream's names: options, commands, stored keys and health checks are those of
//! the Python module of that name, so that a cluster moves between the managers without a change. `ALL` is the one table (read
//! by [`all`]); the beacon, the command table, permissions and the running of modules follow from its rows.
//!
//! Invariants: a module is pure functions over a snapshot and its own [`Memory`], with time as an argument; what must be done
//! is returned as [`Action`]s, which `crates/mgr` (`native`) carries out. Modules know the core, never each other, never a
//! socket.
//!
//! Not here: the dashboard (`crates/api`), which serves requests and has tasks of its own.

mod balancer;
mod crash;
#[cfg(debug_assertions)]
mod hostile;
mod iostat;
mod memory;
mod operation;
mod options;
mod pg_autoscaler;
mod progress;
pub mod python;
mod status;

pub use memory::Memory;
pub use operation::Operation;
pub use options::option;
pub use progress::told;

use axon_core::commands::{Ask, Format, prefix_of};
use axon_core::{Command, State};
use axon_proto::health::HealthCheckMap;
use axon_proto::mgr_map::ModuleOption;
use axon_proto::mon_command_desc::MonCommandDesc;
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use axon_proto::{Release, UTime};
use std::collections::BTreeMap;

/// Every native module.
const ALL: &[Module] = &[
    balancer::MODULE,
    crash::MODULE,
    iostat::MODULE,
    pg_autoscaler::MODULE,
    progress::MODULE,
    status::MODULE,
];

/// A module for tests of what modules must not be able to do; programs that are released do not have it.
#[cfg(debug_assertions)]
static HOSTILE: std::sync::OnceLock<Module> = std::sync::OnceLock::new();

/// From now on there is the module `hostile` too. To be called before the first use of [`all`].
#[cfg(debug_assertions)]
pub fn with_hostile_module() {
    let _ = HOSTILE.set(hostile::MODULE);
}

/// Every native module of this process.
pub fn all() -> impl Iterator<Item = &'static Module> {
    #[cfg(debug_assertions)]
    let hostile = HOSTILE.get();
    #[cfg(not(debug_assertions))]
    let hostile = None;
    ALL.iter().chain(hostile)
}

/// A module's row.
pub struct Module {
    pub name: &'static str,
    /// Its own options; those of every module are added where they are announced.
    pub options: fn(Release) -> Vec<ModuleOption>,
    pub commands: &'static [Row],
    /// What it does by itself while it is enabled.
    pub tick: Option<Tick>,
}

/// A module's own work: at once when it starts, after each of its commands that changed something, and when options or what
/// it watches have changed; then by period.
#[derive(Clone, Copy)]
pub struct Tick {
    pub period_secs: fn(&State) -> u64,
    /// What upstream's `notify` calls it.
    pub watches: &'static [&'static str],
    pub run: fn(&State, UTime, &mut Memory) -> Work,
}

/// Operations under way that `ceph -s` shows, by id (`update_progress_event`).
pub type Progress = BTreeMap<String, ProgressEvent>;

/// What came of a tick. The health checks and the operations under way replace those of the tick before.
#[derive(Debug, Default)]
pub struct Work {
    pub health: HealthCheckMap,
    pub progress: Progress,
    pub actions: Vec<Action>,
}

/// A command: descriptor, help and permission as upstream declares them.
pub struct Row {
    pub cmdstring: &'static str,
    pub help: &'static str,
    pub perm: &'static str,
    /// The CLI asks it again and again.
    pub poll: bool,
    pub since: Release,
    /// Exclusive.
    pub until: Option<Release>,
    run: Run,
}

/// How a command is answered.
#[derive(Clone, Copy)]
enum Run {
    /// From the snapshot alone.
    Plain(fn(&Ask<'_>) -> Done),
    Remembering(fn(&Ask<'_>, &mut Memory) -> Done),
}

impl Row {
    pub(crate) const fn new(
        cmdstring: &'static str,
        help: &'static str,
        perm: &'static str,
        run: fn(&Ask<'_>) -> Done,
    ) -> Self {
        let run = Run::Plain(run);
        Row { cmdstring, help, perm, poll: false, since: Release::Pacific, until: None, run }
    }

    pub(crate) const fn remembering(
        cmdstring: &'static str,
        help: &'static str,
        perm: &'static str,
        run: fn(&Ask<'_>, &mut Memory) -> Done,
    ) -> Self {
        let run = Run::Remembering(run);
        Row { cmdstring, help, perm, poll: false, since: Release::Pacific, until: None, run }
    }

    /// Whether it needs what its module remembers, which the module's own work may hold for a while.
    #[must_use]
    pub fn remembers(&self) -> bool {
        matches!(self.run, Run::Remembering(_))
    }

    #[must_use]
    pub fn run(&self, ask: &Ask<'_>, memory: &mut Memory) -> Done {
        match self.run {
            Run::Plain(run) => run(ask),
            Run::Remembering(run) => run(ask, memory),
        }
    }

    pub(crate) const fn since(self, since: Release) -> Self {
        Row { since, ..self }
    }

    pub(crate) const fn until(self, until: Release) -> Self {
        Row { until: Some(until), ..self }
    }

    pub(crate) const fn poll(self) -> Self {
        Row { poll: true, ..self }
    }

    #[must_use]
    pub fn prefix(&self) -> &'static str {
        prefix_of(self.cmdstring)
    }

    fn is_of(&self, release: Release) -> bool {
        self.since <= release && self.until.is_none_or(|until| release < until)
    }
}

/// What a command leads to. Modules return positive errnos, and so does the manager then: the CLI's exit code is 0.
#[derive(Debug, Default, PartialEq)]
pub struct Done {
    pub retval: i32,
    pub out: String,
    pub err: String,
    /// The operations under way from now on, where the command changed them.
    pub progress: Option<Progress>,
    /// Carried out before the answer is sent; one that fails is the answer.
    pub actions: Vec<Action>,
}

impl Done {
    fn out(out: impl Into<String>) -> Self {
        Done { out: out.into(), ..Done::default() }
    }

    fn err(err: impl Into<String>) -> Self {
        Done { err: err.into(), ..Done::default() }
    }

    fn refused(errno: i32, err: impl Into<String>) -> Self {
        Done { retval: errno, err: err.into(), ..Done::default() }
    }

    fn act(actions: Vec<Action>) -> Self {
        Done { actions, ..Done::default() }
    }

    /// Output data as upstream sends it: every line with its end, empty ones left out.
    #[must_use]
    pub fn lines(&self) -> String {
        self.out.split('\n').filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
    }
}

/// Something to do outside.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// `set_store`: `mgr/<module>/<key>`; none removes it.
    Store {
        key: String,
        value: Option<String>,
    },
    /// `set_module_option`.
    Option {
        name: &'static str,
        value: String,
    },
    Mon(Box<Command>),
    /// For `progress`, whoever runs it ([`told`]).
    Operation(Operation),
}

/// The native module of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Module> {
    all().find(|module| module.name == name)
}

/// The module and row of a command of that release.
#[must_use]
pub fn find_command(prefix: &str, release: Release) -> Option<(&'static Module, &'static Row)> {
    let mut rows = all().flat_map(|module| module.commands.iter().map(move |row| (module, row)));
    rows.find(|(_, row)| row.is_of(release) && row.prefix() == prefix)
}

/// Whether the monitors' map has a module on.
#[must_use]
pub fn is_enabled(name: &str, state: &State) -> bool {
    let map = &state.mgr_map;
    map.modules.contains(name) || map.always_on(state.release).contains(name)
}

/// What the manager announces of all native modules, the disabled ones too, as upstream does.
#[must_use]
pub fn descriptors(release: Release) -> Vec<MonCommandDesc> {
    let rows = all().flat_map(|module| module.commands).filter(|row| row.is_of(release));
    rows.map(|row| MonCommandDesc {
        cmdstring: row.cmdstring.to_owned(),
        helpstring: row.help.to_owned(),
        module: "mgr".to_owned(),
        req_perms: row.perm.to_owned(),
        flags: MonCommandDesc::FLAG_MGR | if row.poll { MonCommandDesc::FLAG_POLL } else { 0 },
    })
    .collect()
}

const ENOENT: i32 = 2;
const EINVAL: i32 = 22;

/// Whether the caller wants JSON; modules indent `json-pretty` and some of them `json` too. XML no module prints: it is text.
fn wants_json(ask: &Ask<'_>) -> bool {
    matches!(ask.format(), Format::Json | Format::JsonPretty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::mgr_map::MgrMap;
    use std::sync::Arc;

    #[test]
    fn a_command_is_one_modules_in_every_release() {
        for release in [Release::Pacific, Release::Reef, Release::Tentacle] {
            let rows = all().flat_map(|module| module.commands).filter(|row| row.is_of(release));
            let mut prefixes: Vec<_> = rows.map(Row::prefix).collect();
            let count = prefixes.len();
            prefixes.sort_unstable();
            prefixes.dedup();
            assert_eq!(prefixes.len(), count, "{release}");
            for prefix in prefixes {
                assert!(axon_core::commands::find(prefix).is_none(), "{prefix} is the manager's own");
                assert!(find_command(prefix, release).is_some());
            }
        }
    }

    #[test]
    fn modules_are_on_always_or_by_the_operator() {
        let map = MgrMap {
            modules: ["iostat".to_owned()].into(),
            always_on_modules: [(16, ["crash".to_owned()].into())].into(),
            ..MgrMap::default()
        };
        let state = State { release: Release::Pacific, mgr_map: Arc::new(map), ..State::default() };
        let on = |name| is_enabled(name, &state);
        assert_eq!([on("crash"), on("iostat"), on("status")], [true, true, false]);
    }

    #[test]
    fn output_has_no_empty_lines() {
        assert_eq!(Done::out("a\n\n\nb").lines(), "a\nb\n");
        assert_eq!(Done::out("").lines(), "");
    }
}
