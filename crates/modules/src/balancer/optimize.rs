//! Making a plan: whether the cluster may be touched, then by mode.

use super::options::Settings;
use super::plan::Plan;
use super::{Balancer, compat};
use axon_core::State;
use axon_core::primaries::balance_primaries;
use axon_core::upmap::calc_pg_upmaps;
use axon_proto::UTime;
use axon_proto::pg::PgState;
use serde_json::Value;

pub(super) const SUCCESS: &str = "Optimization plan created successfully";

const NOTHING: &str = "Unable to find further optimization, or pool(s) pg_num is decreasing, or distribution is already perfect";
const NOTHING_TO_READ: &str = "Unable to find further optimization, or distribution is already perfect";

const EPERM_EXEC: i32 = 8;
const EAGAIN: i32 = 11;
const EALREADY: i32 = 114;

/// Errno (positive) and why.
pub(super) type Refusal = (i32, String);

impl Balancer {
    /// Fills in a plan, or says why there is none.
    pub fn optimize(
        &mut self,
        plan: &mut Plan,
        settings: &Settings,
        state: &State,
        now: UTime,
    ) -> Result<(), Refusal> {
        may_touch(state, settings.misplaced_max)?;
        match plan.mode.as_str() {
            "upmap" => self.upmap(plan, settings, now),
            "crush-compat" => compat::optimize(plan, settings, state, now),
            "read" => self.read(plan, state),
            "upmap-read" => match (self.upmap(plan, settings, now), self.read(plan, state)) {
                (Err(why), Err(_)) => Err(why),
                _ => Ok(()),
            },
            "none" => {
                Err((EPERM_EXEC, "Please do \"ceph balancer mode\" to choose a valid mode first".to_owned()))
            }
            other => Err((crate::EINVAL, format!("Unrecognized mode {other}"))),
        }
    }

    fn upmap(&mut self, plan: &mut Plan, settings: &Settings, now: UTime) -> Result<(), Refusal> {
        let pools = pools_of(plan)?;
        let mut left = settings.upmap_max_optimizations;
        let mut did = 0;
        for id in shuffled(pools, now) {
            // Scrubs count as activity too.
            let states = plan.pgs.num_pg_by_pool_state.get(&id);
            let clean =
                states.and_then(|s| s.get(&PgState::ACTIVE.with(PgState::CLEAN))).copied().unwrap_or(0);
            let max = left.min(usize::try_from(clean).unwrap_or(0));
            let moves = calc_pg_upmaps(&plan.map, &[id].into(), settings.upmap_max_deviation, max);
            did += moves.len();
            left = left.saturating_sub(moves.len());
            plan.inc.new_pg_upmap_items.extend(moves.set);
            plan.inc.old_pg_upmap_items.extend(moves.removed);
            if left == 0 {
                break;
            }
        }
        self.found(did, NOTHING)
    }

    fn read(&mut self, plan: &mut Plan, state: &State) -> Result<(), Refusal> {
        let clean = PgState::ACTIVE.with(PgState::CLEAN);
        let mut states =
            plan.map.pools.keys().filter_map(|id| plan.pgs.num_pg_by_pool_state.get(id)).flatten();
        if states.any(|(state, count)| *state != clean && *count > 0) {
            return Err((EALREADY, "Not all PGs are active+clean; try again later.".to_owned()));
        }
        let mut did = 0;
        for id in pools_of(plan)? {
            use axon_proto::osd_map::Score;
            let Some(balance) = plan.map.read_balance(id, state.release) else { continue };
            let is_optimal = match balance.score {
                Score::Fair { optimal_score, .. } => balance.score_acting == optimal_score,
                Score::SizeOptimal { .. } => false,
                Score::None => true,
            };
            if is_optimal {
                continue;
            }
            let changes = balance_primaries(&plan.map, id);
            did += changes.set.len() + changes.removed.len();
            plan.inc.new_pg_upmap_primary.extend(changes.set);
            plan.inc.old_pg_upmap_primary.extend(changes.removed);
        }
        self.found(did, NOTHING_TO_READ)
    }

    fn found(&mut self, changes: usize, nothing: &str) -> Result<(), Refusal> {
        if changes == 0 {
            self.no_optimization_needed = true;
            return Err((EALREADY, nothing.to_owned()));
        }
        Ok(())
    }
}

/// Nothing is moved while something is wrong, or much is moving already.
fn may_touch(state: &State, misplaced_max: f64) -> Result<(), Refusal> {
    let status = state.pg_map.summary_json();
    let ratio = |name: &str| status.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let told = |what: &str, ratio: f64, how: &str| {
        Err((EAGAIN, format!("Some {what} ({ratio:.6}) are {how}; try again later")))
    };
    let (unknown, degraded) = (ratio("unknown_pgs_ratio"), ratio("degraded_ratio"));
    let (inactive, misplaced) = (ratio("inactive_pgs_ratio"), ratio("misplaced_ratio"));
    if unknown > 0.0 {
        told("PGs", unknown, "unknown")
    } else if degraded > 0.0 {
        told("objects", degraded, "degraded")
    } else if inactive > 0.0 {
        told("PGs", inactive, "inactive")
    } else if misplaced >= misplaced_max {
        let why =
            format!("Too many objects ({misplaced:.6} > {misplaced_max:.6}) are misplaced; try again later");
        Err((EAGAIN, why))
    } else {
        Ok(())
    }
}

/// The plan's pools, or all, without those whose PGs are being merged.
fn pools_of(plan: &Plan) -> Result<Vec<i64>, Refusal> {
    if plan.pools.is_empty() && plan.map.pools.is_empty() {
        return Err((crate::ENOENT, "No pools available".to_owned()));
    }
    let named = |id: &i64| plan.map.pool_name.get(id).is_some_and(|name| plan.pools.contains(name));
    let wanted = plan.map.pools.iter().filter(|(id, _)| plan.pools.is_empty() || named(id));
    Ok(wanted.filter(|(_, pool)| pool.pg_num <= pool.pg_num_target).map(|(id, _)| *id).collect())
}

/// In another order each time, so that all pools get their turn.
fn shuffled(mut pools: Vec<i64>, now: UTime) -> Vec<i64> {
    let mut dice = Dice::new(now);
    for at in (1..pools.len()).rev() {
        pools.swap(at, dice.below(at + 1));
    }
    pools
}

/// Numbers that look random, from the time (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(now: UTime) -> Self {
        Dice(u64::from(now.sec) << 32 | u64::from(now.nsec) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}
