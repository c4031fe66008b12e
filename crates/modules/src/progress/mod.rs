//! `progress` (`pybind/mgr/progress/module.py`, 16.2 to 20.2): how far recovery is, as events with a beginning and a share done,
//! and the events that have ended, which stay in the monitors' store under `mgr/progress/completed`.
//!
//! An OSD marked out or in begins an event of the PGs that move for it (in 16.2 always, since 18.2 where
//! `allow_pg_recovery_event` is set); while there is an event and a PG is not `active+clean`, there is a global one too.
//! OSD maps are looked at when they come, not only by period: an OSD that is out for a moment is seen.
//!
//! `event.rs` is one event, `recovery.rs` its progress, `others.rs` other modules' events, `store.rs` what is kept.

mod commands;
mod event;
mod others;
mod recovery;
mod store;

pub use others::told;

use crate::options::{flag, option, runtime, secs, value};
use crate::{Memory, Module, Progress, Tick, Work};
use axon_core::State;
use axon_proto::mgr_map::{ModuleOption, OptionType};
use axon_proto::osd_map::OSDMap;
use axon_proto::{Release, UTime};
use event::{Event, Ghost};
use std::sync::Arc;

const NAME: &str = "progress";

pub const MODULE: Module = Module {
    name: NAME,
    options,
    commands: commands::ROWS,
    tick: Some(Tick {
        period_secs: |state| secs(state, NAME, "sleep_interval", 5),
        watches: &["osd_map"],
        run: tick,
    }),
};

fn options(release: Release) -> Vec<ModuleOption> {
    let mut out = vec![
        runtime("max_completed_events", OptionType::INT, "50", "number of past completed events to remember"),
        runtime("sleep_interval", OptionType::SECS, "5", "how long the module is going to sleep"),
        option("enabled", OptionType::BOOL, "True"),
    ];
    if release >= Release::Reef {
        let desc = "allow the module to show pg recovery progress";
        out.push(runtime("allow_pg_recovery_event", OptionType::BOOL, "False", desc));
    }
    out
}

fn is_on(state: &State) -> bool {
    flag(state, NAME, "enabled", true)
}

fn follows_osds(state: &State) -> bool {
    state.release < Release::Reef || flag(state, NAME, "allow_pg_recovery_event", false)
}

/// What the module remembers.
#[derive(Default)]
struct Events {
    /// The stored events have been read.
    loaded: bool,
    /// In the order in which they began.
    open: Vec<Event>,
    completed: Vec<Ghost>,
    /// The map that was looked at last.
    map: Option<Arc<OSDMap>>,
    /// Events made so far: part of their ids.
    made: u64,
    /// The store does not have all completed events.
    dirty: bool,
}

impl Events {
    fn of<'a>(memory: &'a mut Memory, state: &State) -> &'a mut Self {
        let events = memory.of::<Events>();
        if !events.loaded {
            events.loaded = true;
            events.completed = state.module_store(NAME, store::KEY).map(store::decoded).unwrap_or_default();
        }
        events
    }

    /// Ends events.
    fn complete(&mut self, ended: impl Fn(&Event) -> bool, now: UTime) {
        let (ended, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(ended);
        self.open = open;
        self.dirty |= !ended.is_empty();
        self.completed.extend(ended.into_iter().map(|event| event.ended(now)));
    }

    fn forget_old(&mut self, state: &State) {
        let max: usize = value(state, NAME, "max_completed_events", 50);
        let excess = self.completed.len().saturating_sub(max);
        if excess > 0 {
            self.completed.drain(..excess);
            self.dirty = true;
        }
    }

    fn shown(&self) -> Progress {
        self.open.iter().map(|event| (event.id.clone(), event.shown.clone())).collect()
    }
}

fn tick(state: &State, now: UTime, memory: &mut Memory) -> Work {
    let events = Events::of(memory, state);
    let before = events.map.replace(state.osd_map.clone());
    if is_on(state) {
        if let Some(before) = before.filter(|_| follows_osds(state)) {
            events.follow_osds(&before, state, now);
        }
        events.follow_pgs(state, now);
    }
    events.forget_old(state);
    let actions = match std::mem::take(&mut events.dirty) {
        true => vec![store::saved(&events.completed)],
        false => Vec::new(),
    };
    Work { progress: events.shown(), actions, ..Work::default() }
}

#[cfg(test)]
mod tests;
