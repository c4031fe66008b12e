//! What a module's process may take and how long it may be silent, and the judgement over what was measured: a pure state machine, time is
//! given. Upstream has no limits of this kind: its modules share one process.
//!
//! The limits are options of Axon's, from `ceph.conf` or the monitors' configuration (there by `ceph config set … --force`, as the
//! monitors do not know them), and followed at once. A module's own value has its name behind the option's:
//! `axon_module_memory_bytes_max_volumes`. docs/python-modules.md lists them.
//!
//! Invariants: a warning that is there goes only below nine tenths of its limit, so that it does not come and go; what is kept is
//! [`SAMPLES_MAX`] samples at most.
//!
//! Not here: restarting (`restarts`), measuring (`process`), telling the monitors (`board`).

use axon_core::config::size_bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Samples of processor time that are kept for one window.
const SAMPLES_MAX: u64 = 60;

/// The limits of one module. 0: no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Resident bytes that are a health warning …
    pub memory_bytes_warn: u64,
    /// … and at which the process is ended and started anew.
    pub memory_bytes_max: u64,
    /// Share of one core over the window that is a health warning.
    pub cpu_percent_warn: u64,
    pub cpu_window_secs: u64,
    /// A process that gives no sign of life for so long is a health warning …
    pub silent_secs_warn: u64,
    /// … and after so long started anew.
    pub silent_secs_max: u64,
    /// How long a module may take to load and be constructed.
    pub start_secs_max: u64,
    /// How long a command may take in its module.
    pub command_secs_max: u64,
    /// How long a call of one module to another may take, and a module's question to Axon.
    pub call_secs_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes_warn: 1 << 30,
            memory_bytes_max: 4 << 30,
            cpu_percent_warn: 90,
            cpu_window_secs: 60,
            silent_secs_warn: 30,
            silent_secs_max: 300,
            start_secs_max: 120,
            command_secs_max: 300,
            call_secs_max: 240,
        }
    }
}

impl Limits {
    /// Those of a module, by what `value` says of an option. What cannot be read is as if it were not there.
    pub fn of(module: &str, value: impl Fn(&str) -> Option<String>) -> Limits {
        let known = Limits::default();
        let read = |name: &str, parse: fn(&str) -> Option<u64>, default: u64| {
            let parsed = |name: &str| value(name).and_then(|text| parse(&text));
            parsed(&format!("{name}_{module}")).or_else(|| parsed(name)).unwrap_or(default)
        };
        let bytes = |name: &str, default| read(name, size_bytes, default);
        let number = |name: &str, default| read(name, |text| text.trim().parse().ok(), default);
        let secs = |name: &str, default| number(name, default).clamp(1, SECS_MAX);
        Limits {
            memory_bytes_warn: bytes("axon_module_memory_bytes_warn", known.memory_bytes_warn),
            memory_bytes_max: bytes("axon_module_memory_bytes_max", known.memory_bytes_max),
            cpu_percent_warn: number("axon_module_cpu_percent_warn", known.cpu_percent_warn),
            cpu_window_secs: secs("axon_module_cpu_window_secs", known.cpu_window_secs),
            silent_secs_warn: secs("axon_module_silent_secs_warn", known.silent_secs_warn),
            silent_secs_max: secs("axon_module_silent_secs_max", known.silent_secs_max),
            start_secs_max: secs("axon_module_start_secs_max", known.start_secs_max),
            command_secs_max: secs("axon_module_command_secs_max", known.command_secs_max),
            call_secs_max: secs("axon_module_call_secs_max", known.call_secs_max),
        }
    }

    /// What the process may have in private memory of all kinds, for the kernel to refuse: a module that grows faster than it is measured
    /// gets a MemoryError there. Twice the limit, as not all of it is resident; 0: nothing is refused.
    pub fn data_bytes_max(&self) -> u64 {
        self.memory_bytes_max.saturating_mul(2)
    }
}

/// No deadline is longer: a day.
const SECS_MAX: u64 = 86_400;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub rss_bytes: u64,
    /// Processor time so far.
    pub cpu_ms: u64,
}

/// What a look at a process comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Why it must be ended.
    pub end: Option<String>,
    /// It gives no sign of life, and for so long.
    pub silent_secs: Option<u64>,
    pub memory_high: Option<String>,
    pub cpu_high: Option<String>,
    /// Share of one core over the window, or since the process began.
    pub cpu_percent: f64,
}

/// One process as it is watched. All times count from any one moment.
#[derive(Debug)]
pub struct Watch {
    began: Duration,
    ready: bool,
    /// Since when an answer is due.
    asked: Option<Duration>,
    samples: VecDeque<(Duration, u64)>,
    memory_high: bool,
    cpu_high: bool,
}

impl Watch {
    pub fn new(now: Duration) -> Self {
        let samples = VecDeque::from([(now, 0)]);
        Watch { began: now, ready: false, asked: None, samples, memory_high: false, cpu_high: false }
    }

    /// The module is loaded.
    pub fn handle_ready(&mut self) {
        self.ready = true;
    }

    /// It is asked for a sign of life.
    pub fn handle_asked(&mut self, now: Duration) {
        self.asked.get_or_insert(now);
    }

    /// It gave one.
    pub fn handle_heard(&mut self) {
        self.asked = None;
    }

    /// Judges; without a sample what can be judged without.
    pub fn look(&mut self, now: Duration, sample: Option<Sample>, limits: &Limits) -> Findings {
        let mut out = Findings::default();
        let silent_secs = self.asked.map_or(0, |asked| now.saturating_sub(asked).as_secs());
        if !self.ready {
            if now.saturating_sub(self.began).as_secs() >= limits.start_secs_max {
                out.end = Some(format!("it was not ready within {} s", limits.start_secs_max));
            }
        } else if silent_secs >= limits.silent_secs_max {
            out.end = Some(format!("it has not answered for {silent_secs} s"));
        } else if silent_secs >= limits.silent_secs_warn {
            out.silent_secs = Some(silent_secs);
        }
        let Some(sample) = sample else { return out };
        let max = limits.memory_bytes_max;
        if max > 0 && sample.rss_bytes > max {
            let (has, may) = (shown(sample.rss_bytes), shown(max));
            out.end = Some(format!("it takes {has} of memory; the limit is {may}"));
        }
        self.memory_high = is_high(self.memory_high, sample.rss_bytes as f64, limits.memory_bytes_warn);
        out.memory_high = self.memory_high.then(|| {
            let (has, warn) = (shown(sample.rss_bytes), shown(limits.memory_bytes_warn));
            let end = if max > 0 { format!("; at {} it is started anew", shown(max)) } else { String::new() };
            format!("takes {has} of memory, more than {warn}{end}")
        });
        let (share, full) = self.share(now, sample.cpu_ms, limits.cpu_window_secs);
        out.cpu_percent = share;
        self.cpu_high = (full || self.cpu_high) && is_high(self.cpu_high, share, limits.cpu_percent_warn);
        out.cpu_high = self.cpu_high.then(|| {
            let (warn, window) = (limits.cpu_percent_warn, limits.cpu_window_secs);
            format!("takes {share:.0}% of a core over {window} s, more than {warn}%")
        });
        out
    }

    /// The share of one core over the window, and whether that much time has passed.
    fn share(&mut self, now: Duration, cpu_ms: u64, window_secs: u64) -> (f64, bool) {
        let window = Duration::from_secs(window_secs);
        // The oldest one is the last that is as old as the window.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= window) {
            self.samples.pop_front();
        }
        let Some((from, before_ms)) = self.samples.front().copied() else { return (0.0, false) };
        let span = now.saturating_sub(from);
        let newest = self.samples.back().map_or(from, |(at, _)| *at);
        if now.saturating_sub(newest) >= window / SAMPLES_MAX as u32 && span > Duration::ZERO {
            self.samples.push_back((now, cpu_ms));
        }
        let spent_ms = cpu_ms.saturating_sub(before_ms) as f64;
        let share = if span.is_zero() { 0.0 } else { spent_ms / span.as_secs_f64() / 10.0 };
        (share, span >= window)
    }
}

fn is_high(was: bool, value: f64, limit: u64) -> bool {
    let limit = limit as f64;
    limit > 0.0 && value > if was { limit * 0.9 } else { limit }
}

fn shown(bytes: u64) -> String {
    // Whole mebibytes: a number that moves with every page would make a new text each time.
    let bytes = if bytes >= 1 << 20 { bytes >> 20 << 20 } else { bytes };
    axon_core::text::bytes(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn well(rss_bytes: u64) -> Option<Sample> {
        Some(Sample { rss_bytes, cpu_ms: 0 })
    }

    #[test]
    fn a_modules_own_limit_goes_before_the_one_of_all_and_nonsense_counts_as_nothing() {
        let limits = Limits::of("volumes", |name| {
            let text = match name {
                "axon_module_memory_bytes_max" => "512M",
                "axon_module_memory_bytes_max_volumes" => "2G",
                "axon_module_memory_bytes_max_nfs" => "1G",
                "axon_module_memory_bytes_warn" => "much",
                "axon_module_silent_secs_warn" => "0",
                "axon_module_command_secs_max" => "12",
                _ => return None,
            };
            Some(text.to_owned())
        });
        let known = Limits::default();
        assert_eq!((limits.memory_bytes_max, limits.memory_bytes_warn), (2 << 30, known.memory_bytes_warn));
        assert_eq!((limits.silent_secs_warn, limits.command_secs_max), (1, 12));
        assert_eq!(limits.data_bytes_max(), 4 << 30);
    }

    #[test]
    fn memory_is_a_warning_first_and_then_the_end_and_the_warning_goes_with_some_distance() {
        let limits =
            Limits { memory_bytes_warn: 100 << 20, memory_bytes_max: 200 << 20, ..Limits::default() };
        let mut watch = Watch::new(S);
        let mut look = |mib: u64| watch.look(S, well(mib << 20), &limits);
        assert_eq!(look(100), Findings::default());
        let high = look(101);
        assert_eq!(
            high.memory_high.as_deref(),
            Some("takes 101 MiB of memory, more than 100 MiB; at 200 MiB it is started anew")
        );
        assert!(high.end.is_none());
        assert!(look(95).memory_high.is_some(), "above nine tenths it stays");
        assert!(look(90).memory_high.is_none());
        assert_eq!(look(201).end.as_deref(), Some("it takes 201 MiB of memory; the limit is 200 MiB"));
        let none = Limits { memory_bytes_warn: 0, memory_bytes_max: 0, ..limits };
        assert_eq!(Watch::new(S).look(S, well(1 << 50), &none), Findings::default());
    }

    #[test]
    fn a_share_of_the_processor_counts_once_the_window_is_full() {
        let limits = Limits { cpu_percent_warn: 90, cpu_window_secs: 10, ..Limits::default() };
        let mut watch = Watch::new(S);
        let mut look =
            |secs: u32, cpu_ms: u64| watch.look(S + S * secs, Some(Sample { rss_bytes: 0, cpu_ms }), &limits);
        for secs in 1..10 {
            let found = look(secs, u64::from(secs) * 1000);
            assert_eq!((found.cpu_percent, found.cpu_high), (100.0, None), "after {secs} s");
        }
        assert_eq!(
            look(10, 10_000).cpu_high.as_deref(),
            Some("takes 100% of a core over 10 s, more than 90%")
        );
        // It rests from now on.
        assert!(look(11, 10_000).cpu_high.is_some(), "90%");
        let found = look(12, 10_000);
        assert_eq!((found.cpu_percent, found.cpu_high), (80.0, None));
        for secs in 13..200 {
            look(secs, 10_000);
        }
        assert_eq!(look(200, 10_000).cpu_percent, 0.0);
        assert!(watch.samples.len() as u64 <= SAMPLES_MAX + 2);
    }

    #[test]
    fn two_threads_that_spin_are_more_than_one_core() {
        let limits = Limits { cpu_percent_warn: 150, cpu_window_secs: 2, ..Limits::default() };
        let mut watch = Watch::new(S);
        let found = watch.look(S * 3, Some(Sample { rss_bytes: 0, cpu_ms: 4000 }), &limits);
        assert_eq!(found.cpu_percent, 200.0);
        assert!(found.cpu_high.is_some());
    }

    #[test]
    fn samples_stay_few_however_long_the_window() {
        let limits = Limits { cpu_window_secs: 3600, ..Limits::default() };
        let mut watch = Watch::new(S);
        for secs in 0..20_000 {
            watch.look(S * secs, well(1), &limits);
        }
        assert!(watch.samples.len() as u64 <= SAMPLES_MAX + 2, "{}", watch.samples.len());
    }

    #[test]
    fn silence_is_a_warning_first_and_then_the_end_and_a_sign_of_life_ends_it() {
        let limits =
            Limits { silent_secs_warn: 5, silent_secs_max: 20, start_secs_max: 60, ..Limits::default() };
        let mut watch = Watch::new(S);
        assert_eq!(watch.look(S * 50, None, &limits), Findings::default(), "loading is not silence");
        watch.handle_ready();
        assert_eq!(watch.look(S * 60, None, &limits), Findings::default(), "nobody asked");
        watch.handle_asked(S * 60);
        watch.handle_asked(S * 62);
        assert_eq!(watch.look(S * 64, None, &limits), Findings::default());
        assert_eq!(watch.look(S * 66, None, &limits).silent_secs, Some(6));
        watch.handle_heard();
        assert_eq!(watch.look(S * 67, None, &limits), Findings::default());
        watch.handle_asked(S * 70);
        assert_eq!(watch.look(S * 90, None, &limits).end.as_deref(), Some("it has not answered for 20 s"));
    }

    #[test]
    fn a_module_that_does_not_load_is_ended() {
        let limits = Limits { start_secs_max: 60, ..Limits::default() };
        let mut watch = Watch::new(S);
        assert_eq!(watch.look(S * 60, None, &limits).end, None);
        assert_eq!(watch.look(S * 61, None, &limits).end.as_deref(), Some("it was not ready within 60 s"));
    }
}
