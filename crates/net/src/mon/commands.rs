//! Commands that wait for a daemon's answer, by transaction id: the table behind `MonClient::mon_commands`,
//! `Objecter::OSDSession::command_ops` and `CommandTable`.
//!
//! Invariants:
//! - a command is sent at most once per session;
//! - on a later session only what may run twice is sent again; the rest ends as [`Ended::Unknown`];
//! - every entry leaves by exactly one of: answer, cancellation, deadline, end of the session.
//!
//! Not here: which command may run twice (`repeat`).

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub json: String,
    pub input: Bytes,
    /// Whether running it twice does no harm.
    pub repeatable: bool,
    pub deadline: Instant,
}

/// How a command ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its deadline passed; whether it was sent.
    Deadline { sent: bool },
    /// The session ended after it was sent, and running it twice could do harm.
    Unknown,
}

#[derive(Debug)]
struct Waiting<W> {
    request: Request,
    /// It may have reached a daemon.
    sent: bool,
    waiter: W,
}

/// What is to be sent now.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsent<'a, W> {
    pub tid: u64,
    pub request: &'a Request,
    pub waiter: &'a W,
    /// An earlier session has been sent it.
    pub again: bool,
}

/// The table; `W` is whatever the caller wakes.
#[derive(Debug)]
pub struct CommandTable<W> {
    last_tid: u64,
    waiting: BTreeMap<u64, Waiting<W>>,
    /// Those that the session in use has not been sent.
    unsent: BTreeSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl<W> Default for CommandTable<W> {
    fn default() -> Self {
        CommandTable {
            last_tid: 0,
            waiting: BTreeMap::new(),
            unsent: BTreeSet::new(),
            deadlines: BTreeSet::new(),
        }
    }
}

impl<W> CommandTable<W> {
    /// Number of commands without an answer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the session in use has something to be sent.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether an answer is awaited on the session in use.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        self.unsent.len() < self.waiting.len()
    }

    /// A new command; it gets the next transaction id.
    pub fn insert(&mut self, request: Request, waiter: W) -> u64 {
        self.last_tid += 1;
        let tid = self.last_tid;
        self.unsent.insert(tid);
        self.deadlines.insert((request.deadline, tid));
        self.waiting.insert(tid, Waiting { request, sent: false, waiter });
        tid
    }

    /// The oldest that the session in use has not been sent and that is still `wanted`; from here on it counts as sent.
    pub fn next_unsent(&mut self, wanted: impl Fn(&W) -> bool) -> Option<Unsent<'_, W>> {
        let tid = loop {
            let tid = self.unsent.pop_first()?;
            if self.waiting.get(&tid).is_some_and(|w| wanted(&w.waiter)) {
                break tid;
            }
            self.remove(tid);
        };
        let w = self.waiting.get_mut(&tid)?;
        let again = std::mem::replace(&mut w.sent, true);
        Some(Unsent { tid, request: &w.request, waiter: &w.waiter, again })
    }

    /// Everybody whose command the session in use has not been sent.
    pub fn each_unsent(&self, mut each: impl FnMut(&W)) {
        self.unsent.iter().filter_map(|tid| self.waiting.get(tid)).for_each(|w| each(&w.waiter));
    }

    /// The daemon asks to send `tid` again (`EAGAIN`): it did not run.
    pub fn unsend(&mut self, tid: u64) {
        if let Some(w) = self.waiting.get_mut(&tid) {
            w.sent = false;
            self.unsent.insert(tid);
        }
    }

    /// The answer to `tid` came: who waits for it. `None` when nobody does any more.
    pub fn answer(&mut self, tid: u64) -> Option<W> {
        self.remove(tid).map(|w| w.waiter)
    }

    /// The session ended: those that were sent and may not run twice leave the table; the others are for the next session.
    pub fn session_ended(&mut self) -> Vec<W> {
        let lost = self.take_if(|w| w.sent && !w.request.repeatable).into_iter().map(|(w, _)| w).collect();
        self.unsent.extend(self.waiting.keys().copied());
        lost
    }

    /// Those whose deadline passed leave the table.
    pub fn expire(&mut self, now: Instant) -> Vec<(W, Ended)> {
        let mut late = Vec::new();
        while let Some((deadline, tid)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(deadline, tid));
            late.extend(self.remove(tid).map(|w| (w.waiter, Ended::Deadline { sent: w.sent })));
        }
        late
    }

    /// When the next deadline passes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Those that nobody waits for any more leave the table.
    pub fn retain(&mut self, mut wanted: impl FnMut(&W) -> bool) {
        self.take_if(|w| !wanted(&w.waiter));
    }

    /// All of them leave the table, with whether each was sent.
    pub fn drain(&mut self) -> Vec<(W, bool)> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, mut test: impl FnMut(&Waiting<W>) -> bool) -> Vec<(W, bool)> {
        let tids: Vec<u64> = self.waiting.iter().filter(|(_, w)| test(w)).map(|(tid, _)| *tid).collect();
        let taken = tids.into_iter().filter_map(|tid| self.remove(tid));
        taken.map(|w| (w.waiter, w.sent)).collect()
    }

    fn remove(&mut self, tid: u64) -> Option<Waiting<W>> {
        let w = self.waiting.remove(&tid)?;
        self.unsent.remove(&tid);
        self.deadlines.remove(&(w.request.deadline, tid));
        Some(w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn request(now: Instant, repeatable: bool, secs: u64) -> Request {
        Request {
            json: "{}".to_owned(),
            input: Bytes::new(),
            repeatable,
            deadline: now + Duration::from_secs(secs),
        }
    }

    /// Sends what the session has not been sent.
    fn tids(table: &mut CommandTable<char>) -> Vec<u64> {
        std::iter::from_fn(|| table.next_unsent(|_| true).map(|unsent| unsent.tid)).collect()
    }

    #[test]
    fn a_command_is_sent_once_per_session_and_again_on_the_next() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        let a = table.insert(request(now, true, 9), 'a');
        assert_eq!(tids(&mut table), [a]);
        let b = table.insert(request(now, true, 9), 'b');
        assert_eq!(tids(&mut table), [b], "only the new one");
        assert_eq!(table.answer(a), Some('a'));
        assert!(table.is_awaiting() && table.session_ended().is_empty() && !table.is_awaiting());
        assert_eq!(tids(&mut table), [b]);
        assert_eq!(table.answer(a), None, "a late second answer finds nobody");
    }

    #[test]
    fn what_must_not_run_twice_ends_with_the_session_unless_it_was_never_sent() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        table.insert(request(now, false, 9), 'a');
        tids(&mut table);
        let b = table.insert(request(now, false, 9), 'b');
        assert_eq!(table.session_ended(), ['a']);
        assert_eq!(tids(&mut table), [b]);
    }

    #[test]
    fn the_deadline_says_whether_it_was_sent() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        table.insert(request(now, true, 1), 'a');
        tids(&mut table);
        table.insert(request(now, true, 2), 'b');
        table.insert(request(now, true, 3), 'c');
        assert_eq!(table.next_deadline(), Some(now + Duration::from_secs(1)));
        let late = table.expire(now + Duration::from_secs(2));
        assert_eq!(late, [('a', Ended::Deadline { sent: true }), ('b', Ended::Deadline { sent: false })]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_caller_that_left_frees_its_entry() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        let a = table.insert(request(now, true, 1), 'a');
        table.retain(|w| *w != 'a');
        assert!(table.is_empty() && !table.has_unsent() && table.next_deadline().is_none());
        assert_eq!(table.answer(a), None);
        table.insert(request(now, true, 1), 'b');
        assert_eq!(table.next_unsent(|_| false), None, "it is not sent either");
        assert!(table.is_empty() && table.deadlines.is_empty() && table.unsent.is_empty());
    }
}
