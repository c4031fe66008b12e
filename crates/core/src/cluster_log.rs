//! Lines for the cluster log on their way to the monitors (`LogClient` and `LogChannel` in `src/common/LogClient.{h,cc}`).
//!
//! Invariants: a line is kept until a monitor has acknowledged it, and sent once per session with a monitor; what was not
//! acknowledged is sent again with the next one (the monitors know a line by its sender and number). At most [`LINES_MAX`]
//! lines wait: the oldest goes first, and the number of those lost is told in a line of its own.

mod syslog;

use crate::mgr_options::MgrOptions;
use axon_proto::log_entry::{LogEntry, LogPriority};
use axon_proto::{AuthEntity, EntityAddrVec, EntityName, UTime};
use std::collections::VecDeque;

/// Lines that wait for a monitor.
pub const LINES_MAX: usize = 10_000;

/// Who writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    pub name: AuthEntity,
    pub rank: EntityName,
    pub addrs: EntityAddrVec,
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct ClusterLog {
    author: Author,
    lines: VecDeque<LogEntry>,
    last: u64,
    last_sent: u64,
    lost: u64,
    connected: bool,
    sent_at: UTime,
}

impl ClusterLog {
    /// A session with a monitor has begun: what is not acknowledged is sent again.
    pub fn connected(&mut self, author: Author) {
        self.author = author;
        self.connected = true;
        self.sent_at = UTime::ZERO;
        self.last_sent = self.lines.front().map_or(self.last, |line| line.seq - 1);
    }

    /// The session has ended: lines wait.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// Writes a line per line of the text, unless the channel does not go to the monitors.
    pub fn write(
        &mut self,
        channel: &str,
        priority: LogPriority,
        text: &str,
        options: &MgrOptions,
        now: UTime,
    ) {
        if !goes_to_monitors(&options.clog_to_monitors.0, channel) {
            return;
        }
        for line in text.lines().filter(|line| !line.is_empty()) {
            self.push(channel, priority, line.to_owned(), now);
        }
    }

    /// What of a text that was just written goes to the machine's syslog too (`LogEntry::log_to_syslog`): facility with level, and
    /// a line each.
    #[must_use]
    pub fn syslog_lines(
        &self,
        channel: &str,
        priority: LogPriority,
        text: &str,
        options: &MgrOptions,
    ) -> Vec<(u8, String)> {
        let Some(to) = syslog::destination(channel, priority, options) else { return Vec::new() };
        let Author { name, rank, .. } = &self.author;
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| (to, format!("{name} {rank} {} : {line}", self.last))).collect()
    }

    fn push(&mut self, channel: &str, priority: LogPriority, message: String, stamp: UTime) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
            self.lost += 1;
        }
        self.last += 1;
        let Author { name, rank, addrs } = self.author.clone();
        let (seq, channel) = (self.last, channel.to_owned());
        self.lines.push_back(LogEntry { name, rank, addrs, stamp, seq, priority, message, channel });
    }

    /// The lines that are due; none before `mon_client_log_interval` has passed since the last ones.
    pub fn poll_lines(&mut self, options: &MgrOptions, now: UTime) -> VecDeque<LogEntry> {
        if self.wait_secs(options, now) != Some(0.0) {
            return VecDeque::new();
        }
        if self.lost > 0 {
            let text = format!("{} lines of this log were lost while no monitor could be reached", self.lost);
            self.lost = 0;
            self.push(LogEntry::CHANNEL_CLUSTER, LogPriority::WARN, text, now);
        }
        let max = match options.mon_client_max_log_entries_per_message {
            0 => usize::MAX,
            max => max,
        };
        let unsent = self.lines.iter().filter(|line| line.seq > self.last_sent);
        let lines: VecDeque<LogEntry> = unsent.take(max).cloned().collect();
        self.last_sent = lines.back().map_or(self.last_sent, |line| line.seq);
        self.sent_at = now;
        lines
    }

    /// How long until lines are due; `None` while there is nothing to send, or nobody to send it to.
    #[must_use]
    pub fn wait_secs(&self, options: &MgrOptions, now: UTime) -> Option<f64> {
        if !self.connected || self.last_sent >= self.last {
            return None;
        }
        let age = now.as_secs_f64() - self.sent_at.as_secs_f64();
        // A clock that was set back does not hold lines up.
        Some(if age < 0.0 { 0.0 } else { (options.mon_client_log_interval - age).max(0.0) })
    }

    /// The monitors have stored lines up to `last`.
    pub fn acknowledged(&mut self, last: u64) {
        while self.lines.front().is_some_and(|line| line.seq <= last) {
            self.lines.pop_front();
        }
    }
}

/// `clog_to_monitors`.
fn goes_to_monitors(option: &str, channel: &str) -> bool {
    of_channel(option, channel) == Some("true")
}

/// An option by channel: one word for all of them, or `channel=word …` with `default=word` for the others.
pub(crate) fn of_channel<'a>(option: &'a str, channel: &str) -> Option<&'a str> {
    let words = option.split([',', ';', ' ', '\t', '\n']).filter(|word| !word.is_empty());
    let pairs: Vec<(&str, &str)> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
    if let [(word, "")] = pairs[..] {
        return Some(word);
    }
    let of = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    of(channel).or_else(|| of("default"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::typed::Text;

    fn at(sec: u32) -> UTime {
        UTime { sec, nsec: 0 }
    }

    fn connected() -> ClusterLog {
        let mut log = ClusterLog::default();
        log.connected(Author { name: "mgr.x".parse().unwrap(), ..Author::default() });
        log
    }

    fn write(log: &mut ClusterLog, text: &str, sec: u32) {
        log.write("audit", LogPriority::INFO, text, &MgrOptions::default(), at(sec));
    }

    fn poll(log: &mut ClusterLog, sec: u32) -> Vec<u64> {
        log.poll_lines(&MgrOptions::default(), at(sec)).iter().map(|line| line.seq).collect()
    }

    #[test]
    fn lines_go_out_together_once_in_an_interval() {
        let mut log = connected();
        write(&mut log, "a\n\nb", 10);
        assert_eq!(poll(&mut log, 10), [1, 2]);
        write(&mut log, "c", 10);
        assert_eq!(log.wait_secs(&MgrOptions::default(), at(10)), Some(1.0));
        assert_eq!((poll(&mut log, 10), poll(&mut log, 11)), (vec![], vec![3]));
        assert_eq!(log.wait_secs(&MgrOptions::default(), at(12)), None, "all is sent");
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_to_the_next_monitor() {
        let mut log = connected();
        write(&mut log, "a\nb\nc", 10);
        assert_eq!(poll(&mut log, 10), [1, 2, 3]);
        log.acknowledged(1);
        log.disconnected();
        write(&mut log, "d", 20);
        assert_eq!(log.wait_secs(&MgrOptions::default(), at(30)), None, "nobody is there");
        log.connected(Author::default());
        assert_eq!(poll(&mut log, 20), [2, 3, 4]);
        log.acknowledged(4);
        log.connected(Author::default());
        assert_eq!(poll(&mut log, 40), [0; 0]);
    }

    #[test]
    fn a_message_has_so_many_lines_and_no_more() {
        let mut log = connected();
        write(&mut log, "a\nb\nc", 10);
        let few = MgrOptions { mon_client_max_log_entries_per_message: 2, ..Default::default() };
        assert_eq!(log.poll_lines(&few, at(10)).len(), 2);
        assert_eq!(log.poll_lines(&few, at(11)).len(), 1);
    }

    #[test]
    fn lines_that_nobody_takes_are_counted_when_they_are_dropped() {
        let mut log = ClusterLog::default();
        for i in 0..LINES_MAX + 5 {
            write(&mut log, &i.to_string(), 10);
        }
        assert_eq!(log.lines.len(), LINES_MAX);
        log.connected(Author::default());
        let all = MgrOptions { mon_client_max_log_entries_per_message: 0, ..Default::default() };
        let sent = log.poll_lines(&all, at(20));
        let last = sent.back().unwrap();
        assert!(last.message.starts_with("5 lines") && last.priority == LogPriority::WARN, "{last}");
    }

    #[test]
    fn lines_go_to_syslog_where_they_shall() {
        let mut log = connected();
        write(&mut log, "a\nb", 10);
        let of = |to: &str, level: &str, priority: LogPriority| {
            let options = MgrOptions {
                clog_to_syslog: Text(to.into()),
                clog_to_syslog_level: Text(level.into()),
                ..Default::default()
            };
            log.syslog_lines("audit", priority, "a\nb", &options)
        };
        assert!(of("false", "info", LogPriority::ERROR).is_empty());
        assert!(of("cluster=true", "info", LogPriority::ERROR).is_empty());
        assert!(of("true", "info", LogPriority::DEBUG).is_empty());
        let lines = of("true", "info", LogPriority::WARN);
        // local0, LOG_WARNING.
        let name = format!("mgr.x {} 2 : a", EntityName::default());
        assert_eq!((lines.len(), &lines[0]), (2, &(16 << 3 | 4, name)));
        assert_eq!(of("audit=true", "debug", LogPriority::DEBUG)[0].0, 16 << 3 | 7);
    }

    #[test]
    fn a_channel_can_be_kept_from_the_monitors() {
        let mut log = connected();
        let options =
            MgrOptions { clog_to_monitors: Text("default=true audit=false".into()), ..Default::default() };
        log.write("audit", LogPriority::INFO, "a", &options, at(1));
        assert_eq!(log.wait_secs(&options, at(9)), None);
        for (option, cluster, audit) in [
            ("true", true, true),
            ("false", false, false),
            ("default=true", true, true),
            ("default=false,audit=true", false, true),
            ("audit=true", false, true),
        ] {
            let goes = (goes_to_monitors(option, "cluster"), goes_to_monitors(option, "audit"));
            assert_eq!(goes, (cluster, audit), "{option}");
        }
    }
}
