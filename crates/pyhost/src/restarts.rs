//! When a module that has failed is started again, and when it counts as well again: a pure state machine, time is given.
//!
//! Invariants: pauses double from [`PAUSE_SECS_MIN`] to [`PAUSE_SECS_MAX`]; a module that fails as soon as it runs does not look well in
//! between, as it has to run for longer after each failure until its trouble is over.

use std::time::Duration;

/// Pause after the first failure; doubled after each further one.
const PAUSE_SECS_MIN: u64 = 1;
const PAUSE_SECS_MAX: u64 = 60;
/// Having run for so long a module is well again after its first failure; it takes as much more after each further one …
const WELL_SECS_MIN: u64 = 10;
/// … and this at most; then its failures are forgotten.
const WELL_SECS_MAX: u64 = 120;
/// From so many failures on in a row a module counts as failed for good, though it is still started again.
const FAILURES_ERR: u32 = 4;

/// One module's failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// In a row.
    failures: u32,
    why: Option<String>,
    /// Since when it runs.
    ready: Option<Duration>,
}

impl Restarts {
    /// It runs.
    pub fn handle_ready(&mut self, now: Duration) {
        self.ready = Some(now);
    }

    /// It has failed; how long to wait before the next start.
    pub fn handle_failed(&mut self, why: String, now: Duration) -> Duration {
        self.handle_time(now);
        self.ready = None;
        self.failures = self.failures.saturating_add(1);
        self.why = Some(why);
        let doublings = (self.failures - 1).min(6);
        Duration::from_secs((PAUSE_SECS_MIN << doublings).min(PAUSE_SECS_MAX))
    }

    /// Time has passed: a module that has run for long enough is well again.
    pub fn handle_time(&mut self, now: Duration) {
        let secs = (WELL_SECS_MIN * u64::from(self.failures)).min(WELL_SECS_MAX);
        if self.ready.is_some_and(|ready| now.saturating_sub(ready).as_secs() >= secs) {
            (self.failures, self.why) = (0, None);
        }
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Why it is not well.
    pub fn trouble(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// It fails again and again.
    pub fn lasting(&self) -> bool {
        self.failures >= FAILURES_ERR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut restarts = Restarts::default();
        let pauses: Vec<u64> =
            (0..9).map(|_| restarts.handle_failed("boom".to_owned(), S).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_module_that_fails_as_soon_as_it_runs_does_not_look_well_in_between() {
        let mut restarts = Restarts::default();
        let mut now = S;
        for failures in 1..=5 {
            now += restarts.handle_failed("boom".to_owned(), now);
            restarts.handle_ready(now);
            now += S * 9;
            restarts.handle_time(now);
            assert_eq!((restarts.trouble(), restarts.failures()), (Some("boom"), failures));
            assert_eq!(restarts.lasting(), failures >= 4);
        }
        now += S * 41;
        restarts.handle_time(now);
        assert_eq!((restarts.trouble(), restarts.failures(), restarts.lasting()), (None, 0, false));
        assert_eq!(restarts.handle_failed("again".to_owned(), now), S);
    }

    #[test]
    fn one_that_ran_for_long_enough_starts_from_the_shortest_pause_though_nobody_looked() {
        let mut restarts = Restarts::default();
        restarts.handle_failed("boom".to_owned(), S);
        restarts.handle_ready(S * 2);
        assert_eq!(restarts.handle_failed("boom".to_owned(), S * 200), S);
        assert_eq!(restarts.failures(), 1);
        // Loading for long is not running.
        restarts.handle_time(S * 900);
        assert_eq!(restarts.failures(), 1);
    }
}
