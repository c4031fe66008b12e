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
use std::collections::BTreeMap;
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
    /// The session that it was sent on last.
    sent_on: Option<u64>,
    waiter: W,
}

/// The table; `W` is whatever the caller wakes.
#[derive(Debug)]
pub struct CommandTable<W> {
    last_tid: u64,
    waiting: BTreeMap<u64, Waiting<W>>,
}

impl<W> Default for CommandTable<W> {
    fn default() -> Self {
        CommandTable { last_tid: 0, waiting: BTreeMap::new() }
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

    /// A new command; it gets the next transaction id.
    pub fn insert(&mut self, request: Request, waiter: W) -> u64 {
        self.last_tid += 1;
        self.waiting.insert(self.last_tid, Waiting { request, sent_on: None, waiter });
        self.last_tid
    }

    /// What `session` has not been sent yet, oldest first; from here on it counts as sent on it.
    pub fn take_unsent(&mut self, session: u64) -> Vec<(u64, Request)> {
        let unsent = self.waiting.iter_mut().filter(|(_, w)| w.sent_on != Some(session));
        unsent
            .map(|(tid, w)| {
                w.sent_on = Some(session);
                (*tid, w.request.clone())
            })
            .collect()
    }

    /// The daemon asks to send `tid` again (`EAGAIN`): it did not run.
    pub fn unsend(&mut self, tid: u64) {
        if let Some(w) = self.waiting.get_mut(&tid) {
            w.sent_on = None;
        }
    }

    /// The answer to `tid` came: who waits for it. `None` when nobody does any more.
    pub fn answer(&mut self, tid: u64) -> Option<W> {
        self.waiting.remove(&tid).map(|w| w.waiter)
    }

    /// The session ended: those that were sent and may not run twice leave the table.
    pub fn session_ended(&mut self) -> Vec<W> {
        self.take_if(|w| w.sent_on.is_some() && !w.request.repeatable).into_iter().map(|(w, _)| w).collect()
    }

    /// Those whose deadline passed leave the table.
    pub fn expire(&mut self, now: Instant) -> Vec<(W, Ended)> {
        let late = self.take_if(|w| w.request.deadline <= now);
        late.into_iter().map(|(w, sent)| (w, Ended::Deadline { sent })).collect()
    }

    /// When the next deadline passes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|w| w.request.deadline).min()
    }

    /// Those that nobody waits for any more leave the table.
    pub fn retain(&mut self, mut wanted: impl FnMut(&W) -> bool) {
        self.waiting.retain(|_, w| wanted(&w.waiter));
    }

    /// All of them leave the table, with whether each was sent.
    pub fn drain(&mut self) -> Vec<(W, bool)> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, mut test: impl FnMut(&Waiting<W>) -> bool) -> Vec<(W, bool)> {
        let tids: Vec<u64> = self.waiting.iter().filter(|(_, w)| test(w)).map(|(tid, _)| *tid).collect();
        let taken = tids.iter().filter_map(|tid| self.waiting.remove(tid));
        taken.map(|w| (w.waiter, w.sent_on.is_some())).collect()
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

    fn tids(unsent: &[(u64, Request)]) -> Vec<u64> {
        unsent.iter().map(|(tid, _)| *tid).collect()
    }

    #[test]
    fn a_command_is_sent_once_per_session_and_again_on_the_next() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        let a = table.insert(request(now, true, 9), 'a');
        assert_eq!(tids(&table.take_unsent(1)), [a]);
        let b = table.insert(request(now, true, 9), 'b');
        assert_eq!(tids(&table.take_unsent(1)), [b], "only the new one");
        assert_eq!(table.answer(a), Some('a'));
        assert!(table.session_ended().is_empty());
        assert_eq!(tids(&table.take_unsent(2)), [b]);
        assert_eq!(table.answer(a), None, "a late second answer finds nobody");
    }

    #[test]
    fn what_must_not_run_twice_ends_with_the_session_unless_it_was_never_sent() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        table.insert(request(now, false, 9), 'a');
        table.take_unsent(1);
        let b = table.insert(request(now, false, 9), 'b');
        assert_eq!(table.session_ended(), ['a']);
        assert_eq!(tids(&table.take_unsent(2)), [b]);
    }

    #[test]
    fn the_deadline_says_whether_it_was_sent() {
        let now = Instant::now();
        let mut table = CommandTable::default();
        table.insert(request(now, true, 1), 'a');
        table.take_unsent(1);
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
        assert!(table.is_empty());
        assert_eq!(table.answer(a), None);
    }
}
