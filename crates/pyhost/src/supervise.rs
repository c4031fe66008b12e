//! Keeps one module's process running while it is wanted: start, wait for it to be ready, answer what it asks, measure it,
//! end it, start it again after a failure with growing pauses.

use crate::answers::{Caller, Desk};
use crate::board::Phase;
use crate::hosts::{Hosts, Mode};
use crate::link::{Incoming, Link, LinkError, Refusal};
use crate::process;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::log_entry::LogPriority;
use axon_proto::msgs::mon_mgr_report::ProgressEvent;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::{Semaphore, mpsc, watch};

/// How long a module may take to load and be constructed.
const READY_SECS_MAX: u64 = 120;
/// How long it may take to end by itself.
const SHUTDOWN_SECS_MAX: u64 = 15;
/// Pause after the first failure; doubled after each further one.
const PAUSE_SECS_MIN: u64 = 1;
const PAUSE_SECS_MAX: u64 = 60;
/// Having run for so long a module starts again with the shortest pause.
const SOUND_SECS: u64 = 120;
/// How often a process is measured and asked for a sign of life.
const LOOK_SECS: u64 = 5;
/// A process that gives none for so long is silent, which is a warning …
const SILENT_SECS: u64 = 30;
/// … and after so long is started anew.
const SILENT_SECS_MAX: u64 = 300;
/// Calls of one host that are worked on at a time; further ones are refused. Each is a thread of the host.
const CALLS_MAX: usize = 256;

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
            let began = Instant::now();
            let end = self.run_once(mode).await;
            self.clear();
            match end {
                End::Unwanted => {
                    self.set(Reach::Off, Phase::Off);
                    self.desk.board.module(&self.name, |m| m.failures = 0);
                }
                End::Failed(why) => self.pause(why, began.elapsed()).await,
            }
            if self.wanted.has_changed().is_err() {
                return;
            }
        }
    }

    fn set(&self, reach: Reach, phase: Phase) {
        self.reach.send_replace(reach);
        self.desk.board.module(&self.name, |m| m.phase = phase);
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
            (m.pid, m.rss_bytes, m.cpu_ms, m.silent_secs) = (None, 0, 0, 0);
        });
        let mut maps = self.caller.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *maps = Default::default();
    }

    async fn pause(&mut self, why: String, ran: Duration) {
        let mut failures = 1;
        self.desk.board.module(&self.name, |m| {
            m.failures = if ran.as_secs() >= SOUND_SECS { 1 } else { m.failures.saturating_add(1) };
            failures = m.failures;
        });
        let doublings = failures.saturating_sub(1).min(6);
        let secs = (PAUSE_SECS_MIN << doublings).min(PAUSE_SECS_MAX);
        tracing::error!(module = %self.name, %why, failures, again_secs = secs, "module has failed");
        self.set(Reach::Failed(why.clone()), Phase::Failed { why });
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(secs)) => {}
            _ = self.wanted.changed() => {}
        }
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
        let started = process::start(&self.desk.setup, &self.name, self.words(mode)).await;
        let mut started = match started {
            Ok(started) => started,
            Err(why) => return End::Failed(format!("its process cannot be started: {why}")),
        };
        let pid = started.child.id();
        self.desk.board.module(&self.name, |m| m.pid = pid);
        let (link, mut incoming) = Link::open(started.stream);
        let end = self.attend(&link, &mut incoming, &mut started.child).await;
        if matches!(end, End::Unwanted) {
            let grace = Duration::from_secs(SHUTDOWN_SECS_MAX);
            let ended = link.call(json!(["shutdown"]), Bytes::new(), grace);
            // What it still asks while it ends is answered.
            tokio::pin!(ended);
            let answered = loop {
                tokio::select! {
                    answer = &mut ended => break answer,
                    Some(told) = incoming.recv() => self.hear(&link, told, &Semaphore::new(CALLS_MAX).into()),
                }
            };
            if let Err(why) = answered
                && why != LinkError::Gone
            {
                tracing::warn!(module = %self.name, %why, "module does not end by itself");
            }
        }
        let _ = started.child.kill().await;
        end
    }

    /// What the process is told first.
    fn words(&self, mode: Mode) -> Value {
        let (setup, state) = (&self.desk.setup, self.desk.cluster.state());
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
        })
    }

    /// Attends a process until it ends, fails or is no longer wanted.
    async fn attend(
        &mut self,
        link: &Arc<Link>,
        incoming: &mut mpsc::Receiver<Incoming>,
        child: &mut Child,
    ) -> End {
        let pid = child.id().unwrap_or_default();
        let began = Instant::now();
        let calls = Arc::new(Semaphore::new(CALLS_MAX));
        let mut ready = false;
        let mut look = tokio::time::interval(Duration::from_secs(LOOK_SECS));
        let heard = Arc::new(std::sync::Mutex::new(Instant::now()));
        let mut asked = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                _ = self.wanted.changed() => return End::Unwanted,
                status = child.wait() => {
                    // What it had to say before it ended is still in the channel.
                    while let Ok(told) = incoming.try_recv() {
                        if let Some(why) = failure(&told) {
                            return End::Failed(why);
                        }
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
                            tracing::info!(module = %self.name, pid, ms = began.elapsed().as_millis() as u64, "module runs");
                            self.set(Reach::Running(link.clone()), Phase::Running);
                        } else {
                            self.hear(link, told, &calls);
                        }
                    }
                },
                _ = look.tick() => {
                    if !ready && began.elapsed().as_secs() >= READY_SECS_MAX {
                        return End::Failed(format!("it was not ready within {READY_SECS_MAX} s"));
                    }
                    while asked.try_join_next().is_some() {}
                    if ready && asked.is_empty() {
                        let (link, heard) = (link.clone(), heard.clone());
                        asked.spawn(async move {
                            let patience = Duration::from_secs(SILENT_SECS_MAX + LOOK_SECS);
                            if link.call(json!(["ping"]), Bytes::new(), patience).await.is_ok() {
                                *heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
                            }
                        });
                    }
                    let silent = heard.lock().map_or(0, |heard| heard.elapsed().as_secs());
                    if ready && silent >= SILENT_SECS_MAX {
                        return End::Failed(format!("it has not answered for {silent} s"));
                    }
                    if let Some(why) = self.measure(pid, if ready && silent >= SILENT_SECS { silent } else { 0 }) {
                        return End::Failed(why);
                    }
                }
            }
        }
    }

    /// Measures the process; the reason when it takes too much.
    fn measure(&self, pid: u32, silent_secs: u64) -> Option<String> {
        let (rss_bytes, cpu_ms) = process::usage(pid)?;
        self.desk.board.module(&self.name, |m| {
            (m.rss_bytes, m.cpu_ms, m.silent_secs) = (rss_bytes, cpu_ms, silent_secs);
        });
        let bytes_max = self.desk.setup.memory_bytes_max;
        (bytes_max > 0 && rss_bytes > bytes_max)
            .then(|| format!("it takes {rss_bytes} bytes of memory; the limit is {bytes_max}"))
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
                tokio::spawn(async move {
                    let _permit = permit;
                    let answer = desk.answer(&caller, &hosts, &what, tail).await;
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
