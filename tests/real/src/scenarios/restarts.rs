//! Commands to one daemon, through REST and `axon command`, while that daemon dies and comes back.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use serde_json::Value;

use crate::compare::get;
use crate::{Bench, http};

const PASSWORD: &str = "Restart-Pass-1!";

/// A daemon, how it is asked, and the REST request that asks it too.
struct Case {
    daemon: &'static str,
    target: &'static str,
    command: &'static [&'static str],
    rest: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case { daemon: "osd.0", target: "osd.0", command: &["perf", "dump"], rest: Some("/api/osd/0/histogram") },
    Case { daemon: "osd.0", target: "pg.PG", command: &[r#"{"prefix": "query"}"#], rest: None },
    Case {
        daemon: "mds.a",
        target: "mds.0",
        command: &["session", "ls"],
        rest: Some("/api/cephfs/1/clients"),
    },
    Case { daemon: "mon.a", target: "mon.a", command: &["mon_status"], rest: None },
];

/// What a caller may be told while the daemon is away: that there are no monitors (1, as `ceph` exits), ENOENT, ENXIO, EAGAIN, ENOSYS (an
/// MDS that is not active yet), ECONNRESET, ETIMEDOUT.
const ERRNOS: &[i32] = &[0, 1, 2, 6, 11, 38, 104, 110];
const STATUSES: &[u64] = &[200, 404, 503, 504];
/// For one answer, and for the daemon to answer again.
const ANSWER_SECS: u64 = 8;
const BACK_AT_MOST: Duration = Duration::from_secs(90);

/// Every call ends in time with an answer or a clear error, and the daemon that is back is asked again.
pub fn daemons_answer_through_their_restart(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let token = token(bench)?;
    let pg = pg_of(bench)?;
    for case in CASES {
        let target = case.target.replace("PG", &pg);
        through_restart(bench, case, &target, &token)
            .with_context(|| format!("{target} while {} restarts", case.daemon))?;
        bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    }
    Ok(())
}

fn through_restart(bench: &Bench, case: &Case, target: &str, token: &str) -> Result<()> {
    let first = ask(bench, case, target, token)?;
    ensure!(first == (0, 200), "before: exit code {}, status {}", first.0, first.1);
    bench.cluster.kill(case.daemon)?;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(ask(bench, case, target, token)?);
    }
    bench.cluster.start(case.daemon)?;
    let begun = Instant::now();
    loop {
        let answer = ask(bench, case, target, token)?;
        seen.push(answer);
        if answer == (0, 200) {
            println!("{target}: exit code and status while {} restarts: {seen:?}", case.daemon);
            return Ok(());
        }
        if begun.elapsed() > BACK_AT_MOST {
            bail!("it is not asked again: {seen:?}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The exit code of `axon command`, and the status of the REST request; 200 where there is none.
fn ask(bench: &Bench, case: &Case, target: &str, token: &str) -> Result<(i32, u64)> {
    let begun = Instant::now();
    let output = axon(bench, &["command", "--timeout", &ANSWER_SECS.to_string()], target, case.command)?;
    let code = output.status.code().context("axon command was killed")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(ERRNOS.contains(&code), "exit code {code}: {said}");
    ensure!(code == 0 || !said.is_empty(), "exit code {code} without a word");
    let at_most = Duration::from_secs(ANSWER_SECS + 2);
    ensure!(begun.elapsed() < at_most, "axon command took {:?}", begun.elapsed());
    let Some(path) = case.rest else { return Ok((code, 200)) };
    let answer = get(path).send(&bench.url(Kind::Axon).context("no port")?, Some(token))?;
    let status = answer["status"].as_u64().unwrap_or_default();
    ensure!(STATUSES.contains(&status), "{path} answers {answer}");
    Ok((code, status))
}

/// `axon trace` shows where the time of a command and of a REST request goes.
pub fn traces_show_every_hop(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let shown = axon(bench, &["trace"], "osd.0", &[r#"{"prefix": "version"}"#])?;
    expect(&shown, &["session with mon.", "auth", "connect to osd.0", "queue", "osd.0 answers", "frame in"])?;
    token(bench)?;
    let (file, url) =
        (bench.cluster.dir().join("restart.password"), bench.url(Kind::Axon).context("no port")?);
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let rest = ["trace", "--url", &url, "--user", "restarter", "--password-file", file];
    let shown = axon(bench, &rest, "mon", &["GET", "/api/cephfs/1/clients"])?;
    expect(
        &shown,
        &["GET /api/cephfs/1/clients", "handler", "command \"session ls\"", "answers", "frame out"],
    )?;

    // The central configuration's modes count for the manager's next connection.
    let histogram = || axon(bench, &rest, "mon", &["GET", "/api/osd/1/histogram"]);
    expect(&histogram()?, &["osd.1 answers", "mode secure"])?;
    bench.cluster.ceph_ok(&["config", "set", "mgr", "ms_mon_service_mode", "crc"])?;
    bench.cluster.kill("osd.1")?;
    bench.cluster.start("osd.1")?;
    let begun = Instant::now();
    let result = loop {
        match expect(&histogram()?, &["osd.1 answers", "mode crc"]) {
            Err(_) if begun.elapsed() < BACK_AT_MOST => std::thread::sleep(Duration::from_millis(500)),
            done => break done,
        }
    };
    bench.cluster.ceph_ok(&["config", "rm", "mgr", "ms_mon_service_mode"])?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    result
}

fn expect(shown: &Output, words: &[&str]) -> Result<()> {
    let (text, said) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    ensure!(shown.status.success(), "{text}{said}");
    for word in words {
        ensure!(text.contains(word), "{word:?} is not in\n{text}");
    }
    Ok(())
}

/// The axon program on the cluster; `first` are subcommand and options.
fn axon(bench: &Bench, first: &[&str], target: &str, words: &[&str]) -> Result<Output> {
    let program = bench.cluster.state().axon.clone().context("no axon program")?;
    let mut run = Command::new(program);
    run.args(first).arg("-c").arg(bench.cluster.conf_path());
    run.arg("-k").arg(bench.cluster.dir().join("keyring")).args(["-t", target]).args(words);
    run.output().context("cannot run axon")
}

/// A placement group whose primary is osd.0.
fn pg_of(bench: &Bench) -> Result<String> {
    let listed: Value = bench.cluster.ceph_json(&["pg", "ls-by-primary", "osd.0"])?;
    let first = listed["pg_stats"][0]["pgid"].as_str().or(listed[0]["pgid"].as_str());
    Ok(first.with_context(|| format!("osd.0 leads no group: {listed}"))?.to_owned())
}

fn token(bench: &Bench) -> Result<String> {
    let file = bench.cluster.dir().join("restart.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let made = bench.cluster.ceph(&["dashboard", "ac-user-create", "restarter", "-i", file, "read-only"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    http::login(&base, "restarter", PASSWORD)
        .with_context(|| String::from_utf8_lossy(&made.stderr).trim().to_owned())
}
