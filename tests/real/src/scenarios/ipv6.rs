//! A cluster whose daemons have IPv6 addresses only, with Axon as its manager: health with every daemon's session, commands to each
//! kind of daemon, REST, and a monitor map whose first address of two is one at which nobody listens.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Family, Kind, Managers, Options};
use serde_json::Value;

use crate::Bench;
use crate::bench::axon_command;
use crate::compare::get;
use crate::http;
use crate::side::with_cluster;

pub fn is_enough(bench: &mut Bench) -> Result<()> {
    let options = |options| Options { osds: 2, family: Family::V6, managers: Managers::Axon, ..options };
    with_cluster(bench, "v6", options, |own| {
        own.cluster.wait_well(&[], Duration::from_secs(120))?;
        addresses(&own.cluster)?;
        commands(&own.cluster)?;
        rest(own)
    })
}

/// Every daemon that Axon talks to is at an IPv6 address, and so is Axon.
fn addresses(cluster: &Cluster) -> Result<()> {
    let mgr = cluster.ceph_json(&["mgr", "dump"])?["active_addrs"]["addrvec"].clone();
    let osds = cluster.ceph_json(&["osd", "dump"])?["osds"].clone();
    let osds = osds.as_array().context("osds")?.iter().map(|osd| osd["public_addrs"]["addrvec"].clone());
    for addrs in osds.chain([mgr]) {
        let addrs = addrs.as_array().context("addresses")?;
        let is_v6 = |addr: &Value| addr["addr"].as_str().is_some_and(|text| text.starts_with("[::1]:"));
        ensure!(!addrs.is_empty() && addrs.iter().all(is_v6), "{addrs:?}");
    }
    // Sizes come with the OSDs' reports.
    let df = cluster.ceph_json(&["osd", "df"])?;
    ensure!(df["summary"]["total_kb"].as_u64() > Some(0), "{df}");
    Ok(())
}

fn commands(cluster: &Cluster) -> Result<()> {
    let text = std::fs::read_to_string(cluster.conf_path())?;
    let named = text.lines().find(|line| line.starts_with("mon host")).context("mon host")?;
    // Nobody listens at the first: its port is the one that discards.
    let with_a_deaf_one = cluster.dir().join("deaf.conf");
    std::fs::write(&with_a_deaf_one, text.replace(named, &named.replacen('[', "[v2:[::1]:9/0,", 1)))?;
    for conf in [cluster.conf_path(), with_a_deaf_one] {
        for target in ["mon", "mon.a", "osd.1", "mds.a", "pg.1.0", "mgr"] {
            let words: &[&str] = match target {
                "pg.1.0" => &["query"],
                "mgr" => &["pg", "stat"],
                _ => &["version"],
            };
            ensure!(!axon_command(cluster, &conf, target, words)?.is_empty(), "{target}: nothing");
        }
    }
    Ok(())
}

fn rest(bench: &Bench) -> Result<()> {
    let base = bench.url(Kind::Axon).context("no port")?;
    ensure!(base.starts_with("http://[::1]:"), "{base}");
    let file = bench.cluster.dir().join("password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    bench.cluster.ceph_ok(&["dashboard", "ac-user-create", USER, "-i", file, "read-only"])?;
    let token = http::login(&base, USER, PASSWORD)?;
    let answer = get("/api/osd/flags").send(&base, Some(&token))?;
    ensure!(answer["status"] == 200 && answer["body"].is_array(), "{answer}");
    let services = bench.cluster.ceph_json(&["mgr", "services"])?;
    ensure!(services["dashboard"].as_str().is_some_and(|url| url.contains("[::1]")), "{services}");
    Ok(())
}

const USER: &str = "six";
const PASSWORD: &str = "Sixes-and-7s";
