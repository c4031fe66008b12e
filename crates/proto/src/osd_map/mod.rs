//! The OSD map (`src/osd/OSDMap.{h,cc}`): OSDs, pools, placement exceptions, blocklist and the CRUSH map, per epoch.
//! Client section versions 1 to 10, OSD section 1 to 12 (16.2 writes 9/9, 20.2 up to 10/12).
//!
//! Invariants: a decoded map passed its crc; a map written with [`OSDMap::encoding_features`] is byte for byte what a monitor
//! stores; [`OSDMap::apply`] gives the map that the monitor made from the same increment, or an error and no change.
//! A clone shares every large part, so that one snapshot per epoch is cheap.
//!
//! Split by part: `codec`, `incremental` (+ `incremental_codec`, `incremental_dump`), `apply`, `dump`, `pool`, `osd`, `placement`, `query`,
//! `tree`, `read_balance`. Not here: forms for peers before Nautilus; the monitors' side (making increments).

mod addrs;
mod apply;
mod codec;
mod dump;
mod flags;
mod follow;
mod hit_set;
mod incremental;
mod incremental_codec;
mod incremental_dump;
mod osd;
mod placement;
mod pool;
mod pool_dump;
mod pool_opts;
mod query;
mod read_balance;
mod tree;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;

pub use addrs::range_contains;
pub use apply::ApplyError;
pub use flags::{map_flag, pool_flag};
pub use follow::{Unconnected, follow};
pub use hit_set::HitSetParams;
pub use incremental::Incremental;
pub use osd::{OsdInfo, OsdXInfo, WEIGHT_IN, state};
pub use placement::UpActing;
pub use pool::{PgMergeMeta, PgPool, PoolSnapInfo, ShardSet, pool_type};
pub use pool_opts::{PoolOpt, PoolOpts};
pub use read_balance::{Loaded, ReadBalance, Score};
pub use tree::OsdTree;

use crate::crush::CrushMap;
use crate::pg::{Intervals, Pg};
use crate::{EntityAddr, EntityAddrVec, Fsid, UTime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings of an erasure code by the profile's name.
pub type Profiles = BTreeMap<String, BTreeMap<String, String>>;
/// Addresses by OSD.
pub type Addrs = Vec<Arc<EntityAddrVec>>;
/// Snapshot ids by pool.
pub type PoolSnaps = BTreeMap<i64, Intervals>;

/// `OSDMap`. Columns by OSD id are `max_osd` long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OSDMap {
    pub fsid: Fsid,
    pub epoch: u32,
    pub created: UTime,
    pub modified: UTime,
    pub pools: Arc<BTreeMap<i64, Arc<PgPool>>>,
    pub pool_name: Arc<BTreeMap<i64, String>>,
    /// The largest pool id ever.
    pub pool_max: i32,
    /// [`map_flag`].
    pub flags: u32,
    pub max_osd: i32,
    /// [`state`] bits.
    pub osd_state: Arc<Vec<u32>>,
    /// 16.16 fixed point; 0x10000 is in, 0 is out.
    pub osd_weight: Arc<Vec<u32>>,
    /// 16.16 fixed point; absent when every OSD has the default.
    pub osd_primary_affinity: Option<Arc<Vec<u32>>>,
    pub osd_info: Arc<Vec<OsdInfo>>,
    pub osd_xinfo: Arc<Vec<OsdXInfo>>,
    pub osd_uuid: Arc<Vec<Fsid>>,
    pub client_addrs: Arc<Addrs>,
    pub cluster_addrs: Arc<Addrs>,
    pub hb_back_addrs: Arc<Addrs>,
    pub hb_front_addrs: Arc<Addrs>,
    pub pg_temp: Arc<BTreeMap<Pg, Vec<i32>>>,
    pub primary_temp: Arc<BTreeMap<Pg, i32>>,
    pub pg_upmap: Arc<BTreeMap<Pg, Vec<i32>>>,
    pub pg_upmap_items: Arc<BTreeMap<Pg, Vec<(i32, i32)>>>,
    pub pg_upmap_primaries: Arc<BTreeMap<Pg, i32>>,
    pub crush: Arc<CrushMap>,
    pub crush_version: u32,
    pub erasure_code_profiles: Arc<Profiles>,
    /// Until when.
    pub blocklist: Arc<BTreeMap<EntityAddr, UTime>>,
    /// Until when; the nonce is the length of the prefix.
    pub range_blocklist: Arc<BTreeMap<EntityAddr, UTime>>,
    pub removed_snaps_queue: Arc<PoolSnaps>,
    /// Added to the queue in this epoch.
    pub new_removed_snaps: Arc<PoolSnaps>,
    /// Taken from the queue in this epoch.
    pub new_purged_snaps: Arc<PoolSnaps>,
    pub last_up_change: UTime,
    pub last_in_change: UTime,
    pub cluster_snapshot_epoch: u32,
    pub cluster_snapshot: String,
    pub full_ratio: f32,
    pub backfillfull_ratio: f32,
    pub nearfull_ratio: f32,
    /// `ceph_release_t`.
    pub require_min_compat_client: u8,
    /// `ceph_release_t`.
    pub require_osd_release: u8,
    /// CRUSH node to [`state`] bits.
    pub crush_node_flags: BTreeMap<i32, u32>,
    /// Device class to [`state`] bits.
    pub device_class_flags: BTreeMap<i32, u32>,
    pub stretch_mode_enabled: bool,
    pub stretch_bucket_count: u32,
    pub degraded_stretch_mode: u32,
    pub recovering_stretch_mode: u32,
    pub stretch_mode_bucket: i32,
    pub allow_crimson: bool,
}

/// `crc32c` as Ceph chains it: no inversion before or after.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}
