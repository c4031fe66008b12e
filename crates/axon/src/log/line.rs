//! One event as a line of the log: upstream's form, `<time> <thread> <priority> <text>`, with the crate that speaks and the event's fields
//! in the text. Times are UTC.

use super::levels;
use axon_proto::UTime;
use std::fmt::{self, Write};
use std::time::SystemTime;
use tracing::Event;
use tracing::field::{Field, Visit};

/// A line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub priority: i32,
    pub subsystem: &'static str,
    /// The kernel's number of the thread.
    pub thread: u64,
    pub stamp_nanos: u128,
    pub message: String,
    /// The whole line with its end.
    pub text: String,
}

impl Line {
    pub fn of(event: &Event<'_>, now: SystemTime) -> Line {
        let meta = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = format!("{}: {}{}", meta.target(), fields.message, fields.others);
        Line::new(levels::priority(*meta.level()), levels::subsystem(meta.target()), message, now)
    }

    pub fn new(priority: i32, subsystem: &'static str, message: String, now: SystemTime) -> Line {
        let thread = nix::unistd::gettid().as_raw().unsigned_abs().into();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let stamp = UTime::from(now).to_string();
        // Milliseconds, as upstream's coarse stamps.
        let (until_millis, zone) = (stamp.get(..23).unwrap_or(&stamp), stamp.get(26..).unwrap_or_default());
        let text = format!("{until_millis}{zone} {thread:x} {priority:2} {message}\n");
        Line { priority, subsystem, thread, stamp_nanos: since.as_nanos(), message, text }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => self.message.write_fmt(value),
            name => write!(self.others, " {name}={value}"),
        };
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add(field, format_args!("{value}")),
            _ => self.add(field, format_args!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_looks_like_upstreams() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_793_000_000_123);
        let line = Line::new(-1, "mgr", "axon_mgr::run: it fails why=\"so\"".to_owned(), at);
        let thread = format!("{:x}", nix::unistd::gettid().as_raw());
        let expected =
            format!("2026-10-26T07:33:20.123+0000 {thread} -1 axon_mgr::run: it fails why=\"so\"\n");
        assert_eq!(line.text, expected);
    }
}
