//! Test support: an OSD map of facts, and reports as OSDs send them.

use super::{OsdView, PoolView};
use axon_proto::UTime;
use axon_proto::msgs::pg_stats::MPGStats;
use axon_proto::pg::{ObjectStatSum, OsdStat, Pg, PgStat, PgState, StoreStatfs};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub pools: BTreeMap<i64, PoolView>,
    /// By OSD: up, weight.
    pub osds: BTreeMap<i32, (bool, u32)>,
}

impl Facts {
    /// OSDs 0 to `osds` that are up and in, and one pool of `pg_num` PGs of three copies.
    pub fn small(osds: i32, pg_num: u32) -> Self {
        let pool = PoolView {
            name: "rbd".to_owned(),
            pg_num,
            pg_num_target: pg_num,
            pgp_num_target: pg_num,
            size: 3,
            min_size: 2,
            raw_used_rate: 3.0,
            has_application: true,
            ..Default::default()
        };
        Facts { pools: [(1, pool)].into(), osds: (0..osds).map(|osd| (osd, (true, 0x10000))).collect() }
    }
}

impl OsdView for Facts {
    fn epoch(&self) -> u32 {
        7
    }
    fn modified(&self) -> UTime {
        UTime { sec: 1000, nsec: 0 }
    }
    fn pools(&self) -> Vec<(i64, PoolView)> {
        self.pools.iter().map(|(id, pool)| (*id, pool.clone())).collect()
    }
    fn pool(&self, id: i64) -> Option<PoolView> {
        self.pools.get(&id).cloned()
    }
    fn max_osd(&self) -> i32 {
        self.osds.keys().max().map_or(0, |osd| osd + 1)
    }
    fn exists(&self, osd: i32) -> bool {
        self.osds.contains_key(&osd)
    }
    fn is_up(&self, osd: i32) -> bool {
        self.osds.get(&osd).is_some_and(|(up, _)| *up)
    }
    fn is_destroyed(&self, _: i32) -> bool {
        false
    }
    fn weight(&self, osd: i32) -> u32 {
        self.osds.get(&osd).map_or(0, |(_, weight)| *weight)
    }
    fn full_ratio(&self) -> f32 {
        0.95
    }
    fn rule_weights(&self, rule: i32) -> Option<BTreeMap<i32, f32>> {
        let part = 1.0 / self.osds.len() as f32;
        (rule == 0).then(|| self.osds.keys().map(|osd| (*osd, part)).collect())
    }
    fn device_class(&self, _: i32) -> Option<&str> {
        Some("hdd")
    }
    fn location(&self, osd: i32) -> Vec<(String, String)> {
        vec![("host".to_owned(), format!("h{osd}")), ("root".to_owned(), "default".to_owned())]
    }
}

pub(crate) const CLEAN: PgState = PgState::ACTIVE.with(PgState::CLEAN);

/// A PG that is well, with ten objects of 100 bytes in three copies.
pub(crate) fn pg(seq: u64, acting: [i32; 3]) -> PgStat {
    PgStat {
        reported_epoch: 7,
        reported_seq: seq,
        state: CLEAN,
        acting: acting.to_vec(),
        up: acting.to_vec(),
        up_primary: acting[0],
        acting_primary: acting[0],
        stats: ObjectStatSum {
            num_objects: 10,
            num_object_copies: 30,
            num_bytes: 1000,
            ..Default::default()
        },
        last_active: UTime { sec: 1000, nsec: 0 },
        ..PgStat::unreported()
    }
}

/// A report of an OSD of 1 GiB, a quarter of it used.
pub(crate) fn report(seq: u64, pgs: impl IntoIterator<Item = (u32, PgStat)>) -> MPGStats {
    let statfs = StoreStatfs { total: 1 << 30, available: 3 << 28, allocated: 1 << 28, ..Default::default() };
    MPGStats {
        osd_stat: OsdStat { statfs, seq, num_osds: 1, num_per_pool_osds: 1, ..Default::default() },
        pg_stat: pgs.into_iter().map(|(seed, stat)| (Pg::new(1, seed), stat)).collect(),
        pool_stat: [(1, StoreStatfs { allocated: 1000, data_stored: 900, ..Default::default() })].into(),
        epoch: 7,
        ..Default::default()
    }
}

pub(crate) fn at(sec: u32) -> UTime {
    UTime { sec, nsec: 0 }
}

impl super::PgMap {
    pub(crate) fn put_osd_for_test(&mut self, osd: i32, stat: OsdStat) {
        self.put_osd(osd, std::sync::Arc::new(stat));
    }
}
