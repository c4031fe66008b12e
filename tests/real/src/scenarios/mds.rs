//! An MDS dies and comes back while Axon is asked about its file system.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Kind, Release};
use serde_json::{Value, json};

use crate::compare::get;
use crate::{Bench, http};

const PASSWORD: &str = "Mds-death-Pass-1!";
const CLIENTS: &str = "/api/cephfs/1/clients";

/// While nobody holds the rank, clients are answered as upstream's release does; the daemon that comes back is asked by its new
/// global id, and is described and counted again.
pub fn comes_back(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let token = token(bench)?;
    let ask = |path: &str| -> Result<Value> {
        get(path).send(&bench.url(Kind::Axon).context("no port")?, Some(&token))
    };
    let until = |what: &str, path: &str, holds: &dyn Fn(&Value) -> bool| -> Result<Value> {
        let begun = Instant::now();
        loop {
            let answer = ask(path)?;
            if holds(&answer) {
                return Ok(answer);
            }
            if begun.elapsed() > AT_MOST {
                bail!("{what}: {path} still answers {answer}");
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    };
    let listed = |answer: &Value| answer["status"] == 200 && answer["body"]["data"].is_array();
    until("before", CLIENTS, &listed)?;

    bench.cluster.kill("mds.a")?;
    bench.cluster.mon_command(json!({"prefix": "mds fail", "role_or_gid": "a"}))?;
    let failed = |answer: &Value| answer["body"]["cephfs"]["ranks"][0]["state"] == "failed";
    let status = until("the rank fails", "/api/cephfs/1", &failed)?;
    ensure!(status["body"]["versions"] == json!({}), "a daemon that is gone still counts: {status}");
    let expected = if bench.release() == Release::Pacific { 503 } else { 200 };
    until("nobody is there", CLIENTS, &|answer| answer["status"] == expected)?;

    bench.cluster.start("mds.a")?;
    until("the daemon is back", CLIENTS, &|answer| listed(answer) && answer["body"]["status"] == 0)?;
    let held = |answer: &Value| answer["body"]["cephfs"]["ranks"][0]["state"] == "active";
    until("it is active", "/api/cephfs/1", &held)?;
    let described = |answer: &Value| {
        let versions = answer["body"]["versions"].as_object();
        versions.is_some_and(|versions| versions.values().any(|names| names == &json!(["a"])))
    };
    until("it is described", "/api/cephfs/1", &described)?;
    let counted = |answer: &Value| {
        let series = answer["body"]["a"]["mds_mem.ino"].as_array();
        series.is_some_and(|series| series.len() > 1)
    };
    until("it is counted", "/api/cephfs/1/mds_counters", &counted)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    Ok(())
}

const AT_MOST: Duration = Duration::from_secs(60);

fn token(bench: &Bench) -> Result<String> {
    let file = bench.cluster.dir().join("mds.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let made = bench.cluster.ceph(&["dashboard", "ac-user-create", "mds-reader", "-i", file, "read-only"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    http::login(&base, "mds-reader", PASSWORD)
        .with_context(|| String::from_utf8_lossy(&made.stderr).trim().to_owned())
}
