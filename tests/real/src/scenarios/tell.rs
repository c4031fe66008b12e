//! `ceph tell mgr.<id> …`: the same questions to upstream's manager and to Axon.

use std::time::Duration;

use anyhow::{Result, ensure};
use axon_launcher::{Kind, Release};
use serde_json::{Value, json};

use crate::Bench;

/// Words after `tell mgr.<id>`; the whole answer must be the same.
const SAME: &[&[&str]] = &[
    &["version"],
    &["git_version"],
    &["log", "flush"],
    &["config", "get", "mgr_stats_period"],
    &["config", "get", "osd_max_backfills"],
    &["config", "get", "nonsense"],
    &["config", "set", "mgr_stats_period", "x"],
    &["config", "set", "nonsense", "1"],
    &["config", "help", "mgr_stats_period"],
    &["config", "help", "nonsense"],
];

/// Every answer that both give is the same, a value set on Axon reaches its daemons and goes again, and nothing is answered
/// that is not declared.
pub fn answers_as_upstream(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    let stock = answers(bench, Kind::Ceph)?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let axon = answers(bench, Kind::Axon)?;
    for ((words, stock), (_, axon)) in stock.iter().zip(&axon) {
        ensure!(stock == axon, "{words:?}: upstream {stock}, Axon {axon}");
    }
    let status = told(bench, Kind::Axon, &["mgr_status"])?;
    ensure!(status["json"]["initialized"] == true, "{status}");

    let set = told(bench, Kind::Axon, &["config", "set", "mgr_stats_period", "7"])?;
    ensure!(set["json"]["success"] == "mgr_stats_period = '7' ", "{set}");
    let diff = told(bench, Kind::Axon, &["config", "diff"])?;
    let expected = json!({"default": 5, "override": 7, "final": 7});
    ensure!(
        diff["json"]["diff"]["mgr_stats_period"] == expected,
        "{}",
        diff["json"]["diff"]["mgr_stats_period"]
    );
    told(bench, Kind::Axon, &["config", "unset", "mgr_stats_period"])?;
    let back = told(bench, Kind::Axon, &["config", "get", "mgr_stats_period"])?;
    ensure!(back["json"]["mgr_stats_period"] == "5", "{back}");

    let dump = told(bench, Kind::Axon, &["perf", "dump"])?;
    ensure!(dump["json"]["axon"]["daemon_messages"].as_u64() > Some(0), "{dump}");
    let schema = told(bench, Kind::Axon, &["perf", "schema"])?;
    ensure!(schema["json"]["axon"]["daemon_messages"]["metric_type"] == "counter", "{schema}");
    for unknown in [&["abort"][..], &["nonsense"]] {
        let refused = told(bench, Kind::Axon, unknown)?;
        ensure!(refused["code"] == 22, "{unknown:?}: {refused}");
    }
    let status = told(bench, Kind::Axon, &["status"])?;
    // Before Tentacle `status` is that of a file system client within the manager.
    let known = bench.release() == Release::Tentacle;
    ensure!((status["code"] == 0) == known, "{status}");
    Ok(())
}

fn answers(bench: &Bench, kind: Kind) -> Result<Vec<(Vec<&'static str>, Value)>> {
    SAME.iter().map(|words| Ok((words.to_vec(), told(bench, kind, words)?))).collect()
}

/// Exit code, JSON and error text.
fn told(bench: &Bench, kind: Kind, words: &[&str]) -> Result<Value> {
    let target = format!("mgr.{}", Bench::id(kind));
    let out = bench.cluster.ceph(&[&["tell", &target], words].concat())?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(json!({"code": out.status.code(), "json": json, "error": String::from_utf8_lossy(&out.stderr).trim()}))
}
