//! This process's own counters: `perf dump|schema|reset`, `perf histogram …`, `counter dump|schema`
//! (`PerfCountersCollectionImpl::dump_formatted_generic`, `src/common/perf_counters.cc`).
//!
//! They count what Axon does; upstream's groups for parts that Axon does not have are not there. None of them is a histogram.

use super::{Answer, Ask, Row, row, since};
use axon_proto::Release;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) const ROWS: &[Row] = &[
    // Names of old, without a help.
    row("1", "", dump),
    row("2", "", schema),
    row("perfcounters_dump", "", dump),
    row("perfcounters_schema", "", schema),
    row(
        "perf dump name=logger,type=CephString,req=false name=counter,type=CephString,req=false",
        "dump non-labeled counters and their values",
        dump,
    ),
    row("perf schema", "dump non-labeled counters schemas", schema),
    row(
        "perf histogram dump name=logger,type=CephString,req=false name=counter,type=CephString,req=false",
        "dump perf histogram values",
        histograms,
    ),
    row("perf histogram schema", "dump perf histogram schema", histograms),
    row(
        "perf reset name=var,type=CephString",
        "perf reset <name>: perf reset all or one perfcounter name",
        reset,
    ),
    since(
        Release::Reef,
        row("counter dump", "dump all labeled and non-labeled counters and their values", |ask| {
            Answer::json(labeled(groups(ask, OwnPerf::value)))
        }),
    ),
    since(
        Release::Reef,
        row("counter schema", "dump all labeled and non-labeled counters schemas", |ask| {
            Answer::json(labeled(groups(ask, |_, desc| desc.schema())))
        }),
    ),
];

fn dump(ask: &Ask<'_>) -> Answer {
    Answer::json(groups(ask, OwnPerf::value))
}

fn schema(ask: &Ask<'_>) -> Answer {
    Answer::json(groups(ask, |_, desc| desc.schema()))
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    MonMessages,
    DaemonMessages,
    MalformedMessages,
    Sessions,
    Snapshots,
    Commands,
    CommandsFailed,
    CommandLatency,
    TellCommands,
    Tasks,
}

struct Desc {
    counter: Counter,
    name: &'static str,
    about: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Gauge,
    Latency,
}

const fn count(counter: Counter, name: &'static str, about: &'static str) -> Desc {
    Desc { counter, name, about, kind: Kind::Count }
}

/// The one group.
const GROUP: &str = "axon";

/// In the order of [`Counter`].
const DESCS: [Desc; 10] = [
    count(Counter::MonMessages, "mon_messages", "Messages from monitors"),
    count(Counter::DaemonMessages, "daemon_messages", "Messages from daemons and clients"),
    count(
        Counter::MalformedMessages,
        "malformed_messages",
        "Messages that could not be read and cost their session",
    ),
    Desc { kind: Kind::Gauge, ..count(Counter::Sessions, "sessions", "Sessions of daemons and clients") },
    count(Counter::Snapshots, "snapshots", "Snapshots of the cluster's state that were published"),
    count(Counter::Commands, "commands", "Commands about the cluster"),
    count(Counter::CommandsFailed, "commands_failed", "Commands about the cluster that failed"),
    Desc {
        counter: Counter::CommandLatency,
        name: "command_latency",
        about: "Time from a command's arrival to its answer",
        kind: Kind::Latency,
    },
    count(Counter::TellCommands, "tell_commands", "Commands to this process itself"),
    Desc { kind: Kind::Gauge, ..count(Counter::Tasks, "tasks", "Tasks that live") },
];

impl Desc {
    /// Type bits and names as upstream prints them (`PERFCOUNTER_*`).
    fn schema(&self) -> Value {
        let (bits, metric, value) = match self.kind {
            Kind::Count => (10, "counter", "integer"),
            Kind::Gauge => (2, "gauge", "integer"),
            Kind::Latency => (5, "gauge", "real-integer-pair"),
        };
        json!({
            "type": bits, "metric_type": metric, "value_type": value, "description": self.about,
            "nick": "", "priority": 0, "units": "none",
        })
    }
}

/// The counters; shared by all tasks.
#[derive(Debug, Default)]
pub struct OwnPerf {
    /// Counts; of latencies the number of them.
    counts: [AtomicU64; DESCS.len()],
    sum_nanos: [AtomicU64; DESCS.len()],
}

impl OwnPerf {
    /// One more.
    pub fn inc(&self, counter: Counter) {
        if let Some(count) = self.counts.get(counter as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As many as that now.
    pub fn set(&self, counter: Counter, value: u64) {
        if let Some(count) = self.counts.get(counter as usize) {
            count.store(value, Ordering::Relaxed);
        }
    }

    /// One more that took so long.
    pub fn took(&self, counter: Counter, time: Duration) {
        self.inc(counter);
        if let Some(sum) = self.sum_nanos.get(counter as usize) {
            sum.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn value(&self, desc: &Desc) -> Value {
        let read =
            |list: &[AtomicU64]| list.get(desc.counter as usize).map_or(0, |n| n.load(Ordering::Relaxed));
        let count = read(&self.counts);
        match desc.kind {
            Kind::Count | Kind::Gauge => count.into(),
            Kind::Latency => {
                let sum = read(&self.sum_nanos) as f64 / 1e9;
                let average = if count == 0 { 0.0 } else { sum / count as f64 };
                json!({ "avgcount": count, "sum": sum, "avgtime": average })
            }
        }
    }

    fn reset(&self, group: &str) -> bool {
        let found = group == "all" || group == GROUP;
        for desc in DESCS.iter().filter(|desc| found && desc.kind != Kind::Gauge) {
            for list in [&self.counts, &self.sum_nanos] {
                if let Some(number) = list.get(desc.counter as usize) {
                    number.store(0, Ordering::Relaxed);
                }
            }
        }
        found
    }
}

/// Counters by group, of the group and counter that the command names.
fn groups(ask: &Ask<'_>, value: impl Fn(&OwnPerf, &Desc) -> Value) -> Value {
    let named =
        |argument: &str| ask.command.args.get(argument).and_then(Value::as_str).filter(|n| !n.is_empty());
    let (group, counter) = (named("logger"), named("counter"));
    let mut out = Map::new();
    for desc in &DESCS {
        let wanted = group.is_none_or(|g| g == GROUP) && counter.is_none_or(|c| c == desc.name);
        if wanted && let Some(entries) = out.entry(GROUP).or_insert_with(|| json!({})).as_object_mut() {
            entries.insert(desc.name.to_owned(), value(ask.perf, desc));
        }
    }
    out.into()
}

/// `counter dump`'s form: each group a list of sets with labels. Axon's have none.
fn labeled(groups: Value) -> Value {
    let Value::Object(groups) = groups else { return groups };
    groups
        .into_iter()
        .map(|(name, counters)| (name, json!([{ "labels": {}, "counters": counters }])))
        .collect()
}

fn histograms(ask: &Ask<'_>) -> Answer {
    let Value::Object(groups) = groups(ask, OwnPerf::value) else { return Answer::json(json!({})) };
    Answer::json(groups.into_iter().map(|(name, _)| (name, json!({}))).collect())
}

fn reset(ask: &Ask<'_>) -> Answer {
    let name = ask.command.args.get("var").and_then(Value::as_str).unwrap_or_default();
    match ask.perf.reset(name) {
        true => Answer::json(json!({ "success": format!("perf reset {name}") })),
        false => Answer::json(json!({ "error": format!("Not find: {name}") })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stand_in_the_order_of_their_names() {
        for (i, desc) in DESCS.iter().enumerate() {
            assert_eq!(desc.counter as usize, i, "{}", desc.name);
        }
    }
}
