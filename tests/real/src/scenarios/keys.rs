//! The manager's own key is rotated while it runs: Axon reads the new one from its file, or is told it, and nobody has to start it
//! again.
//!
//! Upstream's manager reads its keyring once, and has to be told since 18.2 or started anew.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Kind, Release};
use serde_json::Value;

use crate::Bench;

/// The monitors have the new key first, and refuse Axon when its session has to be opened again; the file follows later.
pub fn a_rotated_one_is_read_from_its_file(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let gid = || -> Result<Value> { Ok(bench.cluster.ceph_json(&["mgr", "dump"])?["active_gid"].clone()) };
    let (before, pid) = (gid()?, bench.cluster.process("mgr.x")?.pid);
    let keyring = bench.cluster.dir().join("mgr/x/keyring");
    let (old, log) = (std::fs::read_to_string(&keyring)?, bench.log_of("mgr.x")?.len());
    let new = rotate(&bench.cluster, &old)?;
    let key = |text: &str| text.lines().find(|line| line.contains("key =")).map(str::to_owned);
    ensure!(key(&new).is_some() && key(&new) != key(&old), "the key is the same as before");
    is_in_charge(bench, "11").context("with the session from before")?;

    bench.cluster.kill("mon.a")?;
    bench.cluster.start("mon.a")?;
    bench.cluster.wait_quorum()?;
    wait_logged(bench, log, "the monitors refuse mgr.x")?;
    std::fs::write(&keyring, new)?;
    wait_logged(bench, log, "trying the new key")?;
    is_in_charge(bench, "12").context("with the new key")?;
    if bench.release() > Release::Pacific {
        is_told(bench).context("told a new key")?;
    }
    ensure!(gid()? == before && bench.cluster.process("mgr.x")?.pid == pid, "it is another manager");
    bench.cluster.ceph_ok(&["config", "rm", "mgr", OPTION])?;
    bench.cluster.wait_well(&[], Duration::from_secs(120)).map(drop)
}

/// By `rotate-key`, before the monitors refuse the old one: the file, which has the old one still, is not looked at.
fn is_told(bench: &Bench) -> Result<()> {
    let keyring = bench.cluster.dir().join("mgr/x/keyring");
    let (old, log) = (std::fs::read_to_string(&keyring)?, bench.log_of("mgr.x")?.len());
    let new = rotate(&bench.cluster, &old)?;
    let key = new.lines().find_map(|line| line.trim().strip_prefix("key = ")).context("no key")?;
    let file = bench.cluster.dir().join("told.key");
    let path = file.to_str().context("the folder's name is not UTF-8")?;
    std::fs::write(&file, "no key")?;
    let refused = bench.cluster.ceph(&["tell", "mgr.x", "rotate-key", "-i", path])?;
    ensure!(refused.status.code() == Some(22), "what is no key: {refused:?}");
    std::fs::write(&file, key)?;
    bench.cluster.ceph_ok(&["tell", "mgr.x", "rotate-key", "-i", path])?;
    std::fs::remove_file(&file)?;
    bench.cluster.kill("mon.a")?;
    bench.cluster.start("mon.a")?;
    bench.cluster.wait_quorum()?;
    is_in_charge(bench, "13")?;
    if bench.release() == Release::Tentacle {
        bench.cluster.ceph_ok(&["tell", "mgr.x", "wipe-rotating-secrets"])?;
        is_in_charge(bench, "14").context("with its secrets wiped")?;
    }
    let said = bench.log_of("mgr.x")?;
    ensure!(said.get(log..).is_some_and(|new| !new.contains("the monitors refuse")), "it was refused");
    std::fs::write(&keyring, new).map_err(Into::into)
}

/// Gives `mgr.x` another key at the monitors; the keyring with it.
pub(super) fn rotate(cluster: &Cluster, old: &str) -> Result<String> {
    if cluster.release() == Release::Tentacle {
        return cluster.ceph_ok(&["auth", "rotate", "mgr.x"]);
    }
    let other = cluster.ceph_ok(&["auth", "get-or-create-key", "client.another"])?;
    cluster.ceph_ok(&["auth", "rm", "client.another"])?;
    let lines = old.lines().map(|line| match line.trim_start().starts_with("key =") {
        true => format!("\tkey = {}", other.trim()),
        false => line.to_owned(),
    });
    let new = lines.collect::<Vec<_>>().join("\n") + "\n";
    let file = cluster.dir().join("rotated");
    let caps = "\tcaps mon = \"profile mgr\"\n\tcaps osd = \"allow *\"\n\tcaps mds = \"allow *\"\n";
    std::fs::write(&file, format!("{new}{caps}"))?;
    let path = file.to_str().context("the folder's name is not UTF-8")?;
    cluster.ceph_ok(&["auth", "import", "-i", path])?;
    std::fs::remove_file(&file)?;
    Ok(new)
}

/// The CLI's commands are answered, and what the monitors say arrives: a new value of an option.
fn is_in_charge(bench: &Bench, value: &str) -> Result<()> {
    bench.cluster.ceph_ok(&["config", "set", "mgr", OPTION, value])?;
    let begun = Instant::now();
    loop {
        let told = bench.cluster.ceph_json(&["tell", "mgr.x", "config", "get", OPTION])?;
        if told[OPTION] == value {
            break;
        }
        ensure!(begun.elapsed() < AT_MOST, "{OPTION} stays {told}");
        std::thread::sleep(Duration::from_millis(300));
    }
    bench.cluster.ceph_ok(&["pg", "stat"]).map(drop)
}

fn wait_logged(bench: &Bench, from: usize, words: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let log = bench.log_of("mgr.x")?;
        if log.get(from..).is_some_and(|new| new.contains(words)) {
            return Ok(());
        }
        ensure!(begun.elapsed() < AT_MOST, "Axon's log does not say {words:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

const OPTION: &str = "mgr_stats_period";
const AT_MOST: Duration = Duration::from_secs(60);
