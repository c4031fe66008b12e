//! A long run with everything that a manager does all day: I/O on pools and images, scrapes, REST requests, commands, and now and then
//! an OSD or MDS that dies and comes back. What the process holds must not grow, and every answer must come and be right.

mod figures;

pub use figures::{Figures, Sample};

use crate::failover::{self, MapWatch, Question, Truth};
use crate::process::Held;
use crate::{config, http};
use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::{Cluster, Release};
use axon_net::{Client, connect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub time: Duration,
    /// Python modules run, and with them the Prometheus exporter at this port.
    pub prometheus: Option<u16>,
    /// Memory may grow so much in an hour, after the warm-up.
    pub rss_kib_per_hour_max: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub time: Duration,
    pub figures: Figures,
    /// What was done and asked, by how it ended.
    pub counts: BTreeMap<String, u64>,
    pub violations: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "minutes": self.time.as_secs() / 60,
            "held": self.figures.to_json(),
            "counts": self.counts,
            "violations": self.violations,
        })
    }
}

const USER: &str = "soak";
const PASSWORD: &str = "Soak-Pass-12!";
const SAMPLE: Duration = Duration::from_secs(15);
const RESTART: Duration = Duration::from_secs(150);
const ANSWER_AT_MOST: Duration = Duration::from_secs(20);
/// Violations that are told.
const TOLD_MAX: usize = 50;

/// What is asked of REST, in version 1.0 but where a release has another one.
const PATHS: &[&str] = &[
    "/api/osd/flags",
    "/api/health/minimal",
    "/api/health/full",
    "/api/summary",
    "/api/cephfs",
    "/api/host",
    "/api/crush_rule",
    "/api/settings",
    "/api/osd/0/histogram",
];

/// The media type that a release's endpoint answers with.
fn accept(release: Release, path: &str) -> &'static str {
    match path {
        "/api/crush_rule" if release > Release::Pacific => "application/vnd.ceph.api.v2.0+json",
        _ => http::ACCEPT.1,
    }
}

#[derive(Default)]
struct Account {
    counts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
    stop: AtomicBool,
    /// A daemon is away: what concerns it may fail.
    unwell: AtomicBool,
}

impl Account {
    fn count(&self, what: impl Into<String>) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    fn wrong(&self, line: String) {
        self.count("violations");
        let mut told = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX {
            told.push(line);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Runs on a cluster that is well and whose only manager is the Axon `mgr.x`.
///
/// # Errors
/// When the run cannot go on; what was wrong on the way is in the report.
pub async fn run(cluster: &Arc<Cluster>, options: &Options, told: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let (client, events) = connect(config(cluster, "client.admin", &[]).await?)?;
    let map = MapWatch::start(client.clone(), events);
    client.ready(Duration::from_secs(30)).await?;
    let url = cluster.manager("x").context("no mgr.x")?.url();
    let token = user(cluster, &url).await?;
    if let Some(port) = options.prometheus {
        enable_prometheus(cluster, port).await?;
    }
    let truth = failover::truth(&client, options.prometheus.is_some()).await?;

    let account = Arc::new(Account::default());
    let mut workers = JoinSet::new();
    let mut questions = failover::core_questions();
    if options.prometheus.is_some() {
        questions.push(failover::stock_question());
    }
    for question in questions {
        workers.spawn(ask(account.clone(), client.clone(), question, truth.clone()));
    }
    workers.spawn(ask_rest(account.clone(), cluster.release(), url, token));
    if let Some(port) = options.prometheus {
        workers.spawn(scrape(account.clone(), format!("http://127.0.0.1:{port}")));
    }
    for io in [objects, images] {
        let (account, cluster) = (account.clone(), cluster.clone());
        workers.spawn_blocking(move || io(&account, &cluster));
    }

    let begun = Instant::now();
    let (mut figures, mut restarted, mut next) = (Figures::default(), Instant::now(), 0);
    let mut result = Ok(());
    while begun.elapsed() < options.time {
        sleep(SAMPLE).await;
        let pid = cluster.process("mgr.x")?.pid;
        let Some(held) = Held::of(pid) else {
            result = Err(anyhow::anyhow!("the manager has ended"));
            break;
        };
        let tasks = tasks(&client).await.unwrap_or_default();
        figures.0.push(Sample { at: begun.elapsed(), held, tasks });
        if figures.0.len() % 8 == 0 {
            told(&format!("{held:?}, {tasks} tasks"));
        }
        let time_is_left = begun.elapsed() + RESTART < options.time;
        if restarted.elapsed() > RESTART && time_is_left {
            let daemon = ["osd.0", "osd.1", "mds.a", "osd.2"].get(next % 4).copied().unwrap_or("osd.0");
            account.unwell.store(true, Ordering::Relaxed);
            result = block_in_place(|| restart(cluster, daemon));
            account.unwell.store(false, Ordering::Relaxed);
            if result.is_err() {
                break;
            }
            account.count(format!("restarts of {daemon}"));
            (restarted, next) = (Instant::now(), next + 1);
        }
    }
    account.stop.store(true, Ordering::Relaxed);
    while workers.join_next().await.is_some() {}
    let mut violations = account.violations.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Err(why) = result {
        violations.push(format!("{why:#}"));
    }
    violations.extend(figures.growth(options.rss_kib_per_hour_max));
    drop(map);
    client.shutdown();
    let counts = account.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Report { time: begun.elapsed(), figures, counts, violations })
}

async fn user(cluster: &Cluster, url: &str) -> Result<String> {
    let file = cluster.dir().join("soak.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    cluster.ceph_ok(&["balancer", "mode", "upmap"])?;
    // A former run may have made it.
    let _ = cluster.ceph(&["dashboard", "ac-user-create", USER, "-i", file, "administrator"])?;
    http::login(url, USER, PASSWORD).await
}

async fn enable_prometheus(cluster: &Cluster, port: u16) -> Result<()> {
    for (name, value) in [("server_addr", "127.0.0.1".to_owned()), ("server_port", port.to_string())] {
        let name = format!("mgr/prometheus/{name}");
        cluster.ceph_ok(&["config", "set", "mgr", name.as_str(), value.as_str(), "--force"])?;
    }
    cluster.ceph_ok(&["mgr", "module", "enable", "prometheus"])?;
    let (begun, base) = (Instant::now(), format!("http://127.0.0.1:{port}"));
    while http::ask(&base, "GET", "/metrics", &[], Vec::new(), ANSWER_AT_MOST).await.is_err() {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the Prometheus exporter does not answer");
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

fn restart(cluster: &Cluster, daemon: &str) -> Result<()> {
    cluster.kill(daemon)?;
    std::thread::sleep(Duration::from_secs(5));
    cluster.start(daemon)?;
    cluster.wait_well(&["MGR_MODULE_DEPENDENCY"], Duration::from_secs(180)).map(drop)
}

async fn tasks(client: &Client) -> Option<u64> {
    let dump = client.command(Target::MgrNamed("x".to_owned()), Command::json("perf dump")).await;
    dump.ok()?.json().ok()?["axon"]["tasks"].as_u64()
}

async fn ask(account: Arc<Account>, client: Client, question: Question, truth: Truth) {
    while !account.stopped() {
        let unwell = account.unwell.load(Ordering::Relaxed);
        let answer = client.command(Target::Mgr, question.command.clone()).await;
        match failover::judge(&question, &truth, answer) {
            failover::Outcome::Right => account.count(format!("{}: right", question.kind)),
            // While an OSD is away not all groups are clean.
            failover::Outcome::Wrong(_) if unwell || account.unwell.load(Ordering::Relaxed) => {
                account.count(format!("{}: as a daemon is away", question.kind));
            }
            other => account.wrong(format!("{}: {other:?}", question.kind)),
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn ask_rest(account: Arc<Account>, release: Release, url: String, token: String) {
    let authorization = format!("Bearer {token}");
    for path in PATHS.iter().cycle() {
        if account.stopped() {
            return;
        }
        let headers = [("accept", accept(release, path)), ("authorization", authorization.as_str())];
        match http::ask(&url, "GET", path, &headers, Vec::new(), ANSWER_AT_MOST).await {
            Ok(answer) if answer.status == 200 => account.count("REST: 200"),
            Ok(answer) if answer.status == 503 && path.contains("histogram") => {
                account.count("REST: 503, OSD away")
            }
            Ok(answer) => account.wrong(format!(
                "{path}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body).chars().take(200).collect::<String>()
            )),
            Err(why) => account.wrong(format!("{path}: {why:#}")),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn scrape(account: Arc<Account>, base: String) {
    while !account.stopped() {
        match http::ask(&base, "GET", "/metrics", &[], Vec::new(), ANSWER_AT_MOST).await {
            Ok(answer) if answer.status == 200 && contains(&answer.body, b"ceph_health_status") => {
                account.count("scrapes: right");
            }
            Ok(answer) => account.wrong(format!("scrape: {}, {} bytes", answer.status, answer.body.len())),
            Err(why) => account.wrong(format!("scrape: {why:#}")),
        }
        sleep(Duration::from_secs(5)).await;
    }
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

fn objects(account: &Account, cluster: &Cluster) {
    io(account, "rados bench", || failover::bench_objects(cluster));
}

fn images(account: &Account, cluster: &Cluster) {
    io(account, "rbd bench", || {
        let mut command = cluster.root().command("rbd");
        command.arg("-c").arg(cluster.conf_path());
        command.args(["bench", "rbd/disk", "--io-type", "rw", "--io-size", "4K", "--io-total", "512K"]);
        command.args(["--io-threads", "1"]);
        let done = command.output().context("cannot run rbd")?;
        ensure!(done.status.success(), "rbd bench: {}", String::from_utf8_lossy(&done.stderr).trim());
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    });
}

fn io(account: &Account, what: &str, run: impl Fn() -> Result<()>) {
    while !account.stopped() {
        match run() {
            Ok(()) => account.count(format!("{what}: done")),
            Err(why) => {
                account.wrong(format!("{what}: {why:#}"));
                std::thread::sleep(Duration::from_secs(5));
            }
        }
    }
}
