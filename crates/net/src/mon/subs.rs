//! What the monitors are asked to push, and from which version on: `MonSub` (`src/mon/MonSub.{h,cc}`).
//!
//! Invariants:
//! - a subscription is in exactly one of two sets: asked for on this session, or still to be asked;
//! - what arrived moves the start forward, so a new session never asks again for what is already here;
//! - a one-time subscription is gone once it was answered.
//!
//! Not here: renewal by time. Every release that we talk to keeps subscriptions as session state
//! (`MON_STATEFUL_SUB`, Jewel), so they are sent once per session and when they change.

use std::collections::BTreeMap;

/// From which version on, and whether once (`ceph_mon_subscribe_item`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sub {
    pub start: u64,
    pub once: bool,
}

/// The subscriptions of a client.
#[derive(Clone, Debug, Default)]
pub struct Subs {
    new: BTreeMap<String, Sub>,
    sent: BTreeMap<String, Sub>,
}

impl Subs {
    /// Wants `what` from version `start` on. True when the monitors have to be told.
    pub fn want(&mut self, what: &str, start: u64, once: bool) -> bool {
        let sub = Sub { start, once };
        if self.new.get(what) == Some(&sub)
            || (!self.new.contains_key(what) && self.sent.get(what) == Some(&sub))
        {
            return false;
        }
        self.sent.remove(what);
        self.new.insert(what.to_owned(), sub);
        true
    }

    /// Wants `what` from `start` on unless a subscription from there or later exists (`inc_want`).
    pub fn want_at_least(&mut self, what: &str, start: u64, once: bool) -> bool {
        let known = self.new.get(what).or_else(|| self.sent.get(what));
        if known.is_some_and(|sub| sub.start >= start) {
            return false;
        }
        self.want(what, start, once)
    }

    /// Wants `what` from its beginning on, unless it is pushed already. True when the monitors have to be told.
    pub fn follow(&mut self, what: &str) -> bool {
        let known = self.new.get(what).or_else(|| self.sent.get(what));
        if known.is_some_and(|sub| !sub.once) {
            return false;
        }
        self.want(what, 0, false)
    }

    /// No longer wants `what`. The monitors learn of it with the next session, as upstream.
    pub fn unwant(&mut self, what: &str) {
        self.new.remove(what);
        self.sent.remove(what);
    }

    /// Version `have` of `what` arrived.
    pub fn got(&mut self, what: &str, have: u64) {
        let set = if self.new.contains_key(what) { &mut self.new } else { &mut self.sent };
        let Some(sub) = set.get_mut(what) else { return };
        if sub.start > have {
            return;
        }
        if sub.once {
            set.remove(what);
        } else {
            sub.start = have + 1;
        }
    }

    /// A new session knows nothing: everything is to be asked again.
    pub fn reload(&mut self) {
        for (what, sub) in std::mem::take(&mut self.sent) {
            self.new.entry(what).or_insert(sub);
        }
    }

    /// What to ask now, if anything; from here on it counts as asked.
    pub fn take_new(&mut self) -> Option<BTreeMap<String, Sub>> {
        if self.new.is_empty() {
            return None;
        }
        let ask = std::mem::take(&mut self.new);
        self.sent.extend(ask.iter().map(|(what, sub)| (what.clone(), *sub)));
        Some(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: Option<BTreeMap<String, Sub>>) -> Vec<(String, u64)> {
        asked.unwrap_or_default().into_iter().map(|(what, sub)| (what, sub.start)).collect()
    }

    #[test]
    fn a_new_session_asks_from_where_the_last_one_ended() {
        let mut subs = Subs::default();
        assert!(subs.want("osdmap", 5, false));
        assert!(!subs.want("osdmap", 5, false), "asking twice for the same is no change");
        assert_eq!(names(subs.take_new()), [("osdmap".to_owned(), 5)]);
        assert!(subs.take_new().is_none());
        subs.got("osdmap", 9);
        subs.reload();
        assert_eq!(names(subs.take_new()), [("osdmap".to_owned(), 10)]);
    }

    #[test]
    fn what_is_older_than_asked_changes_nothing() {
        let mut subs = Subs::default();
        subs.want("osdmap", 5, false);
        subs.got("osdmap", 3);
        assert_eq!(names(subs.take_new()), [("osdmap".to_owned(), 5)]);
    }

    #[test]
    fn a_one_time_subscription_ends_with_its_answer() {
        let mut subs = Subs::default();
        subs.want("osdmap", 3, true);
        subs.take_new();
        subs.got("osdmap", 2);
        subs.reload();
        assert_eq!(names(subs.take_new()), [("osdmap".to_owned(), 3)], "version 2 was no answer");
        subs.got("osdmap", 3);
        subs.reload();
        assert!(subs.take_new().is_none());
    }

    #[test]
    fn following_what_is_pushed_anyway_changes_nothing() {
        let mut subs = Subs::default();
        subs.want("fsmap", 4, false);
        subs.take_new();
        assert!(!subs.follow("fsmap"));
        subs.want("osdmap", 3, true);
        assert!(subs.follow("osdmap"), "one answer is not enough");
    }

    #[test]
    fn at_least_moves_forward_only() {
        let mut subs = Subs::default();
        assert!(subs.want_at_least("mgrmap", 4, false));
        assert!(!subs.want_at_least("mgrmap", 2, false));
        subs.take_new();
        assert!(!subs.want_at_least("mgrmap", 4, false));
        assert!(subs.want_at_least("mgrmap", 6, false));
    }

    #[test]
    fn unwanted_is_not_asked_on_the_next_session() {
        let mut subs = Subs::default();
        subs.want("mgrdigest", 0, false);
        subs.take_new();
        subs.unwant("mgrdigest");
        subs.reload();
        assert!(subs.take_new().is_none());
    }
}
