//! The newest lines, for `log dump` (`Log::dump_recent`, `src/log/Log.cc`).
//!
//! Invariant: at most `log_max_recent` lines, and [`BYTES_MAX`].

use super::{levels, line::Line};
use axon_core::config::Settings;
use std::collections::VecDeque;
use std::fmt::Write;
use tracing::Metadata;
use tracing_subscriber::filter::Targets;

/// Upstream's lines are bounded by their number only.
const BYTES_MAX: usize = 512 * 1024;
const LINES_MAX: usize = 10_000;

/// What is kept.
#[derive(Debug)]
pub struct Recent {
    lines: VecDeque<String>,
    bytes: usize,
    lines_max: usize,
    /// What goes to the outputs too; all of it where nothing is said.
    said: Option<Targets>,
    levels: Vec<String>,
    log_file: String,
}

impl Recent {
    pub fn new(settings: &Settings) -> Recent {
        let mut recent = Recent {
            lines: VecDeque::new(),
            bytes: 0,
            lines_max: LINES_MAX,
            said: None,
            levels: Vec::new(),
            log_file: String::new(),
        };
        recent.configure(settings, None);
        recent
    }

    /// The options have changed.
    pub fn configure(&mut self, settings: &Settings, said: Option<Targets>) {
        let max = settings.value("log_max_recent").and_then(|text| text.trim().parse().ok());
        self.lines_max = max.unwrap_or(LINES_MAX).max(1);
        self.said = said;
        self.levels = levels::told(settings);
        self.log_file = settings.value("log_file").unwrap_or_default();
        self.shrink();
    }

    /// Keeps a line; whether it is said, too.
    pub fn keep(&mut self, line: &Line, meta: &Metadata<'_>) -> bool {
        self.add(line.text.clone());
        self.said.as_ref().is_none_or(|said| said.would_enable(meta.target(), meta.level()))
    }

    fn add(&mut self, text: String) {
        self.bytes += text.len();
        self.lines.push_back(text);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.lines.len() > self.lines_max || self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }

    /// What `log dump` writes, in upstream's frame: numbered up to 0, which is the newest.
    pub fn take(&mut self) -> String {
        let mut text = "--- begin dump of recent events ---\n".to_owned();
        let lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        for (left, line) in (0..lines.len()).rev().zip(&lines) {
            // Writing to a String cannot fail.
            let _ = match left {
                0 => write!(text, "{:6}> {line}", 0),
                _ => write!(text, "{:>6}> {line}", format!("-{left}")),
            };
        }
        text += "--- logging levels ---\n";
        for level in &self.levels {
            text += &format!("{level}\n");
        }
        text += &format!("  max_recent {:9}\n  log_file {}\n", self.lines_max, self.log_file);
        text += "--- end dump of recent events ---\n";
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::config::{Level, Variables};

    #[test]
    fn the_newest_lines_are_kept_and_told_once() {
        let mut settings = Settings::new(Variables::default());
        settings.set(Level::File, "log_max_recent", "3");
        let mut recent = Recent::new(&settings);
        (1..=5).for_each(|n| recent.add(format!("line {n}\n")));
        let text = recent.take();
        let events: Vec<&str> = text.lines().take(5).collect();
        let expected = ["    -2> line 3", "    -1> line 4", "     0> line 5", "--- logging levels ---"];
        assert_eq!(events, [&["--- begin dump of recent events ---"][..], &expected].concat());
        assert!(text.contains("\n   2/ 2 mgr\n") && text.contains("  max_recent         3\n"), "{text}");
        assert!(!recent.take().contains("> line"), "they are told once");
    }

    #[test]
    fn long_lines_are_bounded_by_bytes() {
        let mut recent = Recent::new(&Settings::new(Variables::default()));
        (0..100).for_each(|_| recent.add("x".repeat(BYTES_MAX / 10)));
        assert_eq!((recent.lines.len(), recent.bytes), (10, recent.lines.iter().map(String::len).sum()));
    }
}
