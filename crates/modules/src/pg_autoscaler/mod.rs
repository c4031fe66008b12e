//! `pg_autoscaler` (`pybind/mgr/pg_autoscaler/module.py`, 16.2 to 20.2): how many placement groups each pool should have for
//! the space that it uses or is told to expect; sets `pg_num` where a pool's mode is `on`, warns where it is `warn`.
//!
//! The manager steps pools towards what is set (`core/src/adjust_pgs.rs`); how far it is, `progress` shows (`adjustment.rs`).

mod adjustment;
mod commands;
mod health;
mod roots;
mod status;

use crate::options::{option, secs, value};
use crate::python::float_text;
use crate::{Action, Memory, Module, Tick, Work};
use adjustment::Adjustments;
use axon_core::{Command, State};
use axon_proto::mgr_map::{ModuleOption, OptionType};
use axon_proto::osd_map::map_flag;
use axon_proto::{Release, UTime};

const NAME: &str = "pg_autoscaler";

pub const MODULE: Module = Module {
    name: NAME,
    options,
    commands: commands::ROWS,
    tick: Some(Tick {
        period_secs: |state| secs(state, NAME, "sleep_interval", 60),
        watches: &[],
        run: tick,
    }),
};

const THRESHOLD: f64 = 3.0;

fn options(release: Release) -> Vec<ModuleOption> {
    let flag = || ModuleOption {
        desc: "global autoscale flag".to_owned(),
        long_desc: "Option to turn on/off the autoscaler for all pools".to_owned(),
        ..option("noautoscale", OptionType::BOOL, "False")
    };
    let threshold = || ModuleOption {
        desc: "scaling threshold".to_owned(),
        long_desc:
            "The factor by which the `NEW PG_NUM` must vary from the current`PG_NUM` before being accepted. \
                    Cannot be less than 1.0"
                .to_owned(),
        min: "1.0".to_owned(),
        ..option("threshold", OptionType::FLOAT, &float_text(THRESHOLD))
    };
    let own = if release < Release::Reef { flag() } else { threshold() };
    vec![option("sleep_interval", OptionType::SECS, "60"), own]
}

/// The factor that a pool must be off by; an option since 18.2.
fn threshold(state: &State) -> f64 {
    if state.release < Release::Reef {
        return THRESHOLD;
    }
    value(state, NAME, "threshold", THRESHOLD).max(1.0)
}

/// Nobody scales: an option of the module in 16.2, a flag of the OSD map since.
fn noautoscale(state: &State) -> bool {
    if state.release < Release::Reef {
        return state.module_option(NAME, "noautoscale").is_some_and(|set| set.eq_ignore_ascii_case("true"));
    }
    state.osd_map.has_flag(map_flag::NOAUTOSCALE)
}

fn tick(state: &State, now: UTime, memory: &mut Memory) -> Work {
    let stands = state.release >= Release::Reef && state.osd_map.has_flag(map_flag::NORECOVER);
    if noautoscale(state) || stands {
        return Work::default();
    }
    let status = status::Status::of(state);
    let wanted: Vec<_> = status.pools.iter().filter(|pool| pool.would_adjust && pool.mode == "on").collect();
    let mut actions: Vec<Action> = wanted
        .iter()
        .map(|pool| {
            let command = Command::json("osd pool set").arg("pool", pool.name.clone()).arg("var", "pg_num");
            Action::Mon(Box::new(command.arg("val", pool.pg_num_final.to_string())))
        })
        .collect();
    let adjusted = wanted.iter().map(|pool| (pool.id, pool.pg_num_final)).collect();
    actions.extend(memory.of::<Adjustments>().follow(state, &adjusted, now).map(Action::Operation));
    Work { actions, health: health::checks(&status), ..Work::default() }
}

#[cfg(test)]
mod tests;
