//! How even a distribution is (`Eval`, `calc_eval`): for each root that rules take from, what its OSDs have of PGs, objects and
//! bytes against their weights' shares; a score from 0 (even) towards 1 of the OSDs that have too much.

use super::mapping::Mapping;
use axon_core::State;
use axon_proto::crush::{ITEM_NONE, op};
use axon_proto::release::Dump;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is counted, in the order of the arrays here.
pub(super) const METRICS: [&str; 3] = ["pgs", "objects", "bytes"];

pub(super) type ByOsd = BTreeMap<i32, [i64; 3]>;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub max: f64,
    pub min: f64,
    pub avg: f64,
    pub stddev: f64,
    pub sum_weight: f64,
    pub score: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Root {
    pub name: String,
    pub id: i32,
    pub pools: Vec<String>,
    /// Each OSD's share.
    pub target: BTreeMap<i32, f64>,
    pub count: ByOsd,
    pub total: [i64; 3],
    pub stats: [Stats; 3],
}

impl Root {
    /// An OSD's part of all.
    pub fn actual(&self, osd: i32, metric: usize) -> f64 {
        part(self.count.get(&osd), &self.total, metric)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub name: String,
    pub count: ByOsd,
    /// Of what is on OSDs of its roots.
    pub total: [i64; 3],
    pub read_balance: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Eval {
    pub desc: String,
    pub roots: Vec<Root>,
    pub pools: Vec<Pool>,
    pub score: f64,
}

pub(super) fn part(count: Option<&[i64; 3]>, total: &[i64; 3], metric: usize) -> f64 {
    let of = |counts: &[i64; 3]| counts.get(metric).copied().unwrap_or(0);
    count.map_or(0, of) as f64 / of(total).max(1) as f64
}

impl Eval {
    /// Of these pools, or of all where none is named.
    pub fn of(state: &State, mapping: &Mapping, only: &[String], metrics: &[String]) -> Self {
        let map = &*mapping.map;
        let named = |id: &i64| map.pool_name.get(id).cloned().unwrap_or_default();
        let wanted = |id: &&i64| only.is_empty() || only.contains(&named(id));
        let pools: Vec<i64> = mapping.up.keys().filter(wanted).copied().collect();
        let mut out = Eval { desc: mapping.desc.clone(), ..Eval::default() };
        let steps = map.crush.rules().flat_map(|(_, rule)| &rule.steps);
        let takes: BTreeSet<i32> = steps.filter(|step| step.op == op::TAKE).map(|step| step.arg1).collect();
        let takes_from = |pool: &i64, take: i32| {
            map.pool(*pool).is_some_and(|p| map.crush.takes_of(i32::from(p.crush_rule)).contains(&take))
        };
        for id in takes {
            let takers: Vec<String> = pools.iter().filter(|pool| takes_from(pool, id)).map(named).collect();
            if !takers.is_empty() {
                out.roots.push(root(mapping, id, takers));
            }
        }
        for id in &pools {
            out.count(state, mapping, *id, named(id));
        }
        for root in &mut out.roots {
            root.stats = [0, 1, 2].map(|metric| stats(root, metric));
        }
        let counts = |metric: &&str| metrics.iter().any(|name| name == *metric);
        let scores = out.roots.iter().flat_map(|root| {
            let named = METRICS.iter().zip(&root.stats).filter(|(name, _)| counts(name));
            named.map(|(_, stats)| stats.score)
        });
        let score: f64 = scores.sum();
        out.score = if out.roots.is_empty() { 0.0 } else { score / (metrics.len() * out.roots.len()) as f64 };
        out
    }

    fn count(&mut self, state: &State, mapping: &Mapping, id: i64, name: String) {
        let (mut count, mut total) = (ByOsd::new(), [0; 3]);
        for (pg, osds) in mapping.up.get(&id).into_iter().flatten() {
            let (objects, bytes) = mapping.held(pg);
            let more = [1, objects, bytes];
            for osd in osds.iter().filter(|osd| **osd != ITEM_NONE) {
                add(count.entry(*osd).or_default(), &more);
                let root = self
                    .roots
                    .iter_mut()
                    .find(|root| root.pools.contains(&name) && root.target.contains_key(osd));
                if let Some(root) = root {
                    add(root.count.entry(*osd).or_default(), &more);
                    add(&mut root.total, &more);
                    add(&mut total, &more);
                }
            }
        }
        let balance = mapping.map.read_balance(id, state.release);
        let balance = balance.and_then(|b| serde_json::to_value(b.dumped(state.release)).ok());
        let read_balance = match balance {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        };
        self.pools.push(Pool { name, count, total, read_balance });
    }
}

fn add(to: &mut [i64; 3], more: &[i64; 3]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

fn root(mapping: &Mapping, id: i32, pools: Vec<String>) -> Root {
    let map = &mapping.map;
    let shares = map.crush.take_shares(id).into_iter().filter(|(_, share)| *share > 0.0);
    let weights = shares.map(|(osd, share)| (osd, f64::from(share) * f64::from(map.weightf(osd))));
    let mut target: BTreeMap<i32, f64> = weights.filter(|(osd, w)| *w > 0.0 && map.exists(*osd)).collect();
    let sum: f64 = target.values().sum();
    target.values_mut().for_each(|weight| *weight /= sum);
    let count = target.keys().map(|osd| (*osd, [0; 3])).collect();
    let name = map.crush.item_name(id).unwrap_or_default().to_owned();
    Root { name, id, pools, target, count, total: [0; 3], stats: [Stats::default(); 3] }
}

/// `calc_stats`.
fn stats(root: &Root, metric: usize) -> Stats {
    let total = root.total.get(metric).copied().unwrap_or(0) as f64;
    if total == 0.0 {
        return Stats::default();
    }
    let num = root.target.len().max(1) as f64;
    let avg = total / num;
    let (mut deviation, mut score, mut sum_weight) = (0.0, 0.0, 0.0);
    let (mut max, mut min) = (f64::MIN, f64::MAX);
    for (osd, target) in &root.target {
        let count = root.count.get(osd).and_then(|counts| counts.get(metric)).copied().unwrap_or(0) as f64;
        (max, min) = (count.max(max), count.min(min));
        let adjusted = if *target == 0.0 { 0.0 } else { count / target / num };
        // Only what is too full counts: one OSD far above is worse than many a little.
        if adjusted > avg {
            score += target * erf((adjusted - avg) / avg / std::f64::consts::SQRT_2);
            sum_weight += target;
        }
        deviation += (avg - adjusted).powi(2);
    }
    let stddev = (deviation / (num - 1.0).max(1.0)).sqrt();
    Stats { max, min, avg, stddev, sum_weight, score: score / f64::max(sum_weight, 1.0) }
}

/// The error function: its series near 0, the continued fraction of its complement beyond.
fn erf(x: f64) -> f64 {
    if x < 0.0 {
        return -erf(-x);
    }
    if x < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let mut fraction = 0.0;
    for n in (1..=60).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    1.0 - (-x * x).exp() / (x + fraction) * std::f64::consts::FRAC_2_SQRT_PI / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_known() {
        let known =
            [(0.0, 0.0), (0.5, 0.5204998778130465), (1.0, 0.8427007929497149), (3.0, 0.9999779095030014)];
        for (x, y) in known {
            assert!((erf(x) - y).abs() < 1e-14, "{x}: {}", erf(x));
        }
    }
}
