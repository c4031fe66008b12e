//! The operator's face: `axon command` beside `ceph` and `ceph tell` on the same daemons, and what `axon dencoder` prints of real maps
//! beside what the monitors print.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_denc::Encode;
use axon_launcher::Kind;
use axon_proto::Message;
use serde_json::Value;

use crate::Bench;

/// Asked by both; `None` is a command of the monitors without `tell`.
struct Asked {
    target: Option<&'static str>,
    words: &'static [&'static str],
    same: Same,
}

/// What has to be equal.
enum Same {
    /// Exit code, standard output and standard error.
    Everything,
    /// Exit code and that something was printed: the answer moves with time.
    Code,
    /// Exit code and the last line of standard error: the lines before name the nearest commands, or the signature, in words of their own.
    LastWord,
    /// Exit code, and that standard error names it: the reason is longer here.
    Errno,
}

const fn ask(target: Option<&'static str>, words: &'static [&'static str], same: Same) -> Asked {
    Asked { target, words, same }
}

/// Daemons that answer, in each way: well, unknown command, bad argument, the daemon's own error.
const ASKED: &[Asked] = &[
    ask(None, &["fsid"], Same::Everything),
    ask(None, &["status"], Same::Code),
    ask(None, &["osd", "getmaxosd", "--format", "json"], Same::Everything),
    ask(None, &["nonsense"], Same::LastWord),
    ask(None, &["osd", "reweight", "0", "7"], Same::LastWord),
    ask(None, &["osd", "pool", "get", "nopool", "size"], Same::Everything),
    ask(None, &["config-key", "get", "nokey"], Same::Everything),
    ask(None, &["pg", "dump", "sum", "--format", "json"], Same::Code),
    ask(Some("mon.a"), &["version"], Same::Everything),
    ask(Some("mon.a"), &["version", "--format", "json"], Same::Everything),
    ask(Some("mon.a"), &["nonsense"], Same::LastWord),
    ask(Some("mon.a"), &["config", "set"], Same::LastWord),
    ask(Some("mon.a"), &["config", "get", "nonsense"], Same::Everything),
    ask(Some("osd.0"), &["version"], Same::Everything),
    ask(Some("osd.0"), &["version", "--format", "json"], Same::Everything),
    ask(Some("osd.0"), &["nonsense"], Same::LastWord),
    ask(Some("osd.0"), &["config", "set"], Same::LastWord),
    ask(Some("osd.0"), &["config", "get", "nonsense"], Same::Everything),
    ask(Some("mds.a"), &["version"], Same::Everything),
    ask(Some("mds.a"), &["nonsense"], Same::LastWord),
    ask(Some("mds.a"), &["config", "get", "nonsense"], Same::Everything),
    ask(Some("PG"), &["query"], Same::Code),
    ask(Some("PG"), &["nonsense"], Same::LastWord),
    ask(Some("mgr.x"), &["version"], Same::Everything),
    ask(Some("mgr.x"), &["nonsense"], Same::LastWord),
    ask(Some("mgr.x"), &["config", "get", "nonsense"], Same::Everything),
    ask(Some("mon.zz"), &["version"], Same::Errno),
    ask(Some("osd.77"), &["version"], Same::Errno),
    ask(Some("mds.zz"), &["version"], Same::Errno),
    ask(Some("99.1"), &["query"], Same::Errno),
];

/// The same words, exit codes and output; input and output files; a daemon that is down, and one that is silent.
pub fn commands_end_as_upstreams(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    for asked in ASKED {
        compared(bench, asked)?;
    }
    files_travel(bench)?;
    // Down, but not out: its groups and the map know it.
    bench.cluster.kill("osd.2")?;
    bench.cluster.ceph_ok(&["osd", "down", "2"])?;
    let result = compared(bench, &ask(Some("osd.2"), &["version"], Same::Errno));
    bench.cluster.start("osd.2")?;
    result?;
    silence_ends_in_time(bench)
}

fn compared(bench: &Bench, asked: &Asked) -> Result<()> {
    let Asked { target, words, same } = asked;
    let pg = "1.0";
    let target = target.map(|t| t.replace("PG", pg));
    let mut told: Vec<&str> = target.iter().flat_map(|target| ["tell", target]).collect();
    told.extend(*words);
    let upstream = bench.cluster.ceph(&told)?;
    let ours = axon(bench, target.as_deref(), words)?;
    let both = || format!("{told:?}: upstream {}, Axon {}", shown(&upstream), shown(&ours));
    ensure!(upstream.status.code() == ours.status.code(), "exit codes differ: {}", both());
    let last = |output: &Output| text(&output.stderr).lines().last().unwrap_or_default().to_owned();
    match same {
        Same::Everything => {
            ensure!(text(&upstream.stdout) == text(&ours.stdout), "standard output differs: {}", both());
            ensure!(text(&upstream.stderr) == text(&ours.stderr), "standard error differs: {}", both());
        }
        Same::Code => ensure!(!ours.stdout.is_empty() && !upstream.stdout.is_empty(), "{}", both()),
        Same::LastWord => {
            ensure!(!ours.status.success() && ours.stdout.is_empty(), "{}", both());
            ensure!(last(&upstream) == last(&ours), "the last line differs: {}", both());
        }
        Same::Errno => {
            ensure!(!ours.status.success() && ours.stdout.is_empty(), "{}", both());
            let errno = last(&upstream).split(':').next().unwrap_or_default().to_owned();
            ensure!(errno.starts_with("Error E") && last(&ours).starts_with(&errno), "{}", both());
        }
    }
    Ok(())
}

/// `-i` and `-o`: bytes go in and come out as they were, and a map is the same as upstream's.
fn files_travel(bench: &Bench) -> Result<()> {
    let file = |name: &str| {
        let path = bench.cluster.dir().join(name);
        Ok::<_, anyhow::Error>(path.to_str().context("the folder's name is not UTF-8")?.to_owned())
    };
    let (input, output, theirs) = (file("face.in")?, file("face.out")?, file("face.upstream")?);
    let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
    std::fs::write(&input, &bytes)?;
    let run = |words: &[&str]| -> Result<()> {
        let ours = axon(bench, None, words)?;
        ensure!(ours.status.success() && ours.stdout.is_empty(), "{words:?}: {}", shown(&ours));
        Ok(())
    };
    run(&["-i", &input, "config-key", "set", "face"])?;
    run(&["-o", &output, "config-key", "get", "face"])?;
    ensure!(std::fs::read(&output)? == bytes, "other bytes came back");
    bench.cluster.ceph_ok(&["config-key", "rm", "face"])?;
    run(&["-o", &output, "osd", "getmap", "1"])?;
    bench.cluster.ceph_ok(&["osd", "getmap", "1", "-o", &theirs])?;
    ensure!(std::fs::read(&output)? == std::fs::read(&theirs)?, "another map than upstream's");
    let missing = axon(bench, None, &["-i", "/nonexistent", "fsid"])?;
    ensure!(missing.status.code() == Some(1), "a file that is not there: {}", shown(&missing));
    Ok(())
}

/// A daemon that is stopped answers nobody; upstream waits for ever.
fn silence_ends_in_time(bench: &Bench) -> Result<()> {
    let pid = bench.cluster.process("osd.1")?.pid;
    let signal = |name: &str| Command::new("kill").args([name, &pid.to_string()]).status();
    signal("-STOP")?;
    let begun = Instant::now();
    let silent = axon(bench, Some("osd.1"), &["--timeout", "3", r#"{"prefix": "version"}"#]);
    let took = begun.elapsed();
    signal("-CONT")?;
    let silent = silent?;
    ensure!(silent.status.code() == Some(110), "no answer is ETIMEDOUT: {}", shown(&silent));
    ensure!(took < Duration::from_secs(6), "the deadline of 3 s became {took:?}");
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    Ok(())
}

/// Under upstream's manager: maps that a command gives as bytes, and those that only subscribers get, are printed by `axon dencoder` as
/// the commands print them, and given back.
pub fn dencoder_prints_maps_as_the_monitors(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    bench.cluster.wait_well(super::launcher::stock_warnings(bench), Duration::from_secs(120))?;
    const GIVEN: &[(&str, &[&str], &[&str])] = &[
        ("OSDMap", &["osd", "getmap"], &["osd", "dump"]),
        ("CrushWrapper", &["osd", "getcrushmap"], &["osd", "crush", "dump"]),
        ("MonMap", &["mon", "getmap"], &["mon", "dump"]),
        ("PGMap", &["pg", "getmap"], &["pg", "dump"]),
    ];
    let file = bench.cluster.dir().join("face.map");
    let path = file.to_str().context("the folder's name is not UTF-8")?.to_owned();
    for (name, bytes, json) in GIVEN {
        let fetch = || bench.cluster.ceph_ok(&[*bytes, &["-o", &path]].concat()).map(drop);
        same_map(bench, name, &path, &fetch, json).with_context(|| (*name).to_owned())?;
    }
    const PUSHED: &[(&str, &str, &[&str])] = &[
        ("FSMap", "fsmap", &["fs", "dump"]),
        ("MgrMap", "mgrmap", &["mgr", "dump"]),
        ("ServiceMap", "servicemap", &["service", "dump"]),
    ];
    for (name, subscription, json) in PUSHED {
        let fetch = || Ok(std::fs::write(&path, pushed(bench, subscription)?)?);
        same_map(bench, name, &path, &fetch, json).with_context(|| (*name).to_owned())?;
    }
    Ok(())
}

/// The map that the monitors push, as this release writes it.
fn pushed(bench: &Bench, what: &str) -> Result<Vec<u8>> {
    let release = axon_proto::Release::ALL.into_iter().find(|r| r.name() == bench.release().name());
    let features = release.context("a release without features")?.features();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let map = async {
        let config = axon_testkit::config(&bench.cluster, "client.admin", &[]).await?;
        let (client, mut events) = axon_net::connect(config)?;
        client.subscribe(what, 0).await;
        loop {
            let event = events.recv().await.context("the client has ended")?;
            let axon_net::Event::Message(message) = event else { continue };
            let bytes = match message {
                Message::MFSMap(message) => message.fsmap.to_bytes(features),
                Message::MMgrMap(message) if what == "mgrmap" => message.map.to_bytes(features),
                Message::MServiceMap(message) => message.service_map.to_bytes(features),
                _ => continue,
            };
            client.shutdown();
            return Ok(bytes.to_vec());
        }
    };
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), map).await })?
}

fn same_map(
    bench: &Bench,
    name: &str,
    path: &str,
    fetch: &dyn Fn() -> Result<()>,
    json: &[&str],
) -> Result<()> {
    let mut last = None;
    // A map may change between the two.
    for _ in 0..5 {
        fetch()?;
        let mut theirs = bench.cluster.ceph_json(json)?;
        let printed = dencoder(bench, &["decode", name, path, "--release", bench.release().name()])?;
        ensure!(printed.status.success(), "decode: {}", shown(&printed));
        let mut ours: Value = serde_json::from_slice(&printed.stdout)?;
        level(name, &mut theirs, &mut ours);
        last = first_difference("", &theirs, &ours);
        if last.is_none() {
            let again = dencoder(bench, &["roundtrip", name, path])?;
            // The order of a PG map's groups is not the wire's upstream.
            ensure!(name == "PGMap" || again.status.success(), "roundtrip: {}", shown(&again));
            let bytes = std::fs::read(path)?;
            std::fs::write(path, bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            let refused = dencoder(bench, &["decode", name, path])?;
            ensure!(refused.status.code() == Some(1), "half a map is refused: {}", shown(&refused));
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("the monitors' JSON differs: {}", last.unwrap_or_default())
}

/// Takes away what the command adds to the type's own dump, or computes at another time.
fn level(name: &str, theirs: &mut Value, ours: &mut Value) {
    match name {
        "MonMap" => drop(theirs.as_object_mut().map(|map| map.remove("quorum"))),
        "PGMap" => {
            if let Some(map) = theirs.get("pg_map").cloned() {
                *theirs = map;
            }
            for map in [theirs, ours] {
                let Some(map) = map.as_object_mut() else { continue };
                // Rates are not in the encoded map; stamps of the two commands differ.
                for key in ["pg_stats_delta", "stamp", "version"] {
                    map.remove(key);
                }
                // Upstream's maps are unordered.
                for list in map.values_mut().filter_map(Value::as_array_mut) {
                    let id = |item: &Value| ["pgid", "poolid", "osd"].map(|key| item[key].to_string());
                    list.sort_by_key(id);
                }
            }
        }
        _ => {}
    }
}

fn first_difference(at: &str, theirs: &Value, ours: &Value) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let null = Value::Null;
            keys.into_iter().find_map(|key| {
                let (a, b) = (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
                first_difference(&format!("{at}/{key}"), a, b)
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            (a.iter().zip(b).enumerate()).find_map(|(n, (a, b))| first_difference(&format!("{at}/{n}"), a, b))
        }
        (a, b) if a == b => None,
        // Upstream writes a whole number without a fraction.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) => Some(format!("{at}: theirs {a}, ours {b}")),
    }
}

fn axon(bench: &Bench, target: Option<&str>, words: &[&str]) -> Result<Output> {
    let mut run = program(bench)?;
    run.arg("command").arg("-c").arg(bench.cluster.conf_path());
    run.arg("-k").arg(bench.cluster.dir().join("keyring"));
    if let Some(target) = target {
        // `ceph tell` takes a group by its bare id.
        let bare = target.starts_with(|c: char| c.is_ascii_digit());
        run.args(["-t", &if bare { format!("pg.{target}") } else { target.to_owned() }]);
    }
    // Options of the CLI itself stand before the words here.
    let (options, words) = match words {
        [words @ .., "--format", format] => (vec!["--format", *format], words),
        words => (Vec::new(), words),
    };
    run.args(options).args(words);
    run.output().context("cannot run axon")
}

fn dencoder(bench: &Bench, args: &[&str]) -> Result<Output> {
    program(bench)?.arg("dencoder").args(args).output().context("cannot run axon")
}

fn program(bench: &Bench) -> Result<Command> {
    Ok(Command::new(bench.cluster.state().axon.clone().context("no axon program")?))
}

/// Without the lines that upstream's library logs (`2026-…T…`) and empty ones.
fn text(bytes: &[u8]) -> String {
    let logged =
        |line: &str| line.starts_with("20") && line.get(4..5) == Some("-") && line.get(10..11) == Some("T");
    let whole = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = whole.lines().filter(|line| !line.is_empty() && !logged(line)).collect();
    lines.join("\n")
}

fn shown(output: &Output) -> String {
    let code = output.status.code();
    format!("{code:?} {:?} {:?}", text(&output.stdout), text(&output.stderr))
}
