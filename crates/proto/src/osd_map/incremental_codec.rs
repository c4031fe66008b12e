//! `OSDMap::Incremental::encode` and `decode`: the same frame as the full map's, with the crc of the map it leads to at the
//! end.

use super::codec::{decode_with_crc, encode_with_crc};
use super::{Incremental, addrs};
use crate::features;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};

impl Incremental {
    /// `v` is the version of the client section; 18.2.0 wrote 9 whatever the features.
    pub fn encode_with_client_version(&self, w: &mut Writer, v: u8, features: Features) {
        let sections = |w: &mut Writer| {
            self.encode_client(w, v, features);
            self.encode_osd_only(w, features);
        };
        encode_with_crc(w, sections, |w| w.u32(self.full_crc));
    }

    fn encode_client(&self, w: &mut Writer, v: u8, features: Features) {
        w.envelope(v, 1, |w| {
            w.value(&self.fsid, features);
            w.u32(self.epoch);
            w.value(&self.modified, features);
            w.i64(self.new_pool_max);
            w.i32(self.new_flags);
            w.blob(&self.fullmap);
            w.blob(&self.crush);
            w.i32(self.new_max_osd);
            w.value(&self.new_pools, features);
            w.value(&self.new_pool_names, features);
            w.value(&self.old_pools, features);
            w.value(&self.new_up_client, features);
            w.value(&self.new_state, features);
            w.value(&self.new_weight, features);
            w.value(&self.new_pg_temp, features);
            w.value(&self.new_primary_temp, features);
            w.value(&self.new_primary_affinity, features);
            w.value(&self.new_erasure_code_profiles, features);
            w.value(&self.old_erasure_code_profiles, features);
            w.value(&self.new_pg_upmap, features);
            w.value(&self.old_pg_upmap, features);
            w.value(&self.new_pg_upmap_items, features);
            w.value(&self.old_pg_upmap_items, features);
            w.value(&self.new_removed_snaps, features);
            w.value(&self.new_purged_snaps, features);
            w.value(&self.new_last_up_change, features);
            w.value(&self.new_last_in_change, features);
            if v >= 9 {
                w.value(&self.new_pg_upmap_primary, features);
                w.value(&self.old_pg_upmap_primary, features);
            }
        });
    }

    fn osd_only_version(&self) -> u8 {
        if self.mutate_allow_crimson != 0 {
            12
        } else if !(self.new_range_blocklist.is_empty() && self.old_range_blocklist.is_empty()) {
            11
        } else if self.change_stretch_mode {
            10
        } else {
            9
        }
    }

    fn encode_osd_only(&self, w: &mut Writer, features: Features) {
        let v = self.osd_only_version();
        w.envelope(v, 1, |w| {
            w.value(&self.new_hb_back_up, features);
            w.value(&self.new_up_thru, features);
            w.value(&self.new_last_clean_interval, features);
            w.value(&self.new_lost, features);
            addrs::encode(&self.new_blocklist, w, features);
            w.value(&self.old_blocklist, features);
            w.value(&self.new_up_cluster, features);
            w.string(&self.cluster_snapshot);
            w.value(&self.new_uuid, features);
            w.value(&self.new_xinfo, features);
            w.value(&self.new_hb_front_up, features);
            w.u64(features.0);
            w.f32(self.new_nearfull_ratio);
            w.f32(self.new_full_ratio);
            w.f32(self.new_backfillfull_ratio);
            w.u8(self.new_require_min_compat_client);
            w.u8(self.new_require_osd_release);
            w.value(&self.new_crush_node_flags, features);
            w.value(&self.new_device_class_flags, features);
            if v >= 10 {
                w.bool(self.change_stretch_mode);
                w.u32(self.new_stretch_bucket_count);
                w.u32(self.new_degraded_stretch_mode);
                w.u32(self.new_recovering_stretch_mode);
                w.i32(self.new_stretch_mode_bucket);
                w.bool(self.stretch_mode_enabled);
            }
            if v >= 11 {
                addrs::encode(&self.new_range_blocklist, w, features);
                w.value(&self.old_range_blocklist, features);
            }
            if v >= 12 {
                w.u8(self.mutate_allow_crimson);
            }
        });
    }

    fn decode_client(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (v, mut r) = r.envelope_since(5, 9, "OSDMap::Incremental client data")?;
        let r = &mut r;
        self.fsid = r.value()?;
        self.epoch = r.u32()?;
        self.modified = r.value()?;
        self.new_pool_max = r.i64()?;
        self.new_flags = r.i32()?;
        self.fullmap = r.value()?;
        self.crush = r.value()?;
        self.new_max_osd = r.i32()?;
        self.new_pools = r.value()?;
        self.new_pool_names = r.value()?;
        self.old_pools = r.value()?;
        self.new_up_client = r.value()?;
        self.new_state = r.value()?;
        self.new_weight = r.value()?;
        self.new_pg_temp = r.value()?;
        self.new_primary_temp = r.value()?;
        self.new_primary_affinity = r.value()?;
        self.new_erasure_code_profiles = r.value()?;
        self.old_erasure_code_profiles = r.value()?;
        self.new_pg_upmap = r.value()?;
        self.old_pg_upmap = r.value()?;
        self.new_pg_upmap_items = r.value()?;
        self.old_pg_upmap_items = r.value()?;
        if v >= 6 {
            self.new_removed_snaps = r.value()?;
            self.new_purged_snaps = r.value()?;
        }
        if v >= 8 {
            self.new_last_up_change = r.value()?;
            self.new_last_in_change = r.value()?;
        }
        if v >= 9 {
            self.new_pg_upmap_primary = r.value()?;
            self.old_pg_upmap_primary = r.value()?;
        }
        Ok(())
    }

    fn decode_osd_only(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (v, mut r) = r.envelope_since(6, 12, "OSDMap::Incremental OSD data")?;
        let r = &mut r;
        self.new_hb_back_up = r.value()?;
        self.new_up_thru = r.value()?;
        self.new_last_clean_interval = r.value()?;
        self.new_lost = r.value()?;
        self.new_blocklist = r.value()?;
        self.old_blocklist = r.value()?;
        self.new_up_cluster = r.value()?;
        self.cluster_snapshot = r.string_lossy()?;
        self.new_uuid = r.value()?;
        self.new_xinfo = r.value()?;
        self.new_hb_front_up = r.value()?;
        self.encode_features = Features(r.u64()?);
        self.new_nearfull_ratio = r.f32()?;
        self.new_full_ratio = r.f32()?;
        self.new_backfillfull_ratio = r.f32()?;
        self.new_require_min_compat_client = r.u8()?;
        self.new_require_osd_release = r.u8()?;
        if v >= 8 {
            self.new_crush_node_flags = r.value()?;
        }
        if v >= 9 {
            self.new_device_class_flags = r.value()?;
        }
        if v >= 10 {
            self.change_stretch_mode = r.bool()?;
            self.new_stretch_bucket_count = r.u32()?;
            self.new_degraded_stretch_mode = r.u32()?;
            self.new_recovering_stretch_mode = r.u32()?;
            self.new_stretch_mode_bucket = r.i32()?;
            self.stretch_mode_enabled = r.bool()?;
        }
        if v >= 11 {
            self.new_range_blocklist = r.value()?;
            self.old_range_blocklist = r.value()?;
        }
        if v >= 12 {
            self.mutate_allow_crimson = r.u8()?;
        }
        Ok(())
    }
}

impl Encode for Incremental {
    fn encode(&self, w: &mut Writer, features: Features) {
        let v = if features.has(features::SERVER_REEF) { 9 } else { 8 };
        self.encode_with_client_version(w, v, features);
    }
}

impl Decode for Incremental {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        decode_with_crc(
            r,
            "OSDMap::Incremental",
            |r| {
                let mut inc = Incremental::default();
                inc.decode_client(r)?;
                inc.decode_osd_only(r)?;
                Ok(inc)
            },
            |r, inc, _| {
                inc.full_crc = r.u32()?;
                Ok(())
            },
        )
    }
}
