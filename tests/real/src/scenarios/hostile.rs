//! A native module that panics, spins and blocks for ever (`axon_modules`' `hostile`, in programs with debug assertions only): nobody
//! else notices but by a health warning, which goes when the module works again or is disabled. REST and commands are answered, the monitors
//! hear beacons and digests on time (by the times in a monitor's own log), and the OSDs' reports are taken in as before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Kind, Release};
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
/// Beacons and digests come every 2 s.
const HEARD_AT_LEAST_EVERY: Duration = Duration::from_millis(3500);
/// How often OSDs report here, and how many reports a deed may seem to cost: those on the way when it begins and ends.
const REPORT_SECS: u64 = 1;
const REPORTS_ON_THE_WAY: u64 = 2;
const END_AT_MOST: Duration = Duration::from_secs(8);

pub fn modules_hurt_nobody(bench: &mut Bench) -> Result<()> {
    let path = bench.cluster.conf_path();
    let conf = std::fs::read_to_string(&path)?;
    std::fs::write(&path, conf.clone() + LINES)?;
    let done = run(bench);
    std::fs::write(&path, conf)?;
    let mon = |command| bench.cluster.mon_command(command).map(drop);
    mon(json!({"prefix": "config rm", "who": "mon", "name": "mon_mgr_beacon_grace"}))?;
    mon(json!({"prefix": "config rm", "who": "mon", "name": "debug_mon"}))?;
    mon(json!({"prefix": "config rm", "who": "mgr", "name": "mgr_stats_period"}))?;
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
    // It writes down what it hears.
    bench.cluster.ceph_ok(&["config", "set", "mon", "debug_mon", "10"])?;
    bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr_stats_period", &REPORT_SECS.to_string()])?;
    bench.enable_module("hostile")?;
    let gid = active_gid(bench)?;
    let url = bench.url(Kind::Axon).context("no port")?;
    let load = Load::start(&bench.cluster, &url, &ASKED)?;

    std::thread::sleep(Duration::from_secs(2));
    let _ = load.take();
    std::thread::sleep(Duration::from_secs(1));
    let before = load.take();
    let heard = bench.log_of("mon.a")?.len();
    for (deed, why) in [
        ("panic", "it ended in an error of its own; see the manager's log"),
        ("spin", "it takes too long"),
        ("block", "it takes too long"),
    ] {
        let (reports, begun) = (reports(bench)?, Instant::now());
        bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr/hostile/deed", deed])?;
        let warning = warned(bench, true)?;
        ensure!(warning == format!("HEALTH_WARN Module 'hostile' has failed: {why}"), "{deed}: {warning}");
        bench.cluster.ceph_ok(&["config", "rm", "mgr", "mgr/hostile/deed"])?;
        if deed == "block" {
            // It never ends by itself.
            bench.cluster.ceph_ok(&["mgr", "module", "disable", "hostile"])?;
            warned(bench, false)?;
            bench.enable_module("hostile")?;
        } else {
            warned(bench, false)?;
        }
        for (asked, during) in load.take() {
            println!("    {deed}: {asked}: {}, before {}", during.json(), before[&asked].json());
            ensure!(during.failures == 0, "while a module does {deed}: {asked}: {}", during.why);
            ensure!(during.worst < ANSWER_AT_MOST, "while a module does {deed}: {asked}: {during:?}");
        }
        taken_in(bench, deed, &reports, begun)?;
    }
    let log = bench.log_of("mon.a")?;
    // The line that was being written then is left out.
    let (_, log) =
        log.get(heard..).and_then(|new| new.split_once('\n')).context("the monitor's log was cut")?;
    let beacon = format!("beacon from {gid}");
    let beacons = log.lines().filter(|line| line.ends_with(&beacon)).collect();
    // It says so at each change of its store; a digest is a version of its own.
    let version =
        |line: &str| Some(line.split_once("mgrstat update_from_paxos v")?.1.split_once(' ')?.0.to_owned());
    let mut digests: Vec<&str> = log.lines().filter(|line| version(line).is_some()).collect();
    digests.dedup_by_key(|line| version(line));
    for (what, lines) in [("beacons", beacons), ("digests", digests)] {
        let (times, longest) = (lines.len(), apart_at_most(&lines)?);
        println!("    {what}: at most {longest:?} apart, {times} lines");
        ensure!(times > 5 && longest < HEARD_AT_LEAST_EVERY, "{what}: {times}, {longest:?} apart");
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
    // Upstream's manager loads no module on Debian 13, `crash` neither.
    let with_stock = bench.release() != Release::Reef;
    let kinds = [Kind::Axon, Kind::Ceph].into_iter().filter(|kind| with_stock || *kind == Kind::Axon);
    for (at, kind) in kinds.enumerate() {
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

/// The number of each OSD's last report.
fn reports(bench: &Bench) -> Result<BTreeMap<u64, u64>> {
    let dump = bench.cluster.ceph_json(&["pg", "dump", "osds"])?;
    let rows = dump["osd_stats"].as_array().or(dump.as_array()).context("no osd_stats")?;
    let numbers = rows.iter().map(|row| row["osd"].as_u64().zip(row["seq"].as_u64()));
    numbers.collect::<Option<_>>().context("an OSD has no number of its reports")
}

/// Every OSD has reported as often as it does.
fn taken_in(bench: &Bench, deed: &str, before: &BTreeMap<u64, u64>, begun: Instant) -> Result<()> {
    // Those that it should have heard of by now.
    let expected = (begun.elapsed().as_secs() / REPORT_SECS).saturating_sub(REPORTS_ON_THE_WAY);
    let after = reports(bench)?;
    ensure!(before.len() == 3 && after.len() == 3, "{before:?}, {after:?}");
    for (osd, first) in before {
        let taken =
            after.get(osd).and_then(|last| last.checked_sub(*first)).context("the OSD was restarted")?;
        println!("    {deed}: osd.{osd}: {taken} reports in {:?}", begun.elapsed());
        ensure!(taken >= expected, "{deed}: osd.{osd}: {taken} reports in {:?}", begun.elapsed());
    }
    Ok(())
}

/// How far from each other lines of a log are at most, by their times of day.
fn apart_at_most(lines: &[&str]) -> Result<Duration> {
    let times = lines.iter().map(|line| {
        let (hours, rest) = line.get(11..23)?.split_once(':')?;
        let (minutes, secs) = rest.split_once(':')?;
        let whole = hours.parse::<f64>().ok()? * 3600.0 + minutes.parse::<f64>().ok()? * 60.0;
        Some(whole + secs.parse::<f64>().ok()?)
    });
    let times: Vec<f64> = times.collect::<Option<_>>().context("a line begins with no time")?;
    let apart = times.iter().zip(times.iter().skip(1)).map(|(a, b)| (b - a).rem_euclid(86_400.0));
    Ok(Duration::from_secs_f64(apart.fold(0.0, f64::max)))
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
