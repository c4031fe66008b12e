//! The manager's own commands (`src/mgr/MgrCommands.h`): one row each, with upstream's descriptor and a pure handler over the
//! snapshot. A file per subject holds its rows and handlers; `request.rs` reads arguments.

mod arguments;
mod config;
mod device;
mod force;
#[cfg(test)]
mod golden_tests;
mod kept;
mod modules;
mod osd_df;
mod osd_safety;
mod osd_stats;
mod osd_upgrade;
mod pg;
mod request;
mod reweight;
mod scrub;
mod service;
mod xml;

pub use kept::Kept;
pub use request::{Ask, Format, json_text};

use request::EINVAL;

use crate::command::{Command, CommandOutput};
use crate::state::State;
use axon_proto::mon_command_desc::MonCommandDesc;
use axon_proto::release::Release;
use axon_proto::{Message, UTime};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A command: descriptor, help, service and permission as upstream declares them.
pub struct Row {
    pub cmdstring: &'static str,
    pub help: &'static str,
    pub module: &'static str,
    pub perm: &'static str,
    since: Release,
    reads: Reads,
    /// How many OSDs, PGs or pools it goes through.
    work: fn(&Ask<'_>) -> usize,
    run: fn(&Ask<'_>) -> Done,
}

/// What a command's answer is made of, beside its arguments; see `kept.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Anything,
    /// The OSD map, the PG map and options.
    Maps,
    /// The same, but the clock too where the answer is plain text.
    MapsUnlessPlain,
}

impl Row {
    const fn read(
        cmdstring: &'static str,
        help: &'static str,
        module: &'static str,
        run: fn(&Ask<'_>) -> Done,
    ) -> Self {
        Row {
            cmdstring,
            help,
            module,
            perm: "r",
            since: Release::Pacific,
            reads: Reads::Anything,
            work: unbounded,
            run,
        }
    }

    const fn write(
        cmdstring: &'static str,
        help: &'static str,
        module: &'static str,
        run: fn(&Ask<'_>) -> Done,
    ) -> Self {
        Row { perm: "rw", ..Row::read(cmdstring, help, module, run) }
    }
}

impl Row {
    const fn since(self, since: Release) -> Self {
        Row { since, ..self }
    }

    const fn of(self, reads: Reads) -> Self {
        Row { reads, ..self }
    }

    const fn through(self, work: fn(&Ask<'_>) -> usize) -> Self {
        Row { work, ..self }
    }

    /// It takes less time than to hand it to another thread and back.
    #[must_use]
    pub fn is_short(&self, ask: &Ask<'_>) -> bool {
        const WORK_MAX: usize = 256;
        (self.work)(ask) <= WORK_MAX
    }
}

fn unbounded(_: &Ask<'_>) -> usize {
    usize::MAX
}

/// What a command leads to: an answer, messages for OSDs, and perhaps a monitor command whose answer is then the caller's.
#[derive(Debug, Default)]
pub struct Done {
    pub output: CommandOutput,
    pub to_osds: Vec<(i32, Message)>,
    pub to_mon: Option<Box<Command>>,
    /// The monitors' words about it are not for the caller.
    pub quiet: bool,
}

impl Done {
    /// It is an answer and nothing else.
    fn is_answer(&self) -> bool {
        self.to_osds.is_empty() && self.to_mon.is_none()
    }
}

impl From<CommandOutput> for Done {
    fn from(output: CommandOutput) -> Done {
        Done { output, ..Done::default() }
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        pg::ROWS,
        scrub::ROWS,
        force::ROWS,
        osd_stats::ROWS,
        osd_df::ROWS,
        osd_safety::ROWS,
        osd_upgrade::ROWS,
        reweight::ROWS,
        service::ROWS,
        config::ROWS,
        device::ROWS,
        modules::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The row of a command's prefix.
#[must_use]
pub fn find(prefix: &str) -> Option<&'static Row> {
    static ROWS: LazyLock<HashMap<&str, &Row>> =
        LazyLock::new(|| rows().map(|row| (prefix_of(row.cmdstring), row)).collect());
    ROWS.get(prefix).copied()
}

/// The words of a descriptor that are not arguments.
#[must_use]
pub fn prefix_of(cmdstring: &str) -> &str {
    let end = cmdstring.find(" name=").unwrap_or(cmdstring.len());
    cmdstring.get(..end).unwrap_or(cmdstring).trim_end()
}

/// Runs a command of this table.
#[must_use]
pub fn run(row: &Row, command: &Command, state: &State, now: UTime) -> Done {
    if row.since > state.release {
        return CommandOutput::failed(EINVAL, format!("No handler found for '{}'", command.prefix())).into();
    }
    if let Some(name) = arguments::of_wrong_type(row.cmdstring, &command.args) {
        return CommandOutput::failed(EINVAL, format!("bad or missing field '{name}'")).into();
    }
    let mut done = (row.run)(&Ask { command, state, now });
    if !state.pg_ready && OF_PG_MAP.contains(&prefix_of(row.cmdstring)) {
        done.output.outs.insert_str(0, NOT_WHOLE);
    }
    done
}

/// Commands that upstream answers from its PG map alone (`process_pg_map_command`), and what it says with them as long as not every
/// OSD has reported to a manager that took over.
const OF_PG_MAP: &[&str] = &[
    "pg stat",
    "pg getmap",
    "pg dump",
    "pg dump_json",
    "pg dump_pools_json",
    "pg ls",
    "pg ls-by-pool",
    "pg ls-by-primary",
    "pg ls-by-osd",
    "pg dump_stuck",
    "pg debug",
    "osd perf",
    "osd blocked-by",
];
const NOT_WHOLE: &str = "Warning: due to ceph-mgr restart, some PG states may not be up to date\n";

/// What the manager announces.
#[must_use]
pub fn descriptors(release: Release) -> Vec<MonCommandDesc> {
    let row = |row: &Row| MonCommandDesc {
        cmdstring: row.cmdstring.to_owned(),
        helpstring: row.help.to_owned(),
        module: row.module.to_owned(),
        req_perms: row.perm.to_owned(),
        flags: MonCommandDesc::FLAG_MGR,
    };
    rows().filter(|row| row.since <= release).map(row).collect()
}

/// `get_command_descriptions`: every descriptor as the CLI reads it (`dump_cmddesc_to_json`), without flags.
#[must_use]
pub fn descriptions_json(commands: &[MonCommandDesc], release: Release) -> Value {
    let entries = commands.iter().enumerate().map(|(i, desc)| {
        let mut sig = describe_arguments(&desc.cmdstring);
        sig.iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|argument| settle_switches(argument, release));
        let entry = json!({
            "sig": sig, "help": desc.helpstring, "module": desc.module, "perm": desc.req_perms, "flags": 0,
        });
        (format!("cmd{i:03}"), entry)
    });
    Value::Object(entries.collect())
}

/// Since Quincy `req` and `positional` are booleans; before, the one is text as declared and the other unknown.
fn settle_switches(argument: &mut Map<String, Value>, release: Release) {
    for key in ["req", "positional"] {
        let Some(text) = argument.get(key).and_then(Value::as_str) else { continue };
        if release >= Release::Reef {
            let set = matches!(text, "true" | "True");
            argument.insert(key.to_owned(), set.into());
        } else if key == "positional" {
            argument.remove(key);
        }
    }
}

/// A descriptor's words and arguments as the CLI reads them.
pub(crate) fn describe_arguments(cmdstring: &str) -> Vec<Value> {
    cmdstring.split_whitespace().map(argument_json).collect()
}

fn argument_json(word: &str) -> Value {
    if !word.contains('=') {
        return Value::from(word);
    }
    let pairs = word.split(',').filter_map(|pair| pair.split_once('='));
    Value::Object(pairs.map(|(k, v)| (k.to_owned(), Value::from(v))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn switches_of_arguments_are_booleans_since_quincy() {
        let cmdstring = "a b name=c,type=CephString,req=False,positional=false".to_owned();
        let desc = MonCommandDesc { cmdstring, ..MonCommandDesc::default() };
        let sig =
            |release| descriptions_json(std::slice::from_ref(&desc), release)["cmd000"]["sig"][2].clone();
        assert_eq!(sig(Release::Pacific), json!({"name": "c", "type": "CephString", "req": "False"}));
        let since = json!({"name": "c", "type": "CephString", "req": false, "positional": false});
        assert_eq!(sig(Release::Tentacle), since);
    }

    #[test]
    fn a_view_that_is_not_whole_is_told_with_what_comes_from_it() {
        let said = |pg_ready, prefix: &str| {
            let state = State { pg_ready, ..State::default() };
            let row = find(prefix).unwrap();
            run(row, &Command::json(prefix), &state, UTime::ZERO).output.outs
        };
        assert_eq!(said(false, "pg stat"), NOT_WHOLE);
        assert_eq!(said(false, "pg dump"), format!("{NOT_WHOLE}dumped all"));
        assert_eq!((said(true, "pg dump"), said(false, "osd df")), ("dumped all".into(), String::new()));
        let known = |prefix: &&&str| find(prefix).is_some();
        assert_eq!(OF_PG_MAP.iter().filter(known).count(), OF_PG_MAP.len());
    }

    #[test]
    fn every_prefix_is_found_once_and_declares_its_arguments() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            let prefix = prefix_of(row.cmdstring);
            assert!(seen.insert(prefix), "{prefix} twice");
            assert!(find(prefix).is_some_and(|found| std::ptr::eq(found, row)));
            assert!(matches!(row.perm, "r" | "rw"), "{prefix}");
            let arguments = row.cmdstring.split(' ').filter(|word| word.contains('='));
            assert!(
                arguments.into_iter().all(|word| word.starts_with("name=") && word.contains(",type=Ceph"))
            );
        }
    }
}
