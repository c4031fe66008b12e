//! How soon a peer is called again: hurriedly behind a connection that was in use, since what cut it (a proxy, a switch that comes
//! back, a daemon that restarts) often cuts the next attempts too; otherwise, and when that did not help, with pauses that grow.
//!
//! Upstream waits `ms_initial_backoff` (0.2 s) and doubles. Invariants: a peer that never was of use is not called twice without a
//! pause; pauses never exceed `max`; no clock is read here.

use std::time::Duration;

/// Pauses behind the first failures after a connection that was in use.
const HURRIED: [Duration; 3] = [Duration::ZERO, Duration::from_millis(5), Duration::from_millis(20)];
/// The first pause without hurry, and the one from which hurry has ended; it doubles.
const FIRST: Duration = Duration::from_millis(20);
const AFTER_HURRY: Duration = Duration::from_millis(80);

/// The failures in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redial {
    failures: u32,
    hurried: bool,
    max: Duration,
}

impl Redial {
    pub fn new(max: Duration) -> Self {
        Redial { failures: 0, hurried: false, max }
    }

    /// As behind a connection that was in use.
    pub fn hurried(max: Duration) -> Self {
        Redial { hurried: true, ..Redial::new(max) }
    }

    /// The connection is of use.
    pub fn was_useful(&mut self) {
        *self = Redial::hurried(self.max);
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt failed, or a connection ended that was of no use: how long to wait.
    pub fn failed(&mut self) -> Duration {
        let nth = self.failures as usize;
        self.failures = self.failures.saturating_add(1);
        let hurried = HURRIED.get(nth).filter(|_| self.hurried);
        let (first, doubled) = match self.hurried {
            true => (AFTER_HURRY, nth.saturating_sub(HURRIED.len())),
            false => (FIRST, nth),
        };
        let grown = || first.saturating_mul(2u32.saturating_pow(u32::try_from(doubled).unwrap_or(u32::MAX)));
        hurried.copied().unwrap_or_else(grown).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(mut redial: Redial, n: usize) -> Vec<u128> {
        (0..n).map(|_| redial.failed().as_millis()).collect()
    }

    const MAX: Duration = Duration::from_secs(5);

    #[test]
    fn three_failures_behind_a_connection_in_use_cost_less_than_50_ms() {
        let mut redial = Redial::new(MAX);
        redial.failed();
        redial.was_useful();
        assert_eq!(pauses(redial, 6), [0, 5, 20, 80, 160, 320]);
        assert!(pauses(redial, 3).iter().sum::<u128>() < 50);
    }

    #[test]
    fn a_peer_that_never_was_of_use_is_called_with_growing_pauses_up_to_a_bound() {
        assert_eq!(pauses(Redial::new(MAX), 4), [20, 40, 80, 160]);
        for redial in [Redial::new(MAX), Redial::hurried(MAX)] {
            assert_eq!(pauses(redial, 100).last(), Some(&5000));
            let times = pauses(redial, 100).into_iter().scan(0, |at, pause| {
                *at += pause;
                Some(*at)
            });
            let calls = times.take_while(|at| *at < 10_000).count();
            assert!(calls <= 12, "{calls} calls in ten seconds");
        }
    }
}
