//! `mgr`: commands to the active manager over one connection of Axon's client: the time of each, when it is asked for the first time
//! and when it is asked again, the processor time that the manager takes for it, and how a small command and the settling of reports
//! fare while large ones are in flight.
//!
//! Asked for the first time: with an argument that nobody knows and that is another one each time, so that no answer can have been
//! kept.

use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::{Client, Event};
use axon_testkit::pg_reporter::PgReporter;
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    cluster: PathBuf,
    /// A command as JSON, as often as needed.
    #[arg(long)]
    command: Vec<String>,
    /// For each command; but once at least.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The small command that is timed …
    #[arg(long)]
    small: Option<String>,
    /// … while so many of these are in flight.
    #[arg(long)]
    large: Option<String>,
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// A pool all of whose PGs a made-up OSD reports first.
    #[arg(long, requires = "pgs")]
    reported_pool: Option<String>,
    /// How many it has.
    #[arg(long)]
    pgs: Option<u32>,
    /// OSDs in the map.
    #[arg(long, default_value_t = 0)]
    osds: u32,
    /// The manager's process, whose processor time is read.
    #[arg(long)]
    pid: i32,
}

/// How a command is asked repeatedly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Each time as if for the first time.
    Afresh,
    Again,
}

pub async fn run(options: Options) -> Result<()> {
    let cluster = Cluster::open(&options.cluster)?;
    let client = connected(&cluster).await?;
    let _reporter = match (&options.reported_pool, options.pgs) {
        (Some(pool), Some(pgs)) => Some(reported(&cluster, &client, pool, pgs, options.osds).await?),
        _ => None,
    };
    let mut rows = Vec::new();
    for text in &options.command {
        let command = parse(text)?;
        // The first answer may make what later ones find.
        let (retval, bytes) = ask(&client, &command).await?;
        let mut row = Map::new();
        for (name, asked) in [("fresh", Asked::Afresh), ("again", Asked::Again)] {
            let cpu = cpu_secs(options.pid);
            let took = repeat(&client, &command, asked, options.seconds).await?;
            let each = (cpu_secs(options.pid) - cpu) * 1e3 / took.len() as f64;
            let mut figures = times(took);
            figures.insert("cpu_ms".to_owned(), ((each * 1e3).round() / 1e3).into());
            row.insert(name.to_owned(), figures.into());
        }
        row.insert("command".to_owned(), text.as_str().into());
        row.insert("retval".to_owned(), retval.into());
        row.insert("answer_bytes".to_owned(), bytes.into());
        rows.push(row);
    }
    let mut beside = Value::Null;
    if let (Some(small), Some(large)) = (&options.small, &options.large) {
        let (small, large) = (parse(small)?, parse(large)?);
        let alone = lanes(&cluster, &client, &small, options.seconds).await?;
        let mut load = JoinSet::new();
        let asked = Arc::new(AtomicU64::new(0));
        for lane in 0..options.in_flight {
            let (client, large, asked) = (connected(&cluster).await?, large.clone(), asked.clone());
            load.spawn(async move {
                for number in 0u64.. {
                    if ask(&client, &afresh(&large, &format!("{lane}-{number}"))).await.is_err() {
                        break;
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut loaded = lanes(&cluster, &client, &small, options.seconds).await?;
        loaded.insert("large_answers".to_owned(), asked.load(Ordering::Relaxed).into());
        load.shutdown().await;
        beside = json!({"alone": alone, "loaded": loaded});
    }
    println!("{}", json!({"commands": rows, "beside": beside}));
    Ok(())
}

/// Reports a pool's PGs and waits until the manager has them.
async fn reported(cluster: &Cluster, client: &Client, pool: &str, pgs: u32, osds: u32) -> Result<PgReporter> {
    let pools = cluster.ceph_json(&["osd", "pool", "ls", "detail"])?;
    let mut pools = pools.as_array().into_iter().flatten();
    let row = pools.find(|row| row["pool_name"] == pool).with_context(|| format!("no pool {pool}"))?;
    let id = row["pool_id"].as_i64().or_else(|| row["pool"].as_i64()).context("a pool without an id")?;
    let reporter = PgReporter::report(cluster, id, pgs, osds).await?;
    let until = Instant::now() + REPORTED_AT_MOST;
    loop {
        let stat =
            client.command(Target::Mgr, parse(r#"{"prefix":"pg stat","format":"json"}"#)?).await?.json()?;
        let states = &stat["pg_summary"]["num_pg_by_state"];
        let names = |well: bool| {
            let mut rows = states.as_array().into_iter().flatten();
            rows.any(|row| (row["name"] == "active+clean") == well)
        };
        if names(true) && !names(false) {
            return Ok(reporter);
        }
        ensure!(Instant::now() < until, "the manager does not take the reports: {states}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

const REPORTED_AT_MOST: Duration = Duration::from_secs(60);

/// Times of a small command, and how far apart the manager settles reports, side by side.
async fn lanes(
    cluster: &Cluster,
    client: &Client,
    small: &Command,
    seconds: f64,
) -> Result<Map<String, Value>> {
    let other = connected(cluster).await?;
    // Long enough for some reports to the monitors, which are two seconds apart.
    let seconds = seconds.max(SETTLED_SECS_MIN);
    let (took, settled) =
        tokio::try_join!(repeat(client, small, Asked::Afresh, seconds), settled(&other, seconds))?;
    let mut row = times(took);
    row.insert("settled_ms_max".to_owned(), settled.into());
    Ok(row)
}

const SETTLED_SECS_MIN: f64 = 20.0;

/// The longest time, in milliseconds, between two versions of the PG map: it has a new one whenever the manager settles what was
/// reported and reports to the monitors.
async fn settled(client: &Client, seconds: f64) -> Result<u64> {
    let command = parse(r#"{"prefix":"pg dump","dumpcontents":["summary"],"format":"json"}"#)?;
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut version, mut since, mut longest) = (Value::Null, None::<Instant>, Duration::ZERO);
    while Instant::now() < until {
        let answer = client.command(Target::Mgr, command.clone()).await?.json()?;
        let newest = &answer["pg_map"]["version"];
        if *newest != version {
            longest = longest.max(since.map_or(Duration::ZERO, |at| at.elapsed()));
            since = (!version.is_null()).then(Instant::now);
            version = newest.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    longest = longest.max(since.map_or(Duration::ZERO, |at| at.elapsed()));
    Ok(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))
}

/// Processor time of a process so far, user and kernel; 0 when it is gone.
fn cpu_secs(pid: i32) -> f64 {
    /// `USER_HZ`, the same on every Linux.
    const TICKS_PER_SEC: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SEC
}

/// The same command, as none was asked before.
fn afresh(command: &Command, mark: &str) -> Command {
    command.clone().arg("bench_mark", mark)
}

async fn connected(cluster: &Cluster) -> Result<Client> {
    let config = axon_testkit::config(cluster, "client.admin", &[]).await?;
    let (client, mut events) = axon_net::connect(config)?;
    while !matches!(events.recv().await.context("the client ended")?, Event::Connected(_)) {}
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    client.ready(Duration::from_secs(20)).await?;
    Ok(client)
}

fn parse(text: &str) -> Result<Command> {
    let args: Map<String, Value> =
        serde_json::from_str(text).with_context(|| format!("{text} is no JSON object"))?;
    Ok(Command { args, input: Default::default(), deadline: Duration::from_secs(300) })
}

/// Exit code and length of the answer.
async fn ask(client: &Client, command: &Command) -> Result<(i32, usize)> {
    let answer = client.command(Target::Mgr, command.clone()).await;
    let answer = answer.with_context(|| command.to_json())?;
    Ok((answer.retval, answer.outbl.len()))
}

async fn repeat(client: &Client, command: &Command, asked: Asked, seconds: f64) -> Result<Vec<Duration>> {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut out = Vec::new();
    while out.is_empty() || Instant::now() < until {
        let marked = match asked {
            Asked::Afresh => afresh(command, &out.len().to_string()),
            Asked::Again => command.clone(),
        };
        let begun = Instant::now();
        ask(client, &marked).await?;
        out.push(begun.elapsed());
    }
    out.sort();
    Ok(out)
}

fn times(sorted: Vec<Duration>) -> Map<String, Value> {
    let at = |part: f64| {
        let index = ((sorted.len() - 1) as f64 * part) as usize;
        sorted.get(index).map_or(0.0, |took| (took.as_secs_f64() * 1e6).round() / 1e3)
    };
    let row = json!({"answers": sorted.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)});
    row.as_object().cloned().unwrap_or_default()
}
