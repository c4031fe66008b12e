//! Axon as the manager of a cluster that speaks msgr v1 only (`ms_bind_msgr2 = false`): HEALTH_OK with every daemon's session over
//! v1, and commands to a monitor by name, an OSD and the manager.
//!
//! Needs `cargo build -p axon` first. `AXON_REAL_DIR`: a folder with running clusters (`--legacy --manager axon`) named after their
//! releases; without it each test starts one of its own.

use anyhow::{Context, Result, ensure};
use axon_core::{Command, Target};
use axon_launcher::{Cluster, Managers, Options, Release};
use axon_net::{Config, connect};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[test]
#[ignore = "needs a real cluster"]
fn a_v1_only_cluster_of_pacific() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn a_v1_only_cluster_of_reef() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn a_v1_only_cluster_of_tentacle() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(dir) = std::env::var_os("AXON_REAL_DIR") {
        let cluster = Cluster::open(PathBuf::from(dir).join(release.name())).unwrap();
        return runtime.block_on(scenario(&cluster)).unwrap();
    }
    let dir = std::env::temp_dir().join(format!("axon-v1-{}-{}", release.name(), std::process::id()));
    // target/debug/deps/legacy-… → target/debug/axon
    let axon = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("axon");
    let options = Options {
        osds: 2,
        legacy: true,
        managers: Managers::Axon,
        axon: Some(axon),
        ..Options::new(release, dir)
    };
    let cluster = Cluster::up(&options, &|line: &str| println!("{line}")).unwrap();
    let result = runtime.block_on(scenario(&cluster));
    cluster.down(false).unwrap();
    result.unwrap();
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    let begun = Instant::now();
    loop {
        let status = cluster.ceph_json(&["status"])?;
        let pgs = &status["pgmap"];
        let clean = pgs["pgs_by_state"][0]["state_name"] == "active+clean"
            && pgs["pgs_by_state"][0]["count"] == pgs["num_pgs"];
        if status["health"]["status"] == "HEALTH_OK" && clean {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "not healthy: {status}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let addrs = cluster.ceph_json(&["mgr", "dump"])?["active_addrs"]["addrvec"].clone();
    let kinds: Vec<&str> =
        addrs.as_array().context("addresses")?.iter().filter_map(|a| a["type"].as_str()).collect();
    ensure!(kinds == ["v1"], "{addrs}");
    // The OSDs' statistics have come from their sessions.
    ensure!(cluster.ceph_json(&["osd", "df"])?["summary"]["total_kb"].as_u64() > Some(0));

    let port = cluster.state().ports.mon(0) + 1;
    for mon_host in [format!("v1:127.0.0.1:{port}"), format!("127.0.0.1:{port}")] {
        let keyring = cluster.dir().join("keyring").display().to_string();
        let options = |name: &str| match name {
            "mon_host" => Some(mon_host.clone()),
            "keyring" => Some(keyring.clone()),
            _ => None,
        };
        let (client, mut events) = connect(Config::load("client.admin".parse()?, &options).await?)?;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        client.ready(Duration::from_secs(10)).await?;
        for target in [Target::Mon, Target::MonNamed("a".to_owned())] {
            let said = format!("{target:?}");
            let out = client.command(target, Command::json("version")).await.with_context(|| said.clone())?;
            ensure!(out.retval == 0, "{said}: {} {}", out.retval, out.outs);
        }
        client.shutdown();
    }
    let axon = cluster.state().axon.as_ref().context("the cluster's manager is Axon")?;
    for target in ["osd.1", "mds.a"] {
        let mut command = std::process::Command::new(axon);
        command.args(["command", "-n", "client.admin", "-c"]).arg(cluster.conf_path());
        let out = command.args(["--target", target, "version"]).output()?;
        ensure!(out.status.success(), "{target}: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}
