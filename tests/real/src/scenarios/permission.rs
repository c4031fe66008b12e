//! Who may ask the manager what: keys with many capabilities times commands of the manager, of modules and to the manager itself;
//! upstream's manager and Axon answer each with the same code and the same words.

use super::commands::{command, shape};
use crate::Bench;
use anyhow::{Context, Result, ensure};
use axon_launcher::{Kind, Op, Reply};
use serde_json::{Value, json};
use std::time::Duration;

/// Manager capabilities; the first one is none.
const CAPS: &[&str] = &[
    "",
    "allow *",
    "allow all",
    "allow r",
    "allow w",
    "allow x",
    "allow rw",
    "allow rwx",
    "profile read-only",
    "profile read-write",
    "profile crash",
    "allow profile crash",
    "profile osd",
    "profile mds",
    "profile rbd",
    "profile rbd pool=rbd",
    "profile rbd-read-only",
    "allow command \"osd df\"",
    "allow command \"osd df\" with output_method=tree",
    "allow command \"osd ok-to-stop\" with ids=\"[0]\"",
    "allow command \"pg ls-by-pool\" with poolstr=rep",
    "allow command \"pg ls-by-pool\" with poolstr prefix re",
    "allow command \"pg ls-by-pool\" with poolstr regex \"r.p|x\"",
    "allow command \"pg ls-by-pool\" with poolstr=rep states=active",
    "allow command version",
    "allow service pg r",
    "allow service osd r",
    "allow service osd w",
    "allow service osd rw",
    "allow service mgr rw",
    "allow service py r",
    "allow module crash r",
    "allow module crash rw",
    "allow module status r",
    "allow module progress with event=x r",
    "allow r network 127.0.0.0/8",
    "allow r network 10.0.0.0/8",
    "allow * network 10.0.0.0/8",
    "allow command \"osd df\" network 127.0.0.1/32",
    "profile read-only network 192.168.0.0/16, allow service pg r",
    "allow command \"config show\", allow module status r; allow service pg r",
    "allow service osd r, allow service osd w",
];

/// Commands through the active manager's table.
const COMMANDS: &[&str] = &[
    "pg stat",
    "pg ls-by-pool poolstr=rep",
    "pg ls-by-pool poolstr=nope",
    "osd df",
    "osd df output_method=tree",
    "osd ok-to-stop ids=[\"0\"]",
    "osd scrub who=\"99\"",
    "osd pool force-recovery who=[\"nope\"]",
    "config show who=osd.0 key=fsid",
    "service status",
    "device info devid=nope",
    "device rm-life-expectancy devid=AXON_NONE",
    "get_command_descriptions",
    "nonsense",
    "version",
];

/// Where the stock modules load.
const OF_MODULES: &[&str] =
    &["osd status", "crash ls", "crash info id=nope", "crash archive id=nope", "progress json", "iostat"];

/// Commands to the manager itself.
const TOLD: &[&str] = &["version", "config get var=mgr_tick_period", "get_command_descriptions", "nonsense"];

pub fn is_as_upstreams(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    bench.cluster.wait_well(&["MGR_MODULE_DEPENDENCY"], Duration::from_secs(120))?;
    let keys = keys(bench)?;
    let (asks, upstream) = asked(bench, Kind::Ceph, &keys)?;
    bench.only(Kind::Axon)?;
    bench.cluster.wait_well(&["MGR_MODULE_DEPENDENCY"], Duration::from_secs(120))?;
    let (_, axon) = asked(bench, Kind::Axon, &keys)?;
    let (mut differ, mut denied) = (0, 0);
    for (ask, axon) in asks.iter().zip(&axon) {
        const EACCES: i32 = -13;
        // Upstream does not know the peer's address by then, so that no such grant ever holds: docs/differences.md.
        let here = [" network 127.0.0.0/8", " network 127.0.0.1/32"];
        let same = here.iter().fold(ask.clone(), |ask, network| ask.replace(network, ""));
        let upstream =
            asks.iter().zip(&upstream).find(|(ask, _)| **ask == same).context("no such question")?.1;
        denied += usize::from(upstream.ret == EACCES);
        let of = |reply: &Reply| (reply.ret, shape(&reply.err));
        if of(upstream) != of(axon) {
            differ += 1;
            println!("  {ask}\n    upstream {:?}\n    axon     {:?}", of(upstream), of(axon));
        }
    }
    println!("  {} keys, {} questions, {denied} denied", keys.len(), asks.len());
    ensure!(denied > asks.len() / 4 && denied < asks.len(), "{denied} of {} were denied", asks.len());
    ensure!(differ == 0, "{differ} of {} are permitted or refused otherwise than by upstream", asks.len());
    Ok(())
}

/// A client's name and key for each capability.
fn keys(bench: &Bench) -> Result<Vec<(String, String)>> {
    let mut ops = Vec::new();
    for (nth, cap) in CAPS.iter().enumerate() {
        let mut caps = vec!["mon", "allow r"];
        if !cap.is_empty() {
            caps.extend(["mgr", cap]);
        }
        let entity = format!("client.cap{nth}");
        ops.push(Op::mon(json!({
            "prefix": "auth get-or-create", "entity": entity, "caps": caps, "format": "json",
        })));
    }
    let replies = bench.cluster.batch_ok(&ops, 30)?;
    replies
        .iter()
        .map(|reply| {
            let entry = reply.json()?;
            let text = |key: &str| entry[0][key].as_str().map(str::to_owned);
            Ok((text("entity").context("no entity")?, text("key").context("no key")?))
        })
        .collect()
}

/// What was asked by whom, and the replies.
fn asked(bench: &Bench, kind: Kind, keys: &[(String, String)]) -> Result<(Vec<String>, Vec<Reply>)> {
    knows_the_pgs(bench)?;
    let modules = if bench.release().stock_modules_load() { OF_MODULES } else { &[] };
    let table = COMMANDS.iter().chain(modules).map(|line| (String::new(), *line));
    let told = TOLD.iter().map(|line| (Bench::id(kind).to_owned(), *line));
    let lines: Vec<(String, &str)> = table.chain(told).collect();
    let (mut ops, mut asks) = (Vec::new(), Vec::new());
    for ((entity, key), cap) in keys.iter().zip(CAPS) {
        for (target, line) in &lines {
            let how = if target.is_empty() { "" } else { "tell " };
            asks.push(format!("[{cap}] {how}{line}"));
            let cmd = Value::Object(command(line, None));
            ops.push(Op::MgrAs { entity: entity.clone(), key: key.clone(), target: target.clone(), cmd });
        }
    }
    Ok((asks, bench.cluster.batch(&ops, 30)?))
}

/// Waits until the manager has heard of each PG; the monitors' health may still be the last manager's report.
fn knows_the_pgs(bench: &Bench) -> Result<()> {
    const EAGAIN: i32 = -11;
    let begun = std::time::Instant::now();
    loop {
        let cmd = json!({"prefix": "osd ok-to-stop", "ids": ["0"]});
        let replies = bench.cluster.batch(&[Op::Mgr { cmd }], 30)?;
        if replies.iter().all(|reply| reply.ret != EAGAIN) {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "PGs are still unknown: {replies:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
