//! Commands to one daemon, through REST (an operation of the dashboard's, and `POST /api/axon/command`) and `axon command`, while that daemon dies and comes back.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::compare::{Ask, get, post};
use crate::{Bench, http};

const PASSWORD: &str = "Restart-Pass-1!";

/// A daemon, the targets that stand for it, and the REST request that asks it too.
struct Case {
    daemon: &'static str,
    /// All are asked at once. `PG` is a placement group that `osd.0` leads, `GID` the global id of `mds.a` at that moment.
    targets: &'static [&'static str],
    command: &'static [&'static str],
    /// The dashboard's operation that asks the same daemon.
    rest: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case {
        daemon: "osd.0",
        targets: &["osd.0"],
        command: &["perf", "dump"],
        rest: Some("/api/osd/0/histogram"),
    },
    Case { daemon: "osd.0", targets: &["pg.PG"], command: &[r#"{"prefix": "query"}"#], rest: None },
    Case {
        daemon: "mds.a",
        targets: &["mds.0", "mds.demo:0", "mds.a", "mds.*", "mds.GID"],
        command: &["session", "ls"],
        rest: Some("/api/cephfs/1/clients"),
    },
    Case { daemon: "mon.a", targets: &["mon.a"], command: &["mon_status"], rest: None },
];

/// What a caller may be told while the daemon is away: that there are no monitors (1, as `ceph` exits), ENOENT, ENXIO, EAGAIN, ENOSYS (an
/// MDS that is not active yet), ECONNRESET, ETIMEDOUT.
const ERRNOS: &[i32] = &[0, 1, 2, 6, 11, 38, 104, 110];
const ENOENT: i32 = 2;
const EAGAIN: i32 = 11;
/// 400 is the daemon's own no.
const STATUSES: &[u64] = &[200, 400, 404, 503, 504];
/// For one answer, and for the daemon to answer again.
const ANSWER_SECS: u64 = 8;
const BACK_AT_MOST: Duration = Duration::from_secs(90);

/// Every call ends in time with an answer or a clear error, and the daemon that is back is asked again.
pub fn daemons_answer_through_their_restart(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let token = token(bench)?;
    let mut names = Names { pg: pg_of(bench)?, gid: mds_gid(bench)?.context("mds.a is not in the map")? };
    // A monitor that is told something wants every capability, which `profile mgr` is not.
    may_tell_monitors(bench, "allow *")?;
    let done = CASES.iter().try_for_each(|case| {
        through_restart(bench, case, &mut names, &token)
            .with_context(|| format!("{:?} while {} restarts", case.targets, case.daemon))?;
        bench.cluster.wait_well(&[], Duration::from_secs(120)).map(|_| ())
    });
    may_tell_monitors(bench, "profile mgr")?;
    done
}

/// What the manager's key may do at the monitors.
fn may_tell_monitors(bench: &Bench, mon: &str) -> Result<()> {
    let caps = ["mon", mon, "osd", "allow *", "mds", "allow *"];
    bench.mon(json!({"prefix": "auth caps", "entity": "mgr.x", "caps": caps})).map(|_| ())
}

/// What targets are called that have no fixed name.
struct Names {
    pg: String,
    gid: u64,
}

/// Exit codes of `axon command` by target, and statuses of REST: of the command by target, then of the dashboard's operation.
#[derive(Debug, PartialEq)]
struct Asked(Vec<i32>, Vec<u64>);

impl Asked {
    fn is_well(&self) -> bool {
        self.0.iter().all(|code| *code == 0) && self.1.iter().all(|status| *status == 200)
    }
}

fn through_restart(bench: &Bench, case: &Case, names: &mut Names, token: &str) -> Result<()> {
    let first = ask(bench, case, names, token)?;
    ensure!(first.is_well(), "before: {first:?}");
    bench.cluster.kill(case.daemon)?;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(ask(bench, case, names, token)?);
    }
    bench.cluster.start(case.daemon)?;
    let (begun, gone) = (Instant::now(), names.gid);
    loop {
        if case.targets.contains(&"mds.GID")
            && let Some(gid) = mds_gid(bench)?
        {
            names.gid = gid;
        }
        let answer = ask(bench, case, names, token)?;
        let is_well = answer.is_well();
        seen.push(answer);
        if is_well {
            break;
        }
        if begun.elapsed() > BACK_AT_MOST {
            bail!("it is not asked again: {seen:?}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("{:?} and REST while {} restarts: {seen:?}", case.targets, case.daemon);
    if gone != names.gid {
        let old = run(bench, &format!("mds.{gone}"), case.command)?;
        ensure!(old == ENOENT, "the global id from before the restart: exit code {old}");
    }
    Ok(())
}

/// All targets, and the REST request.
fn ask(bench: &Bench, case: &Case, names: &Names, token: &str) -> Result<Asked> {
    let named = |target: &str| target.replace("PG", &names.pg).replace("GID", &names.gid.to_string());
    let targets: Vec<String> = case.targets.iter().map(|target| named(target)).collect();
    let asks: Vec<Ask> = targets
        .iter()
        .map(|target| post("/api/axon/command", by_rest(target, case.command)))
        .chain(case.rest.map(get))
        .collect();
    let url = bench.url(Kind::Axon).context("no port")?;
    std::thread::scope(|scope| {
        let codes: Vec<_> = targets
            .iter()
            .map(|target| scope.spawn(move || run(bench, target, case.command).context(target.clone())))
            .collect();
        let statuses: Vec<_> = asks.iter().map(|ask| scope.spawn(|| status(ask, &url, token))).collect();
        let codes = codes.into_iter().map(|one| one.join().map_err(|_| anyhow!("panicked"))?);
        let codes = codes.collect::<Result<Vec<_>>>()?;
        let statuses = statuses.into_iter().map(|one| one.join().map_err(|_| anyhow!("panicked"))?);
        Ok(Asked(codes, statuses.collect::<Result<_>>()?))
    })
}

/// The body of `POST /api/axon/command`; words are a prefix, as none of these commands has arguments.
fn by_rest(target: &str, words: &[&str]) -> Value {
    let command = match words {
        [json] if json.starts_with('{') => serde_json::from_str(json).unwrap_or_default(),
        words => json!({"prefix": words.join(" "), "format": "json"}),
    };
    json!({"target": target, "command": command, "timeout": ANSWER_SECS})
}

/// The status of an answer that is there in time and says why it is none.
fn status(ask: &Ask, url: &str, token: &str) -> Result<u64> {
    let begun = Instant::now();
    let answer = ask.send(url, Some(token))?;
    let status = answer["status"].as_u64().unwrap_or_default();
    ensure!(STATUSES.contains(&status), "{} answers {answer}", ask.path);
    ensure!(status == 200 || answer["body"]["detail"].is_string(), "{} does not say why: {answer}", ask.path);
    let at_most = Duration::from_secs(ANSWER_SECS + 2);
    ensure!(begun.elapsed() < at_most || ask.method == "GET", "{} took {:?}", ask.path, begun.elapsed());
    Ok(status)
}

/// The exit code of `axon command`, in time and with a word if it is not 0.
fn run(bench: &Bench, target: &str, command: &[&str]) -> Result<i32> {
    let begun = Instant::now();
    let output = axon(bench, &["command", "--timeout", &ANSWER_SECS.to_string()], target, command)?;
    let code = output.status.code().context("axon command was killed")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(ERRNOS.contains(&code), "exit code {code}: {said}");
    ensure!(code == 0 || !said.is_empty(), "exit code {code} without a word");
    let at_most = Duration::from_secs(ANSWER_SECS + 2);
    ensure!(begun.elapsed() < at_most, "axon command took {:?}", begun.elapsed());
    Ok(code)
}

/// A manager is asked by its name while it is active, stands by, is gone and comes back.
pub fn a_manager_is_asked_by_name(bench: &mut Bench) -> Result<()> {
    const VERSION: &[&str] = &[r#"{"prefix": "version"}"#];
    bench.only(Kind::Axon)?;
    bench.stand_by(Kind::Ceph)?;
    let (ours, theirs) = ("mgr.x", "mgr.y");
    let becomes = |bench: &Bench, target: &str, expected: &[i32]| -> Result<i32> {
        let begun = Instant::now();
        loop {
            let code = run(bench, target, VERSION)?;
            if expected.contains(&code) {
                return Ok(code);
            }
            ensure!(begun.elapsed() < BACK_AT_MOST, "{target}: exit code {code}, expected {expected:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    ensure!(run(bench, ours, VERSION)? == 0, "the active one answers");
    ensure!(run(bench, theirs, VERSION)? == EAGAIN, "a standby takes no commands");
    bench.cluster.stop(ours)?;
    becomes(bench, theirs, &[0]).context("the other one took over")?;
    ensure!(run(bench, ours, VERSION)? == ENOENT, "it has left the map");
    bench.cluster.start(ours)?;
    becomes(bench, ours, &[EAGAIN]).context("it stands by")?;
    bench.cluster.kill(ours)?;
    // The monitors may not have missed its beacons yet.
    let killed = becomes(bench, ours, &[EAGAIN, ENOENT])?;
    bench.cluster.start(ours)?;
    becomes(bench, ours, &[EAGAIN]).context("it stands by again")?;
    bench.only(Kind::Axon)?;
    becomes(bench, ours, &[0]).context("it is active again")?;
    println!("a standby that was killed: exit code {killed}");
    Ok(())
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

/// The global id of `mds.a`, if it is in the map.
fn mds_gid(bench: &Bench) -> Result<Option<u64>> {
    let map = bench.cluster.ceph_json(&["fs", "dump"])?;
    let ranks = map["filesystems"].as_array().into_iter().flatten();
    let ranks = ranks.filter_map(|fs| fs["mdsmap"]["info"].as_object()).flatten().map(|(_, info)| info);
    let all = ranks.chain(map["standbys"].as_array().into_iter().flatten());
    Ok(all.filter(|info| info["name"] == "a").find_map(|info| info["gid"].as_u64()))
}

/// A placement group whose primary is osd.0.
pub(super) fn pg_of(bench: &Bench) -> Result<String> {
    let listed: Value = bench.cluster.ceph_json(&["pg", "ls-by-primary", "osd.0"])?;
    let first = listed["pg_stats"][0]["pgid"].as_str().or(listed[0]["pgid"].as_str());
    Ok(first.with_context(|| format!("osd.0 leads no group: {listed}"))?.to_owned())
}

pub(super) fn token(bench: &Bench) -> Result<String> {
    let file = bench.cluster.dir().join("restart.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let made =
        bench.cluster.ceph(&["dashboard", "ac-user-create", "restarter", "-i", file, "administrator"])?;
    let base = bench.url(Kind::Axon).context("no port")?;
    http::login(&base, "restarter", PASSWORD)
        .with_context(|| String::from_utf8_lossy(&made.stderr).trim().to_owned())
}
