//! `mgr`: commands to the active manager over one connection of Axon's client: the time of each, and that of a small command
//! while large ones are in flight.

use anyhow::{Context, Result};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::{Client, Event};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
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
}

pub async fn run(options: Options) -> Result<()> {
    let cluster = Cluster::open(&options.cluster)?;
    let client = connected(&cluster).await?;
    let mut rows = Vec::new();
    for text in &options.command {
        let command = parse(text)?;
        // The first answer may make what later ones find.
        let (retval, bytes) = ask(&client, &command).await?;
        let mut row = times(repeat(&client, &command, options.seconds).await?);
        row.insert("command".to_owned(), text.as_str().into());
        row.insert("retval".to_owned(), retval.into());
        row.insert("answer_bytes".to_owned(), bytes.into());
        rows.push(row);
    }
    let mut beside = Value::Null;
    if let (Some(small), Some(large)) = (&options.small, &options.large) {
        let (small, large) = (parse(small)?, parse(large)?);
        let alone = times(repeat(&client, &small, options.seconds).await?);
        let mut load = JoinSet::new();
        for _ in 0..options.in_flight {
            let (client, large) = (connected(&cluster).await?, large.clone());
            load.spawn(async move { while ask(&client, &large).await.is_ok() {} });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let loaded = times(repeat(&client, &small, options.seconds).await?);
        load.shutdown().await;
        beside = json!({"alone": alone, "loaded": loaded});
    }
    println!("{}", json!({"commands": rows, "beside": beside}));
    Ok(())
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
    let answer = client.command(Target::Mgr, command.clone()).await?;
    Ok((answer.retval, answer.outbl.len()))
}

async fn repeat(client: &Client, command: &Command, seconds: f64) -> Result<Vec<Duration>> {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut out = Vec::new();
    while out.is_empty() || Instant::now() < until {
        let begun = Instant::now();
        ask(client, command).await?;
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
