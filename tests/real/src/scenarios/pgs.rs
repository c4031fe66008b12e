//! What Axon decides by itself while it is the manager: numbers of PGs on their way to the targets, and how often daemons report.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::Bench;

/// Splits and merges: the monitors keep the target, only a manager takes the steps.
pub fn reach_their_targets(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    // Steps are taken at each tick, by what the OSDs have reported.
    option(bench, Some(("mgr_tick_period", "1")))?;
    option(bench, Some(("mgr_stats_period", "1")))?;
    for target in [32, 8] {
        let set =
            json!({"prefix": "osd pool set", "pool": "rep", "var": "pg_num", "val": target.to_string()});
        bench.cluster.mon_command(set)?;
        let begun = Instant::now();
        loop {
            let pool = pool(bench)?;
            if pool["pg_num"] == target && pool["pg_placement_num"] == target {
                break;
            }
            if begun.elapsed() > AT_MOST {
                bail!("the target is {target}, but the pool stays at {pool}");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    }
    option(bench, None)
}

/// A pool that expects much data: the autoscaler sets its number, which `progress` and the monitors show until it is reached.
pub fn autoscaling_is_shown(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let module = |verb: &str, value: &[&str]| {
        let args = [&["config", verb, "mgr", "mgr/pg_autoscaler/sleep_interval"], value].concat();
        bench.cluster.ceph_ok(&args).map(drop)
    };
    module("set", &["2"])?;
    let mon = |command: Value| bench.cluster.mon_command(command).map(drop);
    mon(json!({"prefix": "osd pool create", "pool": "expected", "pg_num": 8}))?;
    mon(json!({"prefix": "osd pool application enable", "pool": "expected", "app": "rados"}))?;
    let set = |var: &str, val: &str| {
        mon(json!({"prefix": "osd pool set", "pool": "expected", "var": var, "val": val}))
    };
    set("target_size_bytes", "2147483648")?;
    set("pg_autoscale_mode", "on")?;
    let begun = Instant::now();
    let (mut open, mut shown) = (0, 0);
    let ended = loop {
        let progress: Value = serde_json::from_str(&bench.cluster.ceph_ok(&["progress", "json"])?)?;
        let of_it = |key: &str| {
            let events = progress[key].as_array().into_iter().flatten();
            events.filter(|e| is_autoscaling(&e["message"])).cloned().collect::<Vec<_>>()
        };
        open += of_it("events").len();
        let status: Value =
            serde_json::from_str(&bench.cluster.mon_command(json!({"prefix": "status", "format": "json"}))?)?;
        let events = status["progress_events"].as_object().into_iter().flatten();
        shown += events.filter(|(_, event)| is_autoscaling(&event["message"])).count();
        if let [ended] = &of_it("completed")[..] {
            break ended.clone();
        }
        ensure!(begun.elapsed() < AT_MOST, "the pool was not scaled, or nobody says so: {progress}");
        std::thread::sleep(Duration::from_millis(300));
    };
    println!("    {ended}, seen open {open} times, at the monitors {shown} times");
    ensure!(open > 0 && shown > 0, "nobody showed it before it had ended");
    ensure!(ended["refs"][0][0] == "pool" && ended["failed"].is_null(), "{ended}");
    mon(json!({
        "prefix": "osd pool delete", "pool": "expected", "pool2": "expected", "yes_i_really_really_mean_it": true,
    }))?;
    module("rm", &[])?;
    bench.cluster.ceph_ok(&["progress", "clear"])?;
    bench.cluster.wait_well(&[], Duration::from_secs(120)).map(drop)
}

fn is_autoscaling(message: &Value) -> bool {
    message
        .as_str()
        .is_some_and(|text| text.starts_with("PG autoscaler increasing pool ") && text.contains("from 8 to "))
}

/// A new period and threshold reach a daemon that is connected: it writes down what it was told.
pub fn daemons_hear_of_a_new_period(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let verbose = bench.cluster.ceph(&["tell", "osd.0", "config", "set", "debug_mgrc", "20"])?;
    if !verbose.status.success() {
        bail!("osd.0 does not write more: {}", String::from_utf8_lossy(&verbose.stderr));
    }
    for (name, value, said) in [
        ("mgr_stats_period", "3", "period=3, threshold="),
        ("mgr_stats_threshold", "8", "updated stats threshold: 8"),
    ] {
        option(bench, Some((name, value)))?;
        let begun = Instant::now();
        while !bench.log_of("osd.0")?.contains(said) {
            if begun.elapsed() > Duration::from_secs(20) {
                bail!("{name} is {value}, but osd.0 has not written `{said}`");
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    bench.cluster.ceph(&["tell", "osd.0", "config", "set", "debug_mgrc", "1"])?;
    option(bench, None)
}

/// Sets an option of managers, or takes back those that this file sets.
fn option(bench: &Bench, set: Option<(&str, &str)>) -> Result<()> {
    if let Some((name, value)) = set {
        bench
            .cluster
            .mon_command(json!({"prefix": "config set", "who": "mgr", "name": name, "value": value}))?;
        return Ok(());
    }
    for name in ["mgr_tick_period", "mgr_stats_period", "mgr_stats_threshold"] {
        bench.cluster.mon_command(json!({"prefix": "config rm", "who": "mgr", "name": name}))?;
    }
    Ok(())
}

fn pool(bench: &Bench) -> Result<Value> {
    let dump: Value =
        serde_json::from_str(&bench.cluster.mon_command(json!({"prefix": "osd dump", "format": "json"}))?)?;
    let pools = dump["pools"].as_array().context("osd dump names no pools")?;
    let pool = pools.iter().find(|pool| pool["pool_name"] == "rep").context("there is no pool rep")?;
    Ok(json!({
        "pg_num": pool["pg_num"],
        "pg_placement_num": pool["pg_placement_num"],
        "pg_num_target": pool["pg_num_target"],
        "pg_num_pending": pool["pg_num_pending"],
    }))
}

const AT_MOST: Duration = Duration::from_secs(300);
