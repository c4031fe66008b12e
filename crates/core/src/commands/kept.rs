//! Answers that are given again as long as nothing they were made of has changed. On a big map `pg dump` makes megabytes; who polls it,
//! or several who ask at once, mostly ask of the same maps: the PG map changes with each report to the monitors only.
//!
//! Invariants:
//! - an answer is kept only of a row that says that it reads maps, options and arguments, and neither the clock nor what else a
//!   snapshot has ([`Reads`]);
//! - it is given again only from the very maps that it was made of. They are held weakly: that does not keep a map alive, but its
//!   address is not used again as long, and a map that is changed in place moves to another;
//! - what is kept is bounded in number and bytes.

use super::{Done, Format, Reads, Row};
use crate::command::{Command, CommandOutput};
use crate::config::Settings;
use crate::pg_map::PgMap;
use crate::state::State;
use axon_proto::osd_map::OSDMap;
use axon_proto::release::Release;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Answers at most, and bytes of them all.
const ANSWERS_MAX: usize = 16;
const BYTES_MAX: usize = 64 << 20;

/// The answers; shared by all tasks.
#[derive(Debug, Default)]
pub struct Kept(Mutex<VecDeque<Answer>>);

#[derive(Debug)]
struct Answer {
    args: Map<String, Value>,
    source: Source,
    output: CommandOutput,
}

/// All that an answer may be made of beside its arguments.
#[derive(Debug)]
struct Source {
    release: Release,
    pg_ready: bool,
    osd_map: Weak<OSDMap>,
    pg_map: Weak<PgMap>,
    options: Weak<BTreeMap<String, String>>,
    settings: Weak<Settings>,
}

impl Source {
    fn of(state: &State) -> Self {
        Source {
            release: state.release,
            pg_ready: state.pg_ready,
            osd_map: Arc::downgrade(&state.osd_map),
            pg_map: Arc::downgrade(&state.pg_map),
            options: Arc::downgrade(&state.options),
            settings: Arc::downgrade(&state.settings),
        }
    }

    fn is(&self, state: &State) -> bool {
        self.release == state.release
            && self.pg_ready == state.pg_ready
            && same(&self.osd_map, &state.osd_map)
            && same(&self.pg_map, &state.pg_map)
            && same(&self.options, &state.options)
            && same(&self.settings, &state.settings)
    }
}

fn same<T>(kept: &Weak<T>, now: &Arc<T>) -> bool {
    std::ptr::eq(kept.as_ptr(), Arc::as_ptr(now))
}

impl Row {
    fn may_be_kept(&self, command: &Command) -> bool {
        match self.reads {
            Reads::Anything => false,
            Reads::Maps => true,
            Reads::MapsUnlessPlain => Format::asked(command) != Format::Plain,
        }
    }
}

impl Kept {
    /// The answer to a command of this row, when one is kept that was made of the same.
    #[must_use]
    pub fn find(&self, row: &Row, command: &Command, state: &State) -> Option<CommandOutput> {
        if !row.may_be_kept(command) {
            return None;
        }
        let answers = self.lock();
        let found = answers.iter().find(|kept| kept.args == command.args && kept.source.is(state))?;
        Some(found.output.clone())
    }

    /// Keeps what a command of this row led to, if it may be kept.
    pub fn keep(&self, row: &Row, command: &Command, state: &State, done: &Done) {
        let bytes = done.output.outbl.len();
        if !row.may_be_kept(command) || !done.is_answer() || bytes > BYTES_MAX {
            return;
        }
        let mut answers = self.lock();
        answers.retain(|kept| kept.source.is(state) && kept.args != command.args);
        let mut room = BYTES_MAX - bytes;
        answers.truncate(ANSWERS_MAX - 1);
        answers.retain(|kept| {
            let fits = kept.output.outbl.len() <= room;
            room -= if fits { kept.output.outbl.len() } else { room };
            fits
        });
        let (args, source) = (command.args.clone(), Source::of(state));
        answers.push_front(Answer { args, source, output: done.output.clone() });
    }

    /// Lets go of what was made of other maps.
    pub fn follow(&self, state: &State) {
        self.lock().retain(|kept| kept.source.is(state));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{find, rows, run};
    use super::*;
    use axon_proto::UTime;

    fn ask(kept: &Kept, command: &Command, state: &State) -> (bool, CommandOutput) {
        let row = find(command.prefix()).unwrap();
        if let Some(output) = kept.find(row, command, state) {
            return (true, output);
        }
        let done = run(row, command, state, UTime::ZERO);
        kept.keep(row, command, state, &done);
        (false, done.output)
    }

    #[test]
    fn an_answer_is_given_again_until_what_it_was_made_of_changes() {
        let (kept, mut state) = (Kept::default(), State::default());
        let (dump, brief) =
            (Command::json("pg dump"), Command::json("pg dump").arg("dumpcontents", vec!["pgs_brief"]));
        let first = ask(&kept, &dump, &state);
        assert!(!first.0);
        assert_eq!(ask(&kept, &dump, &state), (true, first.1));
        assert!(!ask(&kept, &brief, &state).0, "other arguments");
        assert!(ask(&kept, &brief, &state).0 && ask(&kept, &dump, &state).0, "both are kept");

        // Changed in place, where nobody else holds it.
        Arc::make_mut(&mut state.pg_map).version += 1;
        assert!(!ask(&kept, &dump, &state).0);
        state.pg_ready = !state.pg_ready;
        assert!(!ask(&kept, &dump, &state).0);
        Arc::make_mut(&mut state.options).insert("a".to_owned(), "b".to_owned());
        assert!(!ask(&kept, &dump, &state).0);
        assert!(ask(&kept, &dump, &state).0);
        kept.follow(&state);
        assert_eq!(kept.lock().len(), 1);
        Arc::make_mut(&mut state.osd_map).epoch += 1;
        kept.follow(&state);
        assert!(kept.lock().is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (kept, state) = (Kept::default(), State::default());
        let row = find("pg dump").unwrap();
        let mib = |n: usize| Done::from(CommandOutput::ok(vec![0; n << 20]));
        for n in 0..40 {
            kept.keep(row, &Command::json("pg dump").arg("n", n), &state, &mib(1));
        }
        assert_eq!(kept.lock().len(), ANSWERS_MAX);
        let newest = Command::json("pg dump").arg("n", 39);
        kept.keep(row, &Command::json("pg dump"), &state, &mib(60));
        assert_eq!(kept.lock().len(), 5);
        assert!(kept.find(row, &newest, &state).is_some(), "the newest stay");
        kept.keep(row, &Command::json("pg dump").arg("n", 1), &state, &mib(65));
        assert_eq!(kept.lock().len(), 5, "too large to keep");
    }

    #[test]
    fn nothing_of_what_is_kept_depends_on_the_clock() {
        let state = State::default();
        for row in rows() {
            for format in ["plain", "json", "xml-pretty"] {
                let command = Command::plain(super::super::prefix_of(row.cmdstring)).arg("format", format);
                if !row.may_be_kept(&command) {
                    continue;
                }
                let at = |sec| run(row, &command, &state, UTime { sec, nsec: 5 }).output;
                assert_eq!(at(1), at(1_000_000), "{}", row.cmdstring);
                assert_eq!(row.perm, "r", "{}", row.cmdstring);
            }
        }
    }
}
