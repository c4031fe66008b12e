//! `OSDMap::Incremental`: what one epoch changes. Client section versions 3 to 9, OSD section 6 to 12.

use super::{OsdXInfo, PgPool, PoolSnaps, Profiles};
use crate::pg::Pg;
use crate::{EntityAddr, EntityAddrVec, Fsid, UTime};
use axon_denc::Features;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// "No change" in a field that holds a release.
pub(super) const NO_RELEASE: u8 = 0xff;

/// `OSDMap::Incremental`. Numbers below zero mean "no change".
#[derive(Clone, Debug, PartialEq)]
pub struct Incremental {
    /// What it was written with; the map after it has to be written with the same.
    pub encode_features: Features,
    pub fsid: Fsid,
    /// The epoch that it leads to.
    pub epoch: u32,
    pub modified: UTime,
    pub new_pool_max: i64,
    pub new_flags: i32,
    /// A whole map in place of everything below, when not empty.
    pub fullmap: Bytes,
    /// A whole CRUSH map, when not empty.
    pub crush: Bytes,
    pub new_max_osd: i32,
    pub new_pools: BTreeMap<i64, Arc<PgPool>>,
    pub new_pool_names: BTreeMap<i64, String>,
    pub old_pools: BTreeSet<i64>,
    pub new_erasure_code_profiles: Profiles,
    pub old_erasure_code_profiles: Vec<String>,
    pub new_up_client: BTreeMap<i32, EntityAddrVec>,
    pub new_up_cluster: BTreeMap<i32, EntityAddrVec>,
    pub new_hb_back_up: BTreeMap<i32, EntityAddrVec>,
    pub new_hb_front_up: BTreeMap<i32, EntityAddrVec>,
    /// Bits to flip; 0 stands for "up".
    pub new_state: BTreeMap<i32, u32>,
    pub new_weight: BTreeMap<i32, u32>,
    /// Empty to remove.
    pub new_pg_temp: BTreeMap<Pg, Vec<i32>>,
    /// -1 to remove.
    pub new_primary_temp: BTreeMap<Pg, i32>,
    pub new_primary_affinity: BTreeMap<i32, u32>,
    pub new_up_thru: BTreeMap<i32, u32>,
    pub new_last_clean_interval: BTreeMap<i32, (u32, u32)>,
    pub new_lost: BTreeMap<i32, u32>,
    pub new_uuid: BTreeMap<i32, Fsid>,
    pub new_xinfo: BTreeMap<i32, OsdXInfo>,
    pub new_blocklist: BTreeMap<EntityAddr, UTime>,
    pub old_blocklist: Vec<EntityAddr>,
    pub new_range_blocklist: BTreeMap<EntityAddr, UTime>,
    pub old_range_blocklist: Vec<EntityAddr>,
    pub new_pg_upmap: BTreeMap<Pg, Vec<i32>>,
    pub old_pg_upmap: BTreeSet<Pg>,
    pub new_pg_upmap_items: BTreeMap<Pg, Vec<(i32, i32)>>,
    pub old_pg_upmap_items: BTreeSet<Pg>,
    pub new_pg_upmap_primary: BTreeMap<Pg, i32>,
    pub old_pg_upmap_primary: BTreeSet<Pg>,
    pub new_removed_snaps: PoolSnaps,
    pub new_purged_snaps: PoolSnaps,
    pub new_last_up_change: UTime,
    pub new_last_in_change: UTime,
    pub cluster_snapshot: String,
    pub new_nearfull_ratio: f32,
    pub new_full_ratio: f32,
    pub new_backfillfull_ratio: f32,
    /// 0xff for no change.
    pub new_require_min_compat_client: u8,
    /// 0xff for no change.
    pub new_require_osd_release: u8,
    /// 0 to remove.
    pub new_crush_node_flags: BTreeMap<i32, u32>,
    /// 0 to remove.
    pub new_device_class_flags: BTreeMap<i32, u32>,
    /// Whether the fields of stretch mode are meant.
    pub change_stretch_mode: bool,
    pub new_stretch_bucket_count: u32,
    pub new_degraded_stretch_mode: u32,
    pub new_recovering_stretch_mode: u32,
    pub new_stretch_mode_bucket: i32,
    pub stretch_mode_enabled: bool,
    /// 0 no change, 1 set, 2 clear.
    pub mutate_allow_crimson: u8,
    /// crc of the map after it.
    pub full_crc: u32,
}

impl Default for Incremental {
    fn default() -> Self {
        Incremental {
            encode_features: Features::NONE,
            fsid: Fsid::default(),
            epoch: 0,
            modified: UTime::ZERO,
            new_pool_max: -1,
            new_flags: -1,
            fullmap: Bytes::new(),
            crush: Bytes::new(),
            new_max_osd: -1,
            new_pools: BTreeMap::new(),
            new_pool_names: BTreeMap::new(),
            old_pools: BTreeSet::new(),
            new_erasure_code_profiles: BTreeMap::new(),
            old_erasure_code_profiles: Vec::new(),
            new_up_client: BTreeMap::new(),
            new_up_cluster: BTreeMap::new(),
            new_hb_back_up: BTreeMap::new(),
            new_hb_front_up: BTreeMap::new(),
            new_state: BTreeMap::new(),
            new_weight: BTreeMap::new(),
            new_pg_temp: BTreeMap::new(),
            new_primary_temp: BTreeMap::new(),
            new_primary_affinity: BTreeMap::new(),
            new_up_thru: BTreeMap::new(),
            new_last_clean_interval: BTreeMap::new(),
            new_lost: BTreeMap::new(),
            new_uuid: BTreeMap::new(),
            new_xinfo: BTreeMap::new(),
            new_blocklist: BTreeMap::new(),
            old_blocklist: Vec::new(),
            new_range_blocklist: BTreeMap::new(),
            old_range_blocklist: Vec::new(),
            new_pg_upmap: BTreeMap::new(),
            old_pg_upmap: BTreeSet::new(),
            new_pg_upmap_items: BTreeMap::new(),
            old_pg_upmap_items: BTreeSet::new(),
            new_pg_upmap_primary: BTreeMap::new(),
            old_pg_upmap_primary: BTreeSet::new(),
            new_removed_snaps: BTreeMap::new(),
            new_purged_snaps: BTreeMap::new(),
            new_last_up_change: UTime::ZERO,
            new_last_in_change: UTime::ZERO,
            cluster_snapshot: String::new(),
            new_nearfull_ratio: -1.0,
            new_full_ratio: -1.0,
            new_backfillfull_ratio: -1.0,
            new_require_min_compat_client: NO_RELEASE,
            new_require_osd_release: NO_RELEASE,
            new_crush_node_flags: BTreeMap::new(),
            new_device_class_flags: BTreeMap::new(),
            change_stretch_mode: false,
            new_stretch_bucket_count: 0,
            new_degraded_stretch_mode: 0,
            new_recovering_stretch_mode: 0,
            new_stretch_mode_bucket: 0,
            stretch_mode_enabled: false,
            mutate_allow_crimson: 0,
            full_crc: 0,
        }
    }
}
