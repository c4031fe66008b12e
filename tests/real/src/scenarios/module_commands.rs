//! Commands that a Python module works on while its manager hands over or its process dies: the release's own clients get the next
//! manager's answer, as after upstream's manager; what had not begun goes to the module's next process; of what had begun the
//! client hears that nobody knows.

use std::process::{Command, Output};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::Kind;
use axon_testkit::{host_python_modules, modules};
use serde_json::{Value, json};

use crate::Bench;

/// Two managers, both Axon: only they run the module on every release.
const MANAGERS: [&str; 2] = ["x", "z"];
/// What a manager that ends does not wait for.
const SECS: &str = "4";
const CLIENTS: usize = 3;
const READY_AT_MOST: Duration = Duration::from_secs(60);

pub fn outlive_its_process(bench: &mut Bench) -> Result<()> {
    let before = modules::install(&bench.cluster)?;
    host_python_modules(&bench.cluster)?;
    let done = run(bench);
    let _ = bench.cluster.ceph(&["mgr", "module", "disable", modules::GAUGE]);
    std::fs::write(bench.cluster.conf_path(), before)?;
    for id in MANAGERS {
        let _ = bench.cluster.stop(&format!("mgr.{id}"));
    }
    done
}

fn run(bench: &mut Bench) -> Result<()> {
    let [one, other] = MANAGERS;
    let _ = bench.cluster.stop("mgr.x");
    bench.only(Kind::Axon)?;
    bench.cluster.start_manager(Kind::Axon, other)?;
    bench.enable_module(modules::GAUGE)?;

    let clients = busy(bench, one)?;
    bench.cluster.mon_command(json!({"prefix": "mgr fail"}))?;
    // The one at work may have come to its end before, here and below.
    answered(clients, other, CLIENTS - 1, "after `mgr fail`")?;

    // Where its service ends, everything that the manager has started is told to end with it.
    let clients = busy(bench, other)?;
    let hosts = list(bench)?;
    let hosts = hosts.as_array().into_iter().flatten().filter_map(|row| row["pid"].as_u64());
    for pid in hosts {
        signal("TERM", pid)?;
    }
    bench.cluster.stop(&format!("mgr.{other}"))?;
    answered(clients, one, CLIENTS - 1, "after SIGTERM")?;

    let clients = busy(bench, one)?;
    let pid = row(bench)?["pid"].as_u64().context("no process")?;
    signal("KILL", pid)?;
    let (mut unknown, mut well) = (0, 0);
    for client in clients {
        let out = ended(client)?;
        let words = String::from_utf8_lossy(&out.stderr).into_owned();
        match out.status.code() {
            Some(5) => {
                ensure!(words.contains("it is not known whether that was done"), "{words}");
                unknown += 1;
            }
            Some(0) => well += 1,
            code => anyhow::bail!("{code:?}: {words}"),
        }
    }
    ensure!((unknown, well) == (1, CLIENTS - 1), "{unknown} in the dark, {well} answered");
    Ok(())
}

/// Clients whose commands are with the module, one of them at work, once that runs under the manager `id`.
fn busy(bench: &Bench, id: &str) -> Result<Vec<JoinHandle<Result<Output>>>> {
    bench.cluster.wait_manager(id, READY_AT_MOST)?;
    wait(bench, "runs", |row| row["state"] == "running")?;
    let ask = || {
        let mut command = bench.cluster.ceph_command(&["gauge", "wait", SECS]);
        std::thread::spawn(move || command.output().context("cannot run ceph"))
    };
    let clients = (0..CLIENTS).map(|_| ask()).collect();
    wait(bench, "works", |row| row["calls_to_module"] == CLIENTS)?;
    Ok(clients)
}

/// All are answered, so many at least by the manager `id`.
fn answered(clients: Vec<JoinHandle<Result<Output>>>, id: &str, least: usize, when: &str) -> Result<()> {
    let mut there = 0;
    for client in clients {
        let out = ended(client)?;
        ensure!(out.status.success(), "{when}: {out:?}");
        there += usize::from(String::from_utf8_lossy(&out.stdout).trim() == id);
    }
    ensure!(there >= least, "{when}: only {there} were answered by mgr.{id}");
    Ok(())
}

fn ended(client: JoinHandle<Result<Output>>) -> Result<Output> {
    client.join().map_err(|_| anyhow::anyhow!("a client's thread has ended"))?
}

fn signal(name: &str, pid: u64) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status()?;
    ensure!(sent.success(), "process {pid} is gone");
    Ok(())
}

fn list(bench: &Bench) -> Result<Value> {
    bench.cluster.ceph_json(&["axon", "module", "ls"])
}

fn row(bench: &Bench) -> Result<Value> {
    let all = list(bench)?;
    let row = all.as_array().into_iter().flatten().find(|row| row["name"] == modules::GAUGE);
    Ok(row.cloned().unwrap_or_default())
}

fn wait(bench: &Bench, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        // While a manager takes over nobody may answer.
        let row = row(bench).unwrap_or_default();
        if wanted(&row) {
            return Ok(());
        }
        ensure!(begun.elapsed() < READY_AT_MOST, "no module that {what}: {row}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
