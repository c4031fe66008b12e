//! An event under way, and what stays of it.

use crate::operation::unique_id;
use axon_proto::UTime;
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use axon_proto::pg::Pg;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What an event follows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    /// `GlobalRecoveryEvent`: all PGs; how many were active and clean when it began.
    Global { active_clean: usize },
    /// `PgRecoveryEvent`: the PGs that move for an OSD.
    Pgs {
        osd: i32,
        /// Those that are not there yet.
        left: BTreeSet<Pg>,
        count: usize,
        /// Bytes recovered before it began, by PG.
        recovered: BTreeMap<Pg, i64>,
    },
    /// `RemoteEvent`: what another module does.
    Others,
}

/// `Event`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub id: String,
    pub message: String,
    pub refs: Value,
    pub add_to_ceph_s: bool,
    /// Seconds since the epoch.
    pub started_at: f64,
    pub start_epoch: u32,
    pub progress: f64,
    pub subject: Subject,
    /// What `ceph -s` is told, as of its last update.
    pub shown: ProgressEvent,
}

impl Event {
    pub fn new(made: u64, subject: Subject, start_epoch: u32, marked: &str, now: UTime) -> Self {
        let (message, refs, add_to_ceph_s) = match &subject {
            Subject::Global { .. } => ("Global Recovery Event".to_owned(), json!([["global", ""]]), true),
            Subject::Pgs { osd, .. } => {
                (format!("Rebalancing after osd.{osd} marked {marked}"), json!([["osd", osd]]), false)
            }
            Subject::Others => (String::new(), json!([]), false),
        };
        let mut event = Event {
            id: unique_id(made, &message, now),
            message,
            refs,
            add_to_ceph_s,
            started_at: now.as_secs_f64(),
            start_epoch,
            progress: 0.0,
            subject,
            shown: ProgressEvent::default(),
        };
        event.refresh(now);
        event
    }

    /// Another module's, of that id; its message and progress are told.
    pub fn of_another(id: String, refs: Value, add_to_ceph_s: bool, now: UTime) -> Self {
        Event { id, refs, add_to_ceph_s, ..Event::new(0, Subject::Others, 0, "", now) }
    }

    /// Brings what `ceph -s` shows up to date.
    pub fn refresh(&mut self, now: UTime) {
        self.shown = ProgressEvent {
            message: self.two_lines(6, now),
            progress: self.progress as f32,
            add_to_ceph_s: self.add_to_ceph_s,
        };
    }

    pub fn two_lines(&self, indent: usize, now: UTime) -> String {
        let left = self.secs_left(now).filter(|left| *left != 0);
        let remaining = left.map(|left| format!("(remaining: {})", timedelta(left as f64)));
        lines(&self.message, now.as_secs_f64() - self.started_at, self.progress, indent, remaining)
    }

    /// `estimated_time_remaining`.
    fn secs_left(&self, now: UTime) -> Option<i64> {
        let elapsed = now.as_secs_f64() - self.started_at;
        (self.progress != 0.0).then(|| (elapsed * (1.0 - self.progress) / self.progress) as i64)
    }

    pub fn json(&self, now: UTime) -> Value {
        json!({
            "id": self.id,
            "message": self.message,
            "duration": duration(now.as_secs_f64() - self.started_at),
            "refs": self.refs,
            "progress": self.progress,
            "started_at": self.started_at,
            "time_remaining": self.secs_left(now),
        })
    }

    pub fn ended(self, now: UTime) -> Ghost {
        Ghost {
            id: self.id,
            message: self.message,
            refs: self.refs,
            add_to_ceph_s: self.add_to_ceph_s,
            started_at: self.started_at,
            finished_at: now.as_secs_f64(),
            failure: None,
        }
    }
}

/// `GhostEvent`: an event that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ghost {
    pub id: String,
    pub message: String,
    pub refs: Value,
    pub add_to_ceph_s: bool,
    pub started_at: f64,
    pub finished_at: f64,
    /// Why it failed.
    pub failure: Option<Value>,
}

impl Ghost {
    pub fn two_lines(&self, now: UTime) -> String {
        let how = if self.failure.is_some() { "Failed" } else { "Complete" };
        let lines = lines(&self.message, now.as_secs_f64() - self.started_at, 1.0, 4, None);
        format!("[{how}]: {lines}")
    }

    /// Upstream's key of `add_to_ceph_s` ends with a colon.
    pub fn json(&self) -> Value {
        let mut out = json!({
            "id": self.id,
            "message": self.message,
            "refs": self.refs,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "add_to_ceph_s:": self.add_to_ceph_s,
        });
        if let (Some(why), Some(out)) = (&self.failure, out.as_object_mut()) {
            out.insert("failed".to_owned(), true.into());
            out.insert("failure_message".to_owned(), why.clone());
        }
        out
    }
}

fn duration(secs: f64) -> String {
    format!("({})", timedelta(secs))
}

/// Message and duration, and below them a bar of 28 places.
fn lines(message: &str, secs: f64, progress: f64, indent: usize, remaining: Option<String>) -> String {
    const PLACES: usize = 28;
    let done = ((progress * PLACES as f64) as usize).min(PLACES);
    let bar = "=".repeat(done) + &".".repeat(PLACES - done);
    let remaining = remaining.unwrap_or_default();
    format!("{message} {}\n{:indent$}[{bar}] {remaining}", duration(secs), "")
}

/// `mgr_util.to_pretty_timedelta`.
fn timedelta(secs: f64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let whole = secs as i64;
    let below = |limit: i64| secs < limit as f64;
    let (unit, letter) = match () {
        () if below(2 * MINUTE) => (1, 's'),
        () if below(2 * HOUR) => (MINUTE, 'm'),
        () if below(2 * DAY) => (HOUR, 'h'),
        () if below(14 * DAY) => (DAY, 'd'),
        () if below(84 * DAY) => (7 * DAY, 'w'),
        () if below(730 * DAY) => (30 * DAY, 'M'),
        () => (365 * DAY, 'y'),
    };
    // Rounded down as Python's `//` does.
    let count = if unit == 1 { whole } else { whole.div_euclid(unit) };
    format!("{count}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let secs = [0.9, 119.9, 120.0, 7200.0, 200_000.0, 1_300_000.0, 8_000_000.0, 70_000_000.0];
        assert_eq!(secs.map(timedelta), ["0s", "119s", "2m", "2h", "2d", "2w", "3M", "2y"]);
    }

    #[test]
    fn an_event_is_told_in_two_lines() {
        let subject = Subject::Global { active_clean: 0 };
        let mut event = Event::new(0, subject, 1, "", UTime { sec: 100, nsec: 0 });
        event.progress = 0.5;
        assert_eq!(
            event.two_lines(4, UTime { sec: 130, nsec: 0 }),
            "Global Recovery Event (30s)\n    [==============..............] (remaining: 30s)"
        );
        assert_eq!(
            event.ended(UTime { sec: 130, nsec: 0 }).two_lines(UTime { sec: 400, nsec: 0 }),
            "[Complete]: Global Recovery Event (5m)\n    [============================] "
        );
    }
}
