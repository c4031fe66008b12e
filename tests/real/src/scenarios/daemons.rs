//! What daemons say about themselves: slow requests become a health check and go again, in upstream's words; a gateway is in the
//! service map while it reports, and no longer once it is silent.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, Release};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::compare::get;
use crate::{Bench, http};

const AT_MOST: Duration = Duration::from_secs(90);
const ALLOWED: &[&str] = &["MGR_MODULE_DEPENDENCY"];
/// Instead of upstream's 30 s.
const COMPLAINT_SECS: &str = "2";
/// Instead of upstream's 60 s; daemons report every 5 s.
const SERVICE_GRACE_SECS: u64 = 12;
const PASSWORD: &str = "Gateway-Pass-1!";

/// Writes wait for an OSD that stands still; the others complain, and stop to when it goes on. Upstream's manager is asked too,
/// on one release.
pub fn slow_requests_are_told(bench: &mut Bench) -> Result<()> {
    let managers: &[Kind] =
        if bench.release() == Release::Tentacle { &[Kind::Ceph, Kind::Axon] } else { &[Kind::Axon] };
    let set = |command: Value| bench.cluster.mon_command(command).map(drop);
    set(
        json!({"prefix": "config set", "who": "osd", "name": "osd_op_complaint_time", "value": COMPLAINT_SECS}),
    )?;
    set(json!({"prefix": "osd set", "key": "nodown"}))?;
    let mut told = Vec::new();
    for kind in managers {
        bench.only(*kind)?;
        let allowed = [ALLOWED, &["OSDMAP_FLAGS"]].concat();
        bench.cluster.wait_well(&allowed, AT_MOST)?;
        let osd = bench.cluster.process("osd.2")?;
        osd.signal(Signal::SIGSTOP)?;
        let slow = while_writes_wait(bench);
        osd.signal(Signal::SIGCONT)?;
        let slow = slow?;
        println!("    {kind:?}: {slow}");
        check(bench, "SLOW_OPS", false)?;
        told.push(shape(&slow));
    }
    let set = |command: Value| bench.cluster.mon_command(command).map(drop);
    set(json!({"prefix": "osd unset", "key": "nodown"}))?;
    set(json!({"prefix": "config rm", "who": "osd", "name": "osd_op_complaint_time"}))?;
    bench.cluster.wait_well(ALLOWED, AT_MOST)?;
    for shape in told {
        ensure!(shape == "HEALTH_WARN N slow ops, oldest one blocked for N sec, WHO", "{shape}");
    }
    Ok(())
}

/// The check while writes wait.
fn while_writes_wait(bench: &Bench) -> Result<String> {
    let mut command = bench.cluster.root().command("rados");
    command.arg("-c").arg(bench.cluster.conf_path());
    command.args(["-p", "rep", "bench", "3", "write", "-b", "4096", "-t", "16", "--run-name", "slow"]);
    let mut writes =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot run rados")?;
    let slow = check(bench, "SLOW_OPS", true);
    // It waits for its writes; they are not needed any more.
    writes.kill()?;
    writes.wait()?;
    slow
}

/// Numbers and daemons are not the same twice.
fn shape(summary: &str) -> String {
    let (head, who) = summary.rsplit_once(", ").unwrap_or((summary, ""));
    let digits = |text: &str| {
        let mut out = String::new();
        for c in text.chars() {
            match c.is_ascii_digit() {
                true if out.ends_with('N') => {}
                true => out.push('N'),
                false => out.push(c),
            }
        }
        out
    };
    let known = digits(who) == "osd.N has slow ops"
        || (who.starts_with("daemons [osd.") && who.ends_with("] have slow ops."));
    format!("{}, {}", digits(head), if known { "WHO" } else { who })
}

/// Waits until the check is there, or gone; its severity and summary.
fn check(bench: &Bench, code: &str, wanted: bool) -> Result<String> {
    let begun = Instant::now();
    loop {
        let health = json_of(bench, "health")?;
        let check = &health["checks"][code];
        if check.is_object() == wanted {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return Ok(format!("{} {}", text(&check["severity"]), text(&check["summary"]["message"])));
        }
        let state = if wanted { "missing" } else { "still there" };
        ensure!(begun.elapsed() < AT_MOST, "{code} is {state}: {health}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn json_of(bench: &Bench, prefix: &str) -> Result<Value> {
    Ok(serde_json::from_str(&bench.cluster.mon_command(json!({"prefix": prefix, "format": "json"}))?)?)
}

/// On a cluster with the gateway `a`: it beacons and its counters are known; killed, it goes from the map after the grace and not
/// before; started again, it is back.
pub fn a_gateway_comes_and_goes(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    let grace = SERVICE_GRACE_SECS.to_string();
    bench.cluster.ceph_ok(&["config", "set", "mgr", "mgr_service_beacon_grace", &grace])?;
    bench.cluster.start("rgw.a")?;
    let first = beacon(bench, None)?;
    let (name, again) = beacon(bench, Some(&first))?;
    ensure!(name == first.0, "the gateway is {} and then {name}", first.0);
    counted(bench, &name)?;

    bench.cluster.kill("rgw.a")?;
    let killed = Instant::now();
    loop {
        let in_map = services(bench)?["rgw"]["daemons"].get(&name).is_some();
        // What the monitors say follows with the next report.
        let shown =
            json_of(bench, "status")?["servicemap"]["services"]["rgw"]["daemons"].get(&name).is_some();
        ensure!(
            in_map || killed.elapsed().as_secs() + 7 > SERVICE_GRACE_SECS,
            "it is gone after {:?}, its last beacon was at {again}",
            killed.elapsed()
        );
        if !in_map && !shown {
            break;
        }
        ensure!(killed.elapsed() < AT_MOST, "the gateway is still in the service map");
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("    a killed gateway left the service map after {:?}", killed.elapsed());
    bench.cluster.start("rgw.a")?;
    let (back, _) = beacon(bench, None)?;
    ensure!(back != name, "a gateway that was started again is another client");
    bench.cluster.ceph_ok(&["config", "rm", "mgr", "mgr_service_beacon_grace"])?;
    Ok(())
}

fn services(bench: &Bench) -> Result<Value> {
    Ok(bench.cluster.ceph_json(&["service", "dump"])?["services"].clone())
}

/// The gateway by its name in the service map, and its last beacon, once there is one, and another than before.
fn beacon(bench: &Bench, before: Option<&(String, String)>) -> Result<(String, String)> {
    let begun = Instant::now();
    loop {
        let map = services(bench)?;
        let daemons = map["rgw"]["daemons"].as_object().into_iter().flatten();
        let names: Vec<&String> = daemons.map(|(name, _)| name).filter(|name| *name != "summary").collect();
        let status = bench.cluster.ceph_json(&["service", "status"])?;
        if let [name] = names[..] {
            let seen = status["rgw"][name]["last_beacon"].as_str().unwrap_or_default();
            if !seen.is_empty() && before.is_none_or(|(_, old)| old != seen) {
                ensure!(map["rgw"]["daemons"][name]["metadata"]["id"] == "a", "{map}");
                return Ok((name.clone(), seen.to_owned()));
            }
        }
        ensure!(begun.elapsed() < AT_MOST, "one gateway must beacon: {map} {status}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Its counters have schemas and values.
fn counted(bench: &Bench, name: &str) -> Result<()> {
    let file = bench.cluster.dir().join("gateway.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    bench.cluster.ceph_ok(&["dashboard", "ac-user-create", "gateways", "-i", file, "read-only"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    let token = http::login(&base, "gateways", PASSWORD)?;
    let answer = get(format!("/api/perf_counters/rgw/{name}")).send(&base, Some(&token))?;
    let counters = answer["body"]["counters"].as_array().into_iter().flatten();
    let names: Vec<&str> = counters.filter_map(|counter| counter["name"].as_str()).collect();
    ensure!(names.iter().any(|name| name.starts_with("rgw.")), "no counters of the gateway: {answer}");
    Ok(())
}
