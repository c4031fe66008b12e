//! Managers take over from each other: users, settings, tokens and daemons' sessions outlive it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::compare::get;
use crate::{Bench, http};

const PASSWORD: &str = "Failover-Pass-1!";

/// What an operator left at one manager and finds at the other.
struct Left {
    user: &'static str,
    token: String,
}

/// `ceph-mgr` → Axon → `ceph-mgr` by `ceph mgr fail`, then by SIGTERM and by SIGKILL of the active one.
pub fn both_ways(bench: &mut Bench) -> Result<()> {
    let has_rest = bench.release().stock_modules_load();
    bench.only(Kind::Ceph)?;
    bench.stand_by(Kind::Axon)?;
    let mut left = Vec::new();
    if has_rest {
        left.push(leave(bench, Kind::Ceph, "failover-stock")?);
        redirects(bench, Kind::Axon, Kind::Ceph)?;
    }

    fail_over(bench, Kind::Axon)?;
    find(bench, Kind::Axon, &left)?;
    left.push(leave(bench, Kind::Axon, "failover-axon")?);
    health_follows(bench, &left)?;
    if has_rest {
        redirects(bench, Kind::Ceph, Kind::Axon)?;
    }
    bench.pgs_follow_a_dying_osd("osd.2", ALLOWED)?;

    fail_over(bench, Kind::Ceph)?;
    if has_rest {
        find(bench, Kind::Ceph, &left)?;
        redirects(bench, Kind::Axon, Kind::Ceph)?;
    }
    bench.pgs_follow_a_dying_osd("osd.0", ALLOWED)?;

    bench.cluster.stop(&format!("mgr.{}", Bench::id(Kind::Ceph)))?;
    took_over(bench, Kind::Axon)?;
    find(bench, Kind::Axon, &left)?;
    health_follows(bench, &left)?;

    bench.stand_by(Kind::Ceph)?;
    bench.cluster.stop(&format!("mgr.{}", Bench::id(Kind::Axon)))?;
    took_over(bench, Kind::Ceph)?;

    bench.stand_by(Kind::Axon)?;
    bench.cluster.kill(&format!("mgr.{}", Bench::id(Kind::Ceph)))?;
    took_over(bench, Kind::Axon)?;
    find(bench, Kind::Axon, &left)?;
    health_follows(bench, &left)?;
    bench.pgs_follow_a_dying_osd("osd.1", ALLOWED)?;
    Ok(())
}

/// On Debian 13 the stock manager says that it loads no module.
const ALLOWED: &[&str] = &["MGR_MODULE_DEPENDENCY"];

/// `ceph mgr fail`, and a command for the manager right behind it.
fn fail_over(bench: &mut Bench, to: Kind) -> Result<()> {
    bench.cluster.mon_command(json!({"prefix": "mgr fail"}))?;
    took_over(bench, to)
}

/// The manager of that kind is active, and its commands are answered from the first moment on.
fn took_over(bench: &Bench, to: Kind) -> Result<()> {
    bench.cluster.wait_manager(Bench::id(to), Duration::from_secs(90))?;
    let stat = bench.cluster.ceph_json(&["pg", "stat"])?;
    ensure!(stat.to_string().contains("num_pgs"), "pg stat right after the failover: {stat}");
    if to == Kind::Axon {
        // A module's command, which upstream refuses for seconds after a failover.
        let out = bench.cluster.ceph(&["dashboard", "get-grafana-api-url"])?;
        ensure!(out.status.success(), "dashboard command: {}", String::from_utf8_lossy(&out.stderr));
    }
    bench.cluster.wait_well(ALLOWED, Duration::from_secs(120))?;
    let versions = bench.cluster.ceph_json(&["versions"])?;
    ensure!(versions.get("osd").is_some(), "{versions}");
    Ok(())
}

/// Makes a user and a setting at the active manager and logs in there.
fn leave(bench: &Bench, at: Kind, user: &'static str) -> Result<Left> {
    let base = bench.url(at).context("no port")?;
    let file = bench.cluster.dir().join("failover.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let begun = Instant::now();
    loop {
        let made = bench.cluster.ceph(&["dashboard", "ac-user-create", user, "-i", file, "read-only"])?;
        let set = bench.cluster.ceph(&["dashboard", "set-grafana-api-url", &url_of(user)])?;
        let login = http::login(&base, user, PASSWORD);
        match login {
            Ok(token) if set.status.success() => return Ok(Left { user, token }),
            login if begun.elapsed() > Duration::from_secs(90) => {
                let words = |out: &std::process::Output| String::from_utf8_lossy(&out.stderr).into_owned();
                bail!("{user}: {} {} {:?}", words(&made), words(&set), login.err());
            }
            _ => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// A setting that tells who made it.
fn url_of(user: &str) -> String {
    format!("http://grafana.example/{user}")
}

/// Tokens are valid, users log in, and the last setting stands.
fn find(bench: &Bench, at: Kind, left: &[Left]) -> Result<()> {
    let Some(last) = left.last() else { return Ok(()) };
    let base = bench.url(at).context("no port")?;
    // The stock manager answers REST some seconds after it is available.
    let begun = Instant::now();
    let patience = if at == Kind::Axon { Duration::ZERO } else { Duration::from_secs(60) };
    for Left { user, token } in left {
        loop {
            let answer = get(format!("/api/user/{user}")).send(&base, Some(token));
            let status = answer.as_ref().ok().and_then(|a| a.get("status")?.as_u64());
            if status == Some(200) {
                break;
            }
            ensure!(begun.elapsed() < patience, "{user}'s token at {at:?}: {answer:?}");
            std::thread::sleep(Duration::from_secs(1));
        }
        http::login(&base, user, PASSWORD)?;
    }
    let setting = get("/api/grafana/url").send(&base, Some(&last.token))?;
    let instance = setting.pointer("/body/instance").and_then(Value::as_str);
    ensure!(instance == Some(&url_of(last.user)), "the setting at {at:?}: {setting}");
    Ok(())
}

/// What the monitors say about health reaches the manager that took over: they stop telling it when they drop an active one.
fn health_follows(bench: &Bench, left: &[Left]) -> Result<()> {
    let (base, last) = (bench.url(Kind::Axon).context("no port")?, left.last().context("no user")?);
    let result = [("osd set", true), ("osd unset", false)].into_iter().try_for_each(|(prefix, there)| {
        bench.mon(json!({"prefix": prefix, "key": "nodeep-scrub"}))?;
        let begun = Instant::now();
        loop {
            let answer = get("/api/health/minimal").send(&base, Some(&last.token))?;
            let checks = answer.pointer("/body/health/checks").and_then(Value::as_array);
            let checks = checks.with_context(|| format!("no health checks in {answer}"))?;
            if checks.iter().any(|check| check["type"] == "OSDMAP_FLAGS") == there {
                return Ok(());
            }
            ensure!(begun.elapsed() < HEALTH_AT_MOST, "after `{prefix} nodeep-scrub`: {checks:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let _ = bench.mon(json!({"prefix": "osd unset", "key": "nodeep-scrub"}));
    result
}

/// Digests come every 5 s, or when something changes.
const HEALTH_AT_MOST: Duration = Duration::from_secs(15);

/// The standby's port leads to the active manager.
fn redirects(bench: &Bench, standby: Kind, active: Kind) -> Result<()> {
    let base = bench.url(standby).context("no port")?;
    let wanted = bench.url(active).context("no port")?;
    let begun = Instant::now();
    loop {
        let answer = http::send(&base, "GET", "/", &[], None);
        let location = answer.as_ref().ok().and_then(|a| a.header("location").map(str::to_owned));
        if location.as_deref().is_some_and(|l| l.trim_end_matches('/') == wanted) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "{standby:?} as standby answers {answer:?}, not a redirect to {wanted}"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}
