//! How long a manager lets its clients wait while something else happens: lanes that ask the same again and again, beside each other. One lane
//! is `GET /api/osd/flags`, each other one a command over a connection that stays.
//!
//! A lane that gets no answer keeps none of the others waiting. What is still waited for counts with the time it has waited.

use crate::{config, http};
use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::Client;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The lane of the REST API.
pub const REST: &str = "GET /api/osd/flags";
/// Between two questions of a lane.
const PAUSE: Duration = Duration::from_millis(20);
/// After one that failed.
const PAUSE_FAILED: Duration = Duration::from_millis(200);
/// How long an answer is waited for.
const ANSWER_AT_MOST: Duration = Duration::from_secs(90);
const USER: &str = "latency";
const PASSWORD: &str = "Latency-Pass-1!";

/// What one lane has seen since it was asked last.
#[derive(Clone, Debug, Default)]
pub struct Times {
    pub answers: usize,
    pub median: Duration,
    pub p99: Duration,
    /// The longest time that somebody waited, or that nobody was answered.
    pub worst: Duration,
    /// Answers that were errors, and questions that had none.
    pub failures: usize,
    pub why: String,
}

impl Times {
    #[must_use]
    pub fn json(&self) -> Value {
        let ms = |took: Duration| (took.as_secs_f64() * 1e5).round() / 1e2;
        json!({
            "answers": self.answers, "failures": self.failures, "why": self.why,
            "p50_ms": ms(self.median), "p99_ms": ms(self.p99), "worst_ms": ms(self.worst),
        })
    }
}

#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    failures: usize,
    why: String,
    gap: Duration,
    /// When the last answer came, or the count began.
    last: Option<Instant>,
}

impl Seen {
    fn note(&mut self, begun: Instant, answer: &Result<()>) {
        match answer {
            Ok(()) => {
                self.times.push(begun.elapsed());
                self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| last.elapsed()));
                self.last = Some(Instant::now());
            }
            Err(why) => {
                self.failures += 1;
                self.why = format!("{why:#}");
            }
        }
    }

    fn take(&mut self) -> Times {
        let mut seen = std::mem::take(self);
        self.last = Some(Instant::now());
        seen.times.sort_unstable();
        let at = |part: f64| {
            let index = (seen.times.len().saturating_sub(1) as f64 * part) as usize;
            seen.times.get(index).copied().unwrap_or_default()
        };
        let gap = seen.gap.max(seen.last.map_or(Duration::ZERO, |last| last.elapsed()));
        // Between two answers there is a pause, too.
        let gap = gap.saturating_sub(PAUSE);
        Times {
            answers: seen.times.len(),
            median: at(0.5),
            p99: at(0.99),
            worst: gap.max(at(1.0)),
            failures: seen.failures,
            why: seen.why,
        }
    }
}

type Lane = Arc<Mutex<Seen>>;

/// The lanes at work. Dropping it ends them.
pub struct Load {
    stop: Arc<AtomicBool>,
    lanes: BTreeMap<String, Lane>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Load {
    /// Begins to ask the active manager, whose REST server is at `url`; commands by their words or as JSON.
    ///
    /// # Errors
    /// When the user cannot be made or nobody can log in.
    pub fn start(cluster: &Cluster, url: &str, commands: &[&str]) -> Result<Load> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let settings = runtime.block_on(config(cluster, "client.admin", &[]))?;
        let token = runtime.block_on(token(cluster, url))?;
        let mut lanes = BTreeMap::from([(REST.to_owned(), Lane::default())]);
        lanes.extend(commands.iter().map(|words| ((*words).to_owned(), Lane::default())));
        let stop = Arc::<AtomicBool>::default();
        let (stopped, seen, url) = (stop.clone(), lanes.clone(), url.to_owned());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let mut work = tokio::task::JoinSet::new();
                for (name, lane) in seen {
                    work.spawn(repeat(Asker::of(&name, &url, &token, &settings), lane));
                }
                while !stopped.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                work.shutdown().await;
            });
        });
        Ok(Load { stop, lanes, thread: Some(thread) })
    }

    /// What each lane has seen since the last time.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, Times> {
        self.lanes.iter().map(|(name, lane)| (name.clone(), lock(lane).take())).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(lane: &Lane) -> MutexGuard<'_, Seen> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token of a user made for that; upstream's module may still be loading.
///
/// # Errors
/// When nobody can log in within two minutes.
pub async fn token(cluster: &Cluster, url: &str) -> Result<String> {
    let file = cluster.dir().join("latency.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let begun = Instant::now();
    loop {
        let made = cluster.ceph(&["dashboard", "ac-user-create", USER, "-i", file, "administrator"])?;
        let answer = match made.status.code() {
            Some(0 | 17) => http::login(url, USER, PASSWORD).await,
            _ => Err(anyhow::anyhow!("{}", String::from_utf8_lossy(&made.stderr).trim().to_owned())),
        };
        match answer {
            Ok(token) => return Ok(token),
            Err(why) => ensure!(begun.elapsed() < Duration::from_secs(120), "nobody logs in: {why:#}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What a lane asks.
enum Asker {
    Rest { url: String, authorization: String },
    Command { client: Client, command: Command },
}

impl Asker {
    fn of(name: &str, url: &str, token: &str, settings: &axon_net::Config) -> Result<Asker> {
        if name == REST {
            return Ok(Asker::Rest { url: url.to_owned(), authorization: format!("Bearer {token}") });
        }
        let args: Map<String, Value> = serde_json::from_str(name)
            .unwrap_or_else(|_| Map::from_iter([("prefix".to_owned(), name.into())]));
        let (client, mut events) = axon_net::connect(settings.clone())?;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let command = Command { args, input: Default::default(), deadline: ANSWER_AT_MOST };
        Ok(Asker::Command { client, command })
    }

    async fn ask(&self) -> Result<()> {
        match self {
            Asker::Rest { url, authorization } => {
                let headers = [http::ACCEPT, ("authorization", authorization.as_str())];
                let path = "/api/osd/flags";
                let answer = http::ask(url, "GET", path, &headers, Vec::new(), ANSWER_AT_MOST).await?;
                ensure!(answer.status == 200, "HTTP {}", answer.status);
            }
            Asker::Command { client, command } => {
                let answer = client.command(Target::Mgr, command.clone()).await?;
                ensure!(answer.retval == 0, "{}: {}", answer.retval, answer.outs);
            }
        }
        Ok(())
    }
}

async fn repeat(asker: Result<Asker>, lane: Lane) {
    lock(&lane).last = Some(Instant::now());
    let asker = match asker {
        Ok(asker) => asker,
        Err(why) => return lock(&lane).note(Instant::now(), &Err(why)),
    };
    loop {
        let begun = Instant::now();
        let answer = asker.ask().await;
        let pause = if answer.is_ok() { PAUSE } else { PAUSE_FAILED };
        lock(&lane).note(begun, &answer);
        tokio::time::sleep(pause).await;
    }
}
