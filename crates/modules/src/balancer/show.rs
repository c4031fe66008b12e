//! An evaluation as upstream prints it: one line, or dictionaries as Python writes them.

use super::eval::{ByOsd, Eval, METRICS, Root, Stats, part};
use crate::python::float_text;
use axon_proto::Release;
use serde_json::Value;
use std::fmt::Display;

const SCORES: [&str; 12] = [
    "score_type",
    "score_acting",
    "score_stable",
    "optimal_score",
    "raw_score_acting",
    "raw_score_stable",
    "primary_affinity_weighted",
    "average_primary_affinity",
    "average_primary_affinity_weighted",
    "average_osd_load",
    "most_loaded_osd",
    "most_loaded_acting_osd",
];

impl Eval {
    pub fn brief(&self, release: Release) -> String {
        let line = format!("{} score {:.6} (lower is better)\n", self.desc, self.score);
        if release < Release::Tentacle {
            return line;
        }
        let scores = self.pools.iter().filter_map(|pool| {
            Some((quoted(&pool.name), python(pool.read_balance.as_ref()?.get("score_acting")?)))
        });
        format!("{line}read_balance_scores (lower is better) {}\n", dict(scores))
    }

    pub fn verbose(&self, release: Release) -> String {
        let roots = |of: &dyn Fn(&Root) -> String| dict(self.roots.iter().map(|r| (quoted(&r.name), of(r))));
        let pools = |of: &dyn Fn(&super::eval::Pool) -> String| {
            dict(self.pools.iter().map(|pool| (quoted(&pool.name), of(pool))))
        };
        let whole = |n: i64| n.to_string();
        let float = |n: i64| float_text(n as f64);
        let mut lines = vec![
            self.desc.clone(),
            format!(
                "target_by_root {}",
                roots(&|r| dict(r.target.iter().map(|(k, v)| (*k, float_text(*v)))))
            ),
            format!("actual_by_pool {}", pools(&|p| actual(&p.count, &p.total))),
            format!("actual_by_root {}", roots(&|r| actual(&r.count, &r.total))),
            format!("count_by_pool {}", pools(&|p| counts(&p.count, whole))),
            format!("count_by_root {}", roots(&|r| counts(&r.count, float))),
            format!("total_by_pool {}", pools(&|p| totals(&p.total))),
            format!("total_by_root {}", roots(&|r| totals(&r.total))),
            format!(
                "stats_by_root {}",
                roots(&|r| by_metric(|at| r.stats.get(at).map_or_else(String::new, stats)))
            ),
            "score_by_pool {}".to_owned(),
            format!(
                "score_by_root {}",
                roots(&|r| by_metric(|at| r.stats.get(at).map_or_else(String::new, |s| number(s, s.score))))
            ),
            format!("score {:.6} (lower is better)", self.score),
        ];
        if release >= Release::Tentacle {
            let scores = self.pools.iter().filter_map(|pool| {
                let fields = pool.read_balance.as_ref()?;
                let known = SCORES.iter().filter_map(|key| Some((quoted(key), python(fields.get(*key)?))));
                Some((quoted(&pool.name), dict(known)))
            });
            lines.push(format!("read_balance_score_by_pool {}", dict(scores)));
        }
        lines.join("\n") + "\n"
    }
}

fn dict<K: Display>(entries: impl Iterator<Item = (K, String)>) -> String {
    let entries: Vec<String> = entries.map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

fn by_metric(of: impl Fn(usize) -> String) -> String {
    dict(METRICS.iter().enumerate().map(|(at, name)| (quoted(name), of(at))))
}

fn actual(count: &ByOsd, total: &[i64; 3]) -> String {
    by_metric(|at| dict(count.iter().map(|(osd, counts)| (*osd, float_text(part(Some(counts), total, at))))))
}

fn counts(count: &ByOsd, text: impl Fn(i64) -> String) -> String {
    by_metric(|at| dict(count.iter().map(|(osd, counts)| (*osd, text(counts.get(at).copied().unwrap_or(0))))))
}

fn totals(total: &[i64; 3]) -> String {
    by_metric(|at| total.get(at).copied().unwrap_or(0).to_string())
}

fn stats(stats: &Stats) -> String {
    let Stats { max, min, avg, stddev, sum_weight, score } = *stats;
    let fields = [("max", max), ("min", min), ("avg", avg), ("stddev", stddev)];
    let fields = fields.into_iter().chain([("sum_weight", sum_weight), ("score", score)]);
    dict(fields.map(|(key, value)| (quoted(key), number(stats, value))))
}

/// Where there is nothing at all upstream has whole numbers.
fn number(of: &Stats, value: f64) -> String {
    if of.avg == 0.0 { "0".to_owned() } else { float_text(value) }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn python(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Object(fields) => dict(fields.iter().map(|(key, value)| (quoted(key), python(value)))),
        Value::Number(number) if number.is_f64() => float_text(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
