//! Commands that run and commands that have run lately: `dump_ops_in_flight`, `dump_blocked_ops`, `dump_historic_ops` and their
//! kin (`OpTracker`, `src/common/TrackedOp.cc`; `DaemonServer::asok_command`). Since Tentacle.
//!
//! Invariant: bounded by what runs, and by `mgr_op_history_size` for what has run.
//!
//! As upstream, `dump_historic_slow_ops` is `dump_historic_ops_by_duration`.

use super::{Answer, Ask, EINVAL, Row, active, row, since};
use crate::state::State;
use axon_proto::{Release, UTime};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) const ROWS: &[Row] = &[
    op(
        "dump_ops_in_flight name=filterstr,type=CephString,n=N,req=false",
        "show the ops currently in flight",
        in_flight,
    ),
    op(
        "dump_blocked_ops name=filterstr,type=CephString,n=N,req=false",
        "show the blocked ops currently in flight",
        |ask| blocked(ask, true),
    ),
    op(
        "dump_blocked_ops_count name=filterstr,type=CephString,n=N,req=false",
        "show the count of blocked ops currently in flight",
        |ask| blocked(ask, false),
    ),
    op("dump_historic_ops name=filterstr,type=CephString,n=N,req=false", "show recent ops", |ask| {
        historic(ask, false)
    }),
    op(
        "dump_historic_slow_ops name=filterstr,type=CephString,n=N,req=false",
        "show slowest recent ops",
        |ask| historic(ask, true),
    ),
    op(
        "dump_historic_ops_by_duration name=filterstr,type=CephString,n=N,req=false",
        "show slowest recent ops, sorted by duration",
        |ask| historic(ask, true),
    ),
];

const fn op(cmdstring: &'static str, help: &'static str, run: fn(&Ask<'_>) -> Answer) -> Row {
    active(since(Release::Tentacle, row(cmdstring, help, run)))
}

/// Who sent a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// `client.4117`.
    pub name: String,
    /// `ip:port/nonce`.
    pub addr: String,
    pub tid: u64,
}

#[derive(Clone, Debug)]
struct Op {
    description: String,
    peer: Peer,
    initiated: UTime,
    started: Option<UTime>,
    done: Option<UTime>,
}

/// The commands; shared by all tasks.
#[derive(Debug, Default)]
pub struct OpTracker {
    ops: Mutex<Ops>,
}

#[derive(Debug, Default)]
struct Ops {
    next: u64,
    in_flight: BTreeMap<u64, Op>,
    history: VecDeque<Op>,
}

impl OpTracker {
    /// A command has come; its number.
    pub fn begin(&self, description: String, peer: Peer, now: UTime) -> u64 {
        let mut ops = self.lock();
        ops.next += 1;
        let number = ops.next;
        ops.in_flight.insert(number, Op { description, peer, initiated: now, started: None, done: None });
        number
    }

    /// It may run and does.
    pub fn start(&self, number: u64, now: UTime) {
        if let Some(op) = self.lock().in_flight.get_mut(&number) {
            op.started = Some(now);
        }
    }

    /// It has been answered.
    pub fn end(&self, number: u64, now: UTime, state: &State) {
        let mut ops = self.lock();
        let Some(mut op) = ops.in_flight.remove(&number) else { return };
        // One that was refused has not run, and is not tracked.
        if op.started.is_none() {
            return;
        }
        op.done = Some(now);
        ops.history.push_back(op);
        ops.trim(now, state);
    }

    fn lock(&self) -> MutexGuard<'_, Ops> {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ops {
    fn trim(&mut self, now: UTime, state: &State) {
        let (size, secs) = history_bounds(state);
        let old = |op: &Op| op.done.is_some_and(|done| now.sec.saturating_sub(done.sec) > secs);
        while self.history.len() > size || self.history.front().is_some_and(old) {
            self.history.pop_front();
        }
    }
}

fn history_bounds(state: &State) -> (usize, u32) {
    (state.option("mgr_op_history_size", 20), state.option("mgr_op_history_duration", 600))
}

fn disabled(ask: &Ask<'_>) -> Option<Answer> {
    let enabled = ask.state.option("mgr_enable_op_tracker", true);
    let why = "commands are not tracked; set mgr_enable_op_tracker to true, then those that come later are";
    (!enabled).then(|| Answer::refuse(EINVAL, why))
}

fn in_flight(ask: &Ask<'_>) -> Answer {
    if let Some(refused) = disabled(ask) {
        return refused;
    }
    let ops = ask.ops.lock();
    let shown = ops.in_flight.values().filter(|op| op.started.is_some() && op.is_wanted(ask));
    let shown: Vec<Value> = shown.map(|op| op.json(ask.now)).collect();
    let number = shown.len();
    Answer::json(json!({ "ops": shown, "num_ops": number }))
}

fn blocked(ask: &Ask<'_>, list: bool) -> Answer {
    if let Some(refused) = disabled(ask) {
        return refused;
    }
    let complaint_secs: f64 = ask.state.option("mgr_op_complaint_time", 30.0);
    let ops = ask.ops.lock();
    let is_blocked = |op: &&Op| op.started.is_some() && seconds(op.initiated, ask.now) > complaint_secs;
    let shown: Vec<Value> = ops
        .in_flight
        .values()
        .filter(is_blocked)
        .filter(|op| op.is_wanted(ask))
        .map(|op| op.json(ask.now))
        .collect();
    let number = shown.len();
    let complaint =
        if complaint_secs.fract() == 0.0 { json!(complaint_secs as i64) } else { json!(complaint_secs) };
    Answer::json(match list {
        true => json!({ "ops": shown, "complaint_time": complaint, "num_blocked_ops": number }),
        false => json!({ "complaint_time": complaint, "num_blocked_ops": number }),
    })
}

fn historic(ask: &Ask<'_>, by_duration: bool) -> Answer {
    if let Some(refused) = disabled(ask) {
        return refused;
    }
    let (size, secs) = history_bounds(ask.state);
    let mut ops = ask.ops.lock();
    ops.trim(ask.now, ask.state);
    let mut shown: Vec<&Op> = ops.history.iter().filter(|op| op.is_wanted(ask)).collect();
    if by_duration {
        shown.sort_by(|a, b| b.duration(ask.now).total_cmp(&a.duration(ask.now)));
    } else {
        shown.sort_by_key(|op| op.initiated);
    }
    let shown: Vec<Value> = shown.into_iter().map(|op| op.json(ask.now)).collect();
    Answer::json(json!({ "size": size, "duration": secs, "ops": shown }))
}

impl Op {
    fn duration(&self, now: UTime) -> f64 {
        seconds(self.initiated, self.done.unwrap_or(now))
    }

    /// Filters are addresses: whole, without the nonce, or without the port.
    fn is_wanted(&self, ask: &Ask<'_>) -> bool {
        let filters: Vec<&str> = match ask.command.args.get("filterstr") {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            _ => return true,
        };
        let sock = self.peer.addr.split('/').next().unwrap_or_default();
        let ip = sock.rsplit_once(':').map_or(sock, |(ip, _)| ip);
        filters.is_empty() || filters.iter().any(|f| *f == self.peer.addr || *f == sock || *f == ip)
    }

    fn json(&self, now: UTime) -> Value {
        let moments = [("initiated", Some(self.initiated)), ("started", self.started), ("done", self.done)];
        let mut before = self.initiated;
        let events: Vec<Value> = moments
            .into_iter()
            .filter_map(|(event, time)| {
                let time = time?;
                let took = seconds(before, time);
                before = time;
                Some(json!({ "event": event, "time": time.to_string(), "duration": took }))
            })
            .collect();
        json!({
            "description": self.description,
            "initiated_at": self.initiated.to_string(),
            "age": seconds(self.initiated, now),
            "duration": self.duration(now),
            "continuous": false,
            "type_data": {
                "flag_point": "started",
                "client_info": {
                    "client": self.peer.name, "client_addr": self.peer.addr, "tid": self.peer.tid,
                },
                "events": events,
            },
        })
    }
}

fn seconds(from: UTime, to: UTime) -> f64 {
    let nanos = |t: UTime| i128::from(t.sec) * 1_000_000_000 + i128::from(t.nsec);
    (nanos(to) - nanos(from)) as f64 / 1e9
}
