//! Performance counters (`get_unlabeled_counter_python` and kin). Daemons of a type mostly declare the same counters, so
//! schemas travel once and each daemon's values are a column.

use super::arguments::Arguments;
use crate::link::{Answer, Refusal};
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_core::perf::{Schema, is_average};
use axon_proto::msgs::mgr_report::PerfCounterType;
use serde_json::{Map, Value, json};
use std::sync::Arc;

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

/// Schemas that are met, each once.
#[derive(Default)]
struct Met(Vec<Arc<Schema>>);

impl Met {
    fn place(&mut self, schema: &Arc<Schema>) -> usize {
        match self.0.iter().position(|met| Arc::ptr_eq(met, schema)) {
            Some(place) => place,
            None => {
                self.0.push(schema.clone());
                self.0.len() - 1
            }
        }
    }
}

/// The newest values of all daemons of a type.
pub fn newest(state: &State, kind: &str) -> Result<Answer, Refusal> {
    let mut met = Met::default();
    let mut daemons = Map::new();
    for (key, daemon) in state.perf.iter().filter(|(key, _)| key.kind == kind) {
        let entry = match daemon.newest() {
            Some((t, schema, values)) => json!([met.place(schema), t.as_secs_f64(), values]),
            None => continue,
        };
        daemons.insert(key.name.clone(), entry);
    }
    let columns = |schema: &Arc<Schema>| {
        let mut at = 0;
        let column = |counter: &PerfCounterType| {
            let (here, average) = (at, is_average(counter));
            at += if average { 2 } else { 1 };
            json!([counter.path, here, average])
        };
        schema.types().map(column).collect::<Vec<_>>()
    };
    let schemas: Vec<_> = met.0.iter().map(columns).collect();
    let text = json!({"schemas": schemas, "daemons": daemons}).to_string();
    Ok(Answer { head: Value::Null, tail: text.into() })
}

/// What the daemons of a type (or one of them, or all) declare.
pub fn schema(state: &State, args: Arguments<'_>) -> Result<Answer, Refusal> {
    let (kind, id, labelled) = (args.text(0)?, args.text(1)?, args.truth(2)?);
    let wanted = |key: &DaemonKey| kind.is_empty() || (key.kind == kind && (id.is_empty() || key.name == id));
    let mut met = Met::default();
    let mut daemons = Map::new();
    for (key, daemon) in state.perf.iter().filter(|(key, _)| wanted(key)) {
        daemons.insert(key.to_string(), met.place(daemon.schema_shared()).into());
    }
    let make = |schema: &Arc<Schema>| if labelled { by_label(schema) } else { unlabelled(schema) };
    let schemas: Vec<Value> = met.0.iter().map(make).collect();
    let text = json!({"schemas": schemas, "daemons": daemons}).to_string();
    Ok(Answer { head: Value::Null, tail: text.into() })
}

fn described(counter: &PerfCounterType) -> Value {
    let mut out = Map::new();
    out.insert("description".to_owned(), counter.description.as_str().into());
    if !counter.nick.is_empty() {
        out.insert("nick".to_owned(), counter.nick.as_str().into());
    }
    out.insert("type".to_owned(), counter.kind.into());
    out.insert("priority".to_owned(), counter.priority.into());
    out.insert("units".to_owned(), counter.unit.into());
    out.into()
}

fn unlabelled(schema: &Schema) -> Value {
    let plain = schema.types().filter(|counter| !counter.path.contains('\0'));
    plain.map(|counter| (counter.path.clone(), described(counter))).collect::<Map<_, _>>().into()
}

/// `{name: [{"labels": {…}, "counters": {…}}]}`: a path is `name.counter`, or `name\0label\0value\0….counter`.
fn by_label(schema: &Schema) -> Value {
    let mut out: Map<String, Value> = Map::new();
    for counter in schema.types() {
        let (head, last) = counter.path.rsplit_once('.').unwrap_or(("", &counter.path));
        let mut parts = head.split('\0');
        let name = parts.next().unwrap_or_default();
        let parts: Vec<&str> = parts.collect();
        let pairs = parts.chunks_exact(2).filter_map(|pair| match pair {
            [label, value] if !label.is_empty() => Some(((*label).to_owned(), Value::from(*value))),
            _ => None,
        });
        let labels: Map<String, Value> = pairs.collect();
        let list = out.entry(name).or_insert_with(|| json!([]));
        let Some(list) = list.as_array_mut() else { continue };
        let same = |group: &&mut Value| group.get("labels").and_then(Value::as_object) == Some(&labels);
        let counters = match list.iter_mut().find(same) {
            Some(group) => group,
            None => {
                list.push(json!({"labels": labels, "counters": {}}));
                let Some(group) = list.last_mut() else { continue };
                group
            }
        };
        if let Some(counters) = counters.get_mut("counters").and_then(Value::as_object_mut) {
            counters.insert(last.to_owned(), described(counter));
        }
    }
    out.into()
}
