//! `OSDMap::apply_incremental`: the next epoch from the one before. Only the parts that an increment touches are copied.

use super::incremental::NO_RELEASE;
use super::{Incremental, OSDMap, OsdInfo, OsdXInfo, PoolSnaps, WEIGHT_IN, state};
use crate::crush::CrushMap;
use crate::{EntityAddrVec, Fsid};
use axon_denc::{Decode, DecodeError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Why an increment does not lead on from a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// It belongs to another cluster.
    OtherCluster { ours: Fsid, theirs: Fsid },
    /// It leads to another epoch than the next.
    EpochGap { have: u32, leads_to: u32 },
    /// It names an OSD that the map has no place for.
    NoSuchOsd { osd: i32, max_osd: i32 },
    /// The map that it carries cannot be read.
    Decode(DecodeError),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::OtherCluster { ours, theirs } => {
                write!(f, "the monitors sent an increment of cluster {theirs}, this one is {ours}")
            }
            ApplyError::EpochGap { have, leads_to } => {
                write!(f, "an increment to OSD map epoch {leads_to} does not follow epoch {have}")
            }
            ApplyError::NoSuchOsd { osd, max_osd } => {
                write!(f, "the monitors sent an increment for osd.{osd}, but max_osd is {max_osd}")
            }
            ApplyError::Decode(_) => f.write_str("the map inside an increment is malformed"),
        }
    }
}
impl std::error::Error for ApplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ApplyError::Decode(e) => Some(e),
            _ => None,
        }
    }
}
impl From<DecodeError> for ApplyError {
    fn from(e: DecodeError) -> Self {
        ApplyError::Decode(e)
    }
}

type Result<T> = std::result::Result<T, ApplyError>;

/// Whether a release field says something (`ceph_release_t` compares as signed).
fn is_release(number: u8) -> bool {
    number != NO_RELEASE && number < 0x80
}

/// Puts and removes entries; leaves a shared map alone when there is nothing to do.
fn merge<K: Ord + Copy, V: Clone>(
    map: &mut Arc<BTreeMap<K, V>>,
    put: &BTreeMap<K, V>,
    remove: impl IntoIterator<Item = K>,
) {
    let mut remove = remove.into_iter().peekable();
    if put.is_empty() && remove.peek().is_none() {
        return;
    }
    let map = Arc::make_mut(map);
    map.extend(put.iter().map(|(k, v)| (*k, v.clone())));
    for key in remove {
        map.remove(&key);
    }
}

impl OSDMap {
    /// Goes on by one epoch. On an error the map stays as it was.
    ///
    /// # Errors
    /// When the increment is of another cluster or epoch, names an OSD beyond `max_osd`, or holds a broken map.
    pub fn apply(&mut self, inc: &Incremental) -> Result<()> {
        if inc.epoch != 1 && inc.fsid != self.fsid {
            return Err(ApplyError::OtherCluster { ours: self.fsid, theirs: inc.fsid });
        }
        if Some(inc.epoch) != self.epoch.checked_add(1) {
            return Err(ApplyError::EpochGap { have: self.epoch, leads_to: inc.epoch });
        }
        if !inc.fullmap.is_empty() {
            *self = OSDMap::from_bytes(&inc.fullmap)?;
            return Ok(());
        }
        let mut next = self.clone();
        next.fsid = inc.fsid;
        next.epoch = inc.epoch;
        next.modified = inc.modified;
        next.apply_map(inc);
        next.apply_pools(inc);
        next.apply_snaps(inc);
        next.apply_weights(inc)?;
        next.apply_states(inc)?;
        next.apply_boots(inc)?;
        next.apply_osd_info(inc)?;
        next.apply_placement(inc);
        next.apply_blocklists(inc);
        next.apply_settings(inc);
        next.apply_crush(inc)?;
        *self = next;
        Ok(())
    }

    /// Whether this map, written as the increment that led to it was, has the crc that the increment promises.
    #[must_use]
    pub fn matches_crc(&self, inc: &Incremental) -> bool {
        self.encode_full(inc.encode_features).1 == inc.full_crc
    }

    /// The index of an OSD in the columns.
    fn place(&self, osd: i32) -> Result<usize> {
        let error = ApplyError::NoSuchOsd { osd, max_osd: self.max_osd };
        usize::try_from(osd).ok().filter(|i| *i < self.osd_state.len()).ok_or(error)
    }

    fn apply_map(&mut self, inc: &Incremental) {
        if inc.new_flags >= 0 {
            self.flags = inc.new_flags as u32;
        }
        if inc.new_max_osd >= 0 {
            self.resize(inc.new_max_osd);
        }
        if inc.new_pool_max != -1 {
            self.pool_max = inc.new_pool_max as i32;
        }
        if !inc.new_last_up_change.is_zero() {
            self.last_up_change = inc.new_last_up_change;
        }
        if !inc.new_last_in_change.is_zero() {
            self.last_in_change = inc.new_last_in_change;
        }
    }

    fn resize(&mut self, max_osd: i32) {
        let len = usize::try_from(max_osd).unwrap_or_default();
        self.max_osd = max_osd;
        Arc::make_mut(&mut self.osd_state).resize(len, 0);
        Arc::make_mut(&mut self.osd_weight).resize(len, 0);
        Arc::make_mut(&mut self.osd_info).resize(len, OsdInfo::default());
        Arc::make_mut(&mut self.osd_xinfo).resize(len, OsdXInfo::default());
        Arc::make_mut(&mut self.osd_uuid).resize(len, Fsid::default());
        let blank = Arc::new(EntityAddrVec::default());
        for column in [
            &mut self.client_addrs,
            &mut self.cluster_addrs,
            &mut self.hb_back_addrs,
            &mut self.hb_front_addrs,
        ] {
            Arc::make_mut(column).resize(len, blank.clone());
        }
        if let Some(affinity) = &mut self.osd_primary_affinity {
            Arc::make_mut(affinity).resize(len, WEIGHT_IN);
        }
    }

    fn apply_pools(&mut self, inc: &Incremental) {
        let changed: BTreeMap<_, _> = inc
            .new_pools
            .iter()
            .map(|(id, pool)| {
                let mut pool = pool.clone();
                Arc::make_mut(&mut pool).last_change = self.epoch;
                (*id, pool)
            })
            .collect();
        merge(&mut self.pools, &changed, inc.old_pools.iter().copied());
        merge(&mut self.pool_name, &inc.new_pool_names, inc.old_pools.iter().copied());
    }

    fn apply_snaps(&mut self, inc: &Incremental) {
        let replace = |ours: &mut Arc<PoolSnaps>, theirs: &PoolSnaps| {
            if **ours != *theirs {
                *ours = Arc::new(theirs.clone());
            }
        };
        replace(&mut self.new_removed_snaps, &inc.new_removed_snaps);
        replace(&mut self.new_purged_snaps, &inc.new_purged_snaps);
        if inc.new_removed_snaps.is_empty() && inc.new_purged_snaps.is_empty() {
            return;
        }
        let queue = Arc::make_mut(&mut self.removed_snaps_queue);
        for (pool, snaps) in &inc.new_removed_snaps {
            queue.entry(*pool).or_default().union_of(snaps);
        }
        for (pool, snaps) in &inc.new_purged_snaps {
            if let Some(queued) = queue.get_mut(pool) {
                queued.subtract(snaps);
                if queued.is_empty() {
                    queue.remove(pool);
                }
            }
        }
    }

    fn apply_weights(&mut self, inc: &Incremental) -> Result<()> {
        for (osd, weight) in &inc.new_weight {
            let i = self.place(*osd)?;
            set(&mut self.osd_weight, i, *weight);
            if *weight != 0 {
                // An OSD with a weight exists.
                edit(&mut self.osd_state, i, |s| {
                    *s = (*s | state::EXISTS) & !(state::AUTOOUT | state::NEW);
                });
                edit(&mut self.osd_xinfo, i, |x| x.old_weight = 0);
            }
        }
        for (osd, affinity) in &inc.new_primary_affinity {
            let i = self.place(*osd)?;
            self.put_primary_affinity(i, *affinity);
        }
        Ok(())
    }

    /// The first affinity that is set gives every OSD a place in the column.
    fn put_primary_affinity(&mut self, i: usize, affinity: u32) {
        let len = self.osd_state.len();
        let column = self.osd_primary_affinity.get_or_insert_with(|| Arc::new(vec![WEIGHT_IN; len]));
        set(column, i, affinity);
    }

    fn apply_states(&mut self, inc: &Incremental) -> Result<()> {
        for (osd, bits) in &inc.new_state {
            let i = self.place(*osd)?;
            let flip = if *bits == 0 { state::UP } else { *bits };
            let had = self.osd_state.get(i).copied().unwrap_or_default();
            if had & flip & state::UP != 0 {
                let (epoch, modified) = (self.epoch, self.modified);
                edit(&mut self.osd_info, i, |info| info.down_at = epoch);
                edit(&mut self.osd_xinfo, i, |x| x.down_stamp = modified);
            }
            if had & flip & state::EXISTS != 0 {
                self.forget(i);
            } else {
                edit(&mut self.osd_state, i, |s| *s ^= flip);
            }
        }
        Ok(())
    }

    /// An OSD that is removed leaves an empty place.
    fn forget(&mut self, i: usize) {
        set(&mut self.osd_uuid, i, Fsid::default());
        set(&mut self.osd_info, i, OsdInfo::default());
        set(&mut self.osd_xinfo, i, OsdXInfo::default());
        self.put_primary_affinity(i, WEIGHT_IN);
        let blank = Arc::new(EntityAddrVec::default());
        set(&mut self.client_addrs, i, blank.clone());
        set(&mut self.cluster_addrs, i, blank.clone());
        set(&mut self.hb_front_addrs, i, blank.clone());
        set(&mut self.hb_back_addrs, i, blank);
        set(&mut self.osd_state, i, 0);
    }

    fn apply_boots(&mut self, inc: &Incremental) -> Result<()> {
        let epoch = self.epoch;
        for (osd, addrs) in &inc.new_up_client {
            let i = self.place(*osd)?;
            edit(&mut self.osd_state, i, |s| *s = (*s | state::EXISTS | state::UP) & !state::STOP);
            set(&mut self.client_addrs, i, Arc::new(addrs.clone()));
            let of = |map: &BTreeMap<i32, EntityAddrVec>| Arc::new(map.get(osd).cloned().unwrap_or_default());
            set(&mut self.hb_back_addrs, i, of(&inc.new_hb_back_up));
            set(&mut self.hb_front_addrs, i, of(&inc.new_hb_front_up));
            edit(&mut self.osd_info, i, |info| info.up_from = epoch);
        }
        for (osd, addrs) in &inc.new_up_cluster {
            let i = self.place(*osd)?;
            set(&mut self.cluster_addrs, i, Arc::new(addrs.clone()));
        }
        Ok(())
    }

    fn apply_osd_info(&mut self, inc: &Incremental) -> Result<()> {
        for (osd, epoch) in &inc.new_up_thru {
            let i = self.place(*osd)?;
            edit(&mut self.osd_info, i, |info| info.up_thru = *epoch);
        }
        for (osd, (begin, end)) in &inc.new_last_clean_interval {
            let i = self.place(*osd)?;
            edit(&mut self.osd_info, i, |info| {
                info.last_clean_begin = *begin;
                info.last_clean_end = *end;
            });
        }
        for (osd, epoch) in &inc.new_lost {
            let i = self.place(*osd)?;
            edit(&mut self.osd_info, i, |info| info.lost_at = *epoch);
        }
        for (osd, xinfo) in &inc.new_xinfo {
            let i = self.place(*osd)?;
            set(&mut self.osd_xinfo, i, *xinfo);
        }
        for (osd, uuid) in &inc.new_uuid {
            let i = self.place(*osd)?;
            set(&mut self.osd_uuid, i, *uuid);
        }
        Ok(())
    }

    fn apply_placement(&mut self, inc: &Incremental) {
        let none = std::iter::empty();
        merge(&mut self.pg_temp, &inc.new_pg_temp, none.clone());
        if inc.new_pg_temp.values().any(Vec::is_empty) {
            Arc::make_mut(&mut self.pg_temp).retain(|_, osds| !osds.is_empty());
        }
        merge(&mut self.primary_temp, &inc.new_primary_temp, none);
        if inc.new_primary_temp.values().any(|osd| *osd == -1) {
            Arc::make_mut(&mut self.primary_temp).retain(|_, osd| *osd != -1);
        }
        merge(&mut self.pg_upmap, &inc.new_pg_upmap, inc.old_pg_upmap.iter().copied());
        merge(&mut self.pg_upmap_items, &inc.new_pg_upmap_items, inc.old_pg_upmap_items.iter().copied());
        merge(
            &mut self.pg_upmap_primaries,
            &inc.new_pg_upmap_primary,
            inc.old_pg_upmap_primary.iter().copied(),
        );
    }

    fn apply_blocklists(&mut self, inc: &Incremental) {
        // An address that is listed keeps its time, as upstream's insert does.
        let add = |ours: &BTreeMap<_, _>, theirs: &BTreeMap<crate::EntityAddr, crate::UTime>| {
            let absent = theirs.iter().filter(|(addr, _)| !ours.contains_key(*addr));
            absent.map(|(a, t)| (*a, *t)).collect::<BTreeMap<_, _>>()
        };
        let new = add(&self.blocklist, &inc.new_blocklist);
        merge(&mut self.blocklist, &new, inc.old_blocklist.iter().copied());
        let new = add(&self.range_blocklist, &inc.new_range_blocklist);
        merge(&mut self.range_blocklist, &new, inc.old_range_blocklist.iter().copied());
    }

    fn apply_settings(&mut self, inc: &Incremental) {
        if !(inc.new_erasure_code_profiles.is_empty() && inc.old_erasure_code_profiles.is_empty()) {
            let profiles = Arc::make_mut(&mut self.erasure_code_profiles);
            profiles.retain(|name, _| !inc.old_erasure_code_profiles.contains(name));
            profiles.extend(inc.new_erasure_code_profiles.clone());
        }
        for (ours, theirs) in [
            (&mut self.crush_node_flags, &inc.new_crush_node_flags),
            (&mut self.device_class_flags, &inc.new_device_class_flags),
        ] {
            ours.extend(theirs);
            ours.retain(|_, flags| *flags != 0);
        }
        self.cluster_snapshot_epoch = if inc.cluster_snapshot.is_empty() { 0 } else { inc.epoch };
        self.cluster_snapshot.clone_from(&inc.cluster_snapshot);
        for (ours, theirs) in [
            (&mut self.nearfull_ratio, inc.new_nearfull_ratio),
            (&mut self.backfillfull_ratio, inc.new_backfillfull_ratio),
            (&mut self.full_ratio, inc.new_full_ratio),
        ] {
            if theirs >= 0.0 {
                *ours = theirs;
            }
        }
        if is_release(inc.new_require_min_compat_client) && inc.new_require_min_compat_client > 0 {
            self.require_min_compat_client = inc.new_require_min_compat_client;
        }
        if is_release(inc.new_require_osd_release) {
            self.require_osd_release = inc.new_require_osd_release;
            self.settle_required_flags();
        }
        if inc.change_stretch_mode {
            self.stretch_mode_enabled = inc.stretch_mode_enabled;
            self.stretch_bucket_count = inc.new_stretch_bucket_count;
            self.degraded_stretch_mode = inc.new_degraded_stretch_mode;
            self.recovering_stretch_mode = inc.new_recovering_stretch_mode;
            self.stretch_mode_bucket = inc.new_stretch_mode_bucket;
        }
        match inc.mutate_allow_crimson {
            1 => self.allow_crimson = true,
            2 => self.allow_crimson = false,
            _ => {}
        }
    }

    fn apply_crush(&mut self, inc: &Incremental) -> Result<()> {
        if inc.crush.is_empty() {
            return Ok(());
        }
        self.crush = Arc::new(CrushMap::from_bytes(&inc.crush)?);
        self.crush_version += 1;
        let crush = &self.crush;
        self.device_class_flags.retain(|class, _| crush.class_name.contains_key(class));
        Ok(())
    }
}

fn edit<T: Clone>(column: &mut Arc<Vec<T>>, i: usize, change: impl FnOnce(&mut T)) {
    if let Some(place) = Arc::make_mut(column).get_mut(i) {
        change(place);
    }
}

fn set<T: Clone>(column: &mut Arc<Vec<T>>, i: usize, value: T) {
    edit(column, i, |place| *place = value);
}
