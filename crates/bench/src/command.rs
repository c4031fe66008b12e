//! `command`: monitor commands over one connection of Axon's client: rate, processor time, allocations, and the time from
//! connecting to an authenticated session. `librados.c` does the same with upstream's library.

use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::mon::SessionState;
use axon_net::{Client, Event};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    cluster: PathBuf,
    /// crc or secure.
    #[arg(long, default_value = "secure")]
    mode: String,
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// So many commands instead of so many seconds.
    #[arg(long, default_value_t = 0)]
    count: u64,
    /// How often to connect for the median.
    #[arg(long, default_value_t = 0)]
    connects: usize,
    /// The command as JSON.
    #[arg(long, default_value = r#"{"prefix":"status"}"#)]
    command: String,
}

pub async fn run(options: Options) -> Result<()> {
    let cluster = Cluster::open(&options.cluster)?;
    let mut times = Vec::new();
    for _ in 0..options.connects {
        let (client, took) = connected(&cluster, &options.mode).await?;
        times.push(took);
        client.shutdown();
    }
    times.sort();
    let (client, _) = connected(&cluster, &options.mode).await?;
    let args = match serde_json::from_str(&options.command)? {
        serde_json::Value::Object(args) => args,
        other => anyhow::bail!("{other} is no JSON object"),
    };
    let command = Command { args, input: Default::default(), deadline: Duration::from_secs(60) };
    let mut bytes = 0;
    for _ in 0..50 {
        bytes = client.command(Target::Mon, command.clone()).await?.success()?.len();
    }

    let left = Arc::new(AtomicU64::new(if options.count > 0 { options.count } else { u64::MAX / 2 }));
    let seconds = if options.count > 0 { 1e6 } else { options.seconds };
    let (allocations, allocated) = crate::allocations();
    let (begun, used) = (Instant::now(), processor_time()?);
    let until = begun + Duration::from_secs_f64(seconds);
    let mut workers = JoinSet::new();
    for _ in 0..options.in_flight {
        workers.spawn(work(client.clone(), command.clone(), left.clone(), until));
    }
    let mut answered = 0;
    while let Some(done) = workers.join_next().await {
        answered += done.context("a worker ended badly")??;
    }
    let (took, used) = (begun.elapsed(), processor_time()? - used);
    ensure!(answered > 0, "nothing was answered");
    let (allocations_after, allocated_after) = crate::allocations();
    let each = |total: f64| (total / answered as f64 * 100.0).round() / 100.0;
    let connect = times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64);
    println!(
        "{}",
        json!({
            "commands": answered,
            "per_sec": (answered as f64 / took.as_secs_f64()).round(),
            "cpu_usec": each(used.as_secs_f64() * 1e6),
            "allocations": each((allocations_after - allocations) as f64),
            "allocated_bytes": each((allocated_after - allocated) as f64),
            "answer_bytes": bytes,
            "connect_ms": (connect * 1e6).round() / 1e3,
        })
    );
    Ok(())
}

async fn work(client: Client, command: Command, left: Arc<AtomicU64>, until: Instant) -> Result<u64> {
    let mut answered = 0;
    let take = |n: u64| n.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() && Instant::now() < until {
        client.command(Target::Mon, command.clone()).await?.success()?;
        answered += 1;
    }
    Ok(answered)
}

/// A client, and the time from its start to the authenticated session.
async fn connected(cluster: &Cluster, mode: &str) -> Result<(Client, Duration)> {
    let replaced = [("ms_mon_client_mode", mode), ("ms_client_mode", mode)];
    let config = axon_testkit::config(cluster, "client.admin", &replaced).await?;
    let begun = Instant::now();
    let (client, mut events) = axon_net::connect(config)?;
    while !matches!(events.recv().await.context("the client ended")?, Event::Connected(_)) {}
    let took = begun.elapsed();
    ensure!(matches!(client.state(), SessionState::Open(_)));
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    client.ready(Duration::from_secs(20)).await?;
    Ok((client, took))
}

/// Of the process, in user mode and in the kernel.
fn processor_time() -> Result<Duration> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |t: nix::sys::time::TimeVal| t.tv_sec() as u64 * 1_000_000 + t.tv_usec() as u64;
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}
