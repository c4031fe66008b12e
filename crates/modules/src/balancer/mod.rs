//! `balancer` (`pybind/mgr/balancer/module.py`, 16.2 to 20.2): spreads PGs evenly over OSDs by their weights, a few at a time:
//! by explicit mappings (`upmap`), by the compat weight-set (`crush-compat`), and since 20.2 by who is primary (`read`).
//!
//! Invariants: nothing is changed while PGs are unknown, inactive or degraded, or more than `target_max_misplaced_ratio` of the
//! objects are misplaced; a plan moves at most `upmap_max_optimizations` PGs or misplaces at most that ratio.
//!
//! `mapping.rs` and `eval.rs` are what is, `optimize.rs`, `compat.rs` and `axon_core::upmap` what shall be, `plan.rs` the way
//! there. Times of day are UTC.

mod clock;
mod commands;
mod compat;
mod eval;
mod mapping;
mod optimize;
mod options;
mod plan;
mod show;
mod weights;

use crate::options::secs;
use crate::{Action, Memory, Module, Tick, Work};
use axon_core::State;
use axon_proto::UTime;
use clock::Moment;
use options::Settings;
use plan::Plan;
use serde_json::Value;
use std::collections::BTreeMap;

const NAME: &str = "balancer";

pub const MODULE: Module = Module {
    name: NAME,
    options: options::all,
    commands: commands::ROWS,
    tick: Some(Tick { period_secs: |state| sleep_secs(state).min(LOOK_SECS), watches: &[], run: tick }),
};

/// How often it looks whether the time has come.
const LOOK_SECS: u64 = 10;

fn sleep_secs(state: &State) -> u64 {
    secs(state, NAME, "sleep_interval", 60)
}

/// What the module remembers.
#[derive(Default)]
struct Balancer {
    /// In the order in which they were made.
    plans: Vec<Plan>,
    last_optimize_started: String,
    optimize_result: String,
    no_optimization_needed: bool,
    /// Added and removed by the last plan, by key of `balancer status detail`.
    activity: BTreeMap<&'static str, Value>,
    /// Seconds since the epoch of the last round by itself, and the options that it went by.
    last_round: Option<(u32, Vec<(String, String)>)>,
}

impl Balancer {
    fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    fn remember(&mut self, plan: &Plan) {
        self.activity = [
            ("pg_upmap_items_added", plan.items_added()),
            ("pg_upmap_items_removed", plan.items_removed()),
            ("pg_upmap_primaries_added", plan.primaries_added()),
            ("pg_upmap_primaries_removed", plan.primaries_removed()),
        ]
        .into();
    }

    /// Whether a round is due: by period, or because the module's options have changed.
    fn is_due(&mut self, state: &State, now: UTime) -> bool {
        let prefix = format!("mgr/{NAME}/");
        let own = state.options.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        let own: Vec<(String, String)> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        let due = self.last_round.as_ref().is_none_or(|(last, options)| {
            u64::from(now.sec.saturating_sub(*last)) >= sleep_secs(state) || *options != own
        });
        if due {
            self.last_round = Some((now.sec, own));
        }
        due
    }
}

/// A round by itself (`serve`).
fn tick(state: &State, now: UTime, memory: &mut Memory) -> Work {
    let settings = Settings::of(state);
    let balancer = memory.of::<Balancer>();
    if !balancer.is_due(state, now) || !settings.active || !settings.permits(&Moment::of(now)) {
        return Work::default();
    }
    let mut actions = Vec::new();
    let names = &state.osd_map.pool_name;
    let (known, gone): (Vec<i64>, Vec<i64>) = settings.pool_ids.iter().partition(|id| names.contains_key(id));
    if !gone.is_empty() {
        actions.push(pool_ids(known.iter()));
    }
    let pools = known.iter().filter_map(|id| names.get(id).cloned()).collect();
    let name = format!("auto_{}", Moment::of(now).stamp());
    let (map, pgs) = (state.osd_map.clone(), state.pg_map.clone());
    let mut plan = Plan::new(name, settings.mode.clone(), map, pgs, pools);
    memory.measure();
    let balancer = memory.of::<Balancer>();
    balancer.last_optimize_started = Moment::of(now).asctime();
    match balancer.optimize(&mut plan, &settings, state, now) {
        Ok(()) => {
            balancer.optimize_result = optimize::SUCCESS.to_owned();
            let steps = plan.actions();
            tracing::info!(plan = plan.name, steps = steps.len(), "balancing:\n{}", plan.show());
            actions.extend(steps);
        }
        Err((_, why)) => balancer.optimize_result = why,
    }
    if settings.update_pg_upmap_activity {
        balancer.remember(&plan);
    }
    Work { actions, ..Work::default() }
}

fn pool_ids<'a>(ids: impl Iterator<Item = &'a i64>) -> Action {
    let value = ids.map(i64::to_string).collect::<Vec<_>>().join(",");
    Action::Option { name: "pool_ids", value }
}

#[cfg(test)]
mod tests;
