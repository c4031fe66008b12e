//! A native module that panics, spins and blocks for ever (`axon_modules`' `hostile`, in programs with debug assertions only): nobody
//! else notices but by a health warning, which goes when the module works again or is disabled.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use axon_testkit::latency::Load;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::Bench;

/// A module may take so long before it is a warning; `hostile` spins for 8 s.
const LINES: &str = "\n[mgr]\naxon test modules = true\naxon module secs max = 3\n";
const CODE: &str = "MGR_MODULE_ERROR";
/// What is asked meanwhile, beside REST.
const ASKED: [&str; 2] = ["pg stat", "balancer status"];
/// The monitors replace a manager whose beacons, one every 2 s, are missing for so long.
const BEACON_GRACE_SECS: &str = "6";
/// While a module of upstream's spins in C, a request waits until it has ended.
const ANSWER_AT_MOST: Duration = Duration::from_millis(1500);
const END_AT_MOST: Duration = Duration::from_secs(8);

pub fn modules_hurt_nobody(bench: &mut Bench) -> Result<()> {
    let path = bench.cluster.conf_path();
    let conf = std::fs::read_to_string(&path)?;
    std::fs::write(&path, conf.clone() + LINES)?;
    let done = run(bench);
    std::fs::write(&path, conf)?;
    let mon = |command| bench.cluster.mon_command(command).map(drop);
    mon(json!({"prefix": "config rm", "who": "mon", "name": "mon_mgr_beacon_grace"}))?;
    mon(json!({"prefix": "config rm", "who": "mgr", "name": "mgr/hostile/deed"}))?;
    mon(json!({"prefix": "mgr module disable", "module": "hostile"}))?;
    bench.cluster.stop("mgr.x")?;
    done
}

fn run(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.stop("mgr.x")?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let grace = ["config", "set", "mon", "mon_mgr_beacon_grace", BEACON_GRACE_SECS];
    bench.cluster.ceph_ok(&grace)?;
    bench.cluster.ceph_ok(&["mgr", "module", "enable", "hostile"])?;
    let gid = active_gid(bench)?;
    let url = bench.url(Kind::Axon).context("no port")?;
    let load = Load::start(&bench.cluster, &url, &ASKED)?;

    std::thread::sleep(Duration::from_secs(2));
    let _ = load.take();
    std::thread::sleep(Duration::from_secs(1));
    let before = load.take();
    for (deed, why) in [
        ("panic", "it ended in an error of its own; see the manager's log"),
        ("spin", "it takes too long"),
        ("block", "it takes too long"),
    ] {
        bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr/hostile/deed", deed])?;
        let warning = warned(bench, true)?;
        ensure!(warning == format!("HEALTH_WARN Module 'hostile' has failed: {why}"), "{deed}: {warning}");
        bench.cluster.ceph_ok(&["config", "rm", "mgr", "mgr/hostile/deed"])?;
        if deed == "block" {
            // It never ends by itself.
            bench.cluster.ceph_ok(&["mgr", "module", "disable", "hostile"])?;
            warned(bench, false)?;
            bench.cluster.ceph_ok(&["mgr", "module", "enable", "hostile"])?;
        } else {
            warned(bench, false)?;
        }
        for (asked, during) in load.take() {
            println!("    {deed}: {asked}: {}, before {}", during.json(), before[&asked].json());
            ensure!(during.failures == 0, "while a module does {deed}: {asked}: {}", during.why);
            ensure!(during.worst < ANSWER_AT_MOST, "while a module does {deed}: {asked}: {during:?}");
        }
    }
    let answer = bench.cluster.ceph_ok(&["hostile", "ask"])?;
    ensure!(answer.contains("here"), "enabled again it answers {answer:?}");
    let failed = bench.cluster.ceph(&["hostile", "panic"])?;
    let words = String::from_utf8_lossy(&failed.stderr);
    ensure!(failed.status.code() == Some(5) && words.contains("failed over this command"), "{failed:?}");
    drop(load);
    ensure!(active_gid(bench)? == gid, "the manager was replaced: its beacons were late");
    posted(bench)?;

    bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr/hostile/deed", "block"])?;
    warned(bench, true)?;
    let process = bench.cluster.process("mgr.x")?;
    process.signal(Signal::SIGTERM)?;
    ensure!(process.wait_ended(END_AT_MOST), "a module that blocks keeps the process from ending");
    Ok(())
}

/// The panics left reports that `ceph crash post` takes, as ceph-crash runs it: from Axon, and from upstream's manager.
fn posted(bench: &mut Bench) -> Result<()> {
    let folder = bench.cluster.dir().join("crash");
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.join("done").exists() {
            let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("meta"))?)?;
            // Upstream's manager has modules of its own that fail.
            if meta["entity_name"] != "mgr.x" {
                continue;
            }
            ensure!(meta["mgr_module"] == "hostile", "{meta}");
            ids.push((meta["crash_id"].as_str().context("no crash_id")?.to_owned(), path.join("meta")));
        }
    }
    ensure!(ids.len() == 2, "one report a place: {ids:?}");
    for (at, kind) in [Kind::Axon, Kind::Ceph].into_iter().enumerate() {
        bench.activate(kind)?;
        let (id, meta) = ids.get(at).context("too few reports")?;
        let meta = meta.to_str().context("the folder's name is not UTF-8")?;
        let begun = Instant::now();
        // Upstream's modules come some seconds after the manager.
        while let Err(why) = bench.cluster.ceph_ok(&["crash", "post", "-i", meta]) {
            ensure!(begun.elapsed() < Duration::from_secs(30), "{kind:?}: {why:#}");
            std::thread::sleep(Duration::from_secs(1));
        }
        let listed = bench.cluster.ceph_ok(&["crash", "ls"])?;
        ensure!(listed.contains(id.as_str()) && listed.contains("mgr.x"), "{kind:?}: {listed}");
        let info = bench.cluster.ceph_json(&["crash", "info", id])?;
        ensure!(info["stack_sig"].as_str().is_some_and(|sig| sig.len() == 64), "{kind:?}: {info}");
        bench.cluster.ceph_ok(&["crash", "rm", id])?;
    }
    bench.only(Kind::Axon)
}

fn active_gid(bench: &Bench) -> Result<u64> {
    let dump = bench.cluster.ceph_json(&["mgr", "dump"])?;
    dump["active_gid"].as_u64().context("no manager is active")
}

/// Waits until the warning is there, or gone; its severity and summary.
fn warned(bench: &Bench, wanted: bool) -> Result<String> {
    let begun = Instant::now();
    loop {
        let health: serde_json::Value =
            serde_json::from_str(&bench.cluster.mon_command(json!({"prefix": "health", "format": "json"}))?)?;
        let check = &health["checks"][CODE];
        if check.is_object() == wanted {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            return Ok(format!("{} {}", text(&check["severity"]), text(&check["summary"]["message"])));
        }
        if begun.elapsed() > Duration::from_secs(30) {
            bail!("{CODE} is {}: {health}", if wanted { "missing" } else { "still there" });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
