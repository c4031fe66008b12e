//! Where the PGs of an OSD map are, with what they hold (`MappingState`).

use axon_core::pg_map::PgMap;
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::Pg;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Mapping {
    pub desc: String,
    pub map: Arc<OSDMap>,
    pub pgs: Arc<PgMap>,
    /// By pool that both maps know, then by PG: the OSDs that shall have it.
    pub up: BTreeMap<i64, BTreeMap<Pg, Vec<i32>>>,
}

impl Mapping {
    pub fn of(map: Arc<OSDMap>, pgs: Arc<PgMap>, desc: impl Into<String>) -> Self {
        let pools = map.pools.keys().filter(|pool| pgs.pg_pool_sum.contains_key(pool));
        let up = pools.map(|pool| {
            let pgs = map.pgs_of(*pool).map(|pg| (pg, map.pg_to_up_acting(pg).up));
            (*pool, pgs.collect::<BTreeMap<_, _>>())
        });
        let up = up.collect();
        Mapping { desc: desc.into(), map, pgs, up }
    }

    /// The share of PGs that are elsewhere than in `before`.
    pub fn misplaced_from(&self, before: &Mapping) -> f64 {
        let (mut all, mut moved) = (0usize, 0usize);
        for (pool, pgs) in &before.up {
            let now = self.up.get(pool);
            all += pgs.len();
            moved += pgs.iter().filter(|(pg, osds)| now.and_then(|now| now.get(pg)) != Some(*osds)).count();
        }
        if all == 0 { 0.0 } else { moved as f64 / all as f64 }
    }

    /// Objects and bytes of a PG.
    pub fn held(&self, pg: &Pg) -> (i64, i64) {
        self.pgs.pg_stat.get(pg).map_or((0, 0), |stat| (stat.stats.num_objects, stat.stats.num_bytes))
    }
}
