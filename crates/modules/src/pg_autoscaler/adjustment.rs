//! Pools on their way to another number of placement groups, as events of `progress` (`PgAdjustmentProgress`).
//!
//! An event lasts until the pool has reached what was set. Upstream looks at the map from before its own change since 18.2, where
//! nothing is under way yet, and ends the event at once.

use super::NAME;
use crate::Operation;
use crate::operation::unique_id;
use axon_core::State;
use axon_proto::UTime;
use serde_json::json;
use std::collections::BTreeMap;

/// By pool.
#[derive(Default)]
pub(super) struct Adjustments(BTreeMap<i64, Adjustment>);

struct Adjustment {
    event: String,
    pg_num: i64,
    pg_num_target: i64,
}

impl Adjustment {
    fn at(&self, pool: i64, progress: f64) -> Operation {
        let (from, to) = (self.pg_num, self.pg_num_target);
        let way = if from < to { "increasing" } else { "decreasing" };
        Operation::Update {
            id: self.event.clone(),
            message: format!("PG autoscaler {way} pool {pool} PGs from {from} to {to}"),
            progress,
            refs: json!([["pool", pool]]),
            add_to_ceph_s: false,
        }
    }

    fn done(self) -> Operation {
        Operation::Complete { id: self.event }
    }
}

impl Adjustments {
    /// What has moved, and the pools that are adjusted now, with their new numbers.
    pub fn follow(
        &mut self,
        state: &State,
        adjusted: &BTreeMap<i64, i64>,
        now: UTime,
    ) -> impl Iterator<Item = Operation> + use<> {
        let mut told = Vec::new();
        for (pool, mut known) in std::mem::take(&mut self.0) {
            let now_at = state.osd_map.pools.get(&pool);
            let (pg_num, target) =
                now_at.map_or((0, 0), |pool| (i64::from(pool.pg_num), i64::from(pool.pg_num_target)));
            if let Some(wanted) = adjusted.get(&pool) {
                (known.pg_num, known.pg_num_target) = (pg_num, *wanted);
                told.push(known.at(pool, 0.0));
            } else if pg_num == target || known.pg_num == known.pg_num_target {
                told.push(known.done());
                continue;
            } else {
                let share = (pg_num - known.pg_num) as f64 / (known.pg_num_target - known.pg_num) as f64;
                // Zero without a sign.
                told.push(known.at(pool, share + 0.0));
            }
            self.0.insert(pool, known);
        }
        for (pool, wanted) in adjusted {
            if self.0.contains_key(pool) {
                continue;
            }
            let pg_num = state.osd_map.pools.get(pool).map_or(0, |pool| i64::from(pool.pg_num));
            let event = unique_id(u64::from(state.osd_map.epoch), &format!("{NAME} {pool}"), now);
            let begun = Adjustment { event, pg_num, pg_num_target: *wanted };
            told.push(begun.at(*pool, 0.0));
            self.0.insert(*pool, begun);
        }
        told.into_iter()
    }

    /// Ends them all.
    pub fn end(&mut self) -> impl Iterator<Item = Operation> + use<> {
        std::mem::take(&mut self.0).into_values().map(Adjustment::done)
    }
}
