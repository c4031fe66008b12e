//! What one manager process answers about itself (`AdminSocket`, `CephContextHook`, `src/common/{admin_socket,ceph_context}.cc`):
//! `ceph tell mgr.x …` and the admin socket (`ceph daemon mgr.x …`). One row a command, with upstream's descriptor and a pure
//! handler; not to be confused with the manager's commands about the cluster (`crate::commands`).
//!
//! Invariants: a command that is not in the table of the release is refused as upstream does; an answer is JSON, indented unless
//! `format` says otherwise (`json`, `xml`, `xml-pretty`).
//!
//! What the process has open at the moment, commands and connections, the runtime gathers into [`Own`] before it asks.

mod client;
mod config;
mod counters;
mod faults;
mod mempools;
mod messengers;
mod network;
mod ops;

pub use client::{CommandOp, CommandOpTarget};
pub use config::{needs, undescribed};
pub use counters::{Counter, OwnPerf};
pub use faults::{Raise, strsignal};
pub use messengers::{Connection, Messenger};
pub use ops::{OpTracker, Peer};

use crate::command::{Command, CommandOutput};
use crate::commands::{Format, describe_arguments, prefix_of};
use crate::config::Schema;
use crate::state::State;
use axon_proto::{EntityAddr, Release, UTime};
use serde_json::{Map, Value, json};
use std::fmt;

/// What a handler reads.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub command: &'a Command,
    pub state: &'a State,
    /// The descriptions that [`needs`] named.
    pub schema: &'a Schema,
    pub perf: &'a OwnPerf,
    pub ops: &'a OpTracker,
    pub own: &'a Own,
    pub now: UTime,
}

/// What the process has open.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// By which daemons know its connections.
    pub addr: Option<EntityAddr>,
    pub command_ops: Vec<CommandOp>,
    /// First that of its own sessions with daemons.
    pub messengers: Vec<Messenger>,
}

/// Which options' descriptions a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    Options(Vec<String>),
    AllOptions,
}

/// What must be done beside answering.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sets an option at runtime, or takes that back.
    SetOption { name: String, value: Option<String> },
    /// Opens the log file anew.
    ReopenLog,
    /// Writes the lines that were kept to the log file.
    DumpLog,
    /// From the next login on the manager has this key, in base64.
    RotateKey(Key),
    /// Forgets rotating keys and tickets; they are fetched again.
    WipeSecrets,
    /// Fails an assertion: the process ends with a crash report.
    FailAssertion,
    /// The same, without an assertion.
    Abort,
    /// Takes some memory for good.
    Leak,
    /// Sends a signal to the process; what came of it is added to the answer.
    Raise(Raise),
}

/// A key in base64, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What a command leads to.
#[derive(Debug, Default)]
pub struct Done {
    pub output: CommandOutput,
    pub actions: Vec<Action>,
}

/// Whether a command reads [`Own`].
#[must_use]
pub fn reads_own(command: &Command) -> bool {
    ["objecter_requests", "mds_sessions", "messenger dump"].contains(&command.prefix())
}

struct Row {
    cmdstring: &'static str,
    /// Commands without one are left out of `help`.
    help: &'static str,
    since: Release,
    /// From this one on it is not there any more.
    until: Option<Release>,
    /// Only of the manager that is active.
    active: bool,
    run: fn(&Ask<'_>) -> Answer,
}

/// An answer before it is laid out.
struct Answer {
    retval: i32,
    outs: String,
    body: Body,
    actions: Vec<Action>,
}

enum Body {
    Json(Value),
    Text(String),
}

impl Answer {
    fn json(body: Value) -> Answer {
        Answer { retval: 0, outs: String::new(), body: Body::Json(body), actions: Vec::new() }
    }

    /// `errno` positive.
    fn refuse(errno: i32, outs: impl Into<String>) -> Answer {
        Answer { retval: -errno, outs: outs.into(), body: Body::Text(String::new()), actions: Vec::new() }
    }

    /// Nothing to say.
    fn silent() -> Answer {
        Answer { body: Body::Text(String::new()), ..Answer::json(Value::Null) }
    }

    fn with(mut self, action: Action) -> Answer {
        self.actions.push(action);
        self
    }
}

const fn row(cmdstring: &'static str, help: &'static str, run: fn(&Ask<'_>) -> Answer) -> Row {
    Row { cmdstring, help, since: Release::Pacific, until: None, active: false, run }
}

const fn active(row: Row) -> Row {
    Row { active: true, ..row }
}

const fn since(since: Release, row: Row) -> Row {
    Row { since, ..row }
}

const fn until(until: Release, row: Row) -> Row {
    Row { until: Some(until), ..row }
}

const GENERAL: &[Row] = &[
    row("0", "", |_| Answer {
        body: Body::Text(ADMIN_SOCKET_VERSION.to_owned()),
        ..Answer::json(Value::Null)
    }),
    row("version", "get ceph version", version),
    row("git_version", "get git sha1", |ask| {
        Answer::json(json!({ "git_version": version_word(ask.state, 3) }))
    }),
    row("help", "list available commands", help),
    row("get_command_descriptions", "list available commands", descriptions),
    row("status", "show status", status),
    active(row("mgr_status", "Dump mgr status", mgr_status)),
    row("log flush", "flush log entries to log file", |_| Answer::json(json!({}))),
    row("log dump", "dump recent log entries to log file", |_| Answer::json(json!({})).with(Action::DumpLog)),
    row("log reopen", "reopen log file", |_| Answer::json(json!({})).with(Action::ReopenLog)),
    since(Release::Reef, row("rotate-key", "rotate live authentication key", rotate_key)),
    since(
        Release::Tentacle,
        row("wipe-rotating-secrets", "wipe rotating secrets", |_| Answer::silent().with(Action::WipeSecrets)),
    ),
];

/// `CEPH_ADMIN_SOCK_VERSION`.
const ADMIN_SOCKET_VERSION: &str = "2";

fn rows(state: &State) -> Vec<&'static Row> {
    let chosen = state.mgr_map.active_gid == state.me.gid && state.me.gid != 0;
    let tables = [
        GENERAL,
        client::ROWS,
        config::ROWS,
        counters::ROWS,
        faults::ROWS,
        mempools::ROWS,
        messengers::ROWS,
        network::ROWS,
        ops::ROWS,
    ];
    let there = |row: &Row| row.since <= state.release && row.until.is_none_or(|until| state.release < until);
    let mut rows: Vec<&Row> =
        tables.into_iter().flatten().filter(|row| there(row) && (chosen || !row.active)).collect();
    rows.sort_by_key(|row| prefix_of(row.cmdstring));
    rows
}

/// Runs a command.
#[must_use]
pub fn run(ask: &Ask<'_>) -> Done {
    let prefix = ask.command.prefix();
    let Some(row) = rows(ask.state).into_iter().find(|row| prefix_of(row.cmdstring) == prefix) else {
        return CommandOutput::failed(EINVAL, format!("unknown command prefix {prefix}")).into();
    };
    if !has_required_arguments(row, ask.command) {
        return CommandOutput::failed(EINVAL, "invalid command json").into();
    }
    let answer = (row.run)(ask);
    let outbl = match answer.body {
        Body::Json(_) if answer.retval < 0 => String::new(),
        Body::Json(body) => format(ask.command).text(&root_of(prefix), &body),
        Body::Text(text) => text,
    };
    let output = CommandOutput { retval: answer.retval, outs: answer.outs, outbl: outbl.into() };
    Done { output, actions: answer.actions }
}

impl From<CommandOutput> for Done {
    fn from(output: CommandOutput) -> Done {
        Done { output, actions: Vec::new() }
    }
}

fn format(command: &Command) -> Format {
    match command.args.get("format").and_then(Value::as_str) {
        Some(name) => Format::of(name).unwrap_or(Format::JsonPretty),
        None => Format::JsonPretty,
    }
}

/// The outermost element's name in XML; of most it is the command's.
fn root_of(prefix: &str) -> String {
    match prefix {
        "git_version" => "version".to_owned(),
        "get_command_descriptions" => "command_descriptions".to_owned(),
        "perf dump" | "perf schema" | "counter dump" | "counter schema" => {
            "perfcounter_collection".to_owned()
        }
        "perfcounters_dump" | "perfcounters_schema" | "1" | "2" => "perfcounter_collection".to_owned(),
        "perf histogram dump" | "perf histogram schema" => "perfcounter_collection".to_owned(),
        "dump_osd_network" => "network_ping_times".to_owned(),
        "dump_blocked_ops" | "dump_blocked_ops_count" => "ops_in_flight".to_owned(),
        "objecter_requests" => "requests".to_owned(),
        "mds_requests" | "mds_sessions" | "dump_cache" | "kick_stale_sessions" => "result".to_owned(),
        "dump_mempools" => "mempools".to_owned(),
        "messenger dump" => "status".to_owned(),
        "raise" => "known_signals".to_owned(),
        "dump_historic_ops" => "op_history".to_owned(),
        "dump_historic_slow_ops" | "dump_historic_ops_by_duration" => "op_history".to_owned(),
        _ => prefix.replace(' ', "_"),
    }
}

/// Every argument that is not optional must be there (`validate_cmd`).
fn has_required_arguments(row: &Row, command: &Command) -> bool {
    let arguments = row.cmdstring.split(' ').filter(|word| word.starts_with("name="));
    arguments.filter(|word| !word.contains("req=false")).all(|word| {
        let name = word.split(',').next().and_then(|pair| pair.strip_prefix("name=")).unwrap_or_default();
        command.args.get(name).is_some_and(|value| value.is_string() || value.is_array() || value.is_number())
    })
}

/// The words of the long version text: `ceph version 16.2.15 (hash) pacific (stable)`.
fn version_word(state: &State, at: usize) -> String {
    let word = state.me.ceph_version.split_whitespace().nth(at).unwrap_or_default();
    word.trim_matches(['(', ')']).to_owned()
}

fn version(ask: &Ask<'_>) -> Answer {
    let word = |at| version_word(ask.state, at);
    if word(2).is_empty() {
        return Answer::refuse(EAGAIN, "the release is the monitors', and none has been reached yet");
    }
    Answer::json(json!({ "version": word(2), "release": word(4), "release_type": word(5) }))
}

fn help(ask: &Ask<'_>) -> Answer {
    let told = rows(ask.state).into_iter().filter(|row| !row.help.is_empty());
    let told =
        told.map(|row| (prefix_of(row.cmdstring).to_owned(), Value::from(help_of(row, ask.state.release))));
    Answer::json(told.collect())
}

/// In the release's words.
fn help_of(row: &Row, release: Release) -> &'static str {
    match prefix_of(row.cmdstring) {
        "perf dump" if release < Release::Reef => "dump perfcounters value",
        "perf schema" if release < Release::Reef => "dump perfcounters schema",
        _ => row.help,
    }
}

fn descriptions(ask: &Ask<'_>) -> Answer {
    let entries = rows(ask.state).into_iter().enumerate().map(|(i, row)| {
        let mut sig = describe_arguments(row.cmdstring);
        if ask.state.release >= Release::Reef {
            sig.iter_mut().for_each(bare_truths);
        }
        (format!("cmd{i:03}"), json!({ "sig": sig, "help": help_of(row, ask.state.release) }))
    });
    Answer::json(Value::Object(entries.collect()))
}

/// Since Reef `req` is true or false, no text.
fn bare_truths(argument: &mut Value) {
    if let Some(req) = argument.get_mut("req") {
        *req = Value::from(req.as_str() != Some("false"));
    }
}

/// `MonClient::call`: the key is the command's input.
fn rotate_key(ask: &Ask<'_>) -> Answer {
    let key = Key(String::from_utf8_lossy(&ask.command.input).trim().to_owned());
    Answer::silent().with(Action::RotateKey(key))
}

/// Upstream's standby says nothing here, and its active manager speaks of the libcephfs client in it.
fn status(ask: &Ask<'_>) -> Answer {
    let state = ask.state;
    let chosen = state.mgr_map.active_gid == state.me.gid;
    let phase = match (chosen, state.mgr_map.available) {
        (false, _) => "standby",
        (true, false) => "activating",
        (true, true) => "active",
    };
    Answer::json(json!({
        "name": format!("mgr.{}", state.me.id),
        "gid": state.me.gid,
        "state": phase,
        "mgrmap_epoch": state.mgr_map.epoch,
        "monmap_epoch": state.mon_map.epoch,
        "osdmap_epoch": state.osd_map.epoch,
        "fsmap_epoch": state.fs_map.epoch,
        "pg_ready": state.pg_ready,
    }))
}

fn mgr_status(ask: &Ask<'_>) -> Answer {
    let map = &ask.state.mgr_map;
    let mut body = Map::new();
    body.insert("mgrmap_epoch".to_owned(), map.epoch.into());
    body.insert("initialized".to_owned(), map.available.into());
    if ask.state.release >= Release::Tentacle {
        // Modules are native, so none is still to be loaded.
        body.insert("pending_modules".to_owned(), json!([]));
    }
    Answer::json(body.into())
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EAGAIN: i32 = 11;
const EINVAL: i32 = 22;

#[cfg(test)]
mod tests;
