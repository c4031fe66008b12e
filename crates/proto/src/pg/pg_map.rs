//! `PGMap` as `ceph pg getmap` gives it (`src/mon/PGMap.cc`, version 8): the reports without the sums, which a reader
//! computes again. The living map is `axon-core`'s `pg_map`.

use super::{OsdStat, Pg, PgStat, StoreStatfs};
use crate::UTime;
use axon_denc::denc_struct;
use std::collections::BTreeMap;

/// The encoded map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PgMapDump {
    pub version: u64,
    pub pg_stat: BTreeMap<Pg, PgStat>,
    pub osd_stat: BTreeMap<i32, OsdStat>,
    pub last_osdmap_epoch: u32,
    pub last_pg_scan: u32,
    pub stamp: UTime,
    /// By pool and OSD.
    pub pool_statfs: BTreeMap<(i64, i32), StoreStatfs>,
}
denc_struct!(PGMap, 8, 8; PgMapDump {
    version, pg_stat, osd_stat, last_osdmap_epoch, last_pg_scan, stamp, pool_statfs,
});
