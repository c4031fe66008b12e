//! The distribution's Python modules under Axon, each in a process of its own: those that are always on and those that a new cluster
//! enables, and what operators use them for. On Debian 13 upstream's own manager loads none of them.
//!
//! What is made is removed again, so that later scenarios find the cluster as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, Target};
use axon_launcher::{Kind, Release};
use axon_testkit::config;
use serde_json::{Value, json};

use super::self_tests;
use crate::Bench;
use crate::http;

/// Always on in all releases and not native.
const ALWAYS_ON: &[&str] = &["devicehealth", "orchestrator", "rbd_support", "telemetry", "volumes"];
/// Enabled here; `restful` is gone after 16.2.
const ENABLED: &[&str] =
    &["insights", "nfs", "osd_perf_query", "prometheus", "selftest", "snap_schedule", "stats"];
/// Of those, what runs on a standby too.
const ON_STANDBY: &[&str] = &["prometheus"];
/// For processes to start, and for what they do to be seen, on a loaded machine.
const SEEN_AT_MOST: Duration = Duration::from_secs(90);
/// Ports of the cluster's block that nothing else has.
const PROMETHEUS_PORT: u16 = 38;
const RESTFUL_PORT: u16 = 39;

pub fn work(bench: &mut Bench) -> Result<()> {
    let path = bench.cluster.conf_path();
    let conf = std::fs::read_to_string(&path)?;
    axon_testkit::host_python_modules(&bench.cluster)?;
    let done = run(bench);
    tidy(bench);
    std::fs::write(&path, conf)?;
    let _ = bench.cluster.stop("mgr.x");
    done
}

fn run(bench: &mut Bench) -> Result<()> {
    let release = bench.release();
    let upstream = if release.stock_modules_load() { Some(upstream_names(bench)?) } else { None };
    let _ = bench.cluster.stop("mgr.x");
    bench.only(Kind::Axon)?;
    for module in enabled(release) {
        bench.enable_module(module)?;
    }
    configure(bench, Kind::Axon)?;
    let wanted: BTreeSet<&str> = ALWAYS_ON.iter().copied().chain(enabled(release)).collect();
    let pids = wait_for(bench, &wanted)?;
    println!("    {} modules run: {}", pids.len(), memory(&pids)?);
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;

    let ask = Ask::connect(bench)?;
    volumes(bench)?;
    rbd_support(bench, &ask)?;
    others(bench, &ask, release)?;
    self_tests::all(bench, &ask, &wanted)?;
    prometheus(bench, upstream.as_ref())?;
    health_history(bench)?;
    if release == Release::Pacific {
        restful(bench)?;
    }
    switching(bench, &wanted)?;
    a_process_that_dies(bench, &wanted)?;
    drop(ask);
    if upstream.is_some() {
        bench.activate(Kind::Ceph)?;
        wait_for(bench, &ON_STANDBY.iter().copied().filter(|m| wanted.contains(m)).collect())?;
        bench.only(Kind::Axon)?;
        wait_for(bench, &wanted)?;
    }
    Ok(())
}

fn enabled(release: Release) -> impl Iterator<Item = &'static str> {
    let restful = (release == Release::Pacific).then_some("restful");
    // Its folder is empty in Debian 12's package.
    let lacking = (release == Release::Pacific).then_some("osd_perf_query");
    ENABLED.iter().copied().filter(move |module| Some(*module) != lacking).chain(restful)
}

/// Puts things back; what fails here was not there.
fn tidy(bench: &Bench) {
    for words in [
        &["fs", "subvolume", "snapshot", "rm", "demo", "sv", "s1", "--force"][..],
        &["fs", "subvolume", "rm", "demo", "sv", "--force"],
        &["fs", "subvolume", "rm", "demo", "twin", "--force"],
        &["config", "rm", "mgr", "mgr/prometheus/server_addr"],
        &["osd", "unset", "noout"],
    ] {
        let _ = bench.cluster.ceph(words);
    }
    for words in [
        &["mirror", "pool", "disable", "rbd"][..],
        &["rm", "rbd/child"],
        &["snap", "unprotect", "rbd/disk@s"],
        &["snap", "rm", "rbd/disk@s"],
    ] {
        let _ = rbd(bench, words);
    }
    for module in enabled(bench.release()) {
        let _ = bench.mon(json!({"prefix": "mgr module disable", "module": module}));
    }
    let _ = bench.cluster.wait_well(&[], Duration::from_secs(60));
}

fn configure(bench: &Bench, kind: Kind) -> Result<()> {
    let id = Bench::id(kind);
    let base = bench.cluster.state().ports.base;
    let port = base + PROMETHEUS_PORT + u16::from(kind == Kind::Ceph);
    for (name, value) in [
        ("mgr/prometheus/server_addr".to_owned(), "127.0.0.1".to_owned()),
        (format!("mgr/prometheus/{id}/server_port"), port.to_string()),
    ] {
        bench.mon(
            json!({"prefix": "config set", "who": "mgr", "name": name, "value": value, "force": true}),
        )?;
    }
    Ok(())
}

/// Axon's processes by module, as the kernel names them.
fn processes(bench: &Bench) -> Result<BTreeMap<String, i32>> {
    let parent = bench.cluster.process("mgr.x")?.pid;
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, s)| s.rsplit_once(')')) else { continue };
        let is_child = rest.split_whitespace().nth(1).and_then(|p| p.parse().ok()) == Some(parent);
        if let Some(module) = name.strip_prefix("axon:").filter(|_| is_child) {
            out.insert(module.to_owned(), pid);
        }
    }
    Ok(out)
}

/// The kernel keeps 15 bytes of a name.
fn short(module: &str) -> &str {
    module.get(..10).unwrap_or(module)
}

/// Waits until exactly these modules have a process, and no module has failed; their pids.
fn wait_for(bench: &Bench, wanted: &BTreeSet<&str>) -> Result<BTreeMap<String, i32>> {
    let begun = Instant::now();
    let wanted: BTreeSet<&str> = wanted.iter().map(|module| short(module)).collect();
    loop {
        let running = processes(bench)?;
        if running.keys().map(String::as_str).eq(wanted.iter().copied()) {
            return Ok(running);
        }
        if begun.elapsed() > SEEN_AT_MOST {
            bail!("these modules run: {:?}; wanted: {wanted:?}", running.keys());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the processes take for themselves.
fn memory(pids: &BTreeMap<String, i32>) -> Result<String> {
    let mut out = Vec::new();
    for (name, pid) in pids {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let anon = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        let kib: u64 = anon.trim().trim_end_matches(" kB").parse()?;
        out.push(format!("{name} {} MiB", kib >> 10));
    }
    Ok(out.join(", "))
}

/// Asks the manager over one connection, as the CLI does over one each.
pub(super) struct Ask {
    runtime: tokio::runtime::Runtime,
    client: axon_net::Client,
}

impl Ask {
    fn connect(bench: &Bench) -> Result<Ask> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let settings = runtime.block_on(config(&bench.cluster, "client.admin", &[]))?;
        let client = runtime.block_on(async {
            let (client, mut events) = axon_net::connect(settings)?;
            tokio::spawn(async move { while events.recv().await.is_some() {} });
            client.ready(Duration::from_secs(30)).await?;
            anyhow::Ok(client)
        })?;
        Ok(Ask { runtime, client })
    }

    pub(super) fn text(&self, command: Command) -> Result<String> {
        let words = command.to_json();
        let command = Command { deadline: Duration::from_secs(150), ..command };
        let asked = async { self.client.command(Target::Mgr, command).await?.success() };
        let out = self.runtime.block_on(asked).with_context(|| words)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    pub(super) fn json(&self, command: Command) -> Result<Value> {
        let text = self.text(command)?;
        // `telemetry` writes a sentence behind its report.
        let first = serde_json::Deserializer::from_str(&text).into_iter().next();
        first.context("nothing")?.with_context(|| format!("no JSON: {text:.300}"))
    }
}

pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < SEEN_AT_MOST, "{what}: not after {} s", SEEN_AT_MOST.as_secs());
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn volumes(bench: &Bench) -> Result<()> {
    let ceph = |words: &[&str]| bench.cluster.ceph_ok(words);
    ceph(&["fs", "subvolume", "create", "demo", "sv", "--size", "10485760"])?;
    ceph(&["fs", "subvolume", "resize", "demo", "sv", "20971520"])?;
    let info = bench.cluster.ceph_json(&["fs", "subvolume", "info", "demo", "sv"])?;
    ensure!(info["bytes_quota"] == 20_971_520, "{info}");
    ceph(&["fs", "subvolume", "snapshot", "create", "demo", "sv", "s1"])?;
    ceph(&["fs", "subvolume", "snapshot", "clone", "demo", "sv", "s1", "twin"])?;
    until("the clone is complete", || {
        let status = bench.cluster.ceph_json(&["fs", "clone", "status", "demo", "twin"])?;
        Ok((status["status"]["state"] == "complete").then_some(()))
    })?;
    ceph(&["fs", "subvolume", "snapshot", "rm", "demo", "sv", "s1"])?;
    ceph(&["fs", "subvolume", "rm", "demo", "sv"])?;
    ceph(&["fs", "subvolume", "rm", "demo", "twin"])?;
    let left = bench.cluster.ceph_json(&["fs", "subvolume", "ls", "demo"])?;
    ensure!(left == json!([]), "left: {left}");
    Ok(())
}

fn rbd(bench: &Bench, words: &[&str]) -> Result<String> {
    let mut command = bench.cluster.root().command("rbd");
    let out = command.arg("-c").arg(bench.cluster.conf_path()).args(words).output()?;
    ensure!(out.status.success(), "rbd {words:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn rbd_support(bench: &Bench, ask: &Ask) -> Result<()> {
    let schedule =
        |prefix: &str, level: &str| Command::plain(prefix).arg("level_spec", level).arg("interval", "10m");
    ask.text(schedule("rbd trash purge schedule add", "rbd/"))?;
    let listed = ask.json(Command::json("rbd trash purge schedule list").arg("level_spec", "rbd/"))?;
    ensure!(listed.to_string().contains("10m"), "{listed}");
    until("the purge is scheduled", || {
        let status = ask.json(Command::json("rbd trash purge schedule status"))?;
        Ok(status["scheduled"].as_array().is_some_and(|all| !all.is_empty()).then_some(()))
    })?;
    ask.text(schedule("rbd trash purge schedule remove", "rbd/"))?;

    rbd(bench, &["mirror", "pool", "enable", "rbd", "image"])?;
    rbd(bench, &["mirror", "image", "enable", "rbd/disk", "snapshot"])?;
    ask.text(schedule("rbd mirror snapshot schedule add", "rbd/disk"))?;
    let listed =
        ask.json(Command::json("rbd mirror snapshot schedule list").arg("level_spec", "rbd/disk"))?;
    ensure!(listed.to_string().contains("10m"), "{listed}");
    ask.text(schedule("rbd mirror snapshot schedule remove", "rbd/disk"))?;
    rbd(bench, &["mirror", "image", "disable", "rbd/disk"])?;
    rbd(bench, &["mirror", "pool", "disable", "rbd"])?;

    rbd(bench, &["snap", "create", "rbd/disk@s"])?;
    rbd(bench, &["snap", "protect", "rbd/disk@s"])?;
    rbd(bench, &["clone", "rbd/disk@s", "rbd/child"])?;
    ask.text(Command::plain("rbd task add flatten").arg("image_spec", "rbd/child"))?;
    until("the clone is flat", || {
        let info: Value = serde_json::from_str(&rbd(bench, &["info", "rbd/child", "--format", "json"])?)?;
        Ok(info.get("parent").is_none().then_some(()))
    })?;
    until("the task is over", || Ok((ask.json(Command::json("rbd task list"))? == json!([])).then_some(())))?;
    rbd(bench, &["rm", "rbd/child"])?;
    rbd(bench, &["snap", "unprotect", "rbd/disk@s"])?;
    rbd(bench, &["snap", "rm", "rbd/disk@s"])?;
    Ok(())
}

fn others(bench: &Bench, ask: &Ask, release: Release) -> Result<()> {
    let path = |prefix: &str| Command::plain(prefix).arg("path", "/");
    ask.text(path("fs snap-schedule add").arg("snap_schedule", "1h"))?;
    let status = ask.json(Command::json("fs snap-schedule status").arg("path", "/").arg("format", "json"))?;
    ensure!(status.to_string().contains("1h"), "{status}");
    ask.text(path("fs snap-schedule remove"))?;

    // devicehealth keeps what it learns in a pool of its own, since 17.2 in an SQLite database there.
    let pool = if release == Release::Pacific { "device_health_metrics" } else { ".mgr" };
    until("the modules' pool is there", || {
        let pools = bench.mon(json!({"prefix": "osd pool ls", "format": "json"}))?;
        Ok(pools.contains(&format!("\"{pool}\"")).then_some(()))
    })?;
    ask.text(Command::plain("device check-health"))?;
    if release > Release::Pacific {
        until("the database is there", || {
            let mut rados = bench.cluster.root().command("rados");
            rados.arg("-c").arg(bench.cluster.conf_path());
            let out = rados.args(["-p", ".mgr", "-N", "devicehealth", "ls"]).output()?;
            Ok(String::from_utf8_lossy(&out.stdout).contains("main.db").then_some(()))
        })?;
    }

    let preview = if release == Release::Pacific { "telemetry show" } else { "telemetry preview" };
    let report = ask.json(Command::json(preview))?;
    ensure!(report["osd"]["count"] == 3 && report["balancer"]["active"].is_boolean(), "{report}");
    ask.json(Command::json("telemetry status"))?;
    let insights = ask.json(Command::json("insights"))?;
    ensure!(insights["osd_tree"].is_object() && insights["version"]["major"].is_number(), "{insights}");

    // Without an orchestrator `orch` says so, and `nfs` lists what there is.
    let why = ask.text(Command::plain("orch ps")).err().context("there is no orchestrator")?;
    ensure!(format!("{why:#}").contains("No orchestrator configured"), "{why:#}");
    if release > Release::Pacific {
        ensure!(ask.json(Command::json("nfs cluster ls"))? == json!([]));
    }
    perf_queries(bench, ask)?;

    // Modules that use librados have registered their clients, for the monitors to blocklist after a failover.
    until("clients of modules are registered", || {
        let dump: Value = serde_json::from_str(&bench.mon(json!({"prefix": "mgr dump", "format": "json"}))?)?;
        let clients = dump["active_clients"].as_array().map_or(0, Vec::len);
        Ok((clients >= 2).then_some(()))
    })
}

/// OSDs and MDSs count what the modules ask them to.
fn perf_queries(bench: &Bench, ask: &Ask) -> Result<()> {
    ask.json(Command::json("fs perf stats"))?;
    let images = || ask.json(Command::json("rbd perf image stats").arg("pool_spec", "rbd"));
    // The first question makes the module ask the OSDs; what is written then is counted.
    images()?;
    until("writes to an image are counted", || {
        let write = ["bench", "--io-type", "write", "--io-size", "4K", "--io-total", "64K", "rbd/disk"];
        rbd(bench, &write)?;
        let stats = images()?;
        // By the index of the pool: writes per second come first.
        let rates = stats["stats"].as_array().into_iter().flatten().find_map(|image| image.get("0/disk"));
        Ok(rates.filter(|rates| rates[0].as_f64().is_some_and(|writes| writes > 0.0)).map(|_| ()))
    })
}

/// The names of what an exporter exports.
fn names(bench: &Bench, kind: Kind) -> Result<BTreeSet<String>> {
    let port = bench.cluster.state().ports.base + PROMETHEUS_PORT + u16::from(kind == Kind::Ceph);
    let url = format!("http://127.0.0.1:{port}");
    until("the exporter answers", || {
        let Ok(answer) = http::send(&url, "GET", "/metrics", &[], None) else { return Ok(None) };
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: BTreeSet<String> = types.filter_map(|l| l.split(' ').next()).map(str::to_owned).collect();
        // Statistics of pools and PGs come with the first reports.
        let settled = names.contains("ceph_pg_total") && names.contains("ceph_osd_up");
        Ok((answer.status == 200 && settled).then_some(names))
    })
}

fn upstream_names(bench: &mut Bench) -> Result<BTreeSet<String>> {
    bench.only(Kind::Ceph)?;
    configure(bench, Kind::Ceph)?;
    bench.enable_module("prometheus")?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    names(bench, Kind::Ceph)
}

fn prometheus(bench: &Bench, upstream: Option<&BTreeSet<String>>) -> Result<()> {
    let ours = names(bench, Kind::Axon)?;
    println!("    prometheus: {} metrics", ours.len());
    let Some(upstream) = upstream else {
        ensure!(ours.contains("ceph_health_status") && ours.len() > 80, "{ours:?}");
        return Ok(());
    };
    let missing: Vec<_> = upstream.difference(&ours).collect();
    let more: Vec<_> = ours.difference(upstream).collect();
    ensure!(missing.is_empty(), "the exporter lacks {missing:?}, and has beside upstream's {more:?}");
    Ok(())
}

/// A health check comes into the exporter's history, and is no longer active when it has gone.
fn health_history(bench: &Bench) -> Result<()> {
    for (verb, active) in [("set", true), ("unset", false)] {
        bench.cluster.ceph_ok(&["osd", verb, "noout"])?;
        until("OSDMAP_FLAGS in `healthcheck history ls`", || {
            let history = bench.cluster.ceph_json(&["healthcheck", "history", "ls"])?;
            let seen = &history["OSDMAP_FLAGS"];
            Ok((seen["active"] == active && seen["severity"] == "HEALTH_WARN").then_some(()))
        })?;
    }
    Ok(())
}

/// 16.2's REST of before the dashboard's: by a key that it makes, over TLS with a certificate that it makes.
fn restful(bench: &Bench) -> Result<()> {
    const GET: &str = "
import base64, json, ssl, sys, urllib.request
context = ssl._create_unverified_context()
request = urllib.request.Request(sys.argv[1])
request.add_header('Authorization', 'Basic ' + base64.b64encode(('scenario:' + sys.argv[2]).encode()).decode())
print(json.dumps(json.load(urllib.request.urlopen(request, context=context, timeout=10))))
";
    let port = bench.cluster.state().ports.base + RESTFUL_PORT;
    let value = port.to_string();
    bench.mon(
        json!({"prefix": "config set", "who": "mgr", "name": "mgr/restful/server_port", "value": value}),
    )?;
    bench.cluster.ceph_ok(&["restful", "create-self-signed-cert"])?;
    let key = bench.cluster.ceph_ok(&["restful", "create-key", "scenario"])?;
    bench.cluster.ceph_ok(&["restful", "restart"])?;
    let osds: Value = until("restful answers", || {
        let mut command = bench.cluster.root().command("/usr/bin/python3");
        command.args(["-c", GET]).arg(format!("https://127.0.0.1:{port}/osd")).arg(key.trim());
        let out = command.output()?;
        Ok(out.status.success().then(|| serde_json::from_slice(&out.stdout)).transpose()?)
    })?;
    ensure!(osds.as_array().map_or(0, Vec::len) == 3, "{osds}");
    bench.cluster.ceph_ok(&["restful", "delete-key", "scenario"])?;
    Ok(())
}

/// Disabling and enabling one module leaves the others' processes alone.
fn switching(bench: &Bench, wanted: &BTreeSet<&str>) -> Result<()> {
    let before = wait_for(bench, wanted)?;
    let others = |pids: &BTreeMap<String, i32>| {
        let mut pids = pids.clone();
        pids.remove("insights");
        pids
    };
    bench.mon(json!({"prefix": "mgr module disable", "module": "insights"}))?;
    let mut fewer = wanted.clone();
    fewer.remove("insights");
    let without = wait_for(bench, &fewer)?;
    bench.mon(json!({"prefix": "mgr module enable", "module": "insights"}))?;
    let after = wait_for(bench, wanted)?;
    ensure!(without == others(&before) && others(&after) == without, "{before:?} {without:?} {after:?}");
    ensure!(after["insights"] != before["insights"], "the module was not ended");
    Ok(())
}

/// A module whose process dies is a warning, comes back alone, and the warning goes.
fn a_process_that_dies(bench: &Bench, wanted: &BTreeSet<&str>) -> Result<()> {
    let before = wait_for(bench, wanted)?;
    let pid = nix::unistd::Pid::from_raw(before["telemetry"]);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
    let warned = |wanted: bool| {
        until("the warning changes", || {
            let health = bench.mon(json!({"prefix": "health", "format": "json"}))?;
            let health: Value = serde_json::from_str(&health)?;
            let check = &health["checks"]["MGR_MODULE_ERROR"];
            Ok((check.is_object() == wanted).then(|| check["severity"].clone()))
        })
    };
    ensure!(warned(true)? == "HEALTH_WARN");
    warned(false)?;
    let after = wait_for(bench, wanted)?;
    let changed: Vec<_> = after.iter().filter(|(name, pid)| before.get(*name) != Some(pid)).collect();
    ensure!(
        changed.len() == 1 && changed.first().is_some_and(|(name, _)| *name == "telemetry"),
        "{changed:?}"
    );
    Ok(())
}
