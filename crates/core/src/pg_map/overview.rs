//! What the dashboard's overview shows of placement groups (`services/ceph_service.py`: `get_pg_info`, `get_client_perf`,
//! `get_scrub_status`), from the running sums: nothing here walks the PGs.

use super::PgMap;
use super::summary::{client_rate, recovery_rate};
use axon_proto::pg::PgState;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl PgMap {
    /// Sums over all objects, PGs by state, and how many PGs an OSD has on average.
    #[must_use]
    pub fn pg_info(&self) -> Value {
        let sum = &self.pg_sum.stats;
        // A hole of an erasure-coded PG counts as an OSD of its own, as upstream has it.
        let osds = self.num_pg_by_osd.values().filter(|count| count.acting > 0).count();
        let pgs_per_osd = if osds == 0 { 0.0 } else { f64::from(self.pg_sum.acting) / osds as f64 };
        json!({
            "object_stats": {
                "num_objects": sum.num_objects,
                "num_object_copies": sum.num_object_copies,
                "num_objects_degraded": sum.num_objects_degraded,
                "num_objects_misplaced": sum.num_objects_misplaced,
                "num_objects_unfound": sum.num_objects_unfound,
            },
            "statuses": by_name(&self.num_pg_by_state),
            "pgs_per_osd": pgs_per_osd,
        })
    }

    /// A pool's PGs by state.
    #[must_use]
    pub fn pool_pg_states(&self, pool: i64) -> BTreeMap<String, i64> {
        self.num_pg_by_pool_state.get(&pool).map(by_name).unwrap_or_default()
    }

    /// Clients' and recovery's traffic: the sum of the pools' rates.
    #[must_use]
    pub fn client_perf(&self) -> Value {
        let keys = ["read_bytes_sec", "read_op_per_sec", "write_bytes_sec", "write_op_per_sec"];
        let keys = keys.into_iter().chain(["recovering_bytes_per_sec"]);
        let mut sums: Map<String, Value> = keys.map(|key| (key.to_owned(), Value::from(0))).collect();
        for deltas in self.per_pool_deltas.values() {
            for (key, rate) in client_rate(deltas).json.into_iter().chain(recovery_rate(deltas).json) {
                if let Some(sum) = sums.get_mut(&key) {
                    let (so_far, rate) = (sum.as_i64().unwrap_or(0), rate.as_i64().unwrap_or(0));
                    *sum = so_far.saturating_add(rate).into();
                }
            }
        }
        Value::Object(sums)
    }

    /// Whether any PG scrubs.
    #[must_use]
    pub fn is_scrubbing(&self) -> bool {
        let scrubs = PgState::SCRUBBING.with(PgState::DEEP_SCRUB);
        self.num_pg_by_state.iter().any(|(state, count)| *count > 0 && state.0 & scrubs.0 != 0)
    }
}

fn by_name(counts: &BTreeMap<PgState, i32>) -> BTreeMap<String, i64> {
    let mut named = BTreeMap::new();
    for (state, count) in counts.iter().filter(|(_, count)| **count > 0) {
        *named.entry(state.to_string()).or_default() += i64::from(*count);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg_map::Pending;
    use crate::pg_map::test_map::{CLEAN, Facts, at, pg, report};
    use axon_proto::pg::PgStat;

    fn map(pgs: impl IntoIterator<Item = (u32, PgStat)>) -> PgMap {
        let (mut map, mut pending, facts) = (PgMap::default(), Pending::default(), Facts::small(4, 2));
        pending.follow(&map, &facts, at(1000));
        map.settle(&mut pending, at(1000));
        pending.report(&map, &facts, 0, report(1, pgs));
        map.settle(&mut pending, at(1001));
        map
    }

    #[test]
    fn an_overview_counts_objects_states_and_pgs_per_osd() {
        let degraded = PgStat { state: CLEAN.with(PgState::SCRUBBING), ..pg(2, [0, 1, 3]) };
        let map = map([(0, pg(2, [0, 1, 2])), (1, degraded)]);
        let info = map.pg_info();
        assert_eq!(info["object_stats"]["num_objects"], 20);
        assert_eq!(info["statuses"], json!({"active+clean": 1, "active+clean+scrubbing": 1}));
        assert_eq!(info["pgs_per_osd"], 1.5);
        assert_eq!(map.pool_pg_states(1)["active+clean"], 1);
        assert!(map.pool_pg_states(9).is_empty() && map.is_scrubbing());
    }

    #[test]
    fn an_empty_map_has_no_pgs_per_osd_and_no_traffic() {
        let map = PgMap::default();
        assert_eq!(map.pg_info()["pgs_per_osd"], 0.0);
        assert_eq!(map.client_perf()["recovering_bytes_per_sec"], 0);
        assert!(!map.is_scrubbing());
    }
}
