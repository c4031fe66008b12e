//! Figures of many rounds, and the account of what was asked.

use super::ask::Outcome;
use super::load::Answer;
use axon_launcher::Kind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Times of one kind, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e3);
    }

    #[must_use]
    pub fn at(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
    }

    fn to_json(&self) -> Value {
        let round = |ms: f64| (ms * 10.0).round() / 10.0;
        json!({"n": self.0.len(), "p50": round(self.at(50)), "p90": round(self.at(90)), "max": round(self.at(100))})
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub rounds: usize,
    /// Rounds by what was done: `axon → ceph by SIGTERM`.
    pub deeds: BTreeMap<String, u64>,
    /// In milliseconds, by what and whose.
    pub times: BTreeMap<String, Times>,
    /// Answers by kind of question, how they ended, and whose manager served.
    pub answers: BTreeMap<String, u64>,
    pub io: (u64, u64),
    /// How often what was wrong.
    pub violations: BTreeMap<String, u64>,
    /// What upstream's manager refused or answered wrongly; told, not judged.
    pub upstreams: BTreeMap<String, u64>,
}

const EOPNOTSUPP: i32 = 95;

impl Report {
    pub fn time(&mut self, what: &str, took: Duration) {
        self.times.entry(what.to_owned()).or_default().add(took);
    }

    pub fn violate(&mut self, line: String) {
        *self.violations.entry(line).or_default() += 1;
    }

    /// Counts an answer; what Axon did wrong is a violation.
    pub fn count(&mut self, answer: &Answer, by: Option<Kind>) {
        let whose = match by {
            Some(Kind::Axon) => "axon",
            Some(Kind::Ceph) => "ceph-mgr",
            None => "nobody serves",
        };
        let (end, words) = match &answer.outcome {
            Outcome::Right => ("right".to_owned(), String::new()),
            Outcome::Wrong(why) => ("wrong".to_owned(), why.clone()),
            Outcome::Refused(EOPNOTSUPP, why) => ("ENOTSUP".to_owned(), why.clone()),
            Outcome::Refused(errno, why) => (format!("refused {errno}"), why.clone()),
            Outcome::Unanswered(why) => ("unanswered".to_owned(), why.clone()),
        };
        *self.answers.entry(format!("{}: {end}, {whose}", answer.kind)).or_default() += 1;
        if answer.outcome == Outcome::Right {
            return;
        }
        let line =
            format!("{} ({whose}): {end}: {}", answer.kind, words.chars().take(160).collect::<String>());
        if by == Some(Kind::Ceph) && matches!(answer.outcome, Outcome::Refused(..) | Outcome::Wrong(_)) {
            *self.upstreams.entry(line).or_default() += 1;
        } else {
            self.violate(format!("round {}: {line}", self.rounds));
        }
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        let times: Map<String, Value> = self.times.iter().map(|(k, t)| (k.clone(), t.to_json())).collect();
        json!({
            "rounds": self.rounds,
            "deeds": self.deeds,
            "times_ms": times,
            "answers": self.answers,
            "io_runs_and_failures": [self.io.0, self.io.1],
            "upstreams": self.upstreams,
            "violations": self.violations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_time_is_the_last_percentile() {
        let mut times = Times::default();
        for ms in [30, 10, 20] {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!([50, 90, 100].map(|p| times.at(p)), [20.0, 30.0, 30.0]);
        assert_eq!(Times::default().at(50), 0.0);
    }
}
