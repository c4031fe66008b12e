//! The events that have ended in the monitors' store: upstream's JSON, version 2. Those of version 1 have no times.
//!
//! Upstream reads what it wrote with the times shifted by one field; here each is what it was.

use super::event::Ghost;
use crate::Action;
use crate::python::dumps;
use serde_json::{Value, json};

pub(super) const KEY: &str = "completed";

const VERSION: u64 = 2;

pub(super) fn saved(completed: &[Ghost]) -> Action {
    let events: Vec<Value> = completed.iter().map(Ghost::json).collect();
    let all = json!({"events": events, "version": VERSION, "compat_version": VERSION});
    Action::Store { key: KEY.to_owned(), value: Some(dumps(&all, false, 0)) }
}

/// The events; none of what a newer release wrote so that we may not read it.
pub(super) fn decoded(text: &str) -> Vec<Ghost> {
    let Ok(all) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    if all.get("compat_version").and_then(Value::as_u64).is_none_or(|version| version > VERSION) {
        tracing::warn!("the completed events in the store are of a newer release and left out");
        return Vec::new();
    }
    let events = all.get("events").and_then(Value::as_array).into_iter().flatten();
    events.filter_map(ghost).collect()
}

fn ghost(event: &Value) -> Option<Ghost> {
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let time = |key: &str| event.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let is = |key: &str| event.get(key).and_then(Value::as_bool).unwrap_or(false);
    Some(Ghost {
        id: text("id")?,
        message: text("message")?,
        refs: event.get("refs").cloned().unwrap_or_else(|| json!([])),
        add_to_ceph_s: is("add_to_ceph_s:"),
        started_at: time("started_at"),
        finished_at: time("finished_at"),
        failure: is("failed").then(|| event.get("failure_message").cloned().unwrap_or(Value::Null)),
    })
}
