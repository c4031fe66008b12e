//! Rates (`update_delta` in `PGMap.cc`): the last few changes of a sum, and the time that they span. Time is an argument.

use axon_proto::UTime;
use axon_proto::pg::{ObjectStatSum, PoolStat};
use std::collections::VecDeque;
use std::time::Duration;

/// `mon_stat_smooth_intervals`: how many changes a rate is averaged over.
const SMOOTH_INTERVALS: usize = 6;

/// Changes of a sum. Only the object counts change by rate.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    sum: ObjectStatSum,
    span: Duration,
    last: VecDeque<(ObjectStatSum, Duration)>,
}

impl Deltas {
    /// Takes the change from `old` to `new` over `span`. A sum that was still zero had not been reported yet.
    pub(super) fn push(&mut self, old: &ObjectStatSum, new: &ObjectStatSum, span: Duration) {
        if *old != ObjectStatSum::default() {
            let mut delta = *new;
            delta.sub(old);
            self.sum.add(&delta);
            self.span += span;
            self.last.push_back((delta, span));
        }
        while self.last.len() > SMOOTH_INTERVALS {
            if let Some((delta, span)) = self.last.pop_front() {
                self.sum.sub(&delta);
                self.span = self.span.saturating_sub(span);
            }
        }
    }

    /// The summed change, as a `pool_stat_t`.
    #[must_use]
    pub fn stat(&self) -> PoolStat {
        PoolStat { stats: self.sum, ..Default::default() }
    }

    /// The time that it spans.
    #[must_use]
    pub fn span(&self) -> UTime {
        self.span.into()
    }

    /// The change without what went backwards, which an OSD's uncommitted statistics can.
    #[must_use]
    pub fn positive(&self) -> ObjectStatSum {
        let mut sum = self.sum;
        sum.floor(0);
        sum
    }

    /// So many per second, rounded towards zero.
    #[must_use]
    pub fn per_second(&self, count: i64) -> i64 {
        let secs = self.span.as_secs_f64();
        if secs > 0.0 { (count as f64 / secs) as i64 } else { 0 }
    }
}

/// The time from `from` to `to`; none backwards.
pub(crate) fn since(from: UTime, to: UTime) -> Duration {
    to.to_duration().saturating_sub(from.to_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_change_of_the_last_intervals_and_never_negative() {
        let at = |num_wr| ObjectStatSum { num_wr, ..Default::default() };
        let mut deltas = Deltas::default();
        deltas.push(&at(0), &at(1000), Duration::from_secs(2));
        assert_eq!(deltas.span(), UTime::ZERO, "the first report is no change");
        for step in 0..20 {
            deltas.push(&at(1000 + step * 10), &at(1010 + step * 10), Duration::from_secs(2));
        }
        assert_eq!(deltas.span(), UTime { sec: 12, nsec: 0 });
        assert_eq!(deltas.per_second(deltas.positive().num_wr), 5);
        for _ in 0..6 {
            deltas.push(&at(1000), &at(900), Duration::from_secs(2));
        }
        assert_eq!(deltas.positive().num_wr, 0);
    }
}
