//! What the PG map needs to know of the OSD map, and nothing more, so that its rules can be tested without one.
//! `axon_proto`'s OSD map implements it in `osd_map_view.rs`.

use axon_proto::UTime;
use std::collections::BTreeMap;

/// A pool of the OSD map (`pg_pool_t`), as far as PG statistics and their health checks need it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolView {
    pub name: String,
    pub pg_num: u32,
    pub pg_num_target: u32,
    pub pgp_num_target: u32,
    pub size: u32,
    pub min_size: u32,
    pub crush_rule: i32,
    /// It is a cache tier of another pool.
    pub is_tier: bool,
    pub is_erasure: bool,
    pub quota_max_bytes: u64,
    pub quota_max_objects: u64,
    pub target_max_bytes: u64,
    pub target_max_objects: u64,
    pub cache_target_full_ratio_micro: u32,
    pub create_time: UTime,
    pub has_application: bool,
    pub autoscale_on: bool,
    /// Seconds; the pool's own options.
    pub scrub_max_interval: Option<f64>,
    pub deep_scrub_interval: Option<f64>,
    /// Raw bytes per stored byte: the size, or (k+m)/k.
    pub raw_used_rate: f32,
}

/// The OSD map.
pub trait OsdView {
    fn epoch(&self) -> u32;
    /// When the map was made.
    fn modified(&self) -> UTime;
    fn pools(&self) -> Vec<(i64, PoolView)>;
    fn pool(&self, id: i64) -> Option<PoolView>;
    /// One more than the largest id.
    fn max_osd(&self) -> i32;
    fn exists(&self, osd: i32) -> bool;
    fn is_up(&self, osd: i32) -> bool;
    fn is_destroyed(&self, osd: i32) -> bool;
    /// 0 (out) to 0x10000 (in).
    fn weight(&self, osd: i32) -> u32;
    /// The ratio at which an OSD is full.
    fn full_ratio(&self) -> f32;
    /// By OSD: the part of a write under the rule that it takes (`get_rule_weight_osd_map`). `None`: no such rule.
    fn rule_weights(&self, rule: i32) -> Option<BTreeMap<i32, f32>>;
    fn device_class(&self, osd: i32) -> Option<&str>;
    /// The buckets above an OSD, type and name.
    fn location(&self, osd: i32) -> Vec<(String, String)>;

    /// The OSD is missing or down.
    fn is_down(&self, osd: i32) -> bool {
        !self.is_up(osd)
    }
    /// The OSD is missing or has no weight.
    fn is_out(&self, osd: i32) -> bool {
        !self.exists(osd) || self.weight(osd) == 0
    }
    fn num_osds(&self) -> usize {
        (0..self.max_osd()).filter(|osd| self.exists(*osd)).count()
    }
    fn num_in_osds(&self) -> usize {
        (0..self.max_osd()).filter(|osd| !self.is_out(*osd)).count()
    }
}
