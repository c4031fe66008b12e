//! A cluster that speaks msgr v1 only (`ms_bind_msgr2 = false`), beside the scenarios' own, with Axon as its manager: health with
//! every daemon's session over v1, and commands over v1 to the monitors, a monitor by name, an OSD and an MDS, with `mon_host`
//! in the form that names the protocol and in the one that does not.

use crate::Bench;
use crate::bench::axon_command;
use crate::side::with_cluster;
use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Managers, Options};
use std::time::{Duration, Instant};

pub fn v1_is_enough(bench: &mut Bench) -> Result<()> {
    let options = |options| Options { osds: 2, legacy: true, managers: Managers::Axon, ..options };
    with_cluster(bench, "v1", options, |own| is_well(&own.cluster).and_then(|()| commands(&own.cluster)))
}

fn is_well(cluster: &Cluster) -> Result<()> {
    let begun = Instant::now();
    loop {
        let status = cluster.ceph_json(&["status"])?;
        let (pgs, states) = (&status["pgmap"]["num_pgs"], &status["pgmap"]["pgs_by_state"][0]);
        if status["health"]["status"] == "HEALTH_OK"
            && states["state_name"] == "active+clean"
            && states["count"] == *pgs
        {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(90), "not healthy: {status}");
        std::thread::sleep(Duration::from_secs(1));
    }
    let addrs = cluster.ceph_json(&["mgr", "dump"])?["active_addrs"]["addrvec"].clone();
    let kinds: Vec<_> = addrs.as_array().context("addresses")?.iter().map(|a| a["type"].clone()).collect();
    ensure!(kinds == ["v1"], "Axon listens at {addrs}");
    // Sizes come with the OSDs' reports, which came over v1.
    let df = cluster.ceph_json(&["osd", "df"])?;
    ensure!(df["summary"]["total_kb"].as_u64() > Some(0), "{df}");
    Ok(())
}

fn commands(cluster: &Cluster) -> Result<()> {
    let conf = std::fs::read_to_string(cluster.conf_path())?;
    let named = conf.lines().find(|line| line.starts_with("mon host")).context("mon host")?;
    let ambiguous = named.replace("[v1:", "").replace(']', "");
    let other = cluster.dir().join("ambiguous.conf");
    std::fs::write(&other, conf.replace(named, &ambiguous))?;
    for conf in [cluster.conf_path(), other] {
        for target in ["mon", "mon.a", "osd.1", "mds.a"] {
            let said = axon_command(cluster, &conf, target, &["version"])?;
            ensure!(said.contains("version"), "{target}: {said}");
        }
    }
    Ok(())
}
