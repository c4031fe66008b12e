//! `pg_pool_t::dump`: a pool's settings as JSON. 20.2 adds `is_stretch_pool` and `nonprimary_shards`.

use super::{PgPool, ShardSet, pool_flag};
use crate::release::{Dump, Release};
use serde::ser::{SerializeMap, Serializer};
use std::fmt;

/// As upstream prints a set of shards: `{1,2}`.
impl fmt::Display for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards: Vec<_> = (0..128).filter(|n| self.0 >> n & 1 != 0).map(|n: u32| n.to_string()).collect();
        write!(f, "{{{}}}", shards.join(","))
    }
}

impl PgPool {
    /// `pg_autoscale_mode` by name.
    #[must_use]
    pub fn pg_autoscale_mode_name(&self) -> &'static str {
        match self.pg_autoscale_mode {
            0 => "off",
            1 => "warn",
            2 => "on",
            _ => "???",
        }
    }

    /// `type` by name.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self.pool_type {
            super::pool_type::REPLICATED => "replicated",
            super::pool_type::ERASURE => "erasure",
            _ => "???",
        }
    }

    /// The flags joined by commas.
    #[must_use]
    pub fn flags_names(&self) -> String {
        pool_flag::text(self.flags)
    }

    /// `cache_mode` by name.
    #[must_use]
    pub fn cache_mode_name(&self) -> &'static str {
        const NAMES: [&str; 7] =
            ["none", "writeback", "forward", "readonly", "readforward", "readproxy", "proxy"];
        NAMES.get(usize::from(self.cache_mode)).copied().unwrap_or("unknown")
    }

    /// Weights of hit sets by age, falling by the decay rate (`calc_grade_table`).
    fn grade_table(&self) -> Vec<u32> {
        let keep = 1.0 - f64::from(self.hit_set_grade_decay_rate) / 100.0;
        let step = |grade: &mut u32, _| {
            *grade = (f64::from(*grade) * keep) as u32;
            Some(*grade)
        };
        // A count beyond any that upstream accepts would only cost memory.
        (0..self.hit_set_count.min(100_000)).scan(1_000_000, step).collect()
    }

    /// The keys of a pool's dump, within an object that the caller opens and closes.
    pub fn dump_fields<M: SerializeMap>(&self, release: Release, out: &mut M) -> Result<(), M::Error> {
        self.dump_placement(release, out)?;
        self.dump_history(out)?;
        self.dump_cache(out)?;
        out.serialize_entry("stripe_width", &self.stripe_width)?;
        out.serialize_entry("expected_num_objects", &self.expected_num_objects)?;
        out.serialize_entry("fast_read", &self.fast_read)?;
        if release >= Release::Tentacle {
            out.serialize_entry("nonprimary_shards", &self.nonprimary_shards.to_string())?;
        }
        out.serialize_entry("options", &self.options)?;
        out.serialize_entry("application_metadata", &self.application_metadata)
    }

    fn dump_placement<M: SerializeMap>(&self, release: Release, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("create_time", &self.create_time)?;
        out.serialize_entry("flags", &self.flags)?;
        out.serialize_entry("flags_names", &self.flags_names())?;
        out.serialize_entry("type", &self.pool_type)?;
        out.serialize_entry("size", &self.size)?;
        out.serialize_entry("min_size", &self.min_size)?;
        out.serialize_entry("crush_rule", &self.crush_rule)?;
        out.serialize_entry("peering_crush_bucket_count", &self.peering_crush_bucket_count)?;
        out.serialize_entry("peering_crush_bucket_target", &self.peering_crush_bucket_target)?;
        out.serialize_entry("peering_crush_bucket_barrier", &self.peering_crush_bucket_barrier)?;
        out.serialize_entry("peering_crush_bucket_mandatory_member", &self.peering_crush_mandatory_member)?;
        if release >= Release::Tentacle {
            out.serialize_entry("is_stretch_pool", &self.is_stretch_pool())?;
        }
        out.serialize_entry("object_hash", &self.object_hash)?;
        out.serialize_entry("pg_autoscale_mode", self.pg_autoscale_mode_name())?;
        out.serialize_entry("pg_num", &self.pg_num)?;
        out.serialize_entry("pg_placement_num", &self.pgp_num)?;
        out.serialize_entry("pg_placement_num_target", &self.pgp_num_target)?;
        out.serialize_entry("pg_num_target", &self.pg_num_target)?;
        out.serialize_entry("pg_num_pending", &self.pg_num_pending)
    }

    fn dump_history<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("last_pg_merge_meta", &self.last_pg_merge_meta)?;
        // Upstream prints these epochs as text.
        out.serialize_entry("last_change", &self.last_change.to_string())?;
        out.serialize_entry("last_force_op_resend", &self.last_force_op_resend.to_string())?;
        out.serialize_entry(
            "last_force_op_resend_prenautilus",
            &self.last_force_op_resend_prenautilus.to_string(),
        )?;
        out.serialize_entry(
            "last_force_op_resend_preluminous",
            &self.last_force_op_resend_preluminous.to_string(),
        )?;
        out.serialize_entry("auid", &self.auid)?;
        let pool_snaps = self.flags & pool_flag::POOL_SNAPS != 0;
        out.serialize_entry("snap_mode", if pool_snaps { "pool" } else { "selfmanaged" })?;
        out.serialize_entry("snap_seq", &self.snap_seq)?;
        out.serialize_entry("snap_epoch", &self.snap_epoch)?;
        out.serialize_entry("pool_snaps", &self.snaps.values().collect::<Vec<_>>())?;
        out.serialize_entry("removed_snaps", &self.removed_snaps.to_string())?;
        out.serialize_entry("quota_max_bytes", &self.quota_max_bytes)?;
        out.serialize_entry("quota_max_objects", &self.quota_max_objects)
    }

    fn dump_cache<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("tiers", &self.tiers)?;
        out.serialize_entry("tier_of", &self.tier_of)?;
        out.serialize_entry("read_tier", &self.read_tier)?;
        out.serialize_entry("write_tier", &self.write_tier)?;
        out.serialize_entry("cache_mode", self.cache_mode_name())?;
        out.serialize_entry("target_max_bytes", &self.target_max_bytes)?;
        out.serialize_entry("target_max_objects", &self.target_max_objects)?;
        out.serialize_entry("cache_target_dirty_ratio_micro", &self.cache_target_dirty_ratio_micro)?;
        out.serialize_entry(
            "cache_target_dirty_high_ratio_micro",
            &self.cache_target_dirty_high_ratio_micro,
        )?;
        out.serialize_entry("cache_target_full_ratio_micro", &self.cache_target_full_ratio_micro)?;
        out.serialize_entry("cache_min_flush_age", &self.cache_min_flush_age)?;
        out.serialize_entry("cache_min_evict_age", &self.cache_min_evict_age)?;
        out.serialize_entry("erasure_code_profile", &self.erasure_code_profile)?;
        out.serialize_entry("hit_set_params", &self.hit_set_params)?;
        out.serialize_entry("hit_set_period", &self.hit_set_period)?;
        out.serialize_entry("hit_set_count", &self.hit_set_count)?;
        out.serialize_entry("use_gmt_hitset", &self.use_gmt_hitset)?;
        out.serialize_entry("min_read_recency_for_promote", &self.min_read_recency_for_promote)?;
        out.serialize_entry("min_write_recency_for_promote", &self.min_write_recency_for_promote)?;
        out.serialize_entry("hit_set_grade_decay_rate", &self.hit_set_grade_decay_rate)?;
        out.serialize_entry("hit_set_search_last_n", &self.hit_set_search_last_n)?;
        out.serialize_entry("grade_table", &self.grade_table())
    }
}

impl Dump for PgPool {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.dump_fields(release, &mut out)?;
        out.end()
    }
}
