//! Monitors come and go while commands are in flight, on a cluster of its own whose tickets live for seconds; meanwhile the
//! manager's key is rotated without its session being cut. The client's configuration, and Axon's, name the first monitor only,
//! which is gone at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, CommandError, Target};
use axon_launcher::{Cluster, Managers, Options};
use axon_net::{Client, connect};
use axon_testkit::faults::short_tickets;
use axon_testkit::follow_osd_map;
use serde_json::Value;
use tokio::task::JoinSet;

use super::keys;
use crate::Bench;
use crate::side::with_cluster;

pub fn come_and_go(bench: &mut Bench) -> Result<()> {
    let options = |options| Options { osds: 1, managers: Managers::Axon, ..options };
    with_cluster(bench, "mons", options, |own| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let checked = with_commands(&mut own.cluster, &runtime);
        runtime.shutdown_timeout(Duration::from_secs(5));
        checked
    })
}

fn with_commands(cluster: &mut Cluster, runtime: &tokio::runtime::Runtime) -> Result<()> {
    short_tickets(cluster, TICKET_TTL_SECS)?;
    cluster.wait_manager("x", AT_MOST)?;
    let gid = cluster.ceph_json(&["mgr", "dump"])?["active_gid"].clone();
    let client = runtime.block_on(async {
        let config = axon_testkit::config(cluster, "client.admin", &[]).await?;
        let (client, events) = connect(config)?;
        tokio::spawn(follow_osd_map(client.clone(), events));
        client.ready(Duration::from_secs(30)).await?;
        anyhow::Ok(client)
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for target in [Target::Mon, Target::Mon, Target::Osd(0), Target::Mds("demo:0".to_owned())] {
        workers.spawn_on(ask_until(stop.clone(), client.clone(), target), runtime.handle());
    }
    let result = change(cluster, &client);
    stop.store(true, Ordering::Relaxed);
    let asked = runtime.block_on(async {
        let mut asked = 0;
        while let Some(worker) = workers.join_next().await {
            asked += worker??;
        }
        anyhow::Ok(asked)
    });
    result?;
    let asked = asked?;
    println!("{asked} commands while monitors came and went");
    ensure!(asked > 100, "only {asked} commands");
    let now = cluster.ceph_json(&["mgr", "dump"])?["active_gid"].clone();
    ensure!(now == gid, "another manager is active: {now}, it was {gid}");
    Ok(())
}

fn change(cluster: &mut Cluster, client: &Client) -> Result<()> {
    let begun = Instant::now();
    // Nobody cuts the session: the new key is needed when the tickets for the monitors expire, and for the rotating keys.
    let keyring = cluster.dir().join("mgr/x/keyring");
    let new = keys::rotate(cluster, &std::fs::read_to_string(&keyring)?)?;
    std::fs::write(&keyring, new)?;
    for name in ["b", "c"] {
        ensure!(cluster.add_monitor()? == name);
        knows(client, |names| names.contains(&name)).with_context(|| format!("mon.{name} was added"))?;
    }
    std::thread::sleep(Duration::from_secs(u64::from(6 * TICKET_TTL_SECS)).saturating_sub(begun.elapsed()));
    cluster.remove_monitor("a")?;
    knows(client, |names| names == ["b", "c"]).context("mon.a was removed")?;
    // Everything anew: the CLI's ticket is made with keys that rolled since, and the OSD reports to a manager whose key was rotated.
    cluster.kill("osd.0")?;
    cluster.ceph_ok(&["osd", "down", "0"])?;
    cluster.start("osd.0")?;
    let begun = Instant::now();
    loop {
        let out = cluster.ceph_ok(&["pg", "stat"])?;
        let up = cluster.ceph_json(&["osd", "stat"])?["num_up_osds"] == 1;
        if up && out.contains("active+clean") && !out.contains("stale") {
            break;
        }
        ensure!(begun.elapsed() < AT_MOST, "pg stat says {out}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let status = cluster.ceph_json(&["status"])?;
    ensure!(status["mgrmap"]["available"] == true, "{status}");
    Ok(())
}

/// Waits until the client knows these monitors and has a session with one of them.
fn knows(client: &Client, are: impl Fn(&[&str]) -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        if let Some(monmap) = client.monmap() {
            let names: Vec<&str> = monmap.mon_info.keys().map(String::as_str).collect();
            if let axon_net::mon::SessionState::Open(open) = client.state()
                && are(&names)
                && names.contains(&open.mon.as_str())
            {
                return Ok(());
            }
        }
        ensure!(begun.elapsed() < AT_MOST, "the client has {:?} and {:?}", client.monmap(), client.state());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One command after the other: each is answered inside its deadline, however the monitors change. How many.
async fn ask_until(stop: Arc<AtomicBool>, client: Client, target: Target) -> Result<u64> {
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let prefix = if target == Target::Mon { "quorum_status" } else { "version" };
        let command = Command { deadline: ANSWER, ..Command::json(prefix) };
        let begun = Instant::now();
        match client.command(target.clone(), command).await {
            Ok(output) => {
                let json: Value = output.json()?;
                ensure!(json.is_object(), "{target} says {json}");
            }
            // The OSD is restarted.
            Err(CommandError::Unreachable { errno: ENXIO, .. }) if target == Target::Osd(0) => {}
            Err(e) => bail!("{target} after {:?}: {e}", begun.elapsed()),
        }
        ensure!(begun.elapsed() < ANSWER + Duration::from_secs(1), "{target} took {:?}", begun.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(asked)
}

/// Tickets for the monitors live twice as long.
const TICKET_TTL_SECS: u32 = 10;
const ANSWER: Duration = Duration::from_secs(20);
const AT_MOST: Duration = Duration::from_secs(90);
const ENXIO: i32 = 6;
