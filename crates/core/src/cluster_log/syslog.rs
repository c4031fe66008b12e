//! Levels and facilities of syslog by their names (`src/common/LogEntry.cc`), and which of them a line of the cluster log gets.

use super::of_channel;
use crate::mgr_options::MgrOptions;
use axon_proto::log_entry::LogPriority;

/// `LOG_KERN`, …, in the order of their numbers.
const FACILITIES: [&str; 12] =
    ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
const USER: u8 = 1;
const LOCAL0: u8 = 16;

/// Facility and level as `syslog(3)` has them in one number; `None` where the line does not go there.
pub fn destination(channel: &str, priority: LogPriority, options: &MgrOptions) -> Option<u8> {
    if of_channel(&options.clog_to_syslog.0, channel) != Some("true") {
        return None;
    }
    let level = match priority {
        LogPriority::DEBUG => 7,
        LogPriority::WARN => 4,
        LogPriority::ERROR => 3,
        LogPriority::SEC => 2,
        _ => 6,
    };
    let least = of_channel(&options.clog_to_syslog_level.0, channel).map_or(7, level_of);
    (level <= least).then(|| {
        let facility = of_channel(&options.clog_to_syslog_facility.0, channel).map_or(USER, facility_of);
        facility << 3 | level
    })
}

/// An unknown word is the noisiest level.
fn level_of(word: &str) -> u8 {
    match word.to_lowercase().as_str() {
        "info" | "notice" => 6,
        "warning" | "warn" => 4,
        "error" | "err" => 3,
        "crit" | "critical" | "emerg" => 2,
        _ => 7,
    }
}

fn facility_of(word: &str) -> u8 {
    let word = word.to_lowercase();
    let local = word.strip_prefix("local").and_then(|n| n.parse::<u8>().ok()).filter(|n| *n < 8);
    let known = FACILITIES.iter().position(|name| *name == word).and_then(|n| u8::try_from(n).ok());
    local.map(|n| LOCAL0 + n).or(known).unwrap_or(USER)
}
