//! `progress`, `progress json|clear|on|off`.

use super::{Events, NAME, is_on, store};
use crate::python::dumps;
use crate::{Action, Done, Memory, Row};
use axon_core::commands::Ask;
use serde_json::{Value, json};

pub(super) const ROWS: &[Row] = &[
    Row::remembering("progress", "Show progress of recovery operations", "r", list),
    Row::remembering("progress json", "Show machine readable progress information", "r", as_json),
    Row::remembering("progress clear", "Reset progress tracking", "rw", clear),
    Row::new("progress on", "Enable progress tracking", "rw", on),
    Row::remembering("progress off", "Disable progress tracking", "rw", off),
];

fn list(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    let events = Events::of(memory, ask.state);
    if events.open.is_empty() && events.completed.is_empty() {
        return Done::err("Nothing in progress");
    }
    let newest_first = events.open.iter().rev().map(|event| event.two_lines(4, ask.now));
    let completed = events.completed.iter().map(|ghost| ghost.two_lines(ask.now));
    Done::out(newest_first.chain(completed).collect::<Vec<_>>().join("\n"))
}

fn as_json(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    let events = Events::of(memory, ask.state);
    let open: Vec<Value> = events.open.iter().map(|event| event.json(ask.now)).collect();
    let completed: Vec<Value> = events.completed.iter().map(super::Ghost::json).collect();
    Done::out(dumps(&json!({"events": open, "completed": completed}), true, 4))
}

fn clear(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    let events = Events::of(memory, ask.state);
    events.open.clear();
    events.completed.clear();
    Done { progress: Some(events.shown()), actions: vec![store::saved(&[])], ..Done::default() }
}

fn switch(on: bool) -> Action {
    Action::Option { name: "enabled", value: on.to_string() }
}

fn on(ask: &Ask<'_>) -> Done {
    if is_on(ask.state) {
        return Done::err("progress already enabled!");
    }
    Done { err: format!("{NAME} enabled"), actions: vec![switch(true)], ..Done::default() }
}

fn off(ask: &Ask<'_>, memory: &mut Memory) -> Done {
    if !is_on(ask.state) {
        return Done::err("progress already disabled!");
    }
    let mut done = clear(ask, memory);
    done.err = format!("{NAME} disabled");
    done.actions.insert(0, switch(false));
    done
}
