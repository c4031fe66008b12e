//! Steps `pg_num` and `pgp_num` of pools towards their targets (`DaemonServer::adjust_pgs` in `src/mgr/DaemonServer.cc`, 16.2 to
//! 20.2): the monitors keep the targets, the manager takes each step when the cluster can bear it.
//!
//! Invariants: `pg_num` shrinks by one PG at a time, and only when source and target of the merge are clean on the same OSDs;
//! `pgp_num` moves only while nothing is inactive, unknown or degraded and not too much is misplaced.
//!
//! One deviation: nothing is decided before the OSDs have reported ([`State::pg_ready`]).

use crate::command::Command;
use crate::mgr_options::MgrOptions;
use crate::pg_map::PgMap;
use crate::state::State;
use axon_proto::osd_map::{OSDMap, PgPool, pool_flag};
use axon_proto::pg::{Pg, PgState};
use std::collections::{BTreeMap, BTreeSet};

/// What the monitors shall be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// By pool's name.
    pub pg_num: BTreeMap<String, u32>,
    pub pgp_num: BTreeMap<String, u32>,
    /// PGs whose explicit mappings stand in the way of a merge.
    pub upmaps_to_clear: BTreeSet<Pg>,
}

impl Adjustments {
    /// The commands, in upstream's order.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let set = |pools: &BTreeMap<String, u32>, var: &'static str| -> Vec<Command> {
            let one = |(pool, val): (&String, &u32)| {
                let command = Command::plain("osd pool set").arg("pool", pool.clone());
                command.arg("var", var).arg("val", val.to_string())
            };
            pools.iter().map(one).collect()
        };
        let mut out = set(&self.pg_num, "pg_num_actual");
        out.extend(set(&self.pgp_num, "pgp_num_actual"));
        for pg in &self.upmaps_to_clear {
            for prefix in ["osd rm-pg-upmap", "osd rm-pg-upmap-items"] {
                out.push(Command::plain(prefix).arg("pgid", pg.to_string()));
            }
        }
        out
    }
}

/// The next steps.
#[must_use]
pub fn adjust_pgs(state: &State) -> Adjustments {
    let mut out = Adjustments::default();
    if !state.pg_ready {
        return out;
    }
    let options = state.mgr_options();
    let creating_or_unknown = creating_or_unknown(&state.pg_map);
    let Some(mut left) =
        options.max_pg_creating(state.release).checked_sub(creating_or_unknown).filter(|left| *left > 0)
    else {
        return out;
    };
    let view = View { osds: &state.osd_map, pgs: &state.pg_map, options: &options };
    for (id, pool) in state.osd_map.pools.iter() {
        let Some(name) = state.osd_map.pool_name.get(id) else { continue };
        if let Some(next) = view.pg_num_step(*id, pool, left, &mut out.upmaps_to_clear) {
            out.pg_num.insert(name.clone(), next);
            // A merge is a step of its own.
            let Some(added) = next.checked_sub(pool.pg_num) else { continue };
            left = left.saturating_sub(u64::from(added));
        }
        if let Some(next) = view.pgp_num_step(*id, pool) {
            out.pgp_num.insert(name.clone(), next);
        }
        if left == 0 {
            break;
        }
    }
    out
}

fn creating_or_unknown(pgs: &PgMap) -> u64 {
    let counts = pgs.num_pg_by_state.iter();
    let counts = counts.filter(|(state, _)| state.has(PgState::CREATING) || **state == PgState::UNKNOWN);
    counts.map(|(_, count)| u64::try_from(*count).unwrap_or(0)).sum()
}

struct View<'a> {
    osds: &'a OSDMap,
    pgs: &'a PgMap,
    options: &'a MgrOptions,
}

impl View<'_> {
    fn pg_num_step(&self, id: i64, pool: &PgPool, left: u64, upmaps: &mut BTreeSet<Pg>) -> Option<u32> {
        // A pool whose first PGs are still being made is let alone.
        if pool.flags & pool_flag::CREATING != 0 {
            return None;
        }
        match pool.pg_num_target.cmp(&pool.pg_num) {
            std::cmp::Ordering::Less => self.may_merge(id, pool, upmaps).then(|| pool.pg_num - 1),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => self.split_to(id, pool, left),
        }
    }

    /// Whether the last PG can be merged into its parent now.
    fn may_merge(&self, id: i64, pool: &PgPool, upmaps: &mut BTreeSet<Pg>) -> bool {
        let Some(parent) = pool.pg_num.checked_sub(1).and_then(parent_seed) else { return false };
        let (source, target) = (Pg::new(id, pool.pg_num - 1), Pg::new(id, parent));
        let mapped = [source, target]
            .into_iter()
            .filter(|pg| self.osds.pg_upmap.contains_key(pg) || self.osds.pg_upmap_items.contains_key(pg));
        let before = upmaps.len();
        upmaps.extend(mapped);
        let clean = |pg| {
            let stat = self.pgs.pg_stat.get(&pg)?;
            stat.state.has(PgState::ACTIVE.with(PgState::CLEAN)).then_some(&stat.acting)
        };
        upmaps.len() == before
            // Another merge is under way, or PGs are still placed apart.
            && pool.pg_num == pool.pg_num_pending
            && pool.pg_num != pool.pgp_num
            && matches!((clean(source), clean(target)), (Some(a), Some(b)) if a == b)
    }

    fn split_to(&self, id: i64, pool: &PgPool, left: u64) -> Option<u32> {
        let states = self.pgs.num_pg_by_pool_state.get(&id)?;
        let serving = PgState::ACTIVE.with(PgState::PEERED);
        if !states.keys().all(|state| state.any(serving)) {
            return None;
        }
        let gap = pool.pg_num.saturating_sub(pool.pgp_num);
        let room = self.options.mgr_max_pg_num_change.checked_sub(gap).filter(|room| *room > 0)?;
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        Some(pool.pg_num + left.min(room).min(pool.pg_num_target - pool.pg_num))
    }

    fn pgp_num_step(&self, id: i64, pool: &PgPool) -> Option<u32> {
        let target = pool.pg_num_pending.min(pool.pgp_num_target);
        let grows = target > pool.pgp_num;
        if target == pool.pgp_num || (grows && pool.pgp_num == pool.pg_num) {
            return None;
        }
        let aggressive = self.options.mgr_debug_aggressive_pg_num_changes;
        if !aggressive && self.is_busy() {
            return None;
        }
        let objects = self.pgs.pg_pool_sum.get(&id).map_or(0, |sum| sum.stats.num_objects);
        let leap = pool.pgp_num_target > pool.pgp_num && objects <= i64::from(pool.pgp_num_target);
        let next = if aggressive || leap { target } else { self.careful_pgp_num(pool, target) };
        (next != pool.pgp_num).then_some(next)
    }

    /// PGs that are not well, or enough that moves already.
    fn is_busy(&self) -> bool {
        let all = self.pgs.num_pg();
        let inactive = all - self.pgs.num_pg_active - self.pgs.num_pg_unknown;
        let degraded = self.ratio(self.pgs.pg_sum.stats.num_objects_degraded);
        inactive > 0
            || self.pgs.num_pg_unknown > 0
            || degraded > 0.0
            || self.misplaced() > self.options.target_max_misplaced_ratio
    }

    fn misplaced(&self) -> f64 {
        self.ratio(self.pgs.pg_sum.stats.num_objects_misplaced)
    }

    fn ratio(&self, objects: i64) -> f64 {
        let copies = self.pgs.pg_sum.stats.num_object_copies;
        if copies > 0 { objects as f64 / copies as f64 } else { 0.0 }
    }

    /// A step that misplaces about half of what may be misplaced, if objects are spread evenly over all PGs.
    fn careful_pgp_num(&self, pool: &PgPool, target: u32) -> u32 {
        let max = self.options.target_max_misplaced_ratio;
        let room = (max - self.misplaced()).min(max / 2.0);
        let step = ((f64::from(pool.pg_num) * room) as u32).max(1);
        let next = target.clamp(pool.pgp_num.saturating_sub(step), pool.pgp_num.saturating_add(step));
        let follows_pg_num = pool.pgp_num_target == pool.pg_num_target && pool.pgp_num_target < pool.pg_num;
        if !follows_pg_num {
            return next;
        }
        // While merging, PGs that are placed together already but not merged yet would crowd a few OSDs.
        let ahead_max = ((f64::from(pool.pg_num) * max) as u32).max(MERGES_AHEAD_MIN);
        next.max(pool.pg_num.saturating_sub(ahead_max))
    }
}

/// The PG that a PG was split from (`pg_t::get_parent`): the highest bit away; the first has none.
fn parent_seed(seed: u32) -> Option<u32> {
    seed.checked_ilog2().map(|bit| seed & !(1 << bit))
}

/// By how much `pgp_num` may always be ahead of merges.
const MERGES_AHEAD_MIN: u32 = 8;

#[cfg(test)]
#[path = "adjust_pgs_tests.rs"]
mod tests;
