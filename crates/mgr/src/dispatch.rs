//! Commands to this manager (`DaemonServer::_handle_command`): from clients and daemons on their sessions, and from the REST
//! API. Looks the command up, checks the caller's capabilities, runs it, answers.

use crate::log::Log;
use crate::modules::Modules;
use crate::native::Native;
use crate::owner::{Request, Session};
use crate::run::{Report, now};
use crate::tell::Tell;
use arc_swap::ArcSwapOption;
use axon_api::Dashboard;
use axon_core::caps::{self, Allow};
use axon_core::commands::{self, Ask, Done, Kept, Row};
use axon_core::tell::{Counter, Peer};
use axon_core::{Cluster, Command, CommandError, CommandOutput, CommandSink, State, Target};
use axon_net::Client;
use axon_net::connection::ConnectionHandle;
use axon_net::listener::ListenerView;
use axon_proto::log_entry::LogPriority;
use axon_proto::msgs::command_reply::MCommandReply;
use axon_proto::msgs::mgr_command_reply::MMgrCommandReply;
use axon_pyhost::{Authorize, Hosts};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a command waits for a manager that is becoming active.
const ACTIVATION_SECS_MAX: u64 = 15;

/// How long a command about the OSD map waits for the map that it made, and how often it looks.
const OSD_MAP_WAIT_MS_MAX: u64 = 5_000;
const OSD_MAP_POLL_MS: u64 = 5;

/// Upstream's words; scripts look for them.
const DENIED: &str = "access denied: does your client key have mgr caps? See \
                      http://docs.ceph.com/en/latest/mgr/administrator/#client-authentication";

/// The manager's command table at work.
pub struct Dispatcher {
    cluster: OnceLock<Cluster>,
    dashboard: ArcSwapOption<Dashboard>,
    hosts: OnceLock<Hosts>,
    modules: Modules,
    reports: mpsc::Sender<Report>,
    tell: Arc<Tell>,
    native: Native,
    kept: Arc<Kept>,
    /// Commands of sessions that have not been answered.
    unanswered: AtomicUsize,
    leaving: AtomicBool,
    /// This manager is not a standby.
    leads: AtomicBool,
}

/// A message holds no more, with some room for the words.
const ANSWER_BYTES_MAX: usize = u32::MAX as usize - (1 << 20);

/// Instead of an answer that no message can hold; who asked would ask again for ever.
fn too_large(out: &CommandOutput) -> CommandOutput {
    const EFBIG: i32 = 27;
    let outs = format!("the answer takes {} bytes, and a message holds {ANSWER_BYTES_MAX}", out.outbl.len());
    CommandOutput { retval: -EFBIG, outs, ..CommandOutput::default() }
}

impl Dispatcher {
    pub fn new(modules: Modules, reports: mpsc::Sender<Report>, tell: Arc<Tell>) -> Self {
        let native = Native::new(reports.clone());
        Dispatcher {
            cluster: OnceLock::new(),
            dashboard: ArcSwapOption::empty(),
            hosts: OnceLock::new(),
            modules,
            reports,
            tell,
            native,
            kept: Arc::default(),
            unanswered: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
            leads: AtomicBool::new(false),
        }
    }

    /// Takes no further command: who sent one asks the next manager. Resolves when those that run are answered.
    pub async fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        while self.unanswered.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether this manager leads. What still runs when it no longer does gets no answer: the sessions end, and clients send
    /// the command to the next manager, as after upstream's (`MgrClient::reconnect`). Before modules are told to end.
    pub fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::SeqCst);
    }

    /// Gives the handle that commands read from. Once.
    pub fn attach(&self, cluster: Cluster) {
        let _ = self.cluster.set(cluster);
    }

    /// Gives the stock modules' hosts. Once.
    pub fn attach_hosts(&self, hosts: Hosts) {
        let _ = self.hosts.set(hosts);
    }

    /// Daemons' connections are seen there from now on.
    pub fn listens(&self, view: ListenerView) {
        self.tell.listens(view);
    }

    /// The stock modules' hosts.
    pub fn hosts(&self) -> Option<&Hosts> {
        self.hosts.get()
    }

    /// The dashboard of this activation, or none.
    pub fn set_dashboard(&self, dashboard: Option<Arc<Dashboard>>) {
        self.dashboard.store(dashboard);
    }

    /// The native modules.
    pub fn native(&self) -> &Native {
        &self.native
    }

    /// Runs a session's command and sends the answer back, as a task of its own.
    pub fn answer(self: Arc<Self>, request: Request, session: Session, handle: ConnectionHandle) {
        self.unanswered.fetch_add(1, Ordering::SeqCst);
        if self.leaving.load(Ordering::SeqCst) {
            self.unanswered.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        tokio::spawn(async move {
            let _unanswered = Unanswered(&self.unanswered);
            let out = self.tracked(&request, &session).await;
            if !self.leads.load(Ordering::SeqCst) {
                tracing::info!(cmd = %request.cmd.join(","), peer = %session.entity, "left to the next manager");
                return handle.close();
            }
            let out = if out.outbl.len() > ANSWER_BYTES_MAX { too_large(&out) } else { out };
            let (tid, r, rs, data) = (request.tid, out.retval, out.outs, out.outbl);
            let sent = if request.tell {
                handle.send(axon_proto::Message::from(MCommandReply { tid, r, rs, data })).await
            } else {
                handle.send(axon_proto::Message::from(MMgrCommandReply { tid, r, rs, data })).await
            };
            if let Err(why) = sent {
                tracing::debug!(%why, peer = %session.entity, "nobody waits for the answer any more");
            }
        });
    }

    /// Counts a command and shows it as long as it runs.
    async fn tracked(&self, request: &Request, session: &Session) -> CommandOutput {
        if request.admin_socket {
            return self.run_request(request, session, None).await;
        }
        let kind = if request.tell { "command" } else { "mgr_command" };
        let description = format!("{kind}(tid {}: {})", request.tid, request.cmd.join(","));
        let addr = session.addrs.legacy_or_front().legacy_str();
        let peer = Peer { name: session.name.to_string(), addr, tid: request.tid };
        let (perf, ops, begun) = (&self.tell.perf, &self.tell.ops, Instant::now());
        let op = ops.begin(description, peer, now());
        let out = self.run_request(request, session, Some(op)).await;
        ops.end(op, now(), &self.tell.state());
        perf.inc(Counter::Commands);
        perf.took(Counter::CommandLatency, begun.elapsed());
        if out.retval < 0 {
            perf.inc(Counter::CommandsFailed);
        }
        out
    }

    async fn run_request(&self, request: &Request, session: &Session, op: Option<u64>) -> CommandOutput {
        let text = request.cmd.concat();
        let args: Map<String, Value> = match serde_json::from_str(&text) {
            Ok(args) => args,
            Err(why) => return CommandOutput::failed(22, format!("the command is not a JSON object: {why}")),
        };
        let command = Command { args, input: request.input.clone(), deadline: Command::DEADLINE };
        if command.prefix() == "get_command_descriptions" && !request.admin_socket {
            return self.run(&command).await;
        }
        let allowed = if request.admin_socket { may_tell(session) } else { self.allowed(&command, session) };
        // Upstream's words, the double blank included.
        let line =
            format!("from='{}' entity='{}' cmd=[{}]:", session.inst(), session.entity, request.cmd.join(","));
        let log = Log::new(self.reports.clone());
        if let Err(denied) = allowed {
            log.audit(LogPriority::INFO, format!("{line}  access denied"));
            return denied;
        }
        log.audit(LogPriority::DEBUG, format!("{line} dispatch"));
        if let Some(op) = op {
            self.tell.ops.start(op, now());
        }
        match request.admin_socket {
            true => self.tell.run(&command).await,
            false => self.run_for(&command, Some(session)).await,
        }
    }

    fn allowed(&self, command: &Command, session: &Session) -> Result<(), CommandOutput> {
        let (service, module, perm) = self.required(command.prefix());
        let request = caps::Request {
            service,
            module,
            command: command.prefix(),
            arguments: &arguments(&command.args),
            wanted: Allow::of(&perm),
            ip: session.addrs.ip(),
        };
        if session.caps.is_capable(&request) { Ok(()) } else { Err(denied(session)) }
    }

    /// A command's service, its module (of the service `py` only) and its permissions. One that nobody has asks for nothing: the
    /// caller is told that later.
    fn required(&self, prefix: &str) -> (&'static str, &str, String) {
        if let Some(row) = commands::find(prefix) {
            return (row.module, "", row.perm.to_owned());
        }
        if let Some((module, known)) = self.modules.command(prefix) {
            return ("py", module, known.perm.clone());
        }
        let release = self.cluster.get().map_or(axon_proto::Release::NEWEST, |c| c.state().release);
        if let Some((module, row)) = axon_modules::find_command(prefix, release) {
            return ("py", module.name, row.perm.to_owned());
        }
        let release = axon_api::Release::of_major(u32::from(release.number()));
        let descs = axon_api::commands::descriptors(release);
        match descs.iter().find(|d| commands::prefix_of(&d.cmdstring) == prefix) {
            Some(known) => ("py", "dashboard", known.req_perms.clone()),
            None => ("py", "", String::new()),
        }
    }

    /// Runs a command of the manager itself or of its native modules.
    pub async fn run(&self, command: &Command) -> CommandOutput {
        self.run_for(command, None).await
    }

    /// Runs a command whose caller may do it; without a session it is the manager's own.
    async fn run_for(&self, command: &Command, session: Option<&Session>) -> CommandOutput {
        let Some(cluster) = self.cluster.get() else { return CommandOutput::failed(11, "not ready") };
        let state = cluster.state();
        if command.prefix() == "get_command_descriptions" {
            let body = commands::descriptions_json(&self.modules.command_descs(state.release), state.release);
            return CommandOutput::ok(body.to_string());
        }
        if let Some(row) = commands::find(command.prefix()) {
            let Some(mut done) = self.run_row(row, command, &state).await else {
                return CommandOutput::failed(
                    5,
                    "the command ended in an error of its own; see the manager's log",
                );
            };
            for (osd, message) in std::mem::take(&mut done.to_osds) {
                if self.reports.send(Report::ToOsd { osd, message }).await.is_err() {
                    return CommandOutput::failed(11, "the manager is stopping");
                }
            }
            return match done.to_mon {
                None => done.output,
                Some(command) => match cluster.command(Target::Mon, (*command).clone()).await {
                    Ok(output) if done.quiet && output.retval == 0 => {
                        if let Some(key) = command.args.get("key").and_then(Value::as_str) {
                            let wanted = (!command.input.is_empty()).then_some(&command.input);
                            mirrored(cluster, key, wanted).await;
                        }
                        done.output
                    }
                    // What the command had to say itself comes with the monitors' verdict.
                    Ok(output) if output.outbl.is_empty() => {
                        CommandOutput { outbl: std::mem::take(&mut done.output.outbl), ..output }
                    }
                    Ok(output) => output,
                    Err(why) => CommandOutput::failed(why.errno(), why.to_string()),
                },
            };
        }
        if let Some((module, row)) = axon_modules::find_command(command.prefix(), state.release) {
            return self.native.command(cluster, module, row, command).await;
        }
        if let (Some((module, known)), Some(hosts)) =
            (self.modules.command(command.prefix()), self.hosts.get())
        {
            let authorize = authorize(session.cloned(), module.to_owned(), Allow::of(&known.perm));
            return hosts.command(module, &command.args, command.input.clone(), authorize).await;
        }
        let Some(dashboard) = self.dashboard_soon().await else {
            return CommandOutput::failed(110, "the manager did not become active in time; try again");
        };
        match axon_api::commands::run(&dashboard, command).await {
            Some(out) => out,
            None => CommandOutput::failed(22, format!("No handler found for '{}'", command.prefix())),
        }
    }

    /// `None`: it ended in a panic.
    async fn run_row(&self, row: &'static Row, command: &Command, state: &Arc<State>) -> Option<Done> {
        if let Some(output) = self.kept.find(row, command, state) {
            return Some(output.into());
        }
        let now = now();
        if row.is_short(&Ask { command, state, now }) {
            let run = AssertUnwindSafe(|| commands::run(row, command, state, now));
            return std::panic::catch_unwind(run).ok();
        }
        // Beside the runtime's threads: on a big map these take long.
        let (command, state, kept) = (command.clone(), state.clone(), self.kept.clone());
        let run = tokio::task::spawn_blocking(move || {
            let done = commands::run(row, &command, &state, now);
            kept.keep(row, &command, &state, &done);
            done
        });
        run.await.ok()
    }

    /// A snapshot has been published: answers made of older maps are let go.
    pub fn follow(&self, state: &State) {
        self.kept.follow(state);
    }

    /// Commands that arrive during an activation wait for it.
    async fn dashboard_soon(&self) -> Option<Arc<Dashboard>> {
        for _ in 0..ACTIVATION_SECS_MAX * 20 {
            if let Some(dashboard) = self.dashboard.load_full() {
                return Some(dashboard);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

/// Counts down when the command has been answered, or its task has ended otherwise.
struct Unanswered<'a>(&'a AtomicUsize);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a module asks about the caller of one of its commands: whether it may do that with these arguments.
fn authorize(session: Option<Session>, module: String, wanted: Allow) -> Authorize {
    Arc::new(move |arguments| {
        let Some(session) = &session else { return true };
        let (service, command, ip) = ("py", "", session.addrs.ip());
        session.caps.is_capable(&caps::Request { service, module: &module, command, arguments, wanted, ip })
    })
}

/// Commands to the daemon itself require all capabilities.
fn may_tell(session: &Session) -> Result<(), CommandOutput> {
    if session.caps.is_allow_all() { Ok(()) } else { Err(denied(session)) }
}

fn denied(session: &Session) -> CommandOutput {
    tracing::debug!(peer = %session.entity, caps = %session.caps, "access denied");
    CommandOutput::failed(13, DENIED)
}

/// A command's arguments as capabilities compare them (`DaemonServer::_generate_command_map`): each as text, and pairs of
/// `caps` one by one.
fn arguments(args: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (key, value) in args.iter().filter(|(key, _)| *key != "prefix") {
        match value.as_array() {
            Some(pairs) if key == "caps" && pairs.len().is_multiple_of(2) => {
                for pair in pairs.chunks_exact(2) {
                    if let [kind, cap] = pair {
                        out.insert(format!("caps_{}", as_text(kind)), as_text(cap));
                    }
                }
            }
            _ => drop(out.insert(key.clone(), as_text(value))),
        }
    }
    out
}

/// As C++ streams write it.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(on) => u8::from(*on).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(as_text).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// Waits until a change of the monitors' store has come back, so that the caller's next command sees it.
pub(crate) async fn mirrored(cluster: &Cluster, key: &str, wanted: Option<&Bytes>) {
    const AT_MOST: Duration = Duration::from_secs(2);
    let seen = async {
        while cluster.state().kv.value(key) != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(AT_MOST, seen).await.is_err() {
        tracing::warn!(key, "the monitors have not sent the change back yet");
    }
}

/// Carries the REST API's and the modules' commands: to this manager itself, or out to the cluster.
pub struct Sink {
    pub client: Client,
    pub dispatcher: Arc<Dispatcher>,
}

impl CommandSink for Sink {
    fn command(
        &self,
        target: Target,
        command: Command,
    ) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(async move {
            match target {
                Target::Mgr => Ok(self.dispatcher.run(&command).await),
                Target::Mon if command.prefix().starts_with("osd ") => {
                    let output = self.client.command(Target::Mon, command).await?;
                    self.follow_osd_map().await;
                    Ok(output)
                }
                target => self.client.command(target, command).await,
            }
        })
    }
}

impl Sink {
    /// Waits for the OSD map that the monitors have after a command about it, so that who sent the command reads what it
    /// did (upstream waits after every command to a monitor).
    async fn follow_osd_map(&self) {
        let Some(cluster) = self.dispatcher.cluster.get() else { return };
        let Ok((newest, _)) = self.client.newest_version("osdmap").await else { return };
        for _ in 0..OSD_MAP_WAIT_MS_MAX / OSD_MAP_POLL_MS {
            if u64::from(cluster.state().osd_map.epoch) >= newest {
                return;
            }
            tokio::time::sleep(Duration::from_millis(OSD_MAP_POLL_MS)).await;
        }
        tracing::warn!(newest, "the monitors have not sent the OSD map that they announced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_compared_as_upstream_writes_them() {
        let json = json!({"prefix": "x", "ids": ["0", "1"], "n": 3, "force": true, "who": "osd.0", "caps": ["mon", "allow r"]});
        let got = arguments(json.as_object().unwrap());
        let got: Vec<(&str, &str)> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expected =
            [("caps_mon", "allow r"), ("force", "1"), ("ids", "[0,1]"), ("n", "3"), ("who", "osd.0")];
        assert_eq!(got, expected);
    }
}
