//! Connection modes: with `secure` nothing that Axon and its peers say can be read on the wire, with `crc` it can.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::Bench;
use crate::wire::Capture;

/// The cluster and Axon start anew with each mode; monitors, OSDs and the CLI speak with Axon.
pub fn are_as_configured(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    let path = bench.cluster.conf_path();
    let conf = std::fs::read_to_string(&path)?;
    let result = ["secure", "crc"].into_iter().try_for_each(|mode| one_mode(bench, &conf, mode));
    std::fs::write(&path, conf)?;
    bench.cluster.stop_all()?;
    bench.cluster.start_all()?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], HEALTH_AT_MOST)?;
    result
}

fn one_mode(bench: &mut Bench, conf: &str, mode: &str) -> Result<()> {
    let mut global = String::from("[global]\n");
    for peer in ["cluster", "service", "client", "mon cluster", "mon service", "mon client"] {
        global.push_str(&format!("ms {peer} mode = {mode}\n"));
    }
    let changed = conf.replacen("[global]\n", &global, 1).replacen("[mgr]\n", "[mgr]\ndebug ms = 1\n", 1);
    ensure!(changed.contains(&global) && changed.contains("debug ms = 1"), "ceph.conf has other sections");
    bench.cluster.stop_all()?;
    std::fs::write(bench.cluster.conf_path(), changed)?;
    let written = bench.log_of("mgr.x")?.len();

    let capture = Capture::start()?;
    bench.cluster.start_all()?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], HEALTH_AT_MOST)?;
    let out = bench.cluster.ceph_ok(&["pg", "stat"])?;
    ensure!(out.contains("active+clean"), "{out}");
    // The next line for the cluster log, and reports of the OSDs, are on their way within a period.
    std::thread::sleep(Duration::from_secs(6));
    let captured = capture.finish()?;

    let readable = mode == "crc";
    let (mon, mgr) = (
        port(bench, "mon dump", "/mons/0/public_addrs/addrvec")?,
        port(bench, "mgr dump", "/active_addrs/addrvec")?,
    );
    for (what, port, text) in [
        ("Axon's line for the cluster log", mon, "pgmap v"),
        ("Axon's beacon", mon, "axon_version"),
        ("a counter that an OSD declares", mgr, "osd.op_latency"),
        ("the CLI's command", mgr, r#"{"prefix": "pg stat""#),
    ] {
        ensure!(captured.bytes(port) > 10_000, "{mode}: next to nothing was captured of port {port}");
        ensure!(
            captured.shows(port, text) == readable,
            "{mode}: {what} is {}readable",
            if readable { "not " } else { "" }
        );
    }

    let log = bench.log_of("mgr.x")?;
    let log = log.get(written..).context("Axon's log has become shorter")?;
    for peer in ["mon.", "osd.", "client.admin"] {
        let lines =
            log.lines().filter(|line| line.contains("negotiated") && line.contains(&format!("peer={peer}")));
        let modes: Vec<bool> = lines.map(|line| line.contains(&format!("mode={mode}"))).collect();
        ensure!(
            !modes.is_empty() && modes.iter().all(|same| *same),
            "{mode}: Axon's log says of {peer}: {modes:?}"
        );
    }
    Ok(())
}

/// The v2 port that a map gives.
fn port(bench: &Bench, prefix: &str, pointer: &str) -> Result<u16> {
    let dump: Value =
        serde_json::from_str(&bench.cluster.mon_command(json!({"prefix": prefix, "format": "json"}))?)?;
    let addrs =
        dump.pointer(pointer).and_then(Value::as_array).with_context(|| format!("{prefix}: {dump}"))?;
    let addr = addrs.iter().find(|a| a["type"] == "v2").and_then(|a| a["addr"].as_str());
    let port = addr.and_then(|addr| addr.rsplit(':').next()).context("no v2 address")?;
    Ok(port.parse()?)
}

const HEALTH_AT_MOST: Duration = Duration::from_secs(120);
