//! `ceph tell mgr.<id> …`: the same questions to upstream's manager and to Axon.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
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
    &["config", "help"],
    &["config", "set", "mgr_stats_period", "6"],
    &["config", "get", "mgr_stats_period"],
    &["config", "unset", "mgr_stats_period"],
    &["config", "unset", "nonsense"],
    &["config", "set", "mgr_initial_modules", "other"],
    &["config", "set", "debug_mgr", "3"],
    &["config", "get", "debug_mgr"],
    &["config", "unset", "debug_mgr"],
    &["injectargs", "--mgr_stats_period=6"],
    &["injectargs", "--nonsense=7"],
    &["config", "unset", "mgr_stats_period"],
    &["config", "get"],
    &["log", "reopen"],
    &["log", "dump"],
    &["perf", "dump", "nonsense"],
    &["perf", "reset", "nonsense"],
    &["dump_osd_network"],
    &["version", "--format", "xml"],
    &["git_version", "--format", "xml-pretty"],
    &["config", "get", "osd_max_backfills", "--format", "xml"],
    &["config", "get", "nonsense", "--format", "xml"],
    &["config", "help", "mgr_stats_period", "--format", "xml-pretty"],
    &["config", "set", "mgr_stats_period", "6", "--format", "xml"],
    &["config", "unset", "mgr_stats_period", "--format", "xml-pretty"],
    &["injectargs", "--mgr_stats_period=5", "--format", "xml"],
    &["config", "unset", "mgr_stats_period"],
    &["log", "flush", "--format", "xml"],
    &["perf", "dump", "nonsense", "--format", "xml"],
    &["dump_osd_network", "--format", "xml-pretty"],
];

/// The same since Tentacle.
const SAME_SINCE_TENTACLE: &[&[&str]] = &[
    &["dump_ops_in_flight"],
    &["dump_blocked_ops"],
    &["dump_blocked_ops_count"],
    &["dump_blocked_ops", "--format", "xml"],
    &["dump_blocked_ops_count", "--format", "xml-pretty"],
];

/// Options whose values are the manager's own: they name it, or what it sets itself.
const OWN: &[&str] = &[
    "name",
    "keyring",
    "mds_data",
    "mgr_data",
    "mon_data",
    "osd_data",
    "osd_journal",
    "rgw_data",
    "admin_socket",
    "log_file",
    // Upstream's libcephfs within the manager sets these.
    "client_check_pool_perm",
    "client_mount_gid",
    "client_mount_uid",
    "client_quota",
    // Upstream keeps words of these as a number.
    "rbd_default_features",
    "rbd_qos_exclude_ops",
];

/// Every answer that both give is the same, a value set on Axon reaches its daemons and goes again, and nothing is answered
/// that is not declared.
pub fn answers_as_upstream(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    let stock = answers(bench, Kind::Ceph)?;
    let stock_shown = told(bench, Kind::Ceph, &["config", "show"])?;
    let stock_tables = tables(bench, Kind::Ceph)?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let axon = answers(bench, Kind::Axon)?;
    for ((words, stock), (_, axon)) in stock.iter().zip(&axon) {
        ensure!(stock == axon, "{words:?}: upstream {stock}, Axon {axon}");
    }
    same_tables(&stock_tables, &tables(bench, Kind::Axon)?)?;
    let shown = told(bench, Kind::Axon, &["config", "show"])?;
    same_options(&stock_shown, &shown)?;
    let status = told(bench, Kind::Axon, &["mgr_status"])?;
    ensure!(status["json"]["initialized"] == true, "{status}");

    let set = told(bench, Kind::Axon, &["config", "set", "mgr_stats_period", "7"])?;
    // Since Reef upstream leaves the value out.
    let value = if bench.release() == Release::Pacific { "7" } else { "" };
    ensure!(set["json"]["success"] == format!("mgr_stats_period = '{value}' "), "{set}");
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
    let refused = told(bench, Kind::Axon, &["nonsense"])?;
    ensure!(refused["code"] == 22, "{refused}");
    let status = told(bench, Kind::Axon, &["status"])?;
    ensure!(status["json"]["state"] == "active", "{status}");
    admin_socket(bench)
}

/// `help` and `get_command_descriptions`, by the commands' names.
fn tables(bench: &Bench, kind: Kind) -> Result<[BTreeMap<String, Value>; 2]> {
    // The command line answers `tell mgr.x help` by itself.
    let help = through_socket(bench, kind, &["help"])?;
    let help = help.as_object().context("help is no object")?;
    let described = through_socket(bench, kind, &["get_command_descriptions"])?;
    let described = described.as_object().context("the descriptions are no object")?;
    let name = |entry: &Value| {
        let words = entry["sig"].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(" ")
    };
    let help = help.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
    Ok([help, described.values().map(|entry| (name(entry), entry.clone())).collect()])
}

/// The same commands with the same words and arguments. What `status` says is its own where upstream's is libcephfs's.
fn same_tables(stock: &[BTreeMap<String, Value>; 2], axon: &[BTreeMap<String, Value>; 2]) -> Result<()> {
    for (stock, axon) in stock.iter().zip(axon) {
        let missing: Vec<_> = stock.keys().filter(|name| !axon.contains_key(*name)).collect();
        let more: Vec<_> = axon.keys().filter(|name| !stock.contains_key(*name)).collect();
        ensure!(missing.is_empty() && more.is_empty(), "missing {missing:?}, more than upstream {more:?}");
        for (name, described) in axon.iter().filter(|(name, _)| *name != "status") {
            ensure!(
                stock.get(name) == Some(described),
                "{name}: {described}, upstream {:?}",
                stock.get(name)
            );
        }
        println!("    {} commands to a manager itself, {} of upstream's", axon.len(), stock.len());
    }
    Ok(())
}

/// Every option of the release has the value that it has in upstream's manager.
fn same_options(stock: &Value, axon: &Value) -> Result<()> {
    let own = |name: &str| OWN.contains(&name);
    let (Some(stock), Some(axon)) = (stock["json"].as_object(), axon["json"].as_object()) else {
        anyhow::bail!("config show: upstream {stock}, Axon {axon}");
    };
    ensure!(stock.len() > 1500, "only {} options", stock.len());
    let names = [Kind::Ceph, Kind::Axon].map(|kind| format!("mgr.{}", Bench::id(kind)));
    for (name, value) in stock.iter().filter(|(name, _)| !own(name) && *name != "key") {
        let expected = value.as_str().unwrap_or_default().replace(&names[0], &names[1]);
        let shown = axon.get(name).and_then(Value::as_str);
        ensure!(shown == Some(&expected), "{name}: upstream {value}, Axon {shown:?}");
    }
    Ok(())
}

/// The same table without a key and without monitors, also of a standby; what runs and has run is seen since Tentacle.
fn admin_socket(bench: &mut Bench) -> Result<()> {
    let ask = |bench: &Bench, words: &[&str]| through_socket(bench, Kind::Axon, words);
    ensure!(ask(bench, &["status"])?["state"] == "active");
    ensure!(ask(bench, &["config", "get", "mgr_tick_period"])?["mgr_tick_period"] == "2");
    if bench.release() == Release::Tentacle {
        bench.cluster.ceph(&["pg", "stat"])?;
        let history = ask(bench, &["dump_historic_ops"])?;
        let ran = history["ops"].as_array().is_some_and(|ops| {
            ops.iter().any(|op| op["description"].as_str().is_some_and(|text| text.contains("\"pg stat\"")))
        });
        ensure!(ran, "{history}");
    }
    bench.stand_by(Kind::Ceph)?;
    bench.activate(Kind::Ceph)?;
    ensure!(ask(bench, &["status"])?["state"] == "standby");
    ensure!(ask(bench, &["help"])?.get("mgr_status").is_none());
    Ok(())
}

pub(super) fn through_socket(bench: &Bench, kind: Kind, words: &[&str]) -> Result<Value> {
    let socket = bench.cluster.dir().join(format!("run/ceph-mgr.{}.asok", Bench::id(kind)));
    let socket = socket.display().to_string();
    let out = bench.cluster.ceph(&[&["--admin-daemon", &socket], words].concat())?;
    serde_json::from_slice(&out.stdout).with_context(|| {
        format!("{words:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    })
}

fn answers(bench: &Bench, kind: Kind) -> Result<Vec<(Vec<&'static str>, Value)>> {
    let since = if bench.release() == Release::Tentacle { SAME_SINCE_TENTACLE } else { &[] };
    SAME.iter().chain(since).map(|words| Ok((words.to_vec(), told(bench, kind, words)?))).collect()
}

/// Exit code, JSON or the text that is none, and error text.
pub(super) fn told(bench: &Bench, kind: Kind, words: &[&str]) -> Result<Value> {
    let target = format!("mgr.{}", Bench::id(kind));
    let out = bench.cluster.ceph(&[&["tell", &target], words].concat())?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let error = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Ok(match serde_json::from_str::<Value>(&text) {
        Ok(json) => json!({"code": out.status.code(), "json": json, "error": error}),
        Err(_) => json!({"code": out.status.code(), "text": text, "error": error}),
    })
}
