//! Performance counters (`get_unlabeled_counter_python` and kin). A host keeps what it was told (`python/axon_counters.py`): only the
//! values of daemons that have reported since cross, as raw numbers, and a schema crosses once for all daemons that have it.

use super::arguments::Arguments;
use crate::link::{Answer, Refusal};
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_core::perf::{Schema, is_average};
use serde_json::{Map, Value, json};

/// One counter's kept values, oldest first: `[time, value]`, of averages `[time, sum, count]`.
pub fn counter(state: &State, args: Arguments<'_>) -> Result<Answer, Refusal> {
    let (key, path) = (DaemonKey::new(args.text(0)?, args.text(1)?), args.text(2)?);
    let Some(daemon) = state.perf.daemon(&key) else { return Ok(json!([]).into()) };
    let average = daemon.schema().counter(path).is_some_and(is_average);
    let point = |p: axon_core::perf::Point| match average {
        true => json!([p.t.as_secs_f64(), p.value, p.count]),
        false => json!([p.t.as_secs_f64(), p.value]),
    };
    Ok(Value::from(daemon.history(path).map(point).collect::<Vec<_>>()).into())
}

/// The newest values of the daemons of some types, `{type: the changes that the host has seen}`. The head is `[changes seen now,
/// rows, {type: all names}]`: a row `[type, name, schema, time, how many values]` is a daemon that has changed, its values are in the
/// tail in the same order; names are told where a daemon has gone.
pub fn newest(state: &State, args: Arguments<'_>) -> Result<Answer, Refusal> {
    let (perf, mut rows, mut names, mut tail) = (&state.perf, Vec::new(), Map::new(), Vec::new());
    for (kind, seen) in args.object(0)? {
        let seen = seen.as_u64().unwrap_or_default();
        for (name, daemon) in perf.of_kind(kind).filter(|(_, daemon)| daemon.changed() > seen) {
            let row = match daemon.newest() {
                Some((t, schema, values)) => {
                    // Both ends are on one machine.
                    tail.extend(values.iter().flat_map(|value| value.to_ne_bytes()));
                    json!([kind, name, schema.number(), t.as_secs_f64(), values.len()])
                }
                None => json!([kind, name, daemon.schema().number(), null, 0]),
            };
            rows.push(row);
        }
        if perf.gone() > seen {
            names.insert(kind.clone(), perf.of_kind(kind).map(|(name, _)| name).collect());
        }
    }
    Ok(Answer { head: json!([perf.changes(), rows, names]), tail: tail.into() })
}

/// Which schema the daemons of a type (or one of them, or all) have: `[[daemon, schema]]`. Who has declared nothing has an empty one.
pub fn declared(state: &State, args: Arguments<'_>) -> Result<Answer, Refusal> {
    let (kind, id) = (args.text(0)?, args.text(1)?);
    let wanted = |key: &DaemonKey| kind.is_empty() || (key.kind == kind && (id.is_empty() || key.name == id));
    let found = state.daemons.iter().map(|(key, _)| key).filter(|key| wanted(key));
    let number = |key: &DaemonKey| state.perf.daemon(key).map_or(0, |daemon| daemon.schema().number());
    let rows: Vec<Value> = found.map(|key| json!([key.to_string(), number(key)])).collect();
    Ok(Value::from(rows).into())
}

/// Schemas by their numbers: the counters `[path, description, nick, type, priority, units]` in the order of their values; null for one
/// that nobody has any more.
pub fn schemas(state: &State, args: Arguments<'_>) -> Result<Answer, Refusal> {
    let empty = Schema::default();
    let counters = |number: &Value| -> Option<Vec<Value>> {
        let number = number.as_u64()?;
        let schema = if number == 0 { Some(&empty) } else { state.perf.schema(number) };
        let counter = |c: &axon_proto::msgs::mgr_report::PerfCounterType| {
            json!([c.path, c.description, c.nick, c.kind, c.priority, c.unit])
        };
        Some(schema?.types().map(counter).collect())
    };
    let text = serde_json::to_vec(&args.list(0)?.iter().map(counters).collect::<Vec<_>>());
    let failed = |why: serde_json::Error| Refusal::new("RuntimeError", why.to_string());
    Ok(Answer { head: Value::Null, tail: text.map_err(failed)?.into() })
}

#[cfg(test)]
mod tests;
