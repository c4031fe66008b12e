//! The last samples of each pool's space and traffic, from which the dashboard shows rates (`module.py`
//! `get_updated_pool_stats`, `mgr_util.py` `get_time_series_rates`).
//!
//! Invariants: at most [`SAMPLES_MAX`] samples of a pool, none of a pool that is gone; a report of the PG map is counted
//! once, however often it is offered.
//!
//! Upstream counts a report each time somebody asks, so its rates fall to 0 when two ask within a report's period, and what it
//! calls `latest` is the oldest sample it keeps. Here the latest is the latest.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// As many as upstream keeps.
pub const SAMPLES_MAX: usize = 10;

/// Samples by pool.
#[derive(Clone, Debug, Default)]
pub struct PoolHistory {
    version: u64,
    pools: BTreeMap<i64, VecDeque<Sample>>,
}

/// A pool's `stats` of `mgr.get("df")` and when they were seen, in seconds.
#[derive(Clone, Debug)]
struct Sample {
    at: f64,
    stats: Map<String, Value>,
}

impl PoolHistory {
    /// Takes the pools of `mgr.get("df")` as a sample; `version` is the PG map's.
    pub fn sample(&mut self, version: u64, now_secs: f64, df: &Value) {
        if version == self.version && !self.pools.is_empty() {
            return;
        }
        self.version = version;
        let pools = df.get("pools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let found: BTreeMap<i64, &Map<String, Value>> = pools
            .iter()
            .filter_map(|pool| Some((pool.get("id")?.as_i64()?, pool.get("stats")?.as_object()?)))
            .collect();
        self.pools.retain(|id, _| found.contains_key(id));
        for (id, stats) in found {
            let samples = self.pools.entry(id).or_default();
            if samples.back().is_some_and(|last| last.at >= now_secs) {
                samples.pop_back();
            }
            samples.push_back(Sample { at: now_secs, stats: stats.clone() });
            if samples.len() > SAMPLES_MAX {
                samples.pop_front();
            }
        }
    }

    /// A pool's statistics: `{name: {"latest", "rate", "rates": [[seconds, per second], …]}}`.
    #[must_use]
    pub fn stats(&self, pool: i64) -> Map<String, Value> {
        let Some(samples) = self.pools.get(&pool) else { return Map::new() };
        let Some(latest) = samples.back() else { return Map::new() };
        let of = |(name, value): (&String, &Value)| {
            let rates = rates(samples, name);
            let rate = rates.last().map_or(0.0, |(_, rate)| *rate);
            (name.clone(), json!({"latest": value, "rate": rate, "rates": rates}))
        };
        latest.stats.iter().map(of).collect()
    }
}

/// Change per second between neighbouring samples, with the time of the later one.
fn rates(samples: &VecDeque<Sample>, name: &str) -> Vec<(f64, f64)> {
    let value = |sample: &Sample| sample.stats.get(name).and_then(Value::as_f64);
    let between = |(before, after): (&Sample, &Sample)| {
        let change = value(after)? - value(before)?;
        Some((after.at, change / (after.at - before.at)))
    };
    samples.iter().zip(samples.iter().skip(1)).filter_map(between).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn df(pools: &[(i64, i64)]) -> Value {
        let pool = |(id, wr): &(i64, i64)| json!({"id": id, "name": "p", "stats": {"wr": wr, "full": 0.5}});
        json!({"pools": pools.iter().map(pool).collect::<Vec<_>>()})
    }

    #[test]
    fn rates_come_from_neighbouring_samples_and_latest_is_the_newest() {
        let mut history = PoolHistory::default();
        history.sample(1, 100.0, &df(&[(1, 10)]));
        assert_eq!(history.stats(1)["wr"], json!({"latest": 10, "rate": 0.0, "rates": []}));
        history.sample(2, 105.0, &df(&[(1, 20)]));
        history.sample(2, 106.0, &df(&[(1, 20)]));
        history.sample(3, 110.0, &df(&[(1, 15)]));
        let expected = json!({"latest": 15, "rate": -1.0, "rates": [[105.0, 2.0], [110.0, -1.0]]});
        assert_eq!(history.stats(1)["wr"], expected);
        assert_eq!(history.stats(1)["full"]["latest"], 0.5);
    }

    #[test]
    fn history_is_bounded_and_forgets_pools() {
        let mut history = PoolHistory::default();
        for step in 1..50_u32 {
            history.sample(step.into(), f64::from(step), &df(&[(1, step.into()), (2, 0)]));
        }
        assert_eq!(history.stats(1)["wr"]["rates"].as_array().unwrap().len(), SAMPLES_MAX - 1);
        history.sample(99, 99.0, &df(&[(1, 0)]));
        assert!(history.stats(2).is_empty());
    }
}
