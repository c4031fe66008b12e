//! Which monitors to try next and how long to wait for them: the hunting part of `MonClient`
//! (`_add_conns`, `_start_hunting`, `_un_backoff`, `schedule_tick`), same in all three releases.
//!
//! Invariants:
//! - no monitor is tried twice before every monitor was tried once;
//! - the wait between rounds grows by the back-off factor per hunt, never beyond its bound, and shrinks again while a
//!   session lives.

use axon_proto::EntityAddrVec;
use std::collections::BTreeSet;
use std::time::Duration;

/// `mon_client_hunt_*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuntOptions {
    /// `mon_client_hunt_parallel`: how many at once; 0 = all.
    pub parallel: usize,
    /// `mon_client_hunt_interval`.
    pub interval: Duration,
    /// `mon_client_hunt_interval_backoff`.
    pub backoff: f64,
    /// `mon_client_hunt_interval_min_multiple`.
    pub multiple_min: f64,
    /// `mon_client_hunt_interval_max_multiple`.
    pub multiple_max: f64,
}

impl Default for HuntOptions {
    fn default() -> Self {
        HuntOptions {
            parallel: 3,
            interval: Duration::from_secs(3),
            backoff: 1.5,
            multiple_min: 1.0,
            multiple_max: 10.0,
        }
    }
}

/// A monitor that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name in the monmap; `noname-*` before there is one.
    pub name: String,
    pub addrs: EntityAddrVec,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Share of clients among those of equal priority; all 0 = equal shares.
    pub weight: u16,
}

impl Candidate {
    /// A monitor that only its address is known of.
    #[must_use]
    pub fn unnamed(name: impl Into<String>, addrs: EntityAddrVec) -> Self {
        Candidate { name: name.into(), addrs, priority: 0, weight: 0 }
    }
}

/// The state of the hunt.
#[derive(Clone, Debug)]
pub struct Hunt {
    options: HuntOptions,
    candidates: Vec<Candidate>,
    tried: BTreeSet<String>,
    multiple: f64,
    had_session: bool,
}

impl Hunt {
    #[must_use]
    pub fn new(options: HuntOptions, candidates: Vec<Candidate>) -> Self {
        Hunt {
            multiple: options.multiple_min,
            options,
            candidates,
            tried: BTreeSet::new(),
            had_session: false,
        }
    }

    /// All monitors known.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The monitor of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.name == name)
    }

    /// A new monmap.
    pub fn replace(&mut self, candidates: Vec<Candidate>) {
        if candidates != self.candidates {
            self.tried.clear();
            self.candidates = candidates;
        }
    }

    /// The next round's monitors. `random_below(n)` gives a number in `0..n`.
    pub fn next_round(&mut self, mut random_below: impl FnMut(u64) -> u64) -> Vec<Candidate> {
        let mut pool = self.untried();
        if pool.is_empty() {
            self.tried.clear();
            pool = self.untried();
        }
        let parallel = if self.options.parallel == 0 { pool.len() } else { self.options.parallel };
        let mut round = Vec::new();
        while round.len() < parallel && !pool.is_empty() {
            let chosen = pool.swap_remove(weighted_choice(&pool, &mut random_below));
            self.tried.insert(chosen.name.clone());
            round.push(chosen);
        }
        round
    }

    /// How long a round may take.
    #[must_use]
    pub fn round_timeout(&self) -> Duration {
        self.options.interval.mul_f64(self.multiple)
    }

    /// A round begins: after a first session the wait grows.
    pub fn round_started(&mut self) {
        if self.had_session {
            self.multiple = (self.multiple * self.options.backoff).min(self.options.multiple_max);
        }
    }

    /// A hunt ended, with a session or with the last monitor's refusal.
    pub fn round_finished(&mut self) {
        self.had_session = true;
        self.unback();
    }

    /// The session is alive: the next hunt may be quicker.
    pub fn unback(&mut self) {
        self.multiple = (self.multiple / self.options.backoff).max(self.options.multiple_min);
    }

    fn untried(&self) -> Vec<Candidate> {
        let left = || self.candidates.iter().filter(|c| !self.tried.contains(&c.name));
        let Some(lowest) = left().map(|c| c.priority).min() else { return Vec::new() };
        left().filter(|c| c.priority == lowest).cloned().collect()
    }
}

/// Index of a candidate, by weight; a weight of 0 beside others is chosen last.
fn weighted_choice(pool: &[Candidate], random_below: &mut impl FnMut(u64) -> u64) -> usize {
    let total: u64 = pool.iter().map(|c| u64::from(c.weight)).sum();
    if total == 0 {
        return usize::try_from(random_below(pool.len() as u64))
            .unwrap_or(0)
            .min(pool.len().saturating_sub(1));
    }
    let mut point = random_below(total);
    for (i, candidate) in pool.iter().enumerate() {
        let weight = u64::from(candidate.weight);
        if point < weight {
            return i;
        }
        point -= weight;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mons(n: usize) -> Vec<Candidate> {
        (0..n).map(|i| Candidate::unnamed(format!("m{i}"), EntityAddrVec::default())).collect()
    }

    fn round(hunt: &mut Hunt) -> Vec<String> {
        let mut x = 7u64;
        let names = hunt.next_round(|n| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (x >> 33) % n
        });
        names.into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn every_monitor_is_tried_before_one_is_tried_again() {
        let mut hunt = Hunt::new(HuntOptions::default(), mons(5));
        let mut seen = round(&mut hunt);
        assert_eq!(seen.len(), 3);
        seen.extend(round(&mut hunt));
        seen.sort();
        assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4"]);
        assert_eq!(round(&mut hunt).len(), 3, "then it starts over");
    }

    #[test]
    fn lower_priority_numbers_go_first() {
        let mut all = mons(3);
        all[1].priority = 5;
        let mut hunt = Hunt::new(HuntOptions::default(), all);
        let mut first = round(&mut hunt);
        first.sort();
        assert_eq!(first, ["m0", "m2"]);
        assert_eq!(round(&mut hunt), ["m1"]);
    }

    #[test]
    fn a_weight_of_zero_beside_others_is_chosen_last() {
        let mut all = mons(3);
        all[2].weight = 10;
        let mut hunt = Hunt::new(HuntOptions { parallel: 1, ..HuntOptions::default() }, all);
        assert_eq!(round(&mut hunt), ["m2"]);
    }

    #[test]
    fn no_monitor_gives_an_empty_round() {
        assert!(round(&mut Hunt::new(HuntOptions::default(), vec![])).is_empty());
    }

    #[test]
    fn the_wait_grows_only_after_a_first_session_and_has_a_bound() {
        let mut hunt = Hunt::new(HuntOptions::default(), mons(1));
        hunt.round_started();
        assert_eq!(hunt.round_timeout(), Duration::from_secs(3));
        hunt.round_finished();
        hunt.round_started();
        assert_eq!(hunt.round_timeout(), Duration::from_millis(4500));
        for _ in 0..20 {
            hunt.round_started();
        }
        assert_eq!(hunt.round_timeout(), Duration::from_secs(30));
        for _ in 0..20 {
            hunt.unback();
        }
        assert_eq!(hunt.round_timeout(), Duration::from_secs(3));
    }

    #[test]
    fn a_new_monmap_starts_over() {
        let mut hunt = Hunt::new(HuntOptions::default(), mons(2));
        round(&mut hunt);
        hunt.replace(mons(3));
        assert_eq!(round(&mut hunt).len(), 3);
    }
}
