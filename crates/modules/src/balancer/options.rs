//! The module's options: as announced, and as read.

use super::NAME;
use super::clock::Moment;
use super::eval::METRICS;
use crate::options::{flag, runtime, value};
use axon_core::State;
use axon_proto::Release;
use axon_proto::mgr_map::{ModuleOption, OptionType};

pub(super) fn modes(release: Release) -> &'static [&'static str] {
    match release >= Release::Tentacle {
        true => &["none", "crush-compat", "upmap", "read", "upmap-read"],
        false => &["none", "crush-compat", "upmap"],
    }
}

/// `MODULE_OPTIONS` of that release.
pub(super) fn all(release: Release) -> Vec<ModuleOption> {
    use OptionType as T;
    let bounded = |min: &str, max: &str, option: ModuleOption| ModuleOption {
        min: min.to_owned(),
        max: max.to_owned(),
        ..option
    };
    let long =
        |long_desc: &str, option: ModuleOption| ModuleOption { long_desc: long_desc.to_owned(), ..option };
    // Pacific's day ends at 2400 and its week on day 7.
    let (end, last, end_weekday, sunday) = match release < Release::Reef {
        true => ("2400", "7", "7", "0 or 7 = Sunday, 1 = Monday, etc."),
        false => ("2359", "6", "0", "0 = Sunday, 1 = Monday, etc."),
    };
    let hhmm = "This is a time of day in the format HHMM.";
    let day_from = "Restrict automatic balancing to this day of the week or later";
    let day_to = "Restrict automatic balancing to days of the week earlier than this";
    let metrics = "Value is a list of one or more of \"pgs\", \"objects\", or \"bytes\", and indicates which metrics to use \
                   to balance utilization.";
    let within = "If the number of PGs are within this count then no optimization is attempted";
    let mode = runtime("mode", T::STR, "upmap", "Balancer mode");
    let iterations = "maximum number of iterations to attempt optimization";
    let sleep = "how frequently to wake up and attempt optimization";
    let mut out = vec![
        runtime("active", T::BOOL, "True", "automatically balance PGs across cluster"),
        long(hhmm, runtime("begin_time", T::STR, "0000", "beginning time of day to automatically balance")),
        long(hhmm, runtime("end_time", T::STR, end, "ending time of day to automatically balance")),
        bounded("0", last, long(sunday, runtime("begin_weekday", T::UINT, "0", day_from))),
        bounded("0", last, long(sunday, runtime("end_weekday", T::UINT, end_weekday, day_to))),
        bounded("1", "250", runtime("crush_compat_max_iterations", T::UINT, "25", iterations)),
        long(
            metrics,
            runtime(
                "crush_compat_metrics",
                T::STR,
                "pgs,objects,bytes",
                "metrics with which to calculate OSD utilization",
            ),
        ),
        bounded(
            "0.001",
            "0.999",
            long(
                ".99 is very aggressive, .01 is less aggressive",
                runtime("crush_compat_step", T::FLOAT, "0.5", "aggressiveness of optimization"),
            ),
        ),
        runtime("min_score", T::FLOAT, "0", "minimum score, below which no optimization is attempted"),
        ModuleOption { enum_allowed: modes(release).iter().map(|mode| (*mode).to_owned()).collect(), ..mode },
        runtime("sleep_interval", T::SECS, "60", sleep),
        runtime("upmap_max_optimizations", T::UINT, "10", "maximum upmap optimizations to make per attempt"),
        bounded(
            "1",
            "",
            long(
                within,
                runtime(
                    "upmap_max_deviation",
                    T::INT,
                    "5",
                    "deviation below which no optimization is attempted",
                ),
            ),
        ),
        runtime("pool_ids", T::STR, "", "pools which the automatic balancing will be limited to"),
    ];
    if release >= Release::Tentacle {
        let desc = "Updates pg_upmap activity stats to be used in `balancer status detail`";
        out.push(runtime("update_pg_upmap_activity", T::BOOL, "False", desc));
    }
    out
}

/// The options in force.
pub(super) struct Settings {
    release: Release,
    pub active: bool,
    pub mode: String,
    begin_time: String,
    end_time: String,
    begin_weekday: usize,
    end_weekday: usize,
    pub iterations_max: u32,
    pub metrics: Vec<String>,
    pub step: f64,
    pub min_score: f64,
    pub upmap_max_optimizations: usize,
    pub upmap_max_deviation: u32,
    pub pool_ids: Vec<i64>,
    pub update_pg_upmap_activity: bool,
    pub misplaced_max: f64,
}

impl Settings {
    pub fn of(state: &State) -> Self {
        let pacific = state.release < Release::Reef;
        let text = |name: &str, default: &str| state.module_option(NAME, name).unwrap_or(default).to_owned();
        Settings {
            release: state.release,
            active: flag(state, NAME, "active", true),
            mode: text("mode", "upmap"),
            begin_time: text("begin_time", "0000"),
            end_time: text("end_time", if pacific { "2400" } else { "2359" }),
            begin_weekday: value(state, NAME, "begin_weekday", 0),
            end_weekday: value(state, NAME, "end_weekday", if pacific { 7 } else { 0 }),
            iterations_max: value(state, NAME, "crush_compat_max_iterations", 25),
            metrics: text("crush_compat_metrics", &METRICS.join(",")).split(',').map(str::to_owned).collect(),
            step: value(state, NAME, "crush_compat_step", 0.5),
            min_score: value(state, NAME, "min_score", 0.0),
            upmap_max_optimizations: value(state, NAME, "upmap_max_optimizations", 10),
            upmap_max_deviation: value(state, NAME, "upmap_max_deviation", 5),
            pool_ids: text("pool_ids", "").split(',').filter_map(|id| id.trim().parse().ok()).collect(),
            update_pg_upmap_activity: flag(state, NAME, "update_pg_upmap_activity", false),
            misplaced_max: state.option("target_max_misplaced_ratio", 0.05),
        }
    }

    /// `time_permit`.
    pub fn permits(&self, moment: &Moment) -> bool {
        let (begin, end, now) = (&self.begin_time, &self.end_time, &moment.time_of_day());
        let (first, last, today) = (self.begin_weekday, self.end_weekday, moment.weekday);
        let pacific = self.release < Release::Reef;
        let time = match begin.cmp(end) {
            std::cmp::Ordering::Less => begin <= now && now < end,
            std::cmp::Ordering::Equal => !pacific,
            std::cmp::Ordering::Greater => now >= begin || now < end,
        };
        let day = match first.cmp(&last) {
            std::cmp::Ordering::Less => first <= today && (today < last || !pacific && today == last),
            std::cmp::Ordering::Equal => !pacific,
            std::cmp::Ordering::Greater => today >= first || today < last,
        };
        time && day
    }
}
