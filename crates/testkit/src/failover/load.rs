//! What goes on while managers change: commands, REST requests and I/O, each noted with its time and its outcome.

use super::ask::{Outcome, Question, Truth, judge};
use super::map::MapWatch;
use crate::http;
use anyhow::{Context, Result, ensure};
use axon_core::Target;
use axon_launcher::{Cluster, Kind};
use axon_net::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One question's end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub kind: &'static str,
    pub begun: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
    /// The manager that served at the end, by the map.
    pub by: Option<String>,
}

/// What everybody who asks needs, and where answers go.
pub struct Load {
    pub client: Client,
    pub map: MapWatch,
    pub truth: Truth,
    /// Managers by name: kind and URL.
    pub managers: BTreeMap<String, (Kind, String)>,
    pub stop: AtomicBool,
    answers: Mutex<Vec<Answer>>,
    /// Runs of `rados bench`, and those that failed.
    io: [AtomicU64; 2],
}

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(20);
const REST_PAUSE: Duration = Duration::from_millis(50);
/// What the figures call the REST request.
pub const REST: &str = "REST: GET /api/osd/flags";

impl Load {
    #[must_use]
    pub fn new(client: Client, map: MapWatch, truth: Truth, cluster: &Cluster) -> Load {
        let managers = cluster.state().managers.iter().map(|m| (m.id.clone(), (m.kind, m.url())));
        let (managers, stop) = (managers.collect(), AtomicBool::new(false));
        Load { client, map, truth, managers, stop, answers: Mutex::default(), io: Default::default() }
    }

    #[must_use]
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        self.managers.get(name).map(|(kind, _)| *kind)
    }

    /// The answers so far, which are given away.
    pub fn take_answers(&self) -> Vec<Answer> {
        std::mem::take(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first right answer of a kind after a time.
    pub fn first_right(&self, kind: &str, after: Instant) -> Option<Instant> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |a: &&Answer| a.kind == kind && a.ended >= after && a.outcome == Outcome::Right;
        answers.iter().find(fits).map(|a| a.ended)
    }

    #[must_use]
    pub fn io_runs(&self) -> (u64, u64) {
        let [all, failed] = &self.io;
        (all.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
    }

    fn note(&self, kind: &'static str, begun: Instant, outcome: Outcome) {
        let by = self.map.serving();
        let answer = Answer { kind, begun, ended: Instant::now(), outcome, by };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks one question after the other.
    pub async fn ask(self: Arc<Self>, question: Question) {
        while !self.stopped() {
            let begun = Instant::now();
            let answer = self.client.command(Target::Mgr, question.command.clone()).await;
            self.note(question.kind, begun, judge(&question, &self.truth, answer));
            sleep(PAUSE).await;
        }
    }

    /// Asks REST of the manager that serves, and follows its redirects. That nobody listens, or says 503, is no answer.
    pub async fn ask_rest(self: Arc<Self>, token: String, expected: Value) {
        let authorization = format!("Bearer {token}");
        let headers = [http::ACCEPT, ("authorization", authorization.as_str())];
        let mut redirected: Option<String> = None;
        while !self.stopped() {
            let serving = self.map.serving().and_then(|name| self.managers.get(&name));
            let Some(base) = redirected.take().or(serving.map(|(_, url)| url.clone())) else {
                sleep(REST_PAUSE).await;
                continue;
            };
            let begun = Instant::now();
            let asked = http::ask(&base, "GET", "/api/osd/flags", &headers, Vec::new(), REST_AT_MOST).await;
            match asked {
                Ok(answer) if answer.status == 200 => {
                    let outcome = match answer.json() == expected {
                        true => Outcome::Right,
                        false => Outcome::Wrong(String::from_utf8_lossy(&answer.body).into_owned()),
                    };
                    self.note(REST, begun, outcome);
                }
                Ok(answer) if matches!(answer.status, 301..=303 | 307 | 308) => {
                    redirected = answer.location.as_deref().and_then(origin);
                }
                Ok(answer) if answer.status == 503 => {}
                Ok(answer) => {
                    let words = format!("{base}: {}", String::from_utf8_lossy(&answer.body));
                    let (of_axon, status) = (self.is_axons(&base), i32::from(answer.status));
                    // Upstream's dashboard answers 404 and 500 while its modules load.
                    if of_axon {
                        self.note(REST, begun, Outcome::Refused(status, words));
                    }
                }
                Err(_) => {}
            }
            sleep(REST_PAUSE).await;
        }
    }

    fn is_axons(&self, base: &str) -> bool {
        self.managers.values().any(|(kind, url)| *kind == Kind::Axon && url == base)
    }

    /// Writes and reads objects with the release's own `rados bench`, again and again.
    pub fn input_and_output(&self, cluster: &Cluster) {
        while !self.stopped() {
            let [all, failed] = &self.io;
            all.fetch_add(1, Ordering::Relaxed);
            if let Err(why) = bench_objects(cluster) {
                failed.fetch_add(1, Ordering::Relaxed);
                eprintln!("I/O failed: {why:#}");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

const REST_AT_MOST: Duration = Duration::from_secs(10);

/// `http://host:port` of a URL.
fn origin(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    Some(format!("http://{}", rest.split('/').next()?))
}

/// Five seconds of small writes, and of reads of what was written.
pub fn bench_objects(cluster: &Cluster) -> Result<()> {
    rados(cluster, &["bench", "5", "write", "--no-cleanup", "-t", "1", "-b", "4096"])?;
    rados(cluster, &["bench", "5", "rand", "-t", "1"])?;
    rados(cluster, &["cleanup"])
}

fn rados(cluster: &Cluster, args: &[&str]) -> Result<()> {
    let mut command: Command = cluster.root().command("rados");
    command.arg("-c").arg(cluster.conf_path()).args(["-p", "rep"]).args(args);
    let done = command.output().context("cannot run rados")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "rados {args:?}: {} {}", done.status, said.trim());
    Ok(())
}
