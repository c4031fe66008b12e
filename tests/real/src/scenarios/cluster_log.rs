//! What Axon writes to the cluster log, and that nothing is lost while no monitor is there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::{Bench, http};

const PASSWORD: &str = "Log-lines-Pass-1!";

/// Audit lines of commands and of REST requests, and the line about the PG map, as upstream's manager writes them.
pub fn has_axons_lines(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    bench.cluster.ceph_ok(&["pg", "stat"])?;
    let dispatched = ["mgr.x", "entity='client.admin'", r#"cmd=[{"prefix": "pg stat""#, ": dispatch"];
    wait_for(bench, "audit", &dispatched)?;
    wait_for(bench, "cluster", &["mgr.x", "pgmap v", "active+clean"])?;
    denied(bench)?;

    let token = token(bench)?;
    bench.cluster.ceph_ok(&["dashboard", "set-audit-api-enabled", "true"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    let check = |agent: &str| -> Result<()> {
        let body = json!({"token": token}).to_string();
        let path = format!("/api/auth/check?token={agent}");
        let headers =
            [("accept", "application/vnd.ceph.api.v1.0+json"), ("content-type", "application/json")];
        let answer = http::send(&base, "POST", &path, &headers, Some(body.as_bytes()))?;
        ensure!(answer.status < 500, "{path}: {}", answer.status);
        Ok(())
    };
    let audited = ["mgr.x", "[DASHBOARD]", "path='/api/auth/check'", "method='POST'"];
    check("once")?;
    let before = wait_for(bench, "audit", &audited)?;

    // Without a monitor the line waits, and the next session takes it.
    bench.cluster.kill("mon.a")?;
    check("again")?;
    std::thread::sleep(Duration::from_secs(2));
    bench.cluster.start("mon.a")?;
    let begun = Instant::now();
    while count(bench, "audit", &audited)? != before + 1 {
        if begun.elapsed() > AT_MOST {
            bail!("{} lines, expected {}", count(bench, "audit", &audited)?, before + 1);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bench.cluster.ceph_ok(&["dashboard", "set-audit-api-enabled", "false"])?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    Ok(())
}

/// A key without capabilities for the manager.
fn denied(bench: &Bench) -> Result<()> {
    let keyring = bench.cluster.dir().join("nobody.keyring");
    let key = bench.cluster.ceph_ok(&["auth", "get-or-create", "client.nobody", "mon", "allow r"])?;
    std::fs::write(&keyring, key)?;
    let keyring = keyring.to_str().context("the folder's name is not UTF-8")?;
    let out = bench.cluster.ceph(&["-n", "client.nobody", "-k", keyring, "pg", "stat"])?;
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    ensure!(!out.status.success() && err.contains("access denied"), "{err}");
    wait_for(bench, "audit", &["mgr.x", "entity='client.nobody'", r#""pg stat""#, ":  access denied"])?;
    bench.cluster.ceph_ok(&["auth", "rm", "client.nobody"])?;
    Ok(())
}

/// Waits for a line with all these parts; how many there are.
fn wait_for(bench: &Bench, channel: &str, parts: &[&str]) -> Result<usize> {
    let begun = Instant::now();
    loop {
        match count(bench, channel, parts)? {
            0 if begun.elapsed() > AT_MOST => bail!("no line of channel {channel} has all of {parts:?}"),
            0 => std::thread::sleep(Duration::from_millis(500)),
            lines => return Ok(lines),
        }
    }
}

fn count(bench: &Bench, channel: &str, parts: &[&str]) -> Result<usize> {
    let last = json!({"prefix": "log last", "num": 1000, "level": "debug", "channel": channel});
    let text = bench.cluster.mon_command(last)?;
    // The answer may be JSON or text.
    let lines: Vec<String> = match serde_json::from_str::<Vec<Value>>(&text) {
        Ok(entries) => entries.iter().map(|e| format!("{} {}", e["name"], e["message"])).collect(),
        Err(_) => text.lines().map(str::to_owned).collect(),
    };
    Ok(lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count())
}

fn token(bench: &Bench) -> Result<String> {
    let file = bench.cluster.dir().join("log.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let made = bench.cluster.ceph(&["dashboard", "ac-user-create", "log-reader", "-i", file, "read-only"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    http::login(&base, "log-reader", PASSWORD)
        .with_context(|| String::from_utf8_lossy(&made.stderr).trim().to_owned())
}

const AT_MOST: Duration = Duration::from_secs(40);
