//! Keeps one module's process running while it is wanted: start, wait for it to be ready, answer what it asks, measure it,
//! end it, start it again after a failure with growing pauses. What is too much is judged by `limits`, when to start again by `restarts`.
//!
//! Invariant: a process is measured by this task alone, once a second; whoever asks reads what was measured last
//! (`axon_core::module_processes`).

use crate::answers::{Caller, Desk};
use crate::board::{ModuleBoard, Phase};
use crate::hosts::{Hosts, Mode};
use crate::limits::{Findings, Limits, Sample, Watch};
use crate::link::{Incoming, Link, LinkError, Refusal};
use crate::process;
use crate::restarts::Restarts;
use axon_core::module_processes::{ModuleProcess, ProcessState};
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::log_entry::LogPriority;
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::process::Child;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// How long one that starts may keep others from starting.
const TURN_SECS_MAX: u64 = 15;
/// How long it may take to end by itself.
const SHUTDOWN_SECS_MAX: u64 = 15;
/// … and while it has not answered for long.
const SILENT_SHUTDOWN_SECS_MAX: u64 = 1;
/// How often a process is measured …
const LOOK: Duration = Duration::from_secs(1);
/// How long what a process said before it ended may take to be read: a child of its own may hold the socket open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// … and at which of these looks it is asked for a sign of life.
const PING_LOOKS: u64 = 5;
/// Calls of one host that are worked on at a time; further ones are refused. Each is a thread of the host.
const CALLS_MAX: usize = 256;
/// A module's question has this much more time than what is asked for it, so that the reason of a delay reaches the module.
const CALL_SECS_MORE: u64 = 5;

/// How a module can be reached.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    #[default]
    Off,
    Starting,
    Running(Arc<Link>),
    Failed(String),
}

/// One module's supervisor.
pub struct Supervisor {
    pub name: String,
    pub desk: Arc<Desk>,
    pub hosts: Hosts,
    /// What is wanted of it.
    pub wanted: watch::Receiver<Option<Mode>>,
    pub reach: watch::Sender<Reach>,
    pub caller: Arc<Caller>,
    pub restarts: Restarts,
    /// From which on times count.
    pub epoch: Instant,
    /// The process gave no sign of life when it was looked at last.
    pub silent: bool,
}

/// Why a process is no more.
enum End {
    /// It is not wanted as it was.
    Unwanted,
    Failed(String),
}

impl Supervisor {
    /// Runs until nobody can want the module any more.
    pub async fn run(mut self) {
        loop {
            let mode = *self.wanted.borrow_and_update();
            let Some(mode) = mode else {
                if self.wanted.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let end = self.run_once(mode).await;
            self.clear();
            let anew = match end {
                End::Unwanted => true,
                End::Failed(why) => self.pause(why).await,
            };
            // Whoever wants it in another way now wants it from the beginning.
            if anew {
                self.restarts = Restarts::default();
                self.reach.send_replace(Reach::Off);
                self.desk.board.module(&self.name, |m| *m = ModuleBoard::default());
                self.process(|p| p.state = ProcessState::Stopped);
                self.tell_failures();
            }
            if self.wanted.has_changed().is_err() {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn limits(&self) -> Limits {
        self.desk.limits(&self.name)
    }

    /// Changes what is shown of the process.
    fn process(&self, change: impl FnOnce(&mut ModuleProcess)) {
        self.desk.cluster.state().module_processes.change(&self.name, change);
    }

    fn tell_failures(&self) {
        let (trouble, lasting) = (self.restarts.trouble().map(str::to_owned), self.restarts.lasting());
        self.desk.board.module(&self.name, |m| (m.trouble, m.lasting) = (trouble, lasting));
        self.process(|p| p.failures = self.restarts.failures());
    }

    /// Forgets what a process that has ended had told.
    fn clear(&self) {
        self.desk.board.module(&self.name, |m| {
            m.health = HealthCheckMap::default();
            m.uri.clear();
            m.clients.clear();
            if let Some(folder) = m.door.take().as_deref().and_then(Path::parent) {
                // A process that was killed has left it; one that ended by itself has not.
                let _ = std::fs::remove_dir_all(folder);
            }
            (m.silent_secs, m.memory_high, m.cpu_high) = (None, None, None);
        });
        self.process(|p| {
            (p.pid, p.started, p.rss_bytes, p.cpu_ms, p.cpu_percent) = (None, None, 0, 0, 0.0);
            (p.calls_to, p.calls_from) = (0, 0);
        });
        let mut maps = self.caller.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *maps = Default::default();
        drop(maps);
        self.caller.end_queries(&self.desk.cluster);
    }

    /// Waits until it may start again; true when it is wanted in another way meanwhile.
    async fn pause(&mut self, why: String) -> bool {
        let now = self.now();
        let pause = self.restarts.handle_failed(why.clone(), now);
        let failures = self.restarts.failures();
        tracing::error!(module = %self.name, %why, failures, again_secs = pause.as_secs(), "module has failed");
        self.process(|p| {
            p.state = ProcessState::Failed;
            p.last_failure = Some((SystemTime::now().into(), why.clone()));
        });
        self.tell_failures();
        self.reach.send_replace(Reach::Failed(why.clone()));
        self.desk.board.module(&self.name, |m| m.phase = Phase::Failed { why });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = self.wanted.changed() => {
                self.wanted.mark_changed();
                return true;
            }
        }
        self.process(|p| p.restarts += 1);
        false
    }

    async fn run_once(&mut self, mode: Mode) -> End {
        // After a failure its reason stays to be seen until the module is ready again.
        self.reach.send_if_modified(|reach| match reach {
            Reach::Failed(_) => false,
            _ => {
                *reach = Reach::Starting;
                true
            }
        });
        self.desk.board.module(&self.name, |m| {
            if m.phase == Phase::Off {
                m.phase = Phase::Starting;
            }
        });
        // A few at a time: an activation must not take the processor from everything else.
        let starting = tokio::select! {
            permit = self.desk.starting.clone().acquire_owned() => permit.ok(),
            _ = self.wanted.changed() => return End::Unwanted,
        };
        self.process(|p| {
            (p.state, p.standby) = (ProcessState::Starting, mode == Mode::Standby);
            (p.rss_peak_bytes, p.started) = (0, Some(SystemTime::now().into()));
        });
        let started = process::start(&self.desk.setup, &self.name, self.words(mode)).await;
        let mut started = match started {
            Ok(started) => started,
            Err(why) => return End::Failed(format!("its process cannot be started: {why}")),
        };
        let pid = started.child.id();
        self.process(|p| p.pid = pid);
        let (link, mut incoming) = Link::open(started.stream);
        let end = self.attend(&link, &mut incoming, &mut started.child, starting).await;
        if matches!(end, End::Unwanted) {
            let grace =
                Duration::from_secs(if self.silent { SILENT_SHUTDOWN_SECS_MAX } else { SHUTDOWN_SECS_MAX });
            let ended = link.call(json!(["shutdown"]), Bytes::new(), grace);
            // What it still asks while it ends is answered.
            tokio::pin!(ended);
            let mut hurry = self.desk.hurry.subscribe();
            let late = loop {
                tokio::select! {
                    answer = &mut ended => {
                        let late = answer.err().filter(|why| !matches!(why, LinkError::Gone { .. }));
                        break late.map(|why| why.to_string());
                    }
                    _ = hurry.wait_for(|hurry| *hurry) => break Some("the manager ends".to_owned()),
                    Some(told) = incoming.recv() => self.hear(&link, told, &Semaphore::new(CALLS_MAX).into()),
                }
            };
            if let Some(why) = late {
                tracing::warn!(module = %self.name, %why, "module does not end by itself");
            }
        }
        process::end(&mut started.child).await;
        end
    }

    /// What the process is told first.
    fn words(&self, mode: Mode) -> Value {
        let (setup, state) = (&self.desk.setup, self.desk.cluster.state());
        let limits = self.limits();
        let options: serde_json::Map<String, Value> =
            setup.client_options().into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
        json!({
            "mode": if mode == Mode::Active { "active" } else { "standby" },
            "module": self.name,
            "module_path": setup.module_path,
            "native": setup.native,
            "parent": std::process::id(),
            "mgr_id": state.me.id,
            "entity": setup.entity,
            "conf_path": setup.conf_path,
            "conf": options,
            "version": state.me.ceph_version,
            "release": state.release.number(),
            "release_name": state.release.name(),
            "data_bytes_max": limits.data_bytes_max(),
            // Axon answers before that, if only that it cannot.
            "call_secs_max": limits.call_secs_max.saturating_add(CALL_SECS_MORE * 2),
        })
    }

    /// Attends a process until it ends, fails or is no longer wanted.
    async fn attend(
        &mut self,
        link: &Arc<Link>,
        incoming: &mut mpsc::Receiver<Incoming>,
        child: &mut Child,
        starting: Option<OwnedSemaphorePermit>,
    ) -> End {
        let mut turn = starting;
        let pid = child.id().unwrap_or_default();
        let began = self.now();
        let mut watch = Watch::new(began);
        self.silent = false;
        let mut limits = self.limits();
        let calls = Arc::new(Semaphore::new(CALLS_MAX));
        let mut ready = false;
        let (mut look, mut looks) = (tokio::time::interval(LOOK), 0u64);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                _ = self.wanted.changed() => {
                    self.wanted.mark_changed();
                    return End::Unwanted;
                }
                status = child.wait() => {
                    // What it had to say before it ended may not have been read yet.
                    let last = tokio::time::timeout(LAST_WORDS, last_words(incoming)).await;
                    if let Ok(Some(why)) = last {
                        return End::Failed(why);
                    }
                    let status = status.map_or_else(|why| why.to_string(), |status| status.to_string());
                    return End::Failed(format!("its process has ended: {status}"));
                }
                told = incoming.recv() => match told {
                    None => {
                        let status = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
                        let status = status.map_or_else(
                            |_| "it has closed its socket".to_owned(),
                            |status| status.map_or_else(|why| why.to_string(), |s| s.to_string()),
                        );
                        return End::Failed(format!("its process has ended: {status}"));
                    }
                    Some(told) => {
                        if let Some(why) = failure(&told) {
                            return End::Failed(why);
                        }
                        if is_ready(&told) {
                            ready = true;
                            drop(turn.take());
                            watch.handle_ready();
                            self.restarts.handle_ready(self.now());
                            tracing::info!(module = %self.name, pid, ms = self.now().saturating_sub(began).as_millis() as u64, "module runs");
                            self.reach.send_replace(Reach::Running(link.clone()));
                            self.desk.board.module(&self.name, |m| m.phase = Phase::Running);
                            self.process(|p| p.state = ProcessState::Running);
                        } else {
                            self.hear(link, told, &calls);
                        }
                    }
                },
                _ = look.tick() => {
                    limits = limits_followed(link, &limits, self.limits());
                    while let Some(answer) = asked.try_join_next() {
                        if matches!(answer, Ok(true)) {
                            watch.handle_heard();
                        }
                    }
                    if self.now().saturating_sub(began).as_secs() >= TURN_SECS_MAX {
                        drop(turn.take());
                    }
                    if ready && asked.is_empty() && looks.is_multiple_of(PING_LOOKS) {
                        let patience = Duration::from_secs(limits.silent_secs_max.saturating_add(PING_LOOKS));
                        let link = link.clone();
                        asked.spawn(async move { link.call(json!(["ping"]), Bytes::new(), patience).await.is_ok() });
                        watch.handle_asked(self.now());
                    }
                    looks += 1;
                    let sample = process::usage(pid);
                    let found = watch.look(self.now(), sample, &limits);
                    self.silent = found.silent_secs.is_some();
                    self.restarts.handle_time(self.now());
                    let in_flight = (link.unanswered() - asked.len().min(link.unanswered()), CALLS_MAX - calls.available_permits());
                    self.tell(&found, sample, &limits, in_flight, ready);
                    if let Some(why) = found.end {
                        return End::Failed(why);
                    }
                }
            }
        }
    }

    /// Puts down what a look at the process came to.
    fn tell(
        &self,
        found: &Findings,
        sample: Option<Sample>,
        limits: &Limits,
        (calls_to, calls_from): (usize, usize),
        ready: bool,
    ) {
        self.process(|p| {
            if let Some(sample) = sample {
                (p.rss_bytes, p.cpu_ms) = (sample.rss_bytes, sample.cpu_ms);
                p.rss_peak_bytes = p.rss_peak_bytes.max(sample.rss_bytes);
            }
            p.cpu_percent = found.cpu_percent;
            (p.calls_to, p.calls_from) = (calls_to, calls_from);
            (p.memory_bytes_warn, p.memory_bytes_max) = (limits.memory_bytes_warn, limits.memory_bytes_max);
            (p.cpu_percent_warn, p.cpu_window_secs) = (limits.cpu_percent_warn, limits.cpu_window_secs);
            if ready {
                let silent = found.silent_secs.is_some();
                p.state = if silent { ProcessState::Silent } else { ProcessState::Running };
            }
        });
        // In steps, so that the board does not change all the time.
        let silent_secs = found.silent_secs.map(|secs| secs / PING_LOOKS * PING_LOOKS);
        self.desk.board.module(&self.name, |m| {
            m.silent_secs = silent_secs;
            m.memory_high.clone_from(&found.memory_high);
            m.cpu_high.clone_from(&found.cpu_high);
        });
        self.tell_failures();
    }

    fn hear(&self, link: &Arc<Link>, told: Incoming, calls: &Arc<Semaphore>) {
        match told {
            Incoming::Call { number, what, tail } => {
                let (desk, caller, hosts) = (self.desk.clone(), self.caller.clone(), self.hosts.clone());
                let link = link.clone();
                let Ok(permit) = calls.clone().try_acquire_owned() else {
                    tracing::warn!(module = %self.name, "too many calls at a time; one is refused");
                    let why = format!("more than {CALLS_MAX} calls at a time");
                    link.refuse(number, &Refusal::new("RuntimeError", why));
                    return;
                };
                let secs = desk.limits(&self.name).call_secs_max.saturating_add(CALL_SECS_MORE);
                tokio::spawn(async move {
                    let _permit = permit;
                    let answer = desk.answer(&caller, &hosts, &what, tail);
                    let late = || Refusal::new("TimeoutError", format!("no answer within {secs} s"));
                    let answer = tokio::time::timeout(Duration::from_secs(secs), answer).await;
                    let answer = answer.unwrap_or_else(|_| Err(late()));
                    if let Err(why) = &answer {
                        tracing::debug!(module = %caller.module, call = ?what.first(), %why, "refused");
                    }
                    link.answer(number, answer).await;
                });
            }
            Incoming::Note { what } => self.note(&what),
            Incoming::Bad(_) => {}
        }
    }

    fn note(&self, what: &[Value]) {
        let text = |at: usize| what.get(at).and_then(Value::as_str).unwrap_or_default();
        let board = &self.desk.board;
        match text(0) {
            "log" => log(&self.name, text(1)),
            "cluster_log" => {
                let priority = what.get(2).and_then(Value::as_u64).and_then(|p| u16::try_from(p).ok());
                let priority = LogPriority(priority.unwrap_or(LogPriority::INFO.0));
                self.desk.outside.cluster_log(text(1), priority, text(3).to_owned());
            }
            "health_checks" => {
                let checks = what.get(1).map(health_checks).unwrap_or_default();
                board.module(&self.name, |m| m.health = checks);
            }
            "door" => board.module(&self.name, |m| m.door = Some(text(1).into())),
            "uri" => board.module(&self.name, |m| m.uri = text(1).to_owned()),
            "progress" => {
                let progress = what.get(3).and_then(Value::as_f64).unwrap_or_default() as f32;
                let add_to_ceph_s = what.get(4).and_then(Value::as_bool).unwrap_or_default();
                let event = ProgressEvent { message: text(2).to_owned(), progress, add_to_ceph_s };
                board.change(|board| {
                    board.progress.insert(text(1).to_owned(), event);
                });
            }
            "progress_complete" => board.change(|board| {
                board.progress.remove(text(1));
            }),
            "progress_clear" => board.change(|board| board.progress.clear()),
            "notify_all" => self.hosts.notify(text(1), text(2)),
            "osdmap_drop" => {
                let mut maps = self.caller.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                maps.drop_one(what.get(1).and_then(Value::as_i64).unwrap_or_default());
            }
            other => tracing::debug!(module = %self.name, other, "unknown note"),
        }
    }
}

/// Tells a process of a change that concerns it; what holds now.
fn limits_followed(link: &Link, before: &Limits, now: Limits) -> Limits {
    if now.data_bytes_max() != before.data_bytes_max() {
        link.note(json!(["data_bytes_max", now.data_bytes_max()]));
    }
    now
}

fn is_ready(told: &Incoming) -> bool {
    matches!(told, Incoming::Note { what } if what.first().and_then(Value::as_str) == Some("ready"))
}

/// The reason when a process says that it ends for one.
fn failure(told: &Incoming) -> Option<String> {
    match told {
        Incoming::Bad(why) => Some(why.clone()),
        Incoming::Note { what } if what.first().and_then(Value::as_str) == Some("failed") => {
            let text = |at: usize| what.get(at).and_then(Value::as_str).unwrap_or_default();
            Some(if text(1) == "serve" { text(2).to_owned() } else { format!("{}: {}", text(1), text(2)) })
        }
        Incoming::Note { .. } | Incoming::Call { .. } => None,
    }
}

/// The reason that a process which has ended gave for it; none when all it said has been read.
async fn last_words(incoming: &mut mpsc::Receiver<Incoming>) -> Option<String> {
    while let Some(told) = incoming.recv().await {
        if let Some(why) = failure(&told) {
            return Some(why);
        }
    }
    None
}

/// A module's log line at its level: it begins with `[module LEVEL logger]`.
fn log(module: &str, line: &str) {
    let line = line.strip_prefix('[').and_then(|l| l.strip_prefix(module)).map_or(line, str::trim_start);
    let level = line.split_whitespace().next().unwrap_or_default();
    match level {
        "ERROR" | "CRITICAL" => tracing::error!(module, "{line}"),
        "WARNING" => tracing::warn!(module, "{line}"),
        "DEBUG" => tracing::debug!(module, "{line}"),
        _ => tracing::info!(module, "{line}"),
    }
}

fn health_checks(checks: &Value) -> HealthCheckMap {
    let mut out = HealthCheckMap::default();
    for (code, check) in checks.as_object().into_iter().flatten() {
        let text = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default();
        let severity = match text("severity") {
            "warning" => HealthStatus::WARN,
            "error" => HealthStatus::ERR,
            _ => HealthStatus::OK,
        };
        let count = check.get("count").and_then(Value::as_i64).unwrap_or_default();
        let detail = check.get("detail").and_then(Value::as_array).into_iter().flatten();
        let detail = detail.filter_map(Value::as_str).map(str::to_owned).collect();
        out.add(code, severity, text("summary"), count).detail = detail;
    }
    out
}
