//! Answers about maps made up from a seed, in every format, against the sums of what they were before their making was hurried: byte
//! for byte what the comparison with upstream's manager has found right.

use super::{find, run};
use crate::command::Command;
use crate::pg_map::PgMap;
use crate::state::State;
use axon_proto::crush::{Bucket, CrushMap, Weights};
use axon_proto::osd_map::{OSDMap, PgPool, WEIGHT_IN, pool_type, state};
use axon_proto::pg::{OsdStat, Pg, PgMapDump, PgShard, PgStat, PgState, StoreStatfs};
use axon_proto::{Release, UTime};
use std::sync::Arc;

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn osd(&mut self, osds: i32) -> i32 {
        i32::try_from(self.below(u64::try_from(osds).unwrap())).unwrap()
    }

    fn stamp(&mut self) -> UTime {
        let sec = [0, 5, 1_600_000_000][usize::try_from(self.below(3)).unwrap()];
        UTime { sec: sec + self.below(100_000) as u32 * u32::from(sec > 5), nsec: self.below(1 << 29) as u32 }
    }
}

fn bucket(id: i32, type_id: u16, items: Vec<i32>) -> Option<Bucket> {
    let item_weights = items.iter().map(|item| 0x8000 * (item.unsigned_abs() % 5 + 1)).collect();
    let weights = Weights::Straw2 { item_weights };
    Some(Bucket { id, type_id, weight: 0x30000, items, hash: 0, weights })
}

/// Two roots, hosts of four with one OSD in two of them, a shadow, OSDs in no bucket, down, out, destroyed, of two classes and none.
fn osd_map(osds: i32) -> OSDMap {
    let hosts = osds / 5;
    let mut crush = CrushMap::default();
    crush.buckets = vec![
        bucket(-1, 11, (0..hosts - 1).map(|host| -4 - host).collect()),
        bucket(-2, 11, vec![-3 - hosts]),
        bucket(-3, 11, vec![0, 4]),
    ];
    crush.name_map =
        [(-1, "default"), (-2, "other"), (-3, "default~hdd")].map(|(id, n)| (id, n.to_owned())).into();
    for host in 0..hosts {
        let mut items: Vec<i32> = (host * 4..host * 4 + 4).collect();
        if host == 1 {
            items.push(0);
        }
        crush.buckets.push(bucket(-4 - host, 1, items));
        crush.name_map.insert(-4 - host, format!("host-{host}"));
    }
    crush.max_devices = osds;
    crush.type_map = [(0, "osd"), (1, "host"), (11, "root")].map(|(id, n)| (id, n.to_owned())).into();
    crush.class_name = [(0, "hdd".to_owned()), (1, "ssd".to_owned())].into();
    crush.class_map = (0..osds).filter(|osd| osd % 7 != 0).map(|osd| (osd, osd % 2)).collect();
    let bits = |osd: i32| match osd % 11 {
        0 => 0,
        1 => state::EXISTS,
        2 => state::EXISTS | state::DESTROYED,
        _ => state::EXISTS | state::UP,
    };
    let weight = |osd: i32| [WEIGHT_IN, WEIGHT_IN / 3, 0, WEIGHT_IN][usize::try_from(osd % 4).unwrap()];
    let pool =
        PgPool { pool_type: pool_type::REPLICATED, size: 3, min_size: 2, pg_num: 64, ..PgPool::default() };
    OSDMap {
        epoch: 9,
        max_osd: osds,
        osd_state: Arc::new((0..osds).map(bits).collect()),
        osd_weight: Arc::new((0..osds).map(weight).collect()),
        pools: Arc::new([(1, Arc::new(pool))].into()),
        pool_name: Arc::new([(1, "rbd \"é\"".to_owned())].into()),
        crush: Arc::new(crush),
        ..OSDMap::default()
    }
}

fn reports(osds: i32, dice: &mut Dice) -> PgMapDump {
    let mut dump = PgMapDump { version: 77, stamp: dice.stamp(), ..Default::default() };
    for osd in (0..osds).filter(|osd| osd % 13 != 0) {
        let mut stat =
            OsdStat { up_from: 5, seq: dice.below(1 << 31), num_pgs: 9, num_osds: 1, ..Default::default() };
        stat.statfs = statfs(dice);
        stat.hb_peers = (0..4).map(|_| dice.osd(osds)).collect();
        stat.os_perf_stat.commit_latency_ns = dice.below(1 << 31);
        stat.os_alerts = [(-1, [("SLOW".to_owned(), "a \"disk\"\n".to_owned())].into())].into();
        dump.osd_stat.insert(osd, stat);
        dump.pool_statfs.insert((1, osd), statfs(dice));
    }
    let states = [
        PgState::ACTIVE.with(PgState::CLEAN),
        PgState::ACTIVE.with(PgState::DEGRADED),
        PgState::DEGRADED,
        PgState::ACTIVE.with(PgState::CLEAN).with(PgState::SCRUBBING),
    ];
    for seed in 0..64 {
        let mut stat = PgStat {
            reported_seq: dice.below(1 << 31),
            state: states[usize::try_from(dice.below(4)).unwrap()],
            last_fresh: dice.stamp(),
            last_change: dice.stamp(),
            last_scrub_stamp: dice.stamp(),
            up: (0..3).map(|_| dice.osd(osds)).collect(),
            acting: vec![dice.osd(osds), 0x7fff_ffff, dice.osd(osds)],
            up_primary: dice.osd(osds),
            blocked_by: vec![dice.osd(osds)],
            avail_no_missing: vec![PgShard { osd: dice.osd(osds), shard: 1 }],
            scrub_duration: dice.below(1000) as f64 / 7.0,
            log_size: 5,
            ..PgStat::default()
        };
        stat.stats.num_objects = dice.below(1000) as i64;
        stat.stats.num_objects_degraded = dice.below(10) as i64;
        stat.stats.num_object_copies = 3000;
        stat.stats.num_bytes = dice.below(1 << 31) as i64;
        dump.pg_stat.insert(Pg::new(1, seed), stat);
    }
    dump
}

fn statfs(dice: &mut Dice) -> StoreStatfs {
    StoreStatfs {
        total: 1 << 36,
        available: (1 << 36) - dice.below(1 << 35) as i64,
        allocated: dice.below(1 << 33) as i64,
        omap_allocated: dice.below(1 << 20) as i64,
        internal_metadata: dice.below(1 << 25) as i64,
        ..StoreStatfs::default()
    }
}

fn asked() -> Vec<Command> {
    let plain = Command::plain;
    let ids: Vec<String> = (0..20).map(|osd| (osd * 2).to_string()).collect();
    vec![
        plain("osd df"),
        plain("osd df").arg("output_method", "tree"),
        plain("osd df").arg("output_method", "tree").arg("filter", "ssd"),
        plain("osd df").arg("filter", "host-1"),
        plain("osd df").arg("filter", "other"),
        plain("osd df").arg("filter", "rbd \"é\""),
        plain("pg dump"),
        plain("pg dump").arg("dumpcontents", vec!["pgs_brief", "osds", "delta"]),
        plain("pg dump").arg("dumpcontents", vec!["pgs", "pools"]),
        plain("pg dump").arg("dumpcontents", vec!["sum"]),
        plain("pg ls"),
        plain("pg ls").arg("states", vec!["degraded"]),
        plain("pg dump_stuck"),
        plain("pg stat"),
        plain("pg getmap"),
        plain("osd perf"),
        plain("osd blocked-by"),
        plain("osd pool stats"),
        plain("osd ok-to-stop").arg("ids", ids.clone()),
        plain("osd safe-to-destroy").arg("ids", ids),
        plain("osd test-reweight-by-pg"),
    ]
}

/// FNV-1a.
fn sum(bytes: &[u8], before: u64) -> u64 {
    bytes.iter().fold(before, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn answers_are_byte_for_byte_what_they_were() {
    let mut got = Vec::new();
    for command in asked() {
        let mut digest = 0xcbf2_9ce4_8422_2325;
        for (osds, release) in [(20, Release::Pacific), (90, Release::Reef), (40, Release::Tentacle)] {
            let mut dice = Dice(u64::try_from(osds).unwrap());
            let state = State {
                osd_map: Arc::new(osd_map(osds)),
                pg_map: Arc::new(PgMap::from_dump(reports(osds, &mut dice))),
                pg_ready: osds > 20,
                release,
                ..State::default()
            };
            for format in ["plain", "json", "json-pretty", "xml", "xml-pretty"] {
                let command = command.clone().arg("format", format);
                let row = find(command.prefix()).unwrap();
                let now = UTime { sec: 1_700_000_000, nsec: 0 };
                let output = run(row, &command, &state, now).output;
                digest = sum(output.outs.as_bytes(), sum(&output.outbl, digest ^ output.retval as u64));
            }
        }
        got.push(format!("{digest:016x} {}", command.to_json()));
    }
    let expected = include_str!("golden_sums.txt");
    assert_eq!(got.join("\n"), expected.trim_end(), "made now:\n{}", got.join("\n"));
}

#[test]
fn every_holder_of_a_pg_finds_it_by_the_index() {
    let map = PgMap::from_dump(reports(90, &mut Dice(90)));
    let mut spares = 0;
    for (pg, stat) in &map.pg_stat {
        let degraded = stat.state.has(PgState::DEGRADED);
        let whole = stat.avail_no_missing.iter().map(|shard| shard.osd).filter(|_| degraded);
        for osd in stat.acting.iter().chain(&stat.up).copied().chain(whole) {
            assert!(map.pgs_of(&[osd].into()).contains(pg), "{pg} of osd.{osd}");
            spares += usize::from(!stat.acting.contains(&osd) && !stat.up.contains(&osd));
        }
    }
    assert!(spares > 0);
}
