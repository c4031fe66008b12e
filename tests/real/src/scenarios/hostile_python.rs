//! Python modules that spin in C, leak and kill themselves, each in its process: REST, the manager's commands, native and other Python modules
//! keep answering; health says which module and why, and clears itself; `axon module ls` and `GET /api/axon/module` show it. The modules are
//! `axon_testkit`'s own, in a folder beside the distribution's.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use axon_testkit::latency::Load;
use axon_testkit::{host_python_modules, modules};
use serde_json::{Value, json};

use crate::Bench;

/// A busy machine leaves a module that spins a part of a core only. A command in the hanging module has 3 s; the leak has no limit yet, the monitors give it one.
const LINES: &str = "
[mgr]
axon module silent secs warn = 4
axon module cpu percent warn hostile_spin = 8
axon module cpu window secs hostile_spin = 5
axon module command secs max hostile_spin = 3
axon module memory bytes warn hostile_leak = 150M
";
const LEAK_MAX: (&str, &str) = ("axon_module_memory_bytes_max_hostile_leak", "400M");
const FAILED: &str = "MGR_MODULE_ERROR";
const MEMORY: &str = "AXON_MODULE_MEMORY";
const CPU: &str = "AXON_MODULE_CPU";
/// What is asked all the time, beside REST: of the manager itself, a native module, one of the distribution's and one of ours.
const ASKED: [&str; 4] = ["osd df", "balancer status", "telemetry status", "gauge answer"];
/// Upstream's manager keeps all of them waiting for as long as a module spins in C.
const ANSWER_AT_MOST: Duration = Duration::from_secs(3);
/// A module that has failed five times has to run for 50 s before it counts as well.
const SEEN_AT_MOST: Duration = Duration::from_secs(75);
const ETIMEDOUT: i32 = 110;

pub fn modules_hurt_nobody(bench: &mut Bench) -> Result<()> {
    let before = modules::install(&bench.cluster)?;
    host_python_modules(&bench.cluster)?;
    let path = bench.cluster.conf_path();
    std::fs::write(&path, std::fs::read_to_string(&path)? + LINES)?;
    let done = run(bench);
    for module in modules::HOSTILE.into_iter().chain([modules::GAUGE]) {
        let _ = bench.cluster.ceph(&["mgr", "module", "disable", module]);
    }
    let _ = bench.cluster.ceph(&["config", "rm", "mgr", "mgr/hostile_die/deed"]);
    let _ = bench.cluster.ceph(&["config", "rm", "mgr", LEAK_MAX.0]);
    std::fs::write(&path, before)?;
    bench.cluster.stop("mgr.x")?;
    done
}

fn run(bench: &mut Bench) -> Result<()> {
    let _ = bench.cluster.stop("mgr.x");
    bench.only(Kind::Axon)?;
    bench.cluster.ceph_ok(&["config", "set", "mgr", LEAK_MAX.0, LEAK_MAX.1, "--force"])?;
    // The monitors know of the new ones once the new instance is the active one.
    shows(bench, "telemetry", |row| row["state"] == "running")?;
    for module in modules::HOSTILE.into_iter().chain([modules::GAUGE]) {
        bench.enable_module(module)?;
    }
    for module in modules::HOSTILE.into_iter().chain([modules::GAUGE]) {
        shows(bench, module, |row| row["state"] == "running")?;
    }
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let gid = active_gid(bench)?;
    let url = bench.url(Kind::Axon).context("no port")?;
    let load = Load::start(&bench.cluster, &url, &ASKED)?;
    std::thread::sleep(Duration::from_secs(2));
    judge(&load, "before")?;

    // It needs a while to be well again; meanwhile the others have their turn.
    dies_again_and_again(bench)?;
    judge(&load, "while one dies")?;
    spins(bench)?;
    judge(&load, "while one spins")?;
    leaks(bench)?;
    judge(&load, "while one leaks")?;
    for module in modules::HOSTILE {
        gone(bench, FAILED, module)?;
    }
    rest_shows_the_same(bench, &url)?;
    ensure!(active_gid(bench)? == gid, "the manager was replaced");
    Ok(())
}

fn spins(bench: &Bench) -> Result<()> {
    bench.cluster.ceph_ok(&["hostile", "spin", "spin"])?;
    check(bench, FAILED, |check| has(check, "Module 'hostile_spin' has failed: it has not answered for"))?;
    check(bench, CPU, |check| has(check, "Module 'hostile_spin' takes"))?;
    shows(bench, "hostile_spin", |row| {
        row["state"] == "silent"
            && row["cpu_percent"].as_f64() > Some(8.0)
            && row["cpu_secs"].as_f64() > Some(3.0)
    })?;
    let asked = bench.cluster.ceph(&["harmless", "spin"])?;
    let words = String::from_utf8_lossy(&asked.stderr);
    ensure!(asked.status.code() == Some(ETIMEDOUT), "a command to a module that hangs: {asked:?}");
    ensure!(words.contains("has not answered within 3 s"), "{words}");
    bench.cluster.ceph_ok(&["mgr", "module", "disable", "hostile_spin"])?;
    gone(bench, FAILED, "hostile_spin")?;
    gone(bench, CPU, "hostile_spin")?;
    bench.cluster.ceph_ok(&["mgr", "module", "enable", "hostile_spin"])?;
    shows(bench, "hostile_spin", |row| row["state"] == "running" && row["restarts"] == 0)?;
    let answer = bench.cluster.ceph_ok(&["harmless", "spin"])?;
    ensure!(answer.contains("here"), "enabled again it answers {answer:?}");
    Ok(())
}

fn dies_again_and_again(bench: &Bench) -> Result<()> {
    let why = "Module 'hostile_die' has failed: its process has ended: signal: 9 (SIGKILL)";
    bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr/hostile_die/deed", "die"])?;
    let health = check(bench, FAILED, |check| has(check, why))?;
    ensure!(health["severity"] == "HEALTH_WARN", "the first failure is no warning: {health}");
    check(bench, FAILED, |check| has(check, why) && check["severity"] == "HEALTH_ERR")?;
    shows(bench, "hostile_die", |row| {
        row["restarts"].as_u64() >= Some(2) && row["failures_in_a_row"].as_u64() >= Some(3)
    })?;
    bench.cluster.ceph_ok(&["config", "rm", "mgr", "mgr/hostile_die/deed"])?;
    Ok(())
}

fn leaks(bench: &Bench) -> Result<()> {
    bench.cluster.ceph_ok(&["hostile", "leak", "leak"])?;
    check(bench, MEMORY, |check| {
        has(check, "Module 'hostile_leak' takes") && has(check, "more than 150 MiB")
    })?;
    check(bench, FAILED, |check| has(check, "Module 'hostile_leak' has failed: it takes 4"))?;
    shows(bench, "hostile_leak", |row| {
        let peak = row["limits"]["memory_bytes_max"] == 400 << 20;
        row["state"] == "running"
            && row["restarts"] == 1
            && peak
            && has_text(&row["last_failure"], "the limit is 400 MiB")
    })?;
    gone(bench, MEMORY, "hostile_leak")?;
    let text = bench.cluster.ceph_ok(&["axon", "module", "ls"])?;
    println!("{}", text.lines().map(|line| format!("    {line}\n")).collect::<String>().trim_end());
    let row =
        text.lines().find(|line| line.starts_with("hostile_leak ")).context("hostile_leak is not listed")?;
    ensure!(text.starts_with("MODULE ") && row.contains("400 MiB") && row.contains("it takes 4"), "{text}");
    Ok(())
}

fn rest_shows_the_same(bench: &Bench, url: &str) -> Result<()> {
    let by_command = list(bench)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let by_rest = runtime.block_on(async {
        let token = axon_testkit::latency::token(&bench.cluster, url).await?;
        let authorization = format!("Bearer {token}");
        let headers = [axon_testkit::http::ACCEPT, ("authorization", authorization.as_str())];
        axon_testkit::http::ask(url, "GET", "/api/axon/module", &headers, Vec::new(), ANSWER_AT_MOST).await
    })?;
    ensure!(by_rest.status == 200, "REST answers {}", by_rest.status);
    let lasting = |rows: &Value| -> Vec<Value> {
        let rows = rows.as_array().into_iter().flatten();
        rows.map(|row| json!([row["name"], row["state"], row["pid"], row["restarts"], row["last_failure"]]))
            .collect()
    };
    ensure!(lasting(&by_rest.json()) == lasting(&by_command), "{} is not {by_command}", by_rest.json());
    Ok(())
}

/// Nobody had to wait.
fn judge(load: &Load, when: &str) -> Result<()> {
    for (asked, times) in load.take() {
        println!("    {when}: {asked}: {}", times.json());
        ensure!(times.failures == 0 && times.answers > 0, "{when}: {asked}: {}", times.json());
        ensure!(times.worst < ANSWER_AT_MOST, "{when}: {asked}: {}", times.json());
    }
    Ok(())
}

fn active_gid(bench: &Bench) -> Result<u64> {
    let dump = bench.cluster.ceph_json(&["mgr", "dump"])?;
    dump["active_gid"].as_u64().context("no manager is active")
}

fn list(bench: &Bench) -> Result<Value> {
    bench.cluster.ceph_json(&["axon", "module", "ls"])
}

/// Waits until a module's row is as wanted.
fn shows(bench: &Bench, module: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        // While a manager takes over nobody answers.
        let all = list(bench).unwrap_or_default();
        let row = all.as_array().into_iter().flatten().find(|row| row["name"] == module);
        if row.is_some_and(&wanted) {
            return Ok(());
        }
        if begun.elapsed() > SEEN_AT_MOST {
            bail!("{module} is not as it should be: {}", row.unwrap_or(&all));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Waits until the monitors show a check as wanted.
fn check(bench: &Bench, code: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let health = health(bench)?;
        if health["checks"][code].is_object() && wanted(&health["checks"][code]) {
            return Ok(health["checks"][code].clone());
        }
        if begun.elapsed() > SEEN_AT_MOST {
            bail!("{code} is not as it should be: {health}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a check says nothing of a module.
fn gone(bench: &Bench, code: &str, module: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let health = health(bench)?;
        if !has(&health["checks"][code], &format!("'{module}'")) {
            return Ok(());
        }
        if begun.elapsed() > SEEN_AT_MOST {
            bail!("{code} stays: {health}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn health(bench: &Bench) -> Result<Value> {
    let asked = json!({"prefix": "health", "detail": "detail", "format": "json"});
    Ok(serde_json::from_str(&bench.cluster.mon_command(asked)?)?)
}

/// Whether one line of a check's details has these words.
fn has(check: &Value, words: &str) -> bool {
    let lines = check["detail"].as_array().into_iter().flatten();
    lines.into_iter().any(|line| has_text(&line["message"], words))
}

fn has_text(value: &Value, words: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(words))
}
