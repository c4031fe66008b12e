//! The OSD map as the PG map sees it.

use super::osd_view::{OsdView, PoolView};
use axon_proto::UTime;
use axon_proto::osd_map::{OSDMap, PgPool};
use std::collections::BTreeMap;

impl OsdView for OSDMap {
    fn epoch(&self) -> u32 {
        self.epoch
    }
    fn modified(&self) -> UTime {
        self.modified
    }
    fn pools(&self) -> Vec<(i64, PoolView)> {
        self.pools.iter().map(|(id, pool)| (*id, view(self, *id, pool))).collect()
    }
    fn pool(&self, id: i64) -> Option<PoolView> {
        self.pools.get(&id).map(|pool| view(self, id, pool))
    }
    fn max_osd(&self) -> i32 {
        self.max_osd
    }
    fn exists(&self, osd: i32) -> bool {
        OSDMap::exists(self, osd)
    }
    fn is_up(&self, osd: i32) -> bool {
        OSDMap::is_up(self, osd)
    }
    fn is_destroyed(&self, osd: i32) -> bool {
        OSDMap::is_destroyed(self, osd)
    }
    fn weight(&self, osd: i32) -> u32 {
        OSDMap::weight(self, osd)
    }
    fn full_ratio(&self) -> f32 {
        self.full_ratio
    }
    fn rule_weights(&self, rule: i32) -> Option<BTreeMap<i32, f32>> {
        self.crush.rule(rule).map(|_| self.crush.rule_shares(rule))
    }
    fn device_class(&self, osd: i32) -> Option<&str> {
        self.crush.item_class(osd)
    }
    fn location(&self, osd: i32) -> Vec<(String, String)> {
        OSDMap::location(self, osd).into_iter().collect()
    }
}

fn view(map: &OSDMap, id: i64, pool: &PgPool) -> PoolView {
    /// `pg_pool_t::pg_autoscale_mode_t::ON`.
    const AUTOSCALE_ON: u8 = 2;
    PoolView {
        name: map.pool_name.get(&id).cloned().unwrap_or_default(),
        pg_num: pool.pg_num,
        pg_num_target: pool.pg_num_target,
        pgp_num_target: pool.pgp_num_target,
        size: u32::from(pool.size),
        min_size: u32::from(pool.min_size),
        crush_rule: i32::from(pool.crush_rule),
        is_tier: pool.tier_of >= 0,
        is_erasure: pool.is_erasure(),
        quota_max_bytes: pool.quota_max_bytes,
        quota_max_objects: pool.quota_max_objects,
        target_max_bytes: pool.target_max_bytes,
        target_max_objects: pool.target_max_objects,
        cache_target_full_ratio_micro: pool.cache_target_full_ratio_micro,
        create_time: pool.create_time,
        has_application: !pool.application_metadata.is_empty(),
        autoscale_on: pool.pg_autoscale_mode == AUTOSCALE_ON,
        scrub_max_interval: pool.options.number("scrub_max_interval"),
        deep_scrub_interval: pool.options.number("deep_scrub_interval"),
        raw_used_rate: raw_used_rate(map, pool),
    }
}

/// `OSDMap::pool_raw_used_rate`.
fn raw_used_rate(map: &OSDMap, pool: &PgPool) -> f32 {
    if !pool.is_erasure() {
        return f32::from(pool.size);
    }
    let profile = map.erasure_code_profiles.get(&pool.erasure_code_profile);
    let number = |key: &str| profile.and_then(|p| p.get(key)).and_then(|v| v.parse::<f32>().ok());
    match (number("k"), number("m")) {
        (Some(k), Some(m)) if k > 0.0 => (k + m) / k,
        _ => f32::from(pool.size),
    }
}
