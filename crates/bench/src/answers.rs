//! `answers`: how long the making of the manager's large answers takes, without sockets, on a made-up cluster all of whose OSDs
//! report: as many as no machine could run. Whether two builds make the same answers is seen by their sums.

use anyhow::{Context, Result};
use axon_core::commands;
use axon_core::pg_map::PgMap;
use axon_core::{Command, State};
use axon_proto::crush::{Bucket, CrushMap, Weights};
use axon_proto::osd_map::{OSDMap, PgPool, WEIGHT_IN, pool_type, state};
use axon_proto::pg::{OsdStat, Pg, PgMapDump, PgStat, PgState};
use axon_proto::{Release, UTime};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 10_000)]
    osds: i32,
    #[arg(long, default_value_t = 32_768)]
    pgs: u32,
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Only commands whose JSON holds this.
    #[arg(long, default_value = "")]
    only: String,
}

const POOL: i64 = 1;
const OSDS_PER_HOST: i32 = 20;

pub fn run(options: &Options) -> Result<()> {
    let state = State {
        osd_map: Arc::new(osd_map(options)),
        pg_map: Arc::new(PgMap::from_dump(reports(options))),
        pg_ready: true,
        release: Release::Pacific,
        ..State::default()
    };
    let hundred: Vec<String> = (0..100).map(|at| (at * options.osds / 100).to_string()).collect();
    let asked = [
        Command::plain("osd df"),
        Command::json("osd df"),
        Command::json("osd df").arg("output_method", "tree"),
        Command::plain("osd df").arg("format", "json-pretty"),
        Command::plain("pg dump"),
        Command::json("pg dump"),
        Command::json("pg ls"),
        Command::plain("pg stat"),
        Command::json("osd ok-to-stop").arg("ids", hundred.clone()),
        Command::plain("osd safe-to-destroy").arg("ids", hundred),
        Command::json("osd perf"),
        Command::plain("osd test-reweight-by-utilization"),
    ];
    let mut rows = Vec::new();
    for command in asked.into_iter().filter(|command| command.to_json().contains(&options.only)) {
        rows.push(measure(&command, &state, options.rounds)?);
    }
    println!("{}", json!({"osds": options.osds, "pgs": options.pgs, "answers": rows}));
    Ok(())
}

fn measure(command: &Command, state: &State, rounds: usize) -> Result<Value> {
    let row = commands::find(command.prefix()).context("there is no such command")?;
    let mut took: Vec<Duration> = Vec::new();
    let mut answer = commands::run(row, command, state, UTime::ZERO).output;
    for _ in 0..rounds.max(1) {
        let begun = Instant::now();
        answer = commands::run(row, command, state, UTime::ZERO).output;
        took.push(begun.elapsed());
    }
    took.sort();
    let ms = took.get(took.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3;
    let mut sum = DefaultHasher::new();
    sum.write(&answer.outbl);
    Ok(json!({
        "command": command.to_json().chars().take(80).collect::<String>(),
        "p50_ms": (ms * 1e3).round() / 1e3,
        "bytes": answer.outbl.len(),
        "retval": answer.retval,
        "sum": sum.finish(),
    }))
}

fn osd_map(options: &Options) -> OSDMap {
    let hosts = (options.osds + OSDS_PER_HOST - 1) / OSDS_PER_HOST;
    let bucket = |id, type_id, items: Vec<i32>, weight: u32| {
        let weights = Weights::Straw2 { item_weights: vec![weight; items.len()] };
        let weight = weight.saturating_mul(items.len() as u32);
        Some(Bucket { id, type_id, weight, items, hash: 0, weights })
    };
    let mut crush = CrushMap::default();
    crush.buckets = vec![bucket(-1, 11, (0..hosts).map(|host| -2 - host).collect(), 20 * WEIGHT_IN)];
    crush.name_map = [(-1, "default".to_owned())].into();
    for host in 0..hosts {
        let osds = host * OSDS_PER_HOST..((host + 1) * OSDS_PER_HOST).min(options.osds);
        crush.buckets.push(bucket(-2 - host, 1, osds.collect(), WEIGHT_IN));
        crush.name_map.insert(-2 - host, format!("host{host}"));
    }
    crush.max_devices = options.osds;
    let types = [(0, "osd"), (1, "host"), (11, "root")];
    crush.type_map = types.into_iter().map(|(id, name)| (id, name.to_owned())).collect();
    crush.class_name = [(0, "hdd".to_owned()), (1, "ssd".to_owned())].into();
    crush.class_map = (0..options.osds).map(|osd| (osd, osd % 2)).collect();
    crush.name_map.extend((0..options.osds).map(|osd| (osd, format!("osd.{osd}"))));
    let pool = PgPool { pool_type: pool_type::REPLICATED, size: 3, min_size: 2, ..PgPool::default() };
    let pool = PgPool { pg_num: options.pgs, pgp_num: options.pgs, ..pool };
    let count = usize::try_from(options.osds).unwrap_or_default();
    OSDMap {
        epoch: 9,
        max_osd: options.osds,
        osd_state: Arc::new(vec![state::EXISTS | state::UP; count]),
        osd_weight: Arc::new(vec![WEIGHT_IN; count]),
        pools: Arc::new([(POOL, Arc::new(pool))].into()),
        pool_name: Arc::new([(POOL, "rbd".to_owned())].into()),
        crush: Arc::new(crush),
        ..OSDMap::default()
    }
}

/// What every OSD and every PG has reported.
fn reports(options: &Options) -> PgMapDump {
    let mut dump = PgMapDump { version: 77, stamp: UTime { sec: 1_000_000, nsec: 5 }, ..Default::default() };
    for osd in 0..options.osds {
        let mut stat = OsdStat { up_from: 5, seq: 1 << 33, num_pgs: 9, num_osds: 1, ..Default::default() };
        let used = 1_000_003 * i64::from(osd % 997);
        stat.statfs.total = 1 << 40;
        stat.statfs.available = (1 << 40) - used;
        stat.statfs.allocated = used / 2;
        stat.statfs.omap_allocated = 4096 * i64::from(osd % 7);
        stat.hb_peers = (1..=10).map(|step| (osd + step) % options.osds).collect();
        stat.os_perf_stat.commit_latency_ns = 3_000_000;
        dump.osd_stat.insert(osd, stat);
    }
    let stats: BTreeMap<Pg, PgStat> =
        (0..options.pgs).map(|seed| (Pg::new(POOL, seed), pg(seed, options.osds))).collect();
    dump.pg_stat = stats;
    dump
}

fn pg(seed: u32, osds: i32) -> PgStat {
    let at = |step: i64| {
        i32::try_from((i64::from(seed) * 7919 + step * 104_729) % i64::from(osds.max(1))).unwrap_or(0)
    };
    let acting: Vec<i32> = (0..3).map(at).collect();
    let stamp = UTime { sec: 1_600_000_000 + seed, nsec: 123_456_789 };
    let mut stat = PgStat {
        reported_seq: u64::from(seed),
        reported_epoch: 9,
        state: PgState::ACTIVE.with(PgState::CLEAN),
        last_fresh: stamp,
        last_change: stamp,
        last_active: stamp,
        last_scrub_stamp: stamp,
        log_size: 1234,
        ondisk_log_size: 1234,
        up: acting.clone(),
        up_primary: at(0),
        acting_primary: at(0),
        acting,
        ..PgStat::default()
    };
    stat.stats.num_objects = i64::from(seed % 1000);
    stat.stats.num_bytes = i64::from(seed % 1000) << 22;
    stat
}
