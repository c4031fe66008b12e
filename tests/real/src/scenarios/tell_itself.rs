//! What `ceph tell mgr.<id> …` says of the process itself: commands in flight, connections, memory, sessions of a mount; and what
//! breaks it on purpose. The same questions to upstream's manager and to Axon, then cases that only show on a manager at work.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, Release};
use nix::sys::signal::{SIGCONT, SIGSTOP};
use serde_json::{Value, json};

use super::restarts::{pg_of, token};
use super::tell::{through_socket, told};
use crate::Bench;
use crate::compare::post;

/// The whole answer must be the same.
const SAME: &[&[&str]] = &[
    &["objecter_requests"],
    &["objecter_requests", "--format", "xml"],
    &["abort"],
    &["abort", "--format", "xml"],
    &["leak_some_memory"],
    &["leak_some_memory", "--format", "xml"],
];

/// The same while no module has mounted a file system in the manager's process: in 20.2 `volumes` has, in upstream's.
const SAME_WITHOUT_A_MOUNT: &[&[&str]] = &[
    &["mds_requests"],
    &["mds_requests", "--format", "xml"],
    &["dump_cache"],
    &["dump_cache", "--format", "xml"],
    &["kick_stale_sessions"],
    &["kick_stale_sessions", "--format", "xml"],
];

/// The same since Reef.
const SAME_SINCE_REEF: &[&[&str]] = &[
    &["raise"],
    &["raise", "-l"],
    &["raise", "l", "--format", "xml"],
    &["raise", "0"],
    &["raise", "65"],
    &["raise", "foo"],
    &["raise", "WINCH"],
    &["raise", "--cancel"],
    &["raise", "9", "--cancel"],
    &["raise", "cont"],
    &["raise", "SIGCONT"],
    &["raise", "28"],
    &["raise", "18x"],
    &["raise", "CONT", "--after", "600"],
    &["raise", "USR1", "--cancel"],
    &["raise", "WINCH", "--after", "-3"],
    &["raise", "28", "--after", "600"],
    &["raise", "28", "--cancel"],
    &["raise", "--cancel"],
    &["raise", "--cancel"],
];

/// The same since Tentacle.
const SAME_SINCE_TENTACLE: &[&[&str]] =
    &[&["messenger", "dump", "nosuch"], &["messenger", "dump", "mgr", "bogus"]];

/// What both say is equal, in shape where the values are each process's own.
pub fn says_the_same_of_itself(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    let stock = answers(bench, Kind::Ceph)?;
    let stock_shapes = shapes(bench, Kind::Ceph)?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&[], Duration::from_secs(120))?;
    let axon = answers(bench, Kind::Axon)?;
    ensure!(stock.len() == axon.len());
    for ((words, stock), (_, axon)) in stock.iter().zip(&axon) {
        ensure!(without_seconds(stock) == without_seconds(axon), "{words:?}: upstream {stock}, Axon {axon}");
    }
    let axon_shapes = shapes(bench, Kind::Axon)?;
    for ((what, stock), (_, axon)) in stock_shapes.iter().zip(&axon_shapes) {
        ensure!(stock == axon, "{what}: upstream's keys {stock:?}, Axon's {axon:?}");
    }
    println!("    {} answers and {} shapes are the same", axon.len(), axon_shapes.len());
    memory(bench)?;
    sessions(bench)?;
    in_flight(bench)?;
    if bench.release() == Release::Tentacle {
        connections(bench)?;
    }
    Ok(())
}

fn answers(bench: &Bench, kind: Kind) -> Result<Vec<(Vec<&'static str>, Value)>> {
    let release = bench.release();
    let mut asked = SAME.to_vec();
    if release < Release::Tentacle {
        asked.extend(SAME_WITHOUT_A_MOUNT);
    }
    if release >= Release::Reef {
        asked.extend(SAME_SINCE_REEF);
    }
    if release >= Release::Tentacle {
        asked.extend(SAME_SINCE_TENTACLE);
    }
    asked.into_iter().map(|words| Ok((words.to_vec(), told(bench, kind, words)?))).collect()
}

/// How long a pending signal has is measured.
fn without_seconds(answer: &Value) -> String {
    let text = answer.to_string();
    text.replace("due in 600", "due in …").replace("due in 599", "due in …").replace("due in 598", "due in …")
}

/// The paths of an answer's keys; elements of a list count as one.
fn keys(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let at = format!("{at}/{key}");
                keys(value, &at, out);
                out.insert(at);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, &format!("{at}[]"), out)),
        _ => {}
    }
}

fn keys_of(value: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    keys(value, "", &mut out);
    out
}

fn shapes(bench: &Bench, kind: Kind) -> Result<Vec<(String, BTreeSet<String>)>> {
    let mut out = vec![("dump_mempools".to_owned(), keys_of(&json_of(bench, kind, &["dump_mempools"])?))];
    let mut sessions = json_of(bench, kind, &["mds_sessions"])?;
    sessions["sessions"] = json!([]);
    out.push(("mds_sessions".to_owned(), keys_of(&sessions)));
    if bench.release() < Release::Tentacle {
        // The manager's own address and number, and nothing else that differs.
        ensure!(
            sessions["inst"]["name"]["type"] == "mgr" && sessions["inst"]["addr"]["type"] == "v1",
            "{sessions}"
        );
        ensure!(sessions["id"] == 0 && sessions["mdsmap_epoch"] == 0, "{sessions}");
        return Ok(out);
    }
    for name in messengers(bench, kind)? {
        let mut dump = json_of(bench, kind, &["messenger", "dump", &name])?["messenger"].take();
        // Axon has neither; `connections` of the listener are sometimes none.
        for part in ["deleted_conns", "local_connection"] {
            dump[part] = json!([]);
        }
        let lists = ["connections", "anon_conns", "accepting_conns"];
        let one = lists.iter().filter_map(|list| dump[*list].as_array()).flatten().next().cloned();
        lists.iter().for_each(|list| dump[*list] = json!([]));
        out.push((format!("messenger {}", out.len()), keys_of(&dump)));
        let mut one = one.with_context(|| format!("{name} has no connection"))?;
        if one.get("async_connection").is_some() {
            one = one["async_connection"].take();
        }
        out.push(("a connection".to_owned(), keys_of(&one)));
        let only = json_of(bench, kind, &["messenger", "dump", &name, "listen_sockets"])?;
        out.push((
            "only sockets".to_owned(),
            only["messenger"].as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect(),
        ));
    }
    Ok(out)
}

/// The names of both kinds of messengers that a manager has of its own.
fn messengers(bench: &Bench, kind: Kind) -> Result<Vec<String>> {
    let names = json_of(bench, kind, &["messenger", "dump"])?;
    let names = names["messengers"].as_array().context("no list of messengers")?.iter();
    let names = names.filter_map(Value::as_str).map(str::to_owned);
    let names: Vec<String> = names.filter(|name| name == "mgr" || name.starts_with("mgr-")).collect();
    ensure!(names.len() == 2, "{names:?}");
    Ok(names)
}

fn json_of(bench: &Bench, kind: Kind, words: &[&str]) -> Result<Value> {
    let mut answer = told(bench, kind, words)?;
    ensure!(answer["code"] == 0 && answer["json"].is_object(), "{words:?}: {answer}");
    Ok(answer["json"].take())
}

/// The maps that the manager has are there, their sum is the total, and what it has not is 0.
fn memory(bench: &Bench) -> Result<()> {
    let dump = json_of(bench, Kind::Axon, &["dump_mempools"])?["mempool"].take();
    let pools = dump["by_pool"].as_object().context("no pools")?;
    for key in ["items", "bytes"] {
        let sum: u64 = pools.values().filter_map(|pool| pool[key].as_u64()).sum();
        ensure!(dump["total"][key] == sum, "{dump}");
    }
    for pool in ["osdmap", "pgmap"] {
        ensure!(
            pools[pool]["items"].as_u64() > Some(20) && pools[pool]["bytes"].as_u64() > Some(1000),
            "{pool}: {dump}"
        );
    }
    ensure!(pools["bluestore_alloc"]["bytes"] == 0 && pools["mds_co"]["items"] == 0);
    // More placement groups, more entries.
    let items = |dump: &Value| dump["mempool"]["by_pool"]["pgmap"]["items"].as_u64().unwrap_or_default();
    let before = pools["pgmap"]["items"].as_u64().unwrap_or_default();
    bench.cluster.ceph_ok(&["osd", "pool", "create", "grown", "16", "16", "--autoscale-mode", "off"])?;
    let begun = Instant::now();
    let seen = loop {
        let now = items(&json_of(bench, Kind::Axon, &["dump_mempools"])?);
        if now >= before + 16 || begun.elapsed() > Duration::from_secs(60) {
            break now;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    // Other scenarios want a cluster without warnings, and the pool has no application.
    bench.cluster.ceph_ok(&["osd", "pool", "rm", "grown", "grown", "--yes-i-really-really-mean-it"])?;
    ensure!(seen >= before + 16, "pgmap has {seen} items, {before} before");
    println!("    pgmap: {before} items, {seen} with 16 placement groups more");
    Ok(())
}

/// A command to an MDS makes no session of a mount; upstream's has none for it either.
fn sessions(bench: &Bench) -> Result<()> {
    // The connection is there, where they are shown.
    let connected = |bench: &Bench| -> Result<bool> {
        let client = json_of(bench, Kind::Axon, &["messenger", "dump", "mgr"])?;
        let mut all = client["messenger"]["connections"].as_array().into_iter().flatten();
        Ok(all.any(|c| c["async_connection"]["peer"]["type"] == "mds"))
    };
    let token = token(bench)?;
    let told = by_rest(bench, &token, "mds.a", "session ls")?;
    ensure!(told["status"] == 200, "{told}");
    let sessions = json_of(bench, Kind::Axon, &["mds_sessions", "--cap_dump"])?;
    let state = through_socket(bench, Kind::Axon, &["status"])?;
    ensure!(sessions["inst"]["name"]["num"] == state["gid"], "{sessions}");
    let text = format!("mgr.{} {}", state["gid"], sessions["addr_str"].as_str().unwrap_or_default());
    ensure!(sessions["inst_str"] == text.as_str() && sessions["sessions"] == json!([]), "{sessions}");
    if bench.release() == Release::Tentacle {
        ensure!(connected(bench)?, "the command's connection to the MDS is not listed");
    }
    Ok(())
}

/// A command that this manager sends to that daemon.
fn by_rest(bench: &Bench, token: &str, target: &str, prefix: &str) -> Result<Value> {
    let command = json!({"prefix": prefix, "format": "json"});
    let body = json!({"target": target, "command": command, "timeout": 20});
    post("/api/axon/command", body).send(&bench.url(Kind::Axon).context("no port")?, Some(token))
}

/// A command to an OSD that is stopped is listed, with its words and its target, until it is answered.
fn in_flight(bench: &Bench) -> Result<()> {
    let ops = |bench: &Bench| -> Result<Vec<Value>> {
        let all = json_of(bench, Kind::Axon, &["objecter_requests"])?;
        Ok(all["command_ops"].as_array().cloned().unwrap_or_default())
    };
    let pgid = pg_of(bench)?;
    let token = token(bench)?;
    let osd = bench.cluster.process("osd.0")?;
    ensure!(ops(bench)?.is_empty());
    ensure!(osd.signal(SIGSTOP)?);
    // What options there are the manager asks the first OSD.
    let socket = bench.cluster.dir().join("run/ceph-mgr.x.asok").display().to_string();
    let mut asking = bench.cluster.ceph_command(&["tell", "mgr.x", "config", "show"]);
    let mut asking = asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (seen, without_a_key, queried) = std::thread::scope(|scope| {
        let querying = scope.spawn(|| by_rest(bench, &token, &format!("pg.{pgid}"), "query"));
        let seen = (|| {
            let begun = Instant::now();
            loop {
                let ops = ops(bench)?;
                if ops.len() == 2 {
                    return Ok(ops);
                }
                ensure!(begun.elapsed() < Duration::from_secs(4), "in flight are {ops:?}");
                std::thread::sleep(Duration::from_millis(100));
            }
        })();
        // Also where nobody has a key.
        let without_a_key = bench.cluster.ceph(&["--admin-daemon", &socket, "objecter_requests"]);
        let goes_on = osd.signal(SIGCONT);
        let queried = querying.join().map_err(|_| anyhow::anyhow!("panicked"));
        (seen, without_a_key, goes_on.and(queried))
    });
    let answered = asking.wait()?;
    let (ops_seen, without_a_key, queried) = (seen?, without_a_key?, queried??);
    println!("    in flight: {ops_seen:?}");
    let of = |key: &str| ops_seen.iter().find(|op| op.get(key).is_some()).context("none of that kind");
    for (key, target, prefix) in
        [("target_osd", json!(0), "config help"), ("target_pg", json!(pgid), "query")]
    {
        let op = of(key)?;
        ensure!(op["osd"] == 0 && op[key] == target && op["command_id"].as_u64() > Some(0), "{op}");
        let command: Value = serde_json::from_str(op["command"][0].as_str().unwrap_or_default())?;
        ensure!(command["prefix"] == prefix, "{op}");
        let keys = BTreeSet::from(["command_id", "osd", "command", key].map(|key| format!("/{key}")));
        ensure!(keys_of(op) == keys, "{op}");
    }
    ensure!(String::from_utf8_lossy(&without_a_key.stdout).contains("target_osd"));
    ensure!(answered.success(), "the OSD goes on, but the command that waited for it has failed");
    ensure!(queried["status"] == 200, "the same of the placement group: {queried}");
    let begun = Instant::now();
    while !ops(bench)?.is_empty() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "a command stays listed");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The monitor's connection, and those of the OSDs and the MDS to the listener, by name.
fn connections(bench: &Bench) -> Result<()> {
    let [client, listener] = messengers(bench, Kind::Axon)?.try_into().ok().context("two messengers")?;
    let client = json_of(bench, Kind::Axon, &["messenger", "dump", &client])?["messenger"].take();
    let all = client["connections"].as_array().cloned().unwrap_or_default();
    let mon = all.iter().find(|c| c["async_connection"]["peer"]["type"] == "mon").context("no monitor")?;
    let mon = &mon["async_connection"];
    ensure!(
        mon["state"] == "STATE_CONNECTION_ESTABLISHED" && mon["protocol"]["v2"]["state"] == "READY",
        "{mon}"
    );
    ensure!(client["connections_count"] == all.len(), "{client}");
    let listener = json_of(bench, Kind::Axon, &["messenger", "dump", &listener])?["messenger"].take();
    ensure!(listener["listen_sockets"].as_array().map(Vec::len) == Some(2), "{listener}");
    let anonymous = listener["anon_conns"].as_array().cloned().unwrap_or_default();
    let names: BTreeSet<String> = anonymous
        .iter()
        .map(|c| &c["peer"]["entity_name"])
        .map(|name| {
            format!(
                "{}.{}",
                name["type_str"].as_str().unwrap_or_default(),
                name["id"].as_str().unwrap_or_default()
            )
        })
        .collect();
    for daemon in ["osd.0", "osd.1", "osd.2", "mds.a"] {
        ensure!(names.contains(daemon), "{daemon} is not among {names:?}");
    }
    println!("    connected: {names:?}");
    Ok(())
}

/// `assert`, `abort` and fatal signals end the manager and leave a crash report; a signal that is to come later reaches one that is
/// stopped; a standby is not spared.
pub fn breaks_when_told_to(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    bench.stand_by(Kind::Ceph)?;
    bench.activate(Kind::Axon)?;
    let condition = "!(command == \"assert\" && _conf->debug_asok_assert_abort)";
    let mut ways = vec![(vec!["assert"], Some(condition)), (vec!["abort"], Some("abort() called"))];
    if bench.release() >= Release::Reef {
        ways.extend([(vec!["raise", "ABRT"], None), (vec!["raise", "segv"], None)]);
    }
    for (words, condition) in ways {
        let refused = words.len() == 1;
        if refused {
            let words = ask(bench, &words)?;
            ensure!(words.contains("Operation not permitted"), "{words}");
            ask(bench, &["config", "set", "debug_asok_assert_abort", "true"])?;
        }
        let before = crashes(bench)?;
        let manager = bench.cluster.process("mgr.x")?;
        let _ = ask(bench, &words);
        ensure!(manager.wait_ended(Duration::from_secs(20)), "{words:?}: the manager lives on");
        let new: Vec<String> = crashes(bench)?.difference(&before).cloned().collect();
        let [id] = new.as_slice() else { anyhow::bail!("{words:?}: crash reports {new:?}") };
        let report = bench.cluster.dir().join("crash").join(id);
        let meta: Value = serde_json::from_slice(&std::fs::read(report.join("meta"))?)?;
        // Other scenarios look at what they find there.
        std::fs::remove_dir_all(report)?;
        ensure!(meta["entity_name"] == "mgr.x" && meta["process_name"] == "ceph-mgr", "{meta}");
        ensure!(meta["backtrace"].as_array().is_some_and(|frames| !frames.is_empty()), "{meta}");
        ensure!(meta.get("assert_condition").and_then(Value::as_str) == condition, "{words:?}: {meta}");
        println!("    {words:?}: ended, {id}");
        bench.cluster.start("mgr.x")?;
        bench.activate(Kind::Axon)?;
    }
    if bench.release() >= Release::Reef {
        let manager = bench.cluster.process("mgr.x")?;
        ask(bench, &["raise", "KILL", "--after", "4"])?;
        ensure!(manager.signal(SIGSTOP)?);
        ensure!(manager.wait_ended(Duration::from_secs(20)), "the signal has not come");
        bench.cluster.start("mgr.x")?;
        bench.activate(Kind::Axon)?;
    }
    Ok(())
}

/// Through the admin socket: the command line's `tell` sends the command to the next manager when one ends.
fn ask(bench: &Bench, words: &[&str]) -> Result<String> {
    let socket = bench.cluster.dir().join("run/ceph-mgr.x.asok").display().to_string();
    let out = bench.cluster.ceph(&[&["--admin-daemon", &socket], words].concat())?;
    Ok(format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

fn crashes(bench: &Bench) -> Result<BTreeSet<String>> {
    let folder = std::fs::read_dir(bench.cluster.dir().join("crash"))?;
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name != "posted").collect())
}
