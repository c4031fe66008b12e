//! The cluster's client against real daemons: commands to monitors, one monitor, OSDs and MDSs, many in flight, through the
//! restart of a monitor and the death of another; and what it says when it cannot get in.
//!
//! `AXON_REAL_DIR`: a folder with running clusters of three monitors named after their releases; without it each test starts
//! one of its own.

use anyhow::{Context, Result, ensure};
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_denc::Decode;
use axon_launcher::{Cluster, Options, Release};
use axon_net::{Client, Event, EventReceiver, connect};
use axon_proto::Message;
use axon_proto::msgs::osd_map::MOSDMap;
use axon_proto::osd_map::{Incremental, OSDMap};
use axon_testkit::{config, with_cluster};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

#[test]
#[ignore = "needs a real cluster"]
fn the_client_with_pacific() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn the_client_with_reef() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn the_client_with_tentacle() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let options = |options| Options { mons: 3, osds: 2, ..options };
    with_cluster(release, options, scenario).unwrap();
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    refusals(cluster).await?;
    let (client, mut events) = connect(config(cluster, "client.admin", &[]).await?)?;
    let open = client.ready(Duration::from_secs(20)).await?;
    println!("{:?}: mon.{} mode {} global id {}", cluster.release(), open.mon, open.con_mode, open.global_id);
    let map = maps_arrive(&client, &mut events).await?;
    client.set_osd_map(Arc::new(map.clone()));
    tokio::spawn(follow_osd_map(client.clone(), map, events));
    commands(&client).await?;
    named_monitor(&client).await?;
    osds(cluster, &client).await?;
    mds(&client).await?;
    restart_with_commands_in_flight(cluster, &client).await?;
    death_of_our_monitor(cluster, &client).await?;
    ensure!(client.my_global_id() == open.global_id, "the global id is kept over all sessions");
    client.shutdown();
    Ok(())
}

async fn json(client: &Client, prefix: &str) -> Result<serde_json::Value> {
    Ok(client.command(Target::Mon, Command::json(prefix)).await?.json()?)
}

/// A wrong key, a wrong cluster and no monitor: each says what to check, and the client goes on trying.
async fn refusals(cluster: &Cluster) -> Result<()> {
    let other_key = "AQBSdFFhAAAAABAAq83vASNFZ4mrze8BI0VniQ==";
    let cases = [
        (vec![("key", other_key)], "the monitors refuse client.admin (key from option key)"),
        (vec![("fsid", "11111111-2222-3333-4444-555555555555")], "check mon_host and fsid"),
        (vec![("mon_host", "v2:127.0.0.1:9")], "no monitor can be reached (tried v2:127.0.0.1:9/0"),
    ];
    for (replaced, expect) in cases {
        let (client, _events) = connect(config(cluster, "client.admin", &replaced).await?)?;
        let error = client.ready(Duration::from_secs(8)).await.err().context("it was let in")?;
        println!("{error}");
        ensure!(error.to_string().contains(expect), "{error}");
        ensure!(!error.to_string().contains(other_key));
        let command = Command { deadline: Duration::from_secs(1), ..Command::json("status") };
        let failed = client.command(Target::Mon, command).await.err().context("answered")?;
        ensure!(matches!(failed, CommandError::Unreachable { errno: 110, .. }), "{failed}");
        println!("{failed}");
    }
    Ok(())
}

/// What is subscribed comes, decoded. The OSD map.
async fn maps_arrive(client: &Client, events: &mut EventReceiver) -> Result<OSDMap> {
    for what in ["mgrmap", "fsmap", "servicemap", "osdmap", "kv:config/", "kv:mgr/", "kv:device/"] {
        client.subscribe(what, 0).await;
    }
    let mut map = OSDMap::default();
    let mut missing = vec!["MMonMap", "MMgrMap", "MFSMap", "MServiceMap", "MConfig", "MKVData", "MOSDMap"];
    let wait = async {
        while !missing.is_empty() {
            if let Event::Message(message) = events.recv().await.context("the client ended")? {
                missing.retain(|name| *name != message.name());
                if let Message::MOSDMap(message) = message {
                    apply(&mut map, &message);
                }
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let waited = timeout(Duration::from_secs(15), wait).await;
    waited.with_context(|| format!("still missing: {missing:?}"))??;
    Ok(map)
}

async fn commands(client: &Client) -> Result<()> {
    let status = json(client, "status").await?;
    ensure!(status["fsid"] == client.fsid().context("no fsid")?.to_string());
    let mut flight = JoinSet::new();
    for n in 0..64 {
        let client = client.clone();
        let prefix = ["status", "osd dump", "fs dump", "mon dump"][n % 4];
        flight.spawn(async move { json(&client, prefix).await.map(|_| ()) });
    }
    for done in flight.join_all().await {
        done?;
    }
    let unknown = client.command(Target::Mon, Command::json("no such thing")).await?;
    ensure!(unknown.retval == -22, "{unknown:?}");
    let set = Command::json("config-key set").arg("key", "axon-test").input("from the data section");
    client.command(Target::Mon, set).await?.success()?;
    let get = Command::plain("config-key get").arg("key", "axon-test");
    ensure!(client.command(Target::Mon, get).await?.success()? == "from the data section");
    Ok(())
}

async fn named_monitor(client: &Client) -> Result<()> {
    let monmap = client.monmap().context("no monmap")?;
    for name in monmap.mon_info.keys() {
        let mut flight = JoinSet::new();
        for _ in 0..16 {
            let (client, target) = (client.clone(), Target::MonNamed(name.clone()));
            flight.spawn(async move { client.command(target, Command::json("mon_status")).await });
        }
        for answer in flight.join_all().await {
            ensure!(answer?.json()?["name"] == *name);
        }
    }
    let nobody = client.command(Target::MonNamed("nobody".to_owned()), Command::json("version")).await;
    ensure!(nobody.as_ref().is_err_and(|e| e.errno() == 2), "{nobody:?}");
    Ok(())
}

/// Keeps the OSD map and hands each epoch to the client, as a manager does.
async fn follow_osd_map(client: Client, mut map: OSDMap, mut events: EventReceiver) {
    while let Some(event) = events.recv().await {
        if let Event::Message(Message::MOSDMap(message)) = event {
            apply(&mut map, &message);
            client.set_osd_map(Arc::new(map.clone()));
        }
    }
}

fn apply(map: &mut OSDMap, message: &MOSDMap) {
    for (epoch, bytes) in &message.maps {
        if *epoch > map.epoch {
            *map = OSDMap::from_bytes(bytes).unwrap();
        }
    }
    for (epoch, bytes) in &message.incremental_maps {
        if *epoch == map.epoch + 1 {
            map.apply(&Incremental::from_bytes(bytes).unwrap()).unwrap();
        }
    }
}

async fn osds(cluster: &Cluster, client: &Client) -> Result<()> {
    let mut flight = JoinSet::new();
    for _ in 0..32 {
        let client = client.clone();
        flight.spawn(async move { client.command(Target::Osd(0), Command::json("version")).await });
    }
    for answer in flight.join_all().await {
        ensure!(answer?.json()?["version"].is_string());
    }
    let unknown = client.command(Target::Osd(99), Command::json("version")).await;
    ensure!(unknown.as_ref().is_err_and(|e| e.errno() == 2), "{unknown:?}");

    let map = Command::json("osd map").arg("pool", "rep").arg("object", "o");
    let pgid =
        client.command(Target::Mon, map).await?.json()?["pgid"].as_str().unwrap_or_default().to_owned();
    let query = client.command(Target::Pg(pgid), Command::json("query")).await?.json()?;
    ensure!(query["state"].as_str().is_some_and(|s| s.contains("active")), "{query}");

    // An OSD that is stopped: our map may still send us there in vain, until the next one says that it is down.
    cluster.kill("osd.1")?;
    client
        .command(Target::Mon, Command::plain("osd down").arg("ids", serde_json::json!(["1"])))
        .await?
        .success()?;
    let down = client.command(Target::Osd(1), Command::json("version")).await;
    ensure!(down.as_ref().is_err_and(|e| e.errno() == 6), "{down:?}");
    println!("{}", down.err().context("answered")?);
    cluster.start("osd.1")?;
    Ok(())
}

async fn mds(client: &Client) -> Result<()> {
    let versions = |answer: std::result::Result<CommandOutput, CommandError>| -> Result<serde_json::Value> {
        Ok(answer?.json()?)
    };
    for spec in ["a", "0", "demo:0"] {
        let answer = versions(client.command(Target::Mds(spec.to_owned()), Command::json("version")).await)?;
        ensure!(answer["version"].is_string(), "{spec}: {answer}");
    }
    let nobody = client.command(Target::Mds("nobody".to_owned()), Command::json("version")).await;
    ensure!(nobody.as_ref().is_err_and(|e| e.errno() == 2), "{nobody:?}");
    Ok(())
}

fn our_monitor(client: &Client) -> Result<String> {
    match client.state() {
        axon_net::mon::SessionState::Open(open) => Ok(format!("mon.{}", open.mon)),
        other => anyhow::bail!("{other:?}"),
    }
}

async fn restart_with_commands_in_flight(cluster: &Cluster, client: &Client) -> Result<()> {
    let name = our_monitor(client)?;
    let mut flight = JoinSet::new();
    for n in 0..200u64 {
        let client = client.clone();
        flight.spawn(async move {
            sleep(Duration::from_millis(n * 20)).await;
            json(&client, ["status", "osd dump"][(n % 2) as usize]).await.map(|_| ())
        });
    }
    sleep(Duration::from_millis(500)).await;
    cluster.kill(&name)?;
    sleep(Duration::from_millis(500)).await;
    cluster.start(&name)?;
    let answers = flight.join_all().await;
    let failed: Vec<String> = answers.into_iter().filter_map(|a| a.err().map(|e| e.to_string())).collect();
    ensure!(failed.is_empty(), "{failed:?}");
    cluster.wait_quorum()?;
    Ok(())
}

async fn death_of_our_monitor(cluster: &Cluster, client: &Client) -> Result<()> {
    client.ready(Duration::from_secs(20)).await?;
    let name = our_monitor(client)?;
    cluster.kill(&name)?;
    for _ in 0..10 {
        json(client, "status").await?;
    }
    ensure!(our_monitor(client)? != name);
    cluster.start(&name)?;
    Ok(())
}
