//! A native module that panics, spins and blocks for ever (`axon_modules`' `hostile`, in programs with debug assertions only): nobody
//! else notices but by a health warning, which goes when the module works again or is disabled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, Target};
use axon_launcher::Kind;
use axon_testkit::{config, http};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::Bench;

/// A module may take so long before it is a warning; `hostile` spins for 8 s.
const LINES: &str = "\n[mgr]\naxon test modules = true\naxon module secs max = 3\n";
const CODE: &str = "MGR_MODULE_ERROR";
const PASSWORD: &str = "Hostile-Pass-1!";
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
    let load = Load::start(bench)?;

    std::thread::sleep(Duration::from_secs(2));
    let before = load.take()?;
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
        let during = load.take()?;
        println!("    {deed}: {during:?}, before {before:?}");
        ensure!(during.worst < ANSWER_AT_MOST, "while a module does {deed}: {during:?}, before {before:?}");
    }
    let answer = bench.cluster.ceph_ok(&["hostile", "ask"])?;
    ensure!(answer.contains("here"), "enabled again it answers {answer:?}");
    let failed = bench.cluster.ceph(&["hostile", "panic"])?;
    let words = String::from_utf8_lossy(&failed.stderr);
    ensure!(failed.status.code() == Some(5) && words.contains("failed over this command"), "{failed:?}");
    load.end()?;
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
            ensure!(meta["mgr_module"] == "hostile" && meta["entity_name"] == "mgr.x", "{meta}");
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

/// Asks REST, a command of the manager and one of another module all the time.
struct Load {
    stop: Arc<AtomicBool>,
    times: Arc<std::sync::Mutex<Vec<Duration>>>,
    thread: std::thread::JoinHandle<Result<()>>,
}

/// How long answers took.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct Times {
    answers: usize,
    median: Duration,
    worst: Duration,
}

impl Load {
    fn start(bench: &Bench) -> Result<Load> {
        let url = bench.url(Kind::Axon).context("no port")?;
        let file = bench.cluster.dir().join("hostile.password");
        std::fs::write(&file, PASSWORD)?;
        let file = file.to_str().context("the folder's name is not UTF-8")?;
        bench.cluster.ceph_ok(&["dashboard", "ac-user-create", "hostile", "-i", file, "read-only"])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let settings = runtime.block_on(config(&bench.cluster, "client.admin", &[]))?;
        let (stop, times) = (Arc::<AtomicBool>::default(), Arc::<std::sync::Mutex<Vec<Duration>>>::default());
        let (stopped, noted) = (stop.clone(), times.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let (client, _events) = axon_net::connect(settings)?;
                client.ready(Duration::from_secs(30)).await?;
                let token = http::login(&url, "hostile", PASSWORD).await?;
                let authorization = format!("Bearer {token}");
                let headers = [http::ACCEPT, ("authorization", authorization.as_str())];
                while !stopped.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let rest = http::ask(
                        &url,
                        "GET",
                        "/api/osd/flags",
                        &headers,
                        Vec::new(),
                        Duration::from_secs(20),
                    )
                    .await?;
                    ensure!(rest.status == 200, "REST answers {}", rest.status);
                    let mut took = vec![begun.elapsed()];
                    for prefix in ["pg stat", "balancer status"] {
                        let begun = Instant::now();
                        client.command(Target::Mgr, Command::json(prefix)).await?.success()?;
                        took.push(begun.elapsed());
                    }
                    noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(took);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                client.shutdown();
                Ok(())
            })
        });
        Ok(Load { stop, times, thread })
    }

    /// What was measured since the last time.
    fn take(&self) -> Result<Times> {
        let mut all =
            std::mem::take(&mut *self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        all.sort_unstable();
        let worst = *all.last().context("nothing was answered")?;
        let median = all.get(all.len() / 2).copied().unwrap_or_default();
        Ok(Times { answers: all.len(), median, worst })
    }

    fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the load failed"))?
    }
}
