//! Commands while nothing passes between the client and any daemon, or only what the client says: no socket is closed and none is
//! refused. Each command ends inside its deadline, and when bytes pass again each kind of daemon answers and nothing is left.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, CommandError, Target};
use axon_launcher::{Cluster, Kind};
use axon_net::{Client, connect};
use axon_testkit::follow_osd_map;
use axon_testkit::link::{Flow, Wires};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Bench;

pub fn commands_end_in_time(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(run(&bench.cluster));
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

async fn run(cluster: &Cluster) -> Result<()> {
    let wires = Wires::default();
    let mut config = axon_testkit::config(cluster, "client.admin", OPTIONS).await?;
    config.detour = Some(wires.detour());
    config.daemon_idle = Duration::from_secs(2);
    config.daemon_silence_max = Duration::from_secs(4);
    let (client, events) = connect(config)?;
    tokio::spawn(follow_osd_map(client.clone(), events));
    client.ready(BACK_AT_MOST).await?;
    for flow in [Flow::Blocked, Flow::Unanswered] {
        parted(&client, &wires, flow).await.with_context(|| format!("{flow:?}"))?;
    }
    client.shutdown();
    Ok(())
}

async fn parted(client: &Client, wires: &Wires, flow: Flow) -> Result<()> {
    for target in targets() {
        answers(client, &target).await.context("before")?;
    }
    let set = |flow: Flow| wires.addrs().into_iter().for_each(|addr| wires.set_flow(addr, flow));
    set(flow);
    let begun = Instant::now();
    let mut commands = JoinSet::new();
    // Some before and some after the links are given up; the last ones outlive it.
    for (n, wait_ms) in [0, 500, 3000, 6000, 9000].into_iter().enumerate() {
        for target in targets() {
            let (client, deadline) = (client.clone(), Duration::from_secs(if n % 2 == 0 { 4 } else { 20 }));
            commands.spawn(async move {
                sleep(Duration::from_millis(wait_ms)).await;
                let (sent, command) = (Instant::now(), Command { deadline, ..version(&target) });
                let answer = client.command(target.clone(), command).await;
                (target, deadline, sent.elapsed(), answer.map(|output| output.retval))
            });
        }
    }
    sleep(PARTED.saturating_sub(begun.elapsed())).await;
    let held = client.counts();
    set(Flow::Open);
    let (mut answered, mut late) = (0, 0);
    while let Some(ended) = commands.join_next().await {
        let (target, deadline, took, answer) = ended?;
        ensure!(took < deadline + LATE_MAX, "{target} took {took:?} of {deadline:?}");
        match answer {
            Ok(0) => answered += 1,
            Err(CommandError::Deadline { .. } | CommandError::Lost { .. }) => late += 1,
            Err(CommandError::Unreachable { errno: ENXIO | EAGAIN | ETIMEDOUT, .. }) => late += 1,
            other => bail!("{target}: {other:?}"),
        }
    }
    for target in targets() {
        answers(client, &target).await.context("afterwards")?;
    }
    println!("{flow:?}: {answered} answered, {late} not; {held:?} after {PARTED:?}");
    ensure!(late > 0 && answered > 0, "the links were not what was said: {answered} answered, {late} not");
    idle(client).await
}

/// Waits until the daemon answers.
async fn answers(client: &Client, target: &Target) -> Result<()> {
    let begun = Instant::now();
    loop {
        let command = Command { deadline: Duration::from_secs(5), ..version(target) };
        match client.command(target.clone(), command).await {
            Ok(output) if output.retval == 0 => return Ok(()),
            other if begun.elapsed() > BACK_AT_MOST => bail!("{target}: {other:?}"),
            _ => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Waits until only the monitor's connection is left.
async fn idle(client: &Client) -> Result<()> {
    let begun = Instant::now();
    loop {
        let held = client.counts();
        if (held.commands, held.daemon_sessions, held.connections) == (0, 0, 1) {
            return Ok(());
        }
        ensure!(begun.elapsed() < BACK_AT_MOST, "idle, but this is held: {held:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn targets() -> [Target; 5] {
    let (mds, pg) = ("demo:0".to_owned(), "1.0".to_owned());
    [Target::Mon, Target::MonNamed("a".to_owned()), Target::Osd(0), Target::Mds(mds), Target::Pg(pg)]
}

fn version(target: &Target) -> Command {
    Command::json(if matches!(target, Target::Pg(_)) { "query" } else { "version" })
}

const OPTIONS: &[(&str, &str)] = &[("mon_client_ping_interval", "1"), ("mon_client_ping_timeout", "4")];
const PARTED: Duration = Duration::from_secs(12);
/// A deadline may be seen this late on a machine that is busy.
const LATE_MAX: Duration = Duration::from_secs(1);
const BACK_AT_MOST: Duration = Duration::from_secs(30);
const ENXIO: i32 = 6;
const EAGAIN: i32 = 11;
const ETIMEDOUT: i32 = 110;
