//! `crash` (`pybind/mgr/crash/module.py`, 16.2 to 20.2): reports of crashed daemons that `ceph-crash` posts, kept in the
//! monitors' store under `mgr/crash/crash/<id>` as the JSON that upstream writes; RECENT_CRASH and, since 18.2,
//! RECENT_MGR_MODULE_CRASH.
//!
//! Invariant: the store's mirror is the only memory, so that either manager reads what the other wrote.

mod commands;
mod health;
mod post;

use crate::options::{runtime, secs};
use crate::{Action, Memory, Module, Tick, Work};
use axon_core::State;
use axon_proto::UTime;
use axon_proto::mgr_map::OptionType;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub const MODULE: Module = Module {
    name: "crash",
    options: |_| {
        vec![
            runtime(
                "warn_recent_interval",
                OptionType::SECS,
                "1209600",
                "time interval in which to warn about recent crashes",
            ),
            runtime(
                "retain_interval",
                OptionType::SECS,
                "31536000",
                "how long to retain crashes before pruning them",
            ),
        ]
    },
    commands: commands::ROWS,
    tick: Some(Tick {
        period_secs: |state| (warn_recent_secs(state) / 100).clamp(60, 600),
        watches: &[],
        run: tick,
    }),
};

const DAY_SECS: u64 = 86_400;

fn warn_recent_secs(state: &State) -> u64 {
    secs(state, "crash", "warn_recent_interval", 14 * DAY_SECS)
}

fn tick(state: &State, now: UTime, _: &mut Memory) -> Work {
    let crashes = crashes(state);
    let retain_secs = secs(state, "crash", "retain_interval", 365 * DAY_SECS);
    let (pruned, kept): (Vec<_>, Vec<_>) = crashes
        .into_iter()
        .partition(|(_, crash)| age_secs(crash, now).is_some_and(|age| age >= retain_secs as f64));
    let recent = kept.iter().map(|(_, crash)| crash).filter(|crash| is_recent(crash, state, now));
    let health = health::checks(recent, state.release);
    let actions = pruned.into_iter().map(|(id, _)| removal(&id)).collect();
    Work { health, actions, ..Work::default() }
}

fn is_recent(crash: &Crash, state: &State, now: UTime) -> bool {
    let young = age_secs(crash, now).is_some_and(|age| age < warn_recent_secs(state) as f64);
    young && !crash.contains_key("archived")
}

/// A report as it was posted.
type Crash = Map<String, Value>;

/// All reports by id; what is not a report is left out.
fn crashes(state: &State) -> BTreeMap<String, Crash> {
    const PREFIX: &str = "mgr/crash/crash/";
    let stored = state.kv.under(PREFIX);
    stored
        .filter_map(|(key, value)| {
            let id = key.strip_prefix(PREFIX)?;
            Some((id.to_owned(), serde_json::from_slice(value).ok()?))
        })
        .collect()
}

fn text<'a>(crash: &'a Crash, key: &str, default: &'a str) -> &'a str {
    crash.get(key).and_then(Value::as_str).unwrap_or(default)
}

/// How long ago; `None` for a time that cannot be read.
fn age_secs(crash: &Crash, now: UTime) -> Option<f64> {
    Some(now.as_secs_f64() - time(text(crash, "timestamp", ""))?)
}

/// Seconds since the epoch of `2018-06-22T20:35:38.058818Z`, also with a blank for the `T`.
fn time(text: &str) -> Option<f64> {
    let text = text.trim_end_matches('Z');
    let (date, clock) = text.split_once('T').or_else(|| text.split_once(' '))?;
    let number = |text: &str, digits_max: usize| {
        let fits = (1..=digits_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let (second, micros) = clock.next()?.split_once('.')?;
    let (second, fraction) = (number(second, 2)?, number(micros, 6)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days_max = *month_days.get(usize::try_from(month - 1).ok()?)?;
    if year < 1 || !(1..=days_max).contains(&day) || hour > 23 || minute > 59 || second > 61 {
        return None;
    }
    // Days since the epoch by the calendar's cycle of 400 years, which begins in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let secs = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(secs as f64 + fraction as f64 / 10f64.powi(i32::try_from(micros.len()).ok()?))
}

fn removal(id: &str) -> Action {
    Action::Store { key: format!("crash/{id}"), value: None }
}

#[cfg(test)]
mod tests;
