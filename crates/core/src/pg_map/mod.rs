//! The living PG map (`PGMap` in `src/mon/PGMap.{h,cc}`, `ClusterState` in `src/mgr/ClusterState.cc`): the newest report of
//! every PG and OSD, and sums over them that are kept as reports come.
//!
//! Invariants:
//! - the sums are those of the reports that are kept (`apply.rs` adds and subtracts; a test computes them afresh);
//! - there is a report of every PG that the OSD map's pools have, and of no other ([`PgMap::settle`]);
//! - a clone shares the reports, so that a snapshot costs a reference count per PG and OSD.
//!
//! Not here: encodings (`axon_proto::pg`), the health checks (`crate::health`), the commands (`crate::commands`).

mod apply;
mod delta;
pub mod df;
mod digest;
mod dump;
mod inspect;
mod osd_map_view;
mod osd_view;
mod overview;
mod pending;
mod summary;
#[cfg(test)]
pub(crate) mod test_map;
#[cfg(test)]
mod tests;

pub use delta::Deltas;
pub(crate) use delta::since;
pub(crate) use digest::cutoff;
pub use dump::{pg_stats_json, pg_table, pg_table_brief};
pub use inspect::{PgFilter, Stuck};
pub use osd_view::{OsdView, PoolView};
pub use pending::Pending;

use axon_proto::UTime;
use axon_proto::pg::{OsdStat, Pg, PgMapDump, PgStat, PgState, PoolStat, StoreStatfs};
use axon_proto::pg_map_digest::PgCount;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The map. Read it through the accessors and the functions of the sibling files.
#[derive(Clone, Debug, Default)]
pub struct PgMap {
    pub version: u64,
    pub stamp: UTime,
    pub pg_stat: BTreeMap<Pg, Arc<PgStat>>,
    pub osd_stat: BTreeMap<i32, Arc<OsdStat>>,
    /// By pool and OSD: the OSD's account of the pool.
    pub pool_statfs: BTreeMap<(i64, i32), StoreStatfs>,

    pub num_pg_active: i64,
    pub num_pg_unknown: i64,
    pub pg_sum: PoolStat,
    pub pg_pool_sum: BTreeMap<i64, PoolStat>,
    pub osd_sum: OsdStat,
    pub num_pg_by_state: BTreeMap<PgState, i32>,
    pub num_pg_by_pool: BTreeMap<i64, i64>,
    pub num_pg_by_pool_state: BTreeMap<i64, BTreeMap<PgState, i32>>,
    pub num_pg_by_osd: BTreeMap<i32, PgCount>,
    /// By OSD: the PGs whose acting or up set it is in.
    pub pg_by_osd: BTreeMap<i32, Arc<BTreeSet<Pg>>>,
    /// By OSD: degraded PGs of which it has a whole copy while it is in neither set.
    pub pg_by_spare_osd: BTreeMap<i32, Arc<BTreeSet<Pg>>>,
    /// By OSD: how many PGs wait for it.
    pub blocked_by_sum: BTreeMap<i32, i32>,
    pub osd_last_seq: Vec<u64>,
    pub pg_sum_deltas: Deltas,
    pub per_pool_deltas: BTreeMap<i64, Deltas>,
    /// By pool: when its last delta was taken.
    pub per_pool_stamps: BTreeMap<i64, UTime>,
}

impl PgMap {
    /// The map of encoded reports, with the sums computed.
    #[must_use]
    pub fn from_dump(dump: PgMapDump) -> Self {
        let mut map = PgMap { version: dump.version, stamp: dump.stamp, ..Default::default() };
        for (pg, stat) in dump.pg_stat {
            map.put_pg(pg, Arc::new(stat));
        }
        for (osd, stat) in dump.osd_stat {
            map.put_osd(osd, Arc::new(stat));
        }
        for (key, statfs) in dump.pool_statfs {
            map.put_statfs(key, statfs);
        }
        map
    }

    /// The reports, as `ceph pg getmap` gives them.
    #[must_use]
    pub fn to_dump(&self) -> PgMapDump {
        PgMapDump {
            version: self.version,
            stamp: self.stamp,
            pg_stat: self.pg_stat.iter().map(|(pg, stat)| (*pg, PgStat::clone(stat))).collect(),
            osd_stat: self.osd_stat.iter().map(|(osd, stat)| (*osd, OsdStat::clone(stat))).collect(),
            pool_statfs: self.pool_statfs.clone(),
            // The manager never sets them.
            last_osdmap_epoch: 0,
            last_pg_scan: 0,
        }
    }

    #[must_use]
    pub fn num_pg(&self) -> i64 {
        i64::try_from(self.pg_stat.len()).unwrap_or(i64::MAX)
    }

    /// PGs whose acting set the OSD is in.
    #[must_use]
    pub fn num_pg_on(&self, osd: i32) -> i32 {
        self.num_pg_by_osd.get(&osd).map_or(0, |count| count.acting)
    }

    /// PGs whose data some of the OSDs hold or are to hold, in order.
    #[must_use]
    pub fn pgs_of(&self, osds: &BTreeSet<i32>) -> Vec<Pg> {
        let indexes = [&self.pg_by_osd, &self.pg_by_spare_osd];
        let sets = indexes.into_iter().flat_map(|index| osds.iter().filter_map(|osd| index.get(osd)));
        let mut pgs: Vec<Pg> = sets.flat_map(|pgs| pgs.iter().copied()).collect();
        pgs.sort_unstable();
        pgs.dedup();
        pgs
    }

    /// Every OSD accounts for the bytes of each pool.
    #[must_use]
    pub fn use_per_pool_stats(&self) -> bool {
        self.osd_sum.num_osds == self.osd_sum.num_per_pool_osds
    }

    #[must_use]
    pub fn use_per_pool_omap_stats(&self) -> bool {
        self.osd_sum.num_osds == self.osd_sum.num_per_pool_omap_osds
    }

    /// The sum over some OSDs; over all of them when none is named.
    #[must_use]
    pub fn osd_sum_of(&self, osds: &BTreeSet<i32>) -> OsdStat {
        if osds.is_empty() {
            return self.osd_sum.clone();
        }
        let mut sum = OsdStat::default();
        for stat in osds.iter().filter_map(|osd| self.osd_stat.get(osd)) {
            sum.add(stat);
        }
        sum
    }
}
