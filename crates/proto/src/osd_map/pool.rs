//! `pg_pool_t` (`src/osd/osd_types.h`): one pool's settings. Versions 21 to 32 are read (29, 30 written by 16.2 and 18.2,
//! 32 by 20.2 once the cluster requires it).
//!
//! Not here: forms for peers before Nautilus; the JSON dump (`pool_dump`), placement (`placement`).

use super::{HitSetParams, PoolOpts};
use crate::pg::{EVersion, Intervals, Pg};
use crate::{UTime, features};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use std::collections::{BTreeMap, BTreeSet};

/// `pool_snap_info_t`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolSnapInfo {
    pub snapid: u64,
    pub stamp: UTime,
    pub name: String,
}
denc_struct!(pool_snap_info_t, 2, 2; PoolSnapInfo { snapid, stamp, name });

/// `pg_merge_meta_t`: the last merge of two PGs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PgMergeMeta {
    pub source_pgid: Pg,
    pub ready_epoch: u32,
    pub last_epoch_started: u32,
    pub last_epoch_clean: u32,
    pub source_version: EVersion,
    pub target_version: EVersion,
}
denc_struct!(pg_merge_meta_t, 1, 1; PgMergeMeta {
    source_pgid, ready_epoch, last_epoch_started, last_epoch_clean, source_version, target_version
});

/// `shard_id_set`: up to 128 shards, two words written as varints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSet(pub u128);

impl Encode for ShardSet {
    fn encode(&self, w: &mut Writer, _: Features) {
        for mut word in [self.0 as u64, (self.0 >> 64) as u64] {
            while word > 0x7f {
                w.u8(word as u8 | 0x80);
                word >>= 7;
            }
            w.u8(word as u8);
        }
    }
}
impl Decode for ShardSet {
    const BYTES_MIN: usize = 2;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut words = [0u64; 2];
        for word in &mut words {
            for shift in (0..).step_by(7) {
                let at = r.clone();
                let byte = r.u8()?;
                if shift > 63 {
                    return Err(at.bad_value("varint byte", byte));
                }
                *word |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        Ok(ShardSet(u128::from(words[0]) | u128::from(words[1]) << 64))
    }
}

/// `TYPE_*` of a pool.
pub mod pool_type {
    pub const REPLICATED: u8 = 1;
    pub const ERASURE: u8 = 3;
}

/// No bucket must take part in peering (`CRUSH_ITEM_NONE`).
const NO_MEMBER: i32 = 0x7fff_ffff;

/// `pg_pool_t`.
#[derive(Clone, Debug, PartialEq)]
pub struct PgPool {
    pub create_time: UTime,
    /// [`super::pool_flag`].
    pub flags: u64,
    /// [`pool_type`].
    pub pool_type: u8,
    pub size: u8,
    pub min_size: u8,
    pub crush_rule: u8,
    /// Number of the string hash that names are hashed with: 1 linux, 2 rjenkins.
    pub object_hash: u8,
    /// 0 off, 1 warn, 2 on, 255 unknown.
    pub pg_autoscale_mode: u8,
    pub pg_num: u32,
    pub pgp_num: u32,
    pub pg_num_pending: u32,
    pub pg_num_target: u32,
    pub pgp_num_target: u32,
    /// Not used any more, but part of the bytes.
    pub properties: BTreeMap<String, String>,
    pub erasure_code_profile: String,
    pub last_change: u32,
    pub peering_crush_bucket_count: u32,
    pub peering_crush_bucket_barrier: u32,
    pub peering_crush_mandatory_member: i32,
    pub peering_crush_bucket_target: u32,
    pub last_force_op_resend: u32,
    pub last_force_op_resend_prenautilus: u32,
    pub last_force_op_resend_preluminous: u32,
    pub last_pg_merge_meta: PgMergeMeta,
    pub snap_seq: u64,
    pub snap_epoch: u32,
    pub auid: u64,
    pub quota_max_bytes: u64,
    pub quota_max_objects: u64,
    pub snaps: BTreeMap<u64, PoolSnapInfo>,
    pub removed_snaps: Intervals,
    pub tiers: BTreeSet<u64>,
    pub tier_of: i64,
    pub read_tier: i64,
    pub write_tier: i64,
    pub cache_mode: u8,
    pub target_max_bytes: u64,
    pub target_max_objects: u64,
    pub cache_target_dirty_ratio_micro: u32,
    pub cache_target_dirty_high_ratio_micro: u32,
    pub cache_target_full_ratio_micro: u32,
    pub cache_min_flush_age: u32,
    pub cache_min_evict_age: u32,
    pub hit_set_params: HitSetParams,
    pub hit_set_period: u32,
    pub hit_set_count: u32,
    pub use_gmt_hitset: bool,
    pub min_read_recency_for_promote: u32,
    pub min_write_recency_for_promote: u32,
    pub hit_set_grade_decay_rate: u32,
    pub hit_set_search_last_n: u32,
    pub stripe_width: u32,
    pub expected_num_objects: u64,
    pub fast_read: bool,
    pub nonprimary_shards: ShardSet,
    pub options: PoolOpts,
    pub application_metadata: BTreeMap<String, BTreeMap<String, String>>,
}

impl PgPool {
    #[must_use]
    pub fn is_replicated(&self) -> bool {
        self.pool_type == pool_type::REPLICATED
    }

    #[must_use]
    pub fn is_erasure(&self) -> bool {
        self.pool_type == pool_type::ERASURE
    }

    /// Whether it spans the sites of a stretch cluster.
    #[must_use]
    pub fn is_stretch_pool(&self) -> bool {
        self.peering_crush_bucket_count != 0
    }

    fn encoded_version(&self, features: Features) -> u8 {
        match (features.has(features::SERVER_TENTACLE), self.is_stretch_pool()) {
            (true, _) => 32,
            (false, true) => 30,
            (false, false) => 29,
        }
    }

    fn encode_peering(&self, w: &mut Writer) {
        w.u32(self.peering_crush_bucket_count);
        w.u32(self.peering_crush_bucket_target);
        w.u32(self.peering_crush_bucket_barrier);
        w.i32(self.peering_crush_mandatory_member);
    }

    fn decode_peering(&mut self, r: &mut Reader<'_>) -> Result<()> {
        self.peering_crush_bucket_count = r.u32()?;
        self.peering_crush_bucket_target = r.u32()?;
        self.peering_crush_bucket_barrier = r.u32()?;
        self.peering_crush_mandatory_member = r.i32()?;
        Ok(())
    }

    /// What every version since 21 has, in its order.
    fn encode_base(&self, w: &mut Writer, features: Features) {
        w.put(&[self.pool_type, self.size, self.crush_rule, self.object_hash]);
        w.u32(self.pg_num);
        w.u32(self.pgp_num);
        // Numbers of localized PGs, which no release has any more.
        w.u64(0);
        w.u32(self.last_change);
        w.u64(self.snap_seq);
        w.u32(self.snap_epoch);
        w.value(&self.snaps, features);
        w.value(&self.removed_snaps, features);
        w.u64(self.auid);
        w.u64(self.flags);
        // Crash replay interval, as above.
        w.u32(0);
        w.u8(self.min_size);
        w.u64(self.quota_max_bytes);
        w.u64(self.quota_max_objects);
        w.value(&self.tiers, features);
        w.i64(self.tier_of);
        w.u8(self.cache_mode);
        w.i64(self.read_tier);
        w.i64(self.write_tier);
        w.value(&self.properties, features);
        w.value(&self.hit_set_params, features);
        w.u32(self.hit_set_period);
        w.u32(self.hit_set_count);
        w.u32(self.stripe_width);
        w.u64(self.target_max_bytes);
        w.u64(self.target_max_objects);
        w.u32(self.cache_target_dirty_ratio_micro);
        w.u32(self.cache_target_full_ratio_micro);
        w.u32(self.cache_min_flush_age);
        w.u32(self.cache_min_evict_age);
        w.string(&self.erasure_code_profile);
        w.u32(self.last_force_op_resend_preluminous);
        w.u32(self.min_read_recency_for_promote);
        w.u64(self.expected_num_objects);
        w.u32(self.cache_target_dirty_high_ratio_micro);
        w.u32(self.min_write_recency_for_promote);
        w.bool(self.use_gmt_hitset);
    }

    fn decode_base(r: &mut Reader<'_>) -> Result<PgPool> {
        let mut p = PgPool {
            pool_type: r.u8()?,
            size: r.u8()?,
            crush_rule: r.u8()?,
            object_hash: r.u8()?,
            pg_num: r.u32()?,
            pgp_num: r.u32()?,
            ..Default::default()
        };
        r.skip(8)?;
        p.last_change = r.u32()?;
        p.snap_seq = r.u64()?;
        p.snap_epoch = r.u32()?;
        p.snaps = r.value()?;
        p.removed_snaps = r.value()?;
        p.auid = r.u64()?;
        p.flags = r.u64()?;
        r.skip(4)?;
        p.min_size = r.u8()?;
        p.quota_max_bytes = r.u64()?;
        p.quota_max_objects = r.u64()?;
        p.tiers = r.value()?;
        p.tier_of = r.i64()?;
        p.cache_mode = r.u8()?;
        p.read_tier = r.i64()?;
        p.write_tier = r.i64()?;
        p.properties = r.value()?;
        p.hit_set_params = r.value()?;
        p.hit_set_period = r.u32()?;
        p.hit_set_count = r.u32()?;
        p.stripe_width = r.u32()?;
        p.target_max_bytes = r.u64()?;
        p.target_max_objects = r.u64()?;
        p.cache_target_dirty_ratio_micro = r.u32()?;
        p.cache_target_full_ratio_micro = r.u32()?;
        p.cache_min_flush_age = r.u32()?;
        p.cache_min_evict_age = r.u32()?;
        p.erasure_code_profile = r.string_lossy()?;
        p.last_force_op_resend_preluminous = r.u32()?;
        p.min_read_recency_for_promote = r.u32()?;
        p.expected_num_objects = r.u64()?;
        p.cache_target_dirty_high_ratio_micro = r.u32()?;
        p.min_write_recency_for_promote = r.u32()?;
        p.use_gmt_hitset = r.bool()?;
        Ok(p)
    }

    /// Snapshots of a pool that was written before the flags that tell their kind.
    fn settle_snap_mode(&mut self) {
        use super::pool_flag::{POOL_SNAPS, SELFMANAGED_SNAPS};
        if self.snap_seq > 0 && self.flags & (SELFMANAGED_SNAPS | POOL_SNAPS) == 0 {
            self.flags |= if self.removed_snaps.is_empty() { POOL_SNAPS } else { SELFMANAGED_SNAPS };
        }
    }

    fn decode_since_luminous(&mut self, r: &mut Reader<'_>, v: u8) -> Result<()> {
        if v >= 22 {
            self.fast_read = r.bool()?;
        }
        self.hit_set_search_last_n = 1;
        if v >= 23 {
            self.hit_set_grade_decay_rate = r.u32()?;
            self.hit_set_search_last_n = r.u32()?;
        }
        if v >= 24 {
            self.options = r.value()?;
        }
        self.last_force_op_resend_prenautilus =
            if v >= 25 { r.u32()? } else { self.last_force_op_resend_preluminous };
        if v >= 26 {
            self.application_metadata = r.value()?;
        }
        if v >= 27 {
            self.create_time = r.value()?;
        }
        Ok(())
    }

    fn decode_since_nautilus(&mut self, r: &mut Reader<'_>, v: u8) -> Result<()> {
        if v < 28 {
            self.pg_num_target = self.pg_num;
            self.pgp_num_target = self.pgp_num;
            self.pg_num_pending = self.pg_num;
            self.last_force_op_resend = self.last_force_op_resend_prenautilus;
            self.pg_autoscale_mode = 1;
            return Ok(());
        }
        self.pg_num_target = r.u32()?;
        self.pgp_num_target = r.u32()?;
        self.pg_num_pending = r.u32()?;
        let (last_epoch_started, last_epoch_clean) = (r.u32()?, r.u32()?);
        self.last_force_op_resend = r.u32()?;
        self.pg_autoscale_mode = r.u8()?;
        self.last_pg_merge_meta = if v >= 29 {
            r.value()?
        } else {
            PgMergeMeta { last_epoch_started, last_epoch_clean, ..Default::default() }
        };
        if v == 30 || v >= 31 && r.bool()? {
            self.decode_peering(r)?;
        }
        if v >= 32 {
            self.nonprimary_shards = r.value()?;
        }
        Ok(())
    }
}

impl Encode for PgPool {
    fn encode(&self, w: &mut Writer, features: Features) {
        let v = self.encoded_version(features);
        w.envelope(v, 5, |w| {
            self.encode_base(w, features);
            w.bool(self.fast_read);
            w.u32(self.hit_set_grade_decay_rate);
            w.u32(self.hit_set_search_last_n);
            w.value(&self.options, features);
            w.u32(self.last_force_op_resend_prenautilus);
            w.value(&self.application_metadata, features);
            w.value(&self.create_time, features);
            w.u32(self.pg_num_target);
            w.u32(self.pgp_num_target);
            w.u32(self.pg_num_pending);
            // Two epochs of the last merge that only 14.1 had here.
            w.u64(0);
            w.u32(self.last_force_op_resend);
            w.u8(self.pg_autoscale_mode);
            w.value(&self.last_pg_merge_meta, features);
            if v >= 31 {
                w.bool(self.is_stretch_pool());
            }
            if self.is_stretch_pool() {
                self.encode_peering(w);
            }
            if v >= 32 {
                w.value(&self.nonprimary_shards, features);
            }
        });
    }
}

impl Decode for PgPool {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (v, mut r) = r.envelope_since(21, 32, "pg_pool_t")?;
        let mut pool = Self::decode_base(&mut r)?;
        pool.settle_snap_mode();
        pool.decode_since_luminous(&mut r, v)?;
        pool.decode_since_nautilus(&mut r, v)?;
        Ok(pool)
    }
}

impl Default for PgPool {
    fn default() -> Self {
        PgPool {
            create_time: UTime::ZERO,
            flags: 0,
            pool_type: 0,
            size: 0,
            min_size: 0,
            crush_rule: 0,
            object_hash: 0,
            pg_autoscale_mode: u8::MAX,
            pg_num: 0,
            pgp_num: 0,
            pg_num_pending: 0,
            pg_num_target: 0,
            pgp_num_target: 0,
            properties: BTreeMap::new(),
            erasure_code_profile: String::new(),
            last_change: 0,
            peering_crush_bucket_count: 0,
            peering_crush_bucket_barrier: 0,
            peering_crush_mandatory_member: NO_MEMBER,
            peering_crush_bucket_target: 0,
            last_force_op_resend: 0,
            last_force_op_resend_prenautilus: 0,
            last_force_op_resend_preluminous: 0,
            last_pg_merge_meta: PgMergeMeta::default(),
            snap_seq: 0,
            snap_epoch: 0,
            auid: 0,
            quota_max_bytes: 0,
            quota_max_objects: 0,
            snaps: BTreeMap::new(),
            removed_snaps: Intervals::default(),
            tiers: BTreeSet::new(),
            tier_of: -1,
            read_tier: -1,
            write_tier: -1,
            cache_mode: 0,
            target_max_bytes: 0,
            target_max_objects: 0,
            cache_target_dirty_ratio_micro: 0,
            cache_target_dirty_high_ratio_micro: 0,
            cache_target_full_ratio_micro: 0,
            cache_min_flush_age: 0,
            cache_min_evict_age: 0,
            hit_set_params: HitSetParams::None,
            hit_set_period: 0,
            hit_set_count: 0,
            use_gmt_hitset: true,
            min_read_recency_for_promote: 0,
            min_write_recency_for_promote: 0,
            hit_set_grade_decay_rate: 0,
            hit_set_search_last_n: 0,
            stripe_width: 0,
            expected_num_objects: 0,
            fast_read: false,
            nonprimary_shards: ShardSet::default(),
            options: PoolOpts::default(),
            application_metadata: BTreeMap::new(),
        }
    }
}
