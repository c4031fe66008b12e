//! Commands to MDSs through the death, the hang and the restart of the daemon that they went to: what may run again is
//! answered by whoever holds the rank then; what may not, and what nobody can answer, ends with a clear error.
//!
//! `AXON_REAL_DIR`: a folder with running clusters of two MDSs named after their releases; without it each test starts one
//! of its own.

use anyhow::{Context, Result, ensure};
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_launcher::{Cluster, Options, Release};
use axon_net::{Client, connect};
use axon_testkit::{config, with_cluster};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

#[test]
#[ignore = "needs a real cluster"]
fn mds_commands_with_pacific() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn mds_commands_with_reef() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn mds_commands_with_tentacle() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let options = |options| Options { osds: 1, mds: 2, ..options };
    with_cluster(release, options, scenario).unwrap();
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    let (client, mut events) = connect(config(cluster, "client.admin", &[]).await?)?;
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    client.ready(Duration::from_secs(20)).await?;
    every_spec_reaches_the_daemon(&client).await?;
    a_killed_daemons_successor_answers(cluster, &client).await?;
    a_hanging_daemons_successor_answers(cluster, &client).await?;
    a_restarted_daemon_is_asked_by_its_name(cluster, &client).await?;
    a_lonely_ranks_death_is_a_clear_error(cluster, &client).await?;
    client.shutdown();
    Ok(())
}

async fn every_spec_reaches_the_daemon(client: &Client) -> Result<()> {
    let (gid, name) = holder(client).await?;
    for spec in ["0".to_owned(), "demo:0".to_owned(), name.clone(), gid.to_string()] {
        let status = client.command(Target::Mds(spec.clone()), Command::json("status")).await?.json()?;
        ensure!(status["whoami"] == 0 && status["id"] == gid, "{spec}: {status}");
    }
    for spec in ["nobody", "demo:7", "nofs:0", "123456789"] {
        let failed = client.command(Target::Mds(spec.to_owned()), Command::json("status")).await;
        ensure!(failed.as_ref().is_err_and(|e| e.errno() == 2), "{spec}: {failed:?}");
    }
    Ok(())
}

async fn a_killed_daemons_successor_answers(cluster: &Cluster, client: &Client) -> Result<()> {
    let (gid, name) = holder(client).await?;
    let flight: Vec<_> = (0..30).map(|n| asked(client, "demo:0", "session ls", n * 100)).collect();
    sleep(Duration::from_millis(700)).await;
    let begun = Instant::now();
    cluster.kill(&format!("mds.{name}"))?;
    for answer in flight {
        answer.await??.success()?;
    }
    let (successor, _) = holder(client).await?;
    ensure!(successor != gid);
    println!("killed mds.{name}: all answered within {:.1} s", begun.elapsed().as_secs_f64());
    let gone = client.command(Target::Mds(gid.to_string()), Command::json("status")).await;
    ensure!(gone.as_ref().is_err_and(|e| e.errno() == 2), "{gone:?}");
    cluster.start(&format!("mds.{name}"))?;
    standby(client).await
}

/// The connection stands all the while; only the map says that nobody is there.
async fn a_hanging_daemons_successor_answers(cluster: &Cluster, client: &Client) -> Result<()> {
    let (gid, name) = holder(client).await?;
    signal(cluster, &name, "-STOP")?;
    let safe = asked(client, "demo:0", "session ls", 0);
    let by_gid = asked(client, &gid.to_string(), "session ls", 0);
    let unsafe_ = {
        let client = client.clone();
        let evict = Command::json("client evict").arg("filters", vec!["id=999999"]);
        tokio::spawn(async move { client.command(Target::Mds("demo:0".to_owned()), deadline(evict)).await })
    };
    let begun = Instant::now();
    safe.await??.success()?;
    println!("stopped mds.{name}: answered by another within {:.1} s", begun.elapsed().as_secs_f64());
    let lost = unsafe_.await?;
    ensure!(matches!(lost, Err(CommandError::Lost { .. })), "{lost:?}");
    let gone = by_gid.await?.err().context("answered")?;
    ensure!(gone.errno() == 110 && gone.to_string().contains("nobody has taken over"), "{gone}");
    println!("{}; {gone}", lost.err().context("answered")?);
    signal(cluster, &name, "-CONT")?;
    cluster.kill(&format!("mds.{name}"))?;
    cluster.start(&format!("mds.{name}"))?;
    standby(client).await
}

async fn a_restarted_daemon_is_asked_by_its_name(cluster: &Cluster, client: &Client) -> Result<()> {
    let (gid, name) = holder(client).await?;
    signal(cluster, &name, "-STOP")?;
    let waiting = asked(client, &name, "status", 0);
    sleep(Duration::from_millis(500)).await;
    cluster.kill(&format!("mds.{name}"))?;
    cluster.start(&format!("mds.{name}"))?;
    let status = waiting.await??.json()?;
    ensure!(status["id"].as_u64().is_some_and(|id| id != gid), "{status}");
    standby(client).await
}

async fn a_lonely_ranks_death_is_a_clear_error(cluster: &Cluster, client: &Client) -> Result<()> {
    let (_, name) = holder(client).await?;
    let other = if name == "a" { "b" } else { "a" };
    cluster.stop(&format!("mds.{other}"))?;
    signal(cluster, &name, "-STOP")?;
    let waiting = asked(client, "demo:0", "session ls", 0);
    sleep(Duration::from_millis(500)).await;
    cluster.kill(&format!("mds.{name}"))?;
    client
        .command(Target::Mon, Command::plain("mds fail").arg("role_or_gid", name.as_str()))
        .await?
        .success()?;
    let failed = waiting.await?.err().context("answered")?;
    ensure!(failed.errno() == 110, "{failed}");
    println!("{failed}");
    let again = client.command(Target::Mds("demo:0".to_owned()), Command::json("session ls")).await;
    ensure!(again.as_ref().is_err_and(|e| e.errno() == 11), "{again:?}");
    cluster.start(&format!("mds.{name}"))?;
    cluster.start(&format!("mds.{other}"))?;
    standby(client).await
}

/// A command on its way, after some milliseconds; it has a minute.
fn asked(client: &Client, spec: &str, prefix: &'static str, after_ms: u64) -> JoinHandle<Answer> {
    let (client, target) = (client.clone(), Target::Mds(spec.to_owned()));
    tokio::spawn(async move {
        sleep(Duration::from_millis(after_ms)).await;
        client.command(target, deadline(Command::json(prefix))).await
    })
}

fn deadline(command: Command) -> Command {
    Command { deadline: Duration::from_secs(60), ..command }
}

type Answer = std::result::Result<CommandOutput, CommandError>;

/// Global id and name of the active daemon of rank 0, once there is one.
async fn holder(client: &Client) -> Result<(u64, String)> {
    for _ in 0..100 {
        let dump = client.command(Target::Mon, Command::json("fs dump")).await?.json()?;
        let mdsmap = &dump["filesystems"][0]["mdsmap"];
        if let Some(gid) = mdsmap["up"]["mds_0"].as_u64() {
            let info = &mdsmap["info"][format!("gid_{gid}")];
            if info["state"] == "up:active" {
                return Ok((gid, info["name"].as_str().unwrap_or_default().to_owned()));
            }
        }
        sleep(Duration::from_millis(300)).await;
    }
    anyhow::bail!("no MDS became active")
}

/// Waits until rank 0 is active and somebody stands by.
async fn standby(client: &Client) -> Result<()> {
    for _ in 0..150 {
        holder(client).await?;
        let dump = client.command(Target::Mon, Command::json("fs dump")).await?.json()?;
        if dump["standbys"].as_array().is_some_and(|s| !s.is_empty()) {
            return Ok(());
        }
        sleep(Duration::from_millis(300)).await;
    }
    anyhow::bail!("no MDS stands by")
}

fn signal(cluster: &Cluster, name: &str, signal: &str) -> Result<()> {
    let pid = cluster.process(&format!("mds.{name}"))?.pid;
    let sent = std::process::Command::new("kill").args([signal, &pid.to_string()]).status()?;
    ensure!(sent.success(), "cannot send {signal} to mds.{name}");
    Ok(())
}
