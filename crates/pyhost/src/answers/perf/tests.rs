//! Both ends: what a host knows of counters (`python/axon_counters.py`) while daemons come, declare other counters, and go.

use super::*;
use axon_core::daemons::DaemonState;
use axon_denc::Writer;
use axon_proto::UTime;
use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Asks over its output, and answers what it is told to look at. Nothing stays fresh.
const HOST: &str = r#"
import json, sys, types
module = types.ModuleType("axon_counters")
exec(compile(open(sys.argv[1]).read(), "axon_counters.py", "exec"), module.__dict__)
module.FRESH_SECS = -1

def say(what):
    print(json.dumps(what), flush=True)

def call(*what):
    say({"call": what})
    head, tail = json.loads(sys.stdin.readline())
    return head, bytearray(bytes.fromhex(tail))

counters = module.Counters(call)
for line in sys.stdin:
    method, args = json.loads(line)
    say({"result": getattr(counters, method)(*args), "schemas": len(counters.schemas)})
"#;

struct Host {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    state: State,
    /// What crossed since the last look: questions by name, and values.
    asked: Vec<String>,
    values: usize,
    schemas: u64,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Host {
    fn start() -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python/axon_counters.py");
        let mut command = Command::new("python3");
        command.args(["-c", HOST, source]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 runs");
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let from = BufReader::new(from).lines();
        let state = State::default();
        Host { child, to, from, state, asked: Vec::new(), values: 0, schemas: 0 }
    }

    fn look(&mut self, method: &str, args: Value) -> Value {
        (self.asked, self.values) = (Vec::new(), 0);
        writeln!(self.to, "{}", json!([method, args])).unwrap();
        loop {
            let line = self.from.next().expect("the host lives").unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            let Some(call) = said["call"].as_array() else {
                self.schemas = said["schemas"].as_u64().unwrap();
                return said["result"].clone();
            };
            let (name, args) = (call[0].as_str().unwrap(), Arguments::of("test", &call[1..]));
            let answer = match name {
                "counters" => newest(&self.state, args),
                "counters_declared" => declared(&self.state, args),
                "counter_schemas" => schemas(&self.state, args),
                other => panic!("{other} is asked"),
            }
            .unwrap();
            let values = if name == "counters" { answer.tail.len() / 8 } else { 0 };
            self.asked.push(name.to_owned());
            self.values += values;
            let hex: String = answer.tail.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(self.to, "{}", json!([answer.head, hex])).unwrap();
        }
    }

    fn latest(&mut self, osd: &str, path: &str) -> Value {
        self.look("latest", json!(["osd", osd, path]))
    }

    fn schema(&mut self, osd: &str) -> Value {
        self.look("described", json!(["osd", osd, false]))
    }

    fn described(&mut self, osd: &str) {
        let metadata = [("hostname".to_owned(), "h".to_owned())].into();
        let daemon = DaemonState::from_metadata(metadata).unwrap();
        Arc::make_mut(&mut self.state.daemons).insert(DaemonKey::new("osd", osd), daemon);
    }

    fn report(&mut self, osd: &str, sec: u32, declare: &[(&str, u8)], undeclare: &[&str], values: &[u64]) {
        let mut w = Writer::new();
        w.envelope(1, 1, |w| values.iter().for_each(|v| w.u64(*v)));
        let counter = |(path, kind): &(&str, u8)| PerfCounterType {
            path: (*path).to_owned(),
            description: "what".to_owned(),
            nick: String::new(),
            kind: *kind,
            priority: 5,
            unit: 1,
        };
        let report = MMgrReport {
            declare_types: declare.iter().map(counter).collect(),
            undeclare_types: undeclare.iter().map(|path| (*path).to_owned()).collect(),
            packed: w.into_bytes(),
            ..Default::default()
        };
        let now = UTime { sec, nsec: 0 };
        Arc::make_mut(&mut self.state.perf).apply(&DaemonKey::new("osd", osd), &report, now).unwrap();
    }
}

const COUNTER: u8 = PerfCounterType::U64 | PerfCounterType::COUNTER;
const AVERAGE: u8 = PerfCounterType::TIME | PerfCounterType::LONGRUNAVG;

/// Two OSDs, `osd.lat` and `osd.op` each.
fn two() -> Host {
    let mut host = Host::start();
    for osd in ["0", "1"] {
        host.described(osd);
        host.report(osd, 1, &[("osd.op", COUNTER), ("osd.lat", AVERAGE)], &[], &[900, 3, 3, 7]);
    }
    host
}

#[test]
fn values_cross_when_their_daemon_has_reported_and_a_schema_once() {
    let mut host = two();
    assert_eq!(host.latest("0", "osd.lat"), json!([1.0, 900, 3]));
    assert_eq!(
        (host.asked.join(" ").as_str(), host.values, host.schemas),
        ("counters counter_schemas", 6, 1)
    );
    host.report("1", 2, &[], &[], &[u64::MAX, 4, 4, 8]);
    assert_eq!(host.latest("1", "osd.lat"), json!([2.0, u64::MAX, 4]));
    assert_eq!((host.asked.join(" ").as_str(), host.values), ("counters", 3));
    assert_eq!(host.latest("0", "osd.op"), json!([1.0, 7]));
    assert_eq!(host.values, 0, "nobody has reported");
    let described = json!({"description": "what", "type": COUNTER, "priority": 5, "units": 1});
    assert_eq!(host.schema("0")["osd.0"]["osd.op"], described);
}

#[test]
fn a_daemon_that_declares_more_has_it_and_the_others_have_not() {
    let mut host = two();
    host.latest("0", "osd.op");
    host.report("0", 2, &[("osd.new", COUNTER)], &[], &[900, 3, 3, 5, 8]);
    assert_eq!(host.latest("0", "osd.new"), json!([2.0, 5]));
    assert_eq!((host.asked.join(" ").as_str(), host.schemas), ("counters counter_schemas", 2));
    assert_eq!(host.latest("0", "osd.op"), json!([2.0, 8]));
    assert_eq!(host.latest("1", "osd.new"), json!([]));
    assert!(
        host.schema("0")["osd.0"]["osd.new"].is_object() && host.schema("1")["osd.1"]["osd.new"].is_null()
    );
}

#[test]
fn a_counter_that_is_no_longer_declared_goes_and_its_schema_with_the_last_daemon() {
    let mut host = two();
    host.latest("0", "osd.op");
    for (osd, schemas) in [("0", 2), ("1", 2)] {
        host.report(osd, 2, &[], &["osd.lat"], &[9]);
        assert_eq!(host.latest(osd, "osd.lat"), json!([]));
        assert_eq!((host.latest(osd, "osd.op"), host.schemas), (json!([2.0, 9]), schemas));
    }
    host.report("0", 3, &[("osd.a", COUNTER)], &[], &[1, 9]);
    assert_eq!((host.latest("0", "osd.a"), host.schemas), (json!([3.0, 1]), 2), "the first one is forgotten");
}

#[test]
fn a_daemon_that_starts_again_has_what_it_declares_now() {
    let mut host = two();
    host.latest("0", "osd.op");
    Arc::make_mut(&mut host.state.perf).open(&DaemonKey::new("osd", "0"));
    assert_eq!(host.latest("0", "osd.op"), json!([]));
    assert_eq!(host.schema("0"), json!({"osd.0": {}}), "as upstream's of a daemon without counters");
    host.report("0", 3, &[("osd.op", PerfCounterType::LONGRUNAVG)], &[], &[6, 2, 2]);
    assert_eq!(host.latest("0", "osd.op"), json!([3.0, 6, 2]));
    assert_eq!(host.latest("1", "osd.op"), json!([1.0, 7]));
}

#[test]
fn a_daemon_that_goes_is_forgotten_and_one_that_never_reported_has_no_counters() {
    let mut host = two();
    host.latest("0", "osd.op");
    host.described("2");
    assert_eq!((host.schema("2"), host.latest("2", "osd.op")), (json!({"osd.2": {}}), json!([])));
    let key = DaemonKey::new("osd", "0");
    Arc::make_mut(&mut host.state.perf).close(&key);
    Arc::make_mut(&mut host.state.daemons).remove(&key);
    assert_eq!((host.latest("0", "osd.op"), host.schema("0")), (json!([]), json!({})));
    let all = host.look("described", json!(["", "", false]));
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["osd.1", "osd.2"]);
    Arc::make_mut(&mut host.state.perf).close_all();
    assert_eq!(host.latest("1", "osd.op"), json!([]), "the manager hears of everybody anew");
    host.report("1", 9, &[("osd.op", COUNTER)], &[], &[1]);
    assert_eq!(host.latest("1", "osd.op"), json!([9.0, 1]));
}

#[test]
fn labels_are_told_apart_and_what_is_given_away_is_the_callers() {
    let mut host = Host::start();
    host.described("0");
    let path = |level: &str| format!("scrub\0level\0{level}\0.done");
    let (deep, shallow) = (path("deep"), path("shallow"));
    let declared = [("osd.op", COUNTER), (deep.as_str(), COUNTER), (shallow.as_str(), COUNTER)];
    host.report("0", 1, &declared, &[], &[1, 2, 3]);
    let plain = host.schema("0");
    assert_eq!(plain["osd.0"].as_object().unwrap().keys().collect::<Vec<_>>(), ["osd.op"]);
    let group = |labels: Value, name: &str| {
        let counter = json!({"description": "what", "type": COUNTER, "priority": 5, "units": 1});
        json!({"labels": labels, "counters": {name: counter}})
    };
    let expected = json!({
        "osd": [group(json!({}), "op")],
        "scrub": [group(json!({"level": "deep"}), "done"), group(json!({"level": "shallow"}), "done")],
    });
    assert_eq!(host.look("described", json!(["osd", "0", true]))["osd.0"], expected);
    assert_eq!(host.latest("0", &deep), json!([1.0, 2]));
}
