//! A client whose clock is hours wrong, or is set forth and back by more than tickets live, goes on: it logs in, its tickets are
//! renewed, and daemons take its authorizers on new connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::{Cluster, Kind};
use axon_net::auth::Clock;
use axon_net::mon::SessionState;
use axon_net::{Client, connect};
use axon_testkit::follow_osd_map;
use axon_testkit::link::{Cut, Wires};
use tokio::time::sleep;

use crate::Bench;

pub fn is_wrong(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(async {
        for hours in [[0, 3, -3], [-3, 0, 3], [3, -3, 0]] {
            run(&bench.cluster, hours).await.with_context(|| format!("{hours:?} hours off"))?;
        }
        Ok(())
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

/// Logs in with the first, and goes on with the others.
async fn run(cluster: &Cluster, hours: [i64; 3]) -> Result<()> {
    let (off, wires) = (Arc::new(AtomicI64::new(0)), Wires::default());
    let mut config = axon_testkit::config(cluster, "client.admin", &[]).await?;
    config.detour = Some(wires.detour());
    let clock = off.clone();
    config.clock = Clock::new(move || {
        let hours = clock.load(Ordering::Relaxed);
        let by = Duration::from_secs(3600 * hours.unsigned_abs());
        if hours < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    });
    off.store(hours[0], Ordering::Relaxed);
    let (client, events) = connect(config)?;
    tokio::spawn(follow_osd_map(client.clone(), events));
    client.ready(AT_MOST).await?;
    let id = client.my_global_id();
    let mut took = Vec::new();
    for hours in hours {
        off.store(hours, Ordering::Relaxed);
        // The session's next tick looks at the tickets.
        sleep(TICK).await;
        let begun = Instant::now();
        all_answer(&client).await.with_context(|| format!("now {hours} hours off"))?;
        cut_all(&client, &wires).await?;
        all_answer(&client).await.with_context(|| format!("over new links, now {hours} hours off"))?;
        ensure!(client.my_global_id() == id, "another global id: {} after {id}", client.my_global_id());
        took.push(begun.elapsed());
    }
    println!("{hours:?} hours off: {took:?}");
    client.shutdown();
    Ok(())
}

/// New links need new authorizers and a new login.
async fn cut_all(client: &Client, wires: &Wires) -> Result<()> {
    for addr in wires.addrs().into_iter().filter(|addr| wires.links(*addr) > 0) {
        wires.cut(addr, Cut::Now, AT_MOST).await.context("a link was not cut")?;
    }
    let begun = Instant::now();
    while !matches!(client.state(), SessionState::Open(_)) {
        ensure!(begun.elapsed() < AT_MOST, "no session: {:?}", client.state());
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn all_answer(client: &Client) -> Result<()> {
    for target in [Target::Mon, Target::Osd(0), Target::Mds("demo:0".to_owned())] {
        let command = Command { deadline: AT_MOST, ..Command::json("version") };
        let output = client.command(target.clone(), command).await.with_context(|| target.to_string())?;
        ensure!(output.retval == 0, "{target}: {output:?}");
    }
    Ok(())
}

const AT_MOST: Duration = Duration::from_secs(20);
/// More than the second after which a session looks at its tickets again.
const TICK: Duration = Duration::from_secs(2);
