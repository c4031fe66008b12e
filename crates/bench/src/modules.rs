//! `modules`: how long clients of upstream's manager and of Axon wait before, while and after a Python module spins in C, leaks and kills its
//! process; and what `mgr.get("osd_map")` costs a module by the number of OSDs in the map, and `get_all_perf_counters()` by the number of daemons
//! that report. Each manager runs alone while it is measured.

use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Kind};
use axon_testkit::latency::Load;
use axon_testkit::reporters::{Counter, Reporters};
use axon_testkit::{host_python_modules, modules};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    cluster: PathBuf,
    /// OSDs in the map, and daemons that report as many counters as an OSD does, in rising order; the first 3 are real.
    #[arg(long, value_delimiter = ',', default_value = "3,1000,10000")]
    sizes: Vec<u32>,
    /// Numbers that the spinning module sums up in C.
    #[arg(long, default_value_t = 600_000_000)]
    spin: u64,
    /// Mebibytes that the leaking module takes, 50 a second; Axon's limit for it is 400.
    #[arg(long, default_value_t = 600)]
    leak: u64,
    /// How long each phase is watched.
    #[arg(long, default_value_t = 16)]
    seconds: u64,
    /// Only time the calls.
    #[arg(long)]
    calls_only: bool,
    /// Only time the calls about counters; the map stays as it is.
    #[arg(long)]
    counters_only: bool,
    /// Only one of the managers: `ceph-mgr` or `axon`.
    #[arg(long)]
    only: Option<String>,
}

/// Beside REST: the manager's own command, and one of a stock Python module.
const ASKED: [&str; 2] = ["osd df", "telemetry status"];
const LEAK_MAX: (&str, &str) = ("axon_module_memory_bytes_max_hostile_leak", "400M");
const START_AT_MOST: Duration = Duration::from_secs(180);
/// Calls of each kind: the first of an epoch, and later ones.
const CALLS: u64 = 6;
/// How often they are made; fewer where each takes many seconds.
const ROUNDS: u32 = 4;
const LONG: (u64, u32) = (2, 2);
const LONG_FROM: u32 = 5000;

pub fn run(options: &Options) -> Result<()> {
    let mut cluster = Cluster::open(&options.cluster)?;
    modules::install(&cluster)?;
    host_python_modules(&cluster)?;
    cluster.ceph_ok(&["config", "set", "mgr", LEAK_MAX.0, LEAK_MAX.1, "--force"])?;
    let (mut latency, mut calls) = (Vec::new(), Vec::new());
    let mut managers = vec![(Kind::Ceph, "ceph-mgr"), (Kind::Axon, "axon")];
    managers.retain(|(_, who)| options.only.as_ref().is_none_or(|only| only == who));
    for &(kind, who) in managers.iter().filter(|_| !options.calls_only && !options.counters_only) {
        alone(&mut cluster, kind)?;
        latency.push(json!({"who": who, "phases": phases(&mut cluster, kind, options)?}));
    }
    let mut have = u32::try_from(cluster.ceph_json(&["osd", "ls"])?.as_array().map_or(0, Vec::len))?;
    for &osds in &options.sizes {
        if osds > have && !options.counters_only {
            cluster.add_empty_osds(osds - have)?;
            have = osds;
        }
        for &(kind, who) in &managers {
            alone(&mut cluster, kind)?;
            let osd_map = if options.counters_only { Value::Null } else { osd_map(&cluster)? };
            let row =
                json!({"who": who, "osds": osds, "osd_map": osd_map, "counters": counters(&cluster, osds)?});
            eprintln!("{row}");
            calls.push(row);
        }
    }
    println!("{}", json!({"latency": latency, "calls": calls}));
    Ok(())
}

fn id(kind: Kind) -> (&'static str, &'static str) {
    if kind == Kind::Axon { ("x", "y") } else { ("y", "x") }
}

/// Makes the manager of that kind the only one, with our modules enabled and answering.
fn alone(cluster: &mut Cluster, kind: Kind) -> Result<()> {
    let (id, other) = id(kind);
    if cluster.manager(other).is_some() {
        cluster.stop(&format!("mgr.{other}"))?;
        let _ = cluster.ceph(&["mgr", "fail"]);
    }
    cluster.start_manager(kind, id)?;
    cluster.wait_manager(id, START_AT_MOST)?;
    for module in modules::HOSTILE.into_iter().chain([modules::GAUGE]) {
        until(|| cluster.ceph_ok(&["mgr", "module", "enable", module]).map(drop))?;
    }
    for words in [
        ["harmless", "die"],
        ["harmless", "leak"],
        ["harmless", "spin"],
        ["gauge", "answer"],
        ["telemetry", "status"],
    ] {
        until(|| cluster.ceph_ok(&words).map(drop))?;
    }
    Ok(())
}

fn until(done: impl Fn() -> Result<()>) -> Result<()> {
    let begun = std::time::Instant::now();
    loop {
        match done() {
            Ok(()) => return Ok(()),
            Err(why) => ensure!(begun.elapsed() < START_AT_MOST, "{why:#}"),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn phases(cluster: &mut Cluster, kind: Kind, options: &Options) -> Result<Value> {
    let (id, _) = id(kind);
    let url = cluster.manager(id).context("the manager has no port")?.url();
    let load = Load::start(cluster, &url, &ASKED)?;
    let mut out = Map::new();
    let mut phase = |name: &str| {
        let lanes: Map<String, Value> =
            load.take().into_iter().map(|(lane, times)| (lane, times.json())).collect();
        let daemon = cluster.process(&format!("mgr.{id}")).ok();
        let row = json!({"lanes": lanes, "manager_rss_kib": daemon.and_then(|p| p.rss_kib())});
        eprintln!("{name}: {row}");
        out.insert(name.to_owned(), row);
    };
    let watched = Duration::from_secs(options.seconds);
    let rest = Duration::from_secs(4);
    std::thread::sleep(rest);
    phase("before");
    for (deed, amount) in [("spin", options.spin), ("leak", options.leak), ("die", 0)] {
        // One that ends the manager has no answer.
        let _ = cluster.ceph(&["hostile", deed, deed, &amount.to_string()]);
        if deed == "die" {
            std::thread::sleep(Duration::from_secs(2));
            // Upstream's manager has ended with its module: somebody starts it again.
            if !cluster.process(&format!("mgr.{id}"))?.is_alive() {
                cluster.start(&format!("mgr.{id}"))?;
                cluster.wait_manager(id, START_AT_MOST)?;
            }
        }
        std::thread::sleep(watched);
        phase(&format!("{deed}: while"));
        std::thread::sleep(rest);
        phase(&format!("{deed}: after"));
    }
    drop(load);
    Ok(out.into())
}

/// Seconds of each call.
fn timed(cluster: &Cluster, what: &str, calls: u64) -> Result<Value> {
    let answer = cluster.ceph_ok(&["gauge", "time", what, &calls.to_string()])?;
    serde_json::from_str(&answer).with_context(|| answer)
}

/// The first call of an epoch, and the median of later ones.
fn osd_map(cluster: &Cluster) -> Result<Value> {
    let mut firsts = Vec::new();
    let mut later = Vec::new();
    let mut size = Value::Null;
    timed(cluster, "osd_map", CALLS)?;
    for flag in ["set", "unset", "set", "unset"] {
        cluster.ceph_ok(&["osd", flag, "noout"])?;
        std::thread::sleep(Duration::from_secs(2));
        let (first, others, of) = split(&timed(cluster, "osd_map", CALLS)?);
        firsts.push(first);
        later.extend(others);
        size = of;
    }
    Ok(json!({"first_ms": median(firsts), "later_ms": median(later), "osds": size}))
}

/// The same, of all daemons' counters: beside the 3 OSDs, as many made-up daemons report as make `daemons`.
fn counters(cluster: &Cluster, daemons: u32) -> Result<Value> {
    let mut firsts = Vec::new();
    let mut later = Vec::new();
    let mut size = Value::Null;
    let rows: Vec<Value> = serde_json::from_str(&cluster.ceph_ok(&["gauge", "counters", "osd", "0"])?)?;
    let declared = rows.iter().map(Counter::parse).collect::<Result<Vec<_>>>()?;
    let made_up = usize::try_from(daemons.saturating_sub(3))?;
    let at_least = made_up * declared.len();
    let reporters = Reporters::start(cluster, made_up, declared)?;
    until(|| {
        ensure!(reporters.rounds()? > 1, "not all daemons have reported twice");
        let have = split(&timed(cluster, "counters", 1)?).2.as_u64().unwrap_or_default();
        ensure!(have >= at_least as u64, "{have} counters have come of {at_least}");
        Ok(())
    })?;
    let (calls, rounds) = if daemons >= LONG_FROM { LONG } else { (CALLS, ROUNDS) };
    for _ in 0..rounds {
        let (first, others, of) = split(&timed(cluster, "counters", calls)?);
        firsts.push(first);
        later.extend(others);
        size = of;
        std::thread::sleep(Duration::from_secs(2));
    }
    reporters.rounds()?;
    let rss = process_rss(cluster);
    Ok(json!({"first_ms": median(firsts), "later_ms": median(later), "counters": size, "rss_kib": rss}))
}

/// What the manager holds, of Axon without its modules' processes.
fn process_rss(cluster: &Cluster) -> Option<u64> {
    ["mgr.x", "mgr.y"].into_iter().filter_map(|name| cluster.process(name).ok()?.rss_kib()).next()
}

fn split(answer: &Value) -> (f64, Vec<f64>, Value) {
    let ms = answer["secs"].as_array().into_iter().flatten().filter_map(Value::as_f64).map(|s| s * 1e3);
    let mut ms: Vec<f64> = ms.collect();
    let first = if ms.is_empty() { 0.0 } else { ms.remove(0) };
    (first, ms, answer["size"].clone())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).map_or(0.0, |ms| (ms * 100.0).round() / 100.0)
}
