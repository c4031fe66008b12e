//! `pool_stat_t` (`src/osd/osd_types.{h,cc}`, version 7, compat 5): sums over the PGs of one pool, and over the object
//! stores' own accounts of it.

use super::{ObjectStatSum, PgStat, StoreStatfs};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::Serialize;

/// Sums of one pool, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolStat {
    #[serde(rename = "stat_sum")]
    pub stats: ObjectStatSum,
    pub store_stats: StoreStatfs,
    pub log_size: i64,
    pub ondisk_log_size: i64,
    /// Replicas or shards that are up.
    pub up: i32,
    pub acting: i32,
    /// How many OSDs' accounts are in `store_stats`.
    pub num_store_stats: i32,
}

impl PoolStat {
    pub fn add_pg(&mut self, pg: &PgStat) {
        self.stats.add(&pg.stats);
        self.log_size = self.log_size.wrapping_add(pg.log_size);
        self.ondisk_log_size = self.ondisk_log_size.wrapping_add(pg.ondisk_log_size);
        self.up = self.up.wrapping_add(count(&pg.up));
        self.acting = self.acting.wrapping_add(count(&pg.acting));
    }

    pub fn sub_pg(&mut self, pg: &PgStat) {
        self.stats.sub(&pg.stats);
        self.log_size = self.log_size.wrapping_sub(pg.log_size);
        self.ondisk_log_size = self.ondisk_log_size.wrapping_sub(pg.ondisk_log_size);
        self.up = self.up.wrapping_sub(count(&pg.up));
        self.acting = self.acting.wrapping_sub(count(&pg.acting));
    }

    pub fn add_statfs(&mut self, statfs: &StoreStatfs) {
        self.store_stats.add(statfs);
        self.num_store_stats = self.num_store_stats.wrapping_add(1);
    }

    pub fn sub_statfs(&mut self, statfs: &StoreStatfs) {
        self.store_stats.sub(statfs);
        self.num_store_stats = self.num_store_stats.wrapping_sub(1);
    }

    /// Bytes allocated for data; by the stores' accounts of the pool when every OSD has them.
    #[must_use]
    pub fn allocated_data_bytes(&self, per_pool: bool) -> i64 {
        if per_pool { self.store_stats.allocated } else { self.legacy_bytes() }
    }

    #[must_use]
    pub fn allocated_omap_bytes(&self, per_pool_omap: bool) -> i64 {
        if per_pool_omap { self.store_stats.omap_allocated } else { self.stats.num_omap_bytes }
    }

    /// Bytes that the user stored, before replication or coding by the factor `raw_used_rate`.
    #[must_use]
    pub fn user_data_bytes(&self, raw_used_rate: f32, per_pool: bool) -> i64 {
        if per_pool { unamplified(self.store_stats.data_stored, raw_used_rate) } else { self.legacy_bytes() }
    }

    #[must_use]
    pub fn user_omap_bytes(&self, raw_used_rate: f32, per_pool_omap: bool) -> i64 {
        if per_pool_omap {
            unamplified(self.store_stats.omap_allocated, raw_used_rate)
        } else {
            self.stats.num_omap_bytes
        }
    }

    fn legacy_bytes(&self) -> i64 {
        self.stats.num_bytes.wrapping_add(self.stats.num_bytes_hit_set_archive)
    }
}

fn count(osds: &[i32]) -> i32 {
    i32::try_from(osds.len()).unwrap_or(i32::MAX)
}

/// Single precision as upstream divides.
fn unamplified(bytes: i64, rate: f32) -> i64 {
    if rate == 0.0 { 0 } else { (bytes as f32 / rate) as i64 }
}

impl Encode for PoolStat {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(7, 5, |w| {
            self.stats.encode_collection(w, features);
            w.i64(self.log_size);
            w.i64(self.ondisk_log_size);
            w.i32(self.up);
            w.i32(self.acting);
            w.value(&self.store_stats, features);
            w.i32(self.num_store_stats);
        });
    }
}
impl Decode for PoolStat {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope_since(7, 7, "pool_stat_t")?;
        Ok(PoolStat {
            stats: ObjectStatSum::decode_collection(&mut r)?,
            log_size: r.i64()?,
            ondisk_log_size: r.i64()?,
            up: r.i32()?,
            acting: r.i32()?,
            store_stats: r.value()?,
            num_store_stats: r.i32()?,
        })
    }
}
