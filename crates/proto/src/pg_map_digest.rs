//! `PGMapDigest` (`src/mon/PGMap.{h,cc}`): what the monitors need of the PG map; the manager sends it in `MMonMgrReport`.
//! Version 4 (Pacific, Reef) and 5 (Tentacle, adds the unavailable PGs by pool), compat 1. The version written follows the
//! monitor's `SERVER_TENTACLE`; upstream always writes its own newest one.

use crate::features;
use crate::pg::{Intervals, OsdStat, Pg, PgState, PoolStat};
use crate::time::UTime;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use std::collections::BTreeMap;

/// `PGMapDigest::pg_count`: how many PGs an OSD has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PgCount {
    pub acting: i32,
    pub up_not_acting: i32,
    pub primary: i32,
}
denc_struct!(pg_count; PgCount { acting, up_not_acting, primary });

/// `PGMapDigest`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PgMapDigest {
    pub num_pg: i64,
    pub num_pg_active: i64,
    pub num_pg_unknown: i64,
    pub num_osd: i64,
    pub pg_pool_sum: BTreeMap<i32, PoolStat>,
    pub pg_sum: PoolStat,
    pub osd_sum: OsdStat,
    pub num_pg_by_state: BTreeMap<PgState, i32>,
    pub num_pg_by_osd: BTreeMap<i32, PgCount>,
    pub num_pg_by_pool: BTreeMap<i64, i64>,
    /// Sequence of each OSD's last report; the index is the OSD.
    pub osd_last_seq: Vec<u64>,
    /// By pool: the sum of the last deltas, and when the last one was taken.
    pub per_pool_sum_delta: BTreeMap<i64, (PoolStat, UTime)>,
    /// By pool: the time that the sum of deltas spans.
    pub per_pool_sum_deltas_stamps: BTreeMap<i64, UTime>,
    pub pg_sum_delta: PoolStat,
    /// The time that `pg_sum_delta` spans.
    pub stamp_delta: UTime,
    /// Bytes by CRUSH rule; negative when there is no such rule.
    pub avail_space_by_rule: BTreeMap<i32, i64>,
    pub purged_snaps: BTreeMap<i64, Intervals>,
    pub osd_sum_by_class: BTreeMap<String, OsdStat>,
    /// Since Tentacle, for every pool: its PGs that have been unavailable for too long.
    pub pool_pg_unavailable_map: BTreeMap<u64, Vec<Pg>>,
}

impl Encode for PgState {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u64(self.0);
    }
}
impl Decode for PgState {
    const BYTES_MIN: usize = 8;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.u64().map(PgState)
    }
}

impl Encode for PgMapDigest {
    fn encode(&self, w: &mut Writer, features: Features) {
        let tentacle = features.has(features::SERVER_TENTACLE);
        w.envelope(if tentacle { 5 } else { 4 }, 1, |w| {
            w.i64(self.num_pg);
            w.i64(self.num_pg_active);
            w.i64(self.num_pg_unknown);
            w.i64(self.num_osd);
            w.value(&self.pg_pool_sum, features);
            w.value(&self.pg_sum, features);
            w.value(&self.osd_sum, features);
            w.value(&self.num_pg_by_state, features);
            w.value(&self.num_pg_by_osd, features);
            w.value(&self.num_pg_by_pool, features);
            w.value(&self.osd_last_seq, features);
            w.value(&self.per_pool_sum_delta, features);
            w.value(&self.per_pool_sum_deltas_stamps, features);
            w.value(&self.pg_sum_delta, features);
            w.value(&self.stamp_delta, features);
            w.value(&self.avail_space_by_rule, features);
            w.value(&self.purged_snaps, features);
            w.value(&self.osd_sum_by_class, features);
            if tentacle {
                w.value(&self.pool_pg_unavailable_map, features);
            }
        });
    }
}

impl Decode for PgMapDigest {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(4, 5, "PGMapDigest")?;
        let mut digest = PgMapDigest {
            num_pg: r.i64()?,
            num_pg_active: r.i64()?,
            num_pg_unknown: r.i64()?,
            num_osd: r.i64()?,
            pg_pool_sum: r.value()?,
            pg_sum: r.value()?,
            osd_sum: r.value()?,
            num_pg_by_state: r.value()?,
            num_pg_by_osd: r.value()?,
            num_pg_by_pool: r.value()?,
            osd_last_seq: r.value()?,
            per_pool_sum_delta: r.value()?,
            per_pool_sum_deltas_stamps: r.value()?,
            pg_sum_delta: r.value()?,
            stamp_delta: r.value()?,
            avail_space_by_rule: r.value()?,
            purged_snaps: r.value()?,
            osd_sum_by_class: r.value()?,
            ..Default::default()
        };
        if version >= 5 {
            digest.pool_pg_unavailable_map = r.value()?;
        }
        Ok(digest)
    }
}
