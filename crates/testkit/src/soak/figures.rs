//! What is held over time: how it grows, and whether it does.

use crate::process::Held;
use serde_json::{Value, json};
use std::time::Duration;

/// One look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub at: Duration,
    pub held: Held,
    /// Tasks of the manager's runtime, as it counts them.
    pub tasks: u64,
}

/// One figure of a look.
type Count = fn(&Sample) -> u64;

/// All looks.
#[derive(Clone, Debug, Default)]
pub struct Figures(pub Vec<Sample>);

/// The part of a run in which caches fill.
const WARM_UP: f64 = 0.25;

impl Figures {
    fn settled(&self) -> &[Sample] {
        let from = (self.0.len() as f64 * WARM_UP) as usize;
        self.0.get(from..).unwrap_or_default()
    }

    /// Growth per hour after the warm-up, by least squares.
    #[must_use]
    pub fn slope_per_hour(&self, what: Count) -> f64 {
        let points: Vec<(f64, f64)> =
            self.settled().iter().map(|s| (s.at.as_secs_f64() / 3600.0, what(s) as f64)).collect();
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n.max(1.0);
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
        let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
        if under == 0.0 { 0.0 } else { over / under }
    }

    fn row(&self, what: Count) -> Value {
        let settled = self.settled();
        let values = || settled.iter().map(what);
        json!({
            "first": self.0.first().map(what),
            "after_warm_up": settled.first().map(what),
            "min": values().min(),
            "max": values().max(),
            "last": self.0.last().map(what),
            "per_hour": self.slope_per_hour(what).round(),
        })
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "samples": self.0.len(),
            "rss_kib": self.row(|s| s.held.rss_kib),
            "descriptors": self.row(|s| s.held.descriptors),
            "threads": self.row(|s| s.held.threads),
            "tasks": self.row(|s| s.tasks),
            "module_processes": self.row(|s| s.held.children),
            "module_rss_kib": self.row(|s| s.held.children_rss_kib),
        })
    }

    /// What grows: memory by more than a limit in an hour; descriptors, threads and tasks at all, but for what comes and goes.
    #[must_use]
    pub fn growth(&self, rss_kib_per_hour_max: f64) -> Vec<String> {
        let mut out = Vec::new();
        let slope = self.slope_per_hour(|s| s.held.rss_kib);
        if slope > rss_kib_per_hour_max {
            out.push(format!("memory grows by {slope:.0} KiB an hour"));
        }
        let counts: [(&str, Count); 3] = [
            ("descriptors", |s| s.held.descriptors),
            ("threads", |s| s.held.threads),
            ("tasks", |s| s.tasks),
        ];
        for (name, what) in counts {
            let settled = self.settled();
            let (early, late) = settled.split_at(settled.len() / 2);
            let (early, late) = (median(early, what), median(late, what));
            if late > early + COUNT_GROWTH_MAX {
                out.push(format!("{name} grow: {early}, then {late}"));
            }
        }
        out
    }
}

/// What may come and go from one half of a run to the other.
const COUNT_GROWTH_MAX: u64 = 8;

fn median(samples: &[Sample], what: Count) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(what).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rss: fn(u64) -> u64, tasks: fn(u64) -> u64) -> Figures {
        let sample = |minute: u64| Sample {
            at: Duration::from_secs(60 * minute),
            held: Held { rss_kib: rss(minute), ..Held::default() },
            tasks: tasks(minute),
        };
        Figures((0..60).map(sample).collect())
    }

    #[test]
    fn what_fills_up_and_then_stays_does_not_grow() {
        let figures = run(|minute| 10_000 + 500 * minute.min(10), |minute| 100 + minute % 5);
        assert_eq!(figures.growth(100.0), Vec::<String>::new());
    }

    #[test]
    fn a_leak_is_seen() {
        let figures = run(|minute| 10_000 + 20 * minute, |minute| 100 + minute);
        assert!((figures.slope_per_hour(|s| s.held.rss_kib) - 1200.0).abs() < 1.0);
        assert_eq!(figures.growth(1000.0).len(), 2, "{:?}", figures.growth(1000.0));
    }
}
