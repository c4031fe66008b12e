//! Commands to every kind of daemon while daemons die, hang and come back and links are cut, blocked and slowed down. Each command
//! must be accounted for within its deadline, a cut link must be replaced soon, and at the end nothing may be left.
//!
//! `load` sends commands and keeps account; `deeds` does the harm.

mod deeds;
mod load;

use crate::link::Wires;
use crate::{Rng, config, follow_osd_map};
use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::{Client, Counts, connect};
use deeds::{Deeds, Recovery};
use load::{Account, Load};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub time: Duration,
    /// Commands in flight, half of them over CRC, half over SECURE connections.
    pub in_flight: usize,
    pub seed: u64,
    /// Only links are cut; daemons are left alone.
    pub cuts_only: bool,
    /// Bytes that the process has allocated, where the program counts them.
    pub allocated: Option<fn() -> usize>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub account: Account,
    /// What was done how often.
    pub deeds: Vec<(&'static str, u64)>,
    /// From a cut until an answer, in milliseconds, ascending; when nothing else was wrong.
    pub recovery_ms: Vec<f64>,
    /// From a cut until a command had gone out over a new link, ascending.
    pub replaced_ms: Vec<f64>,
    /// The hops of the slowest ones.
    pub slowest: Vec<String>,
    /// Commands that were sent once more on a new connection.
    pub resent: u64,
    /// `osd create`: how often it ran, was answered, and may have run without an answer.
    pub creations: [u64; 3],
    pub idle: Counts,
    /// Growth of what is allocated from idle to idle.
    pub grown_bytes: Option<i64>,
    pub violations: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn recovery(&self, percent: usize) -> f64 {
        percentile(&self.recovery_ms, percent)
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "commands": self.account.total(),
            "outcomes": self.account.outcomes,
            "resent": self.resent,
            "osd_create_ran_answered_uncertain": self.creations,
            "latest_past_deadline_ms": self.account.latest_ms,
            "deeds": self.deeds.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect::<serde_json::Map<_, _>>(),
            "recovery_ms": {
                "cuts": self.recovery_ms.len(), "p50": self.recovery(50), "p90": self.recovery(90),
                "p99": self.recovery(99), "max": self.recovery(100),
            },
            "replaced_ms": {
                "p50": percentile(&self.replaced_ms, 50), "p90": percentile(&self.replaced_ms, 90),
                "p99": percentile(&self.replaced_ms, 99), "max": percentile(&self.replaced_ms, 100),
            },
            "slowest": self.slowest,
            "idle": format!("{:?}", self.idle),
            "grown_bytes": self.grown_bytes,
            "violations": self.violations,
        })
    }

    /// # Errors
    /// When anything was not as it must be. `recovery_max`: what half of the recoveries must stay below.
    pub fn judge(&self, recovery_max: Duration) -> Result<()> {
        ensure!(self.violations.is_empty(), "{:#?}", self.violations);
        ensure!(self.account.total() > 100, "next to nothing was asked: {}", self.to_json());
        ensure!(!self.recovery_ms.is_empty(), "no link was cut");
        let median = self.recovery(50);
        ensure!(
            median < recovery_max.as_secs_f64() * 1e3,
            "half of the links took more than {median:.0} ms to be replaced"
        );
        Ok(())
    }
}

fn percentile(ascending: &[f64], percent: usize) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get(last * percent / 100).copied().unwrap_or_default()
}

fn ascending_ms(recoveries: &[Recovery], what: impl Fn(&Recovery) -> Duration) -> Vec<f64> {
    let mut ms: Vec<f64> = recoveries.iter().map(|r| what(r).as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    ms
}

/// Lets tickets and the services' rotating keys live so long only, so that they expire and roll during a run. Everything is
/// started again.
pub fn short_tickets(cluster: &Cluster, ttl_secs: u32) -> Result<()> {
    let conf = std::fs::read_to_string(cluster.conf_path())?;
    let options =
        format!("[global]\nauth service ticket ttl = {ttl_secs}\nauth mon ticket ttl = {}\n", 2 * ttl_secs);
    let changed = conf.replacen("[global]\n", &options, 1);
    ensure!(changed != conf, "ceph.conf has no section [global]");
    cluster.stop_all()?;
    std::fs::write(cluster.conf_path(), changed)?;
    cluster.start_all()
}

/// Both modes.
const MODES: [&str; 2] = ["crc", "secure"];

/// Runs on a cluster of three monitors that is well; it is well again afterwards.
pub async fn run(cluster: &Arc<Cluster>, options: &Options, told: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let wires = Wires::default();
    let mut clients = Vec::new();
    for mode in MODES {
        clients.push(client(cluster, &wires, mode).await?);
    }
    let created = create_count(&clients).await?;
    let elected = election_epoch(&clients).await?;
    for client in &clients {
        touch_everything(client).await?;
    }
    let before = idle(&clients, options).await?;

    let load = Arc::new(Load::new(&clients).await?);
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for n in 0..options.in_flight {
        let client = clients.get(n % clients.len()).context("no client")?.clone();
        let rng = Rng::new(options.seed.wrapping_add(n as u64));
        workers.spawn(load.clone().work(n, client, rng, stop.clone()));
    }
    let mut deeds = Deeds::new(
        cluster.clone(),
        wires.clone(),
        clients.clone(),
        Rng::new(options.seed),
        options.cuts_only,
    );
    let until = Instant::now() + options.time;
    let mut shown = Instant::now();
    while Instant::now() < until {
        deeds.next().await?;
        if shown.elapsed() > Duration::from_secs(30) {
            shown = Instant::now();
            told(&format!("{} commands, {} faults", load.account().total(), deeds.total()));
        }
    }
    told("everything is put right again");
    deeds.heal().await?;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended.context("a worker ended badly")?;
    }
    for client in &clients {
        touch_everything(client).await.context("after the faults")?;
    }
    let after = idle(&clients, options).await?;

    let recoveries = deeds.recoveries();
    let mut report = Report {
        account: load.account(),
        deeds: deeds.counts(),
        recovery_ms: ascending_ms(&recoveries, |r| r.answered),
        replaced_ms: ascending_ms(&recoveries, |r| r.sent),
        slowest: recoveries.iter().rev().take(SLOWEST).map(|r| r.hops.clone()).collect(),
        resent: clients.iter().map(|c| c.counts().resent).sum(),
        creations: [0; 3],
        idle: clients.first().map(Client::counts).unwrap_or_default(),
        grown_bytes: after.zip(before).map(|(after, before)| after as i64 - before as i64),
        violations: load.violations(),
    };
    // What must not run twice was sent at most once each. The monitors themselves may run one twice: at an election each of them
    // passes on again what it had passed to the leader and has no answer to (`Monitor::resend_routed_requests`).
    let made = create_count(&clients).await?.saturating_sub(created);
    let (surely, perhaps) = load.created();
    report.creations = [made, surely, perhaps];
    let elections = election_epoch(&clients).await?.saturating_sub(elected).div_ceil(EPOCHS_PER_ELECTION);
    if made < surely || made > surely + perhaps + elections * CREATORS {
        report.violations.push(format!(
            "{made} OSDs made by {surely} answered and {perhaps} uncertain commands, {elections} elections"
        ));
    }
    if let Some(grown) = report.grown_bytes.filter(|grown| *grown > GROWN_BYTES_MAX) {
        report.violations.push(format!("{grown} bytes more are held than before"));
    }
    load.tidy(&clients).await?;
    for client in &clients {
        client.shutdown();
    }
    Ok(report)
}

/// Recoveries whose hops are told.
const SLOWEST: usize = 3;

/// Maps have grown by what happened; a leaked answer of each of the thousands of commands would be more.
const GROWN_BYTES_MAX: i64 = 2 << 20;

async fn client(cluster: &Cluster, wires: &Wires, mode: &str) -> Result<Client> {
    let mut replaced = vec![("mon_client_ping_interval", "1"), ("mon_client_ping_timeout", "4")];
    replaced.extend(["ms_mon_client_mode", "ms_client_mode"].map(|option| (option, mode)));
    let mut config = config(cluster, "client.admin", &replaced).await?;
    config.detour = Some(wires.detour());
    config.daemon_idle = Duration::from_secs(2);
    config.daemon_silence_max = Duration::from_secs(4);
    let (client, events) = connect(config)?;
    tokio::spawn(follow_osd_map(client.clone(), events));
    client.ready(Duration::from_secs(30)).await?;
    Ok(client)
}

/// An election begins with an odd epoch and ends with an even one.
const EPOCHS_PER_ELECTION: u64 = 2;
/// Workers that make OSDs, one after the other each.
const CREATORS: u64 = 1;

async fn election_epoch(clients: &[Client]) -> Result<u64> {
    let client = clients.first().context("no client")?;
    let status = client.command(Target::Mon, Command::json("quorum_status")).await?.json()?;
    status["election_epoch"].as_u64().context("no election epoch in quorum_status")
}

/// Number of OSDs in the map.
async fn create_count(clients: &[Client]) -> Result<u64> {
    let client = clients.first().context("no client")?;
    let ls = client.command(Target::Mon, Command::json("osd ls")).await?.json()?;
    Ok(ls.as_array().map_or(0, |ids| ids.len() as u64))
}

/// Each kind of daemon answers, within a minute.
async fn touch_everything(client: &Client) -> Result<()> {
    let begun = Instant::now();
    let targets = [
        Target::Mon,
        Target::MonNamed("a".into()),
        Target::Osd(0),
        Target::Pg("1.0".into()),
        Target::Mds("0".into()),
    ];
    for target in targets {
        let prefix = if matches!(target, Target::Pg(_)) { "query" } else { "version" };
        loop {
            let answer = client.command(target.clone(), Command::json(prefix)).await;
            match answer {
                Ok(output) if output.retval == 0 => break,
                other if begun.elapsed() > Duration::from_secs(90) => bail!("{target}: {other:?}"),
                _ => sleep(Duration::from_millis(300)).await,
            }
        }
    }
    Ok(())
}

/// Waits until the clients hold only their monitors' connections; what is allocated then.
async fn idle(clients: &[Client], options: &Options) -> Result<Option<usize>> {
    let begun = Instant::now();
    let is_idle = |c: Counts| (c.commands, c.daemon_sessions, c.connections) == (0, 0, 1);
    while !clients.iter().all(|client| is_idle(client.counts())) {
        let counts: Vec<Counts> = clients.iter().map(Client::counts).collect();
        ensure!(begun.elapsed() < Duration::from_secs(30), "idle, but this is held: {counts:?}");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(options.allocated.map(|bytes| bytes()))
}
