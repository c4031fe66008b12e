//! `OSDMap::encode` and `decode`: an envelope around a section for clients, one for OSDs, and a crc of both.

use super::{OSDMap, addrs, crc32c, map_flag};
use crate::crush::CrushMap;
use crate::features;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use bytes::Bytes;
use std::sync::Arc;

/// Numbers of releases that encodings depend on (`ceph_release_t`).
mod number {
    pub const LUMINOUS: u8 = 12;
    pub const NAUTILUS: u8 = 14;
    pub const OCTOPUS: u8 = 15;
    pub const REEF: u8 = 18;
    pub const TENTACLE: u8 = 20;
}

/// The features that the encoding depends on (`SIGNIFICANT_FEATURES`).
const SIGNIFICANT: u64 = features::PGID64
    | features::PGPOOL3
    | features::OSDENC
    | features::OSDMAP_ENC
    | features::OSD_POOLRESEND
    | features::NEW_OSDOP_ENCODING
    | features::MSG_ADDR2
    | features::CRUSH_TUNABLES5
    | features::SERVER_LUMINOUS
    | features::SERVER_MIMIC
    | features::SERVER_NAUTILUS
    | features::SERVER_OCTOPUS
    | features::SERVER_REEF
    | features::SERVER_TENTACLE;

/// A release's own bit, without the bits that mark its incarnation and that other names share.
const fn own_bit(mask: u64) -> u64 {
    const SHARED: u64 = 1 << 57 | 1 << 28;
    mask & !SHARED
}

/// Writes sections and the crc over what lies around it; gives the crc.
pub(super) fn encode_with_crc(
    w: &mut Writer,
    sections: impl FnOnce(&mut Writer),
    tail: impl FnOnce(&mut Writer),
) -> u32 {
    // The envelope's length is part of what the crc covers, so the parts are written apart first.
    let (mut front, mut back) = (Writer::new(), Writer::new());
    sections(&mut front);
    tail(&mut back);
    let mut whole = Writer::with_capacity(front.len() + back.len() + 10);
    whole.put(&[8, 7]);
    whole.length(front.len() + 4 + back.len());
    whole.put(front.as_slice());
    let crc = crc32c(crc32c(u32::MAX, whole.as_slice()), back.as_slice());
    whole.u32(crc);
    whole.put(back.as_slice());
    w.put(whole.as_slice());
    crc
}

/// Opens the outer envelope, runs `sections`, and checks the crc; `tail` reads what follows it.
pub(super) fn decode_with_crc<T>(
    r: &mut Reader<'_>,
    type_name: &'static str,
    sections: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    tail: impl FnOnce(&mut Reader<'_>, &mut T, u32) -> Result<()>,
) -> Result<T> {
    let start = r.clone();
    let (version, mut body) = r.envelope_since(7, 8, type_name)?;
    let mut value = sections(&mut body)?;
    if version >= 8 {
        let covered = start.peek_rest().get(..body.offset() - start.offset()).unwrap_or_default();
        let at = body.clone();
        let crc = body.u32()?;
        if crc32c(crc32c(u32::MAX, covered), body.peek_rest()) != crc {
            return Err(at.bad_value("crc", crc));
        }
        tail(&mut body, &mut value, crc)?;
    }
    Ok(value)
}

impl OSDMap {
    /// The features that the monitors write this map with (`get_encoding_features`).
    #[must_use]
    pub fn encoding_features(&self) -> Features {
        let since = [
            (number::TENTACLE, features::SERVER_TENTACLE),
            (number::REEF, features::SERVER_REEF),
            (number::OCTOPUS, features::SERVER_OCTOPUS),
            (number::NAUTILUS, features::SERVER_NAUTILUS),
        ];
        let missing = since.iter().filter(|(release, _)| self.require_osd_release < *release);
        Features(missing.fold(SIGNIFICANT, |bits, (_, mask)| bits & !own_bit(*mask)))
    }

    /// The map as a peer with `features` reads it, and its crc. A monitor's own bytes come from
    /// [`OSDMap::encoding_features`].
    #[must_use]
    pub fn encode_full(&self, features: Features) -> (Bytes, u32) {
        let mut w = Writer::new();
        let crc = self.encode_into(&mut w, features);
        (w.into_bytes(), crc)
    }

    fn encode_into(&self, w: &mut Writer, features: Features) -> u32 {
        let v = if features.has(features::SERVER_REEF) { 10 } else { 9 };
        self.encode_with_client_version(w, v, features)
    }

    /// `v` is the version of the client section; 18.2.0 wrote 10 whatever the features.
    pub(super) fn encode_with_client_version(&self, w: &mut Writer, v: u8, features: Features) -> u32 {
        let sections = |w: &mut Writer| {
            self.encode_client(w, v, features);
            self.encode_osd_only(w, features);
        };
        encode_with_crc(w, sections, |_| {})
    }

    fn encode_client(&self, w: &mut Writer, v: u8, features: Features) {
        w.envelope(v, 1, |w| {
            w.value(&self.fsid, features);
            w.u32(self.epoch);
            w.value(&self.created, features);
            w.value(&self.modified, features);
            w.value(&self.pools, features);
            w.value(&self.pool_name, features);
            w.i32(self.pool_max);
            w.u32(self.flags);
            w.i32(self.max_osd);
            w.value(&self.osd_state, features);
            w.value(&self.osd_weight, features);
            w.value(&self.client_addrs, features);
            w.value(&self.pg_temp, features);
            w.value(&self.primary_temp, features);
            match &self.osd_primary_affinity {
                Some(affinity) => w.value(affinity, features),
                None => w.u32(0),
            }
            w.sized(|w| self.crush.encode(w, features));
            w.value(&self.erasure_code_profiles, features);
            w.value(&self.pg_upmap, features);
            w.value(&self.pg_upmap_items, features);
            w.u32(self.crush_version);
            w.value(&self.new_removed_snaps, features);
            w.value(&self.new_purged_snaps, features);
            w.value(&self.last_up_change, features);
            w.value(&self.last_in_change, features);
            if v >= 10 {
                w.value(&self.pg_upmap_primaries, features);
            }
        });
    }

    /// The OSD section grows only when what it adds is in use.
    fn osd_only_version(&self) -> u8 {
        if self.allow_crimson {
            12
        } else if !self.range_blocklist.is_empty() {
            11
        } else if self.stretch_mode_enabled {
            10
        } else {
            9
        }
    }

    fn encode_osd_only(&self, w: &mut Writer, features: Features) {
        let v = self.osd_only_version();
        w.envelope(v, 1, |w| {
            w.value(&self.hb_back_addrs, features);
            w.value(&self.osd_info, features);
            addrs::encode(&self.blocklist, w, features);
            w.value(&self.cluster_addrs, features);
            w.u32(self.cluster_snapshot_epoch);
            w.string(&self.cluster_snapshot);
            w.value(&self.osd_uuid, features);
            w.value(&self.osd_xinfo, features);
            w.value(&self.hb_front_addrs, features);
            w.f32(self.nearfull_ratio);
            w.f32(self.full_ratio);
            w.f32(self.backfillfull_ratio);
            w.u8(self.require_min_compat_client);
            w.u8(self.require_osd_release);
            w.value(&self.removed_snaps_queue, features);
            w.value(&self.crush_node_flags, features);
            w.value(&self.device_class_flags, features);
            if v >= 10 {
                w.bool(self.stretch_mode_enabled);
                w.u32(self.stretch_bucket_count);
                w.u32(self.degraded_stretch_mode);
                w.u32(self.recovering_stretch_mode);
                w.i32(self.stretch_mode_bucket);
            }
            if v >= 11 {
                addrs::encode(&self.range_blocklist, w, features);
            }
            if v >= 12 {
                w.bool(self.allow_crimson);
            }
        });
    }

    fn decode_client(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (v, mut r) = r.envelope_since(3, 10, "OSDMap client data")?;
        let r = &mut r;
        self.fsid = r.value()?;
        self.epoch = r.u32()?;
        self.created = r.value()?;
        self.modified = r.value()?;
        self.pools = r.value()?;
        self.pool_name = r.value()?;
        self.pool_max = r.i32()?;
        self.flags = r.u32()?;
        self.max_osd = r.i32()?;
        self.osd_state = if v >= 5 {
            r.value()?
        } else {
            Arc::new(r.value::<Vec<u8>>()?.into_iter().map(u32::from).collect())
        };
        self.osd_weight = r.value()?;
        self.client_addrs = r.value()?;
        self.pg_temp = r.value()?;
        self.primary_temp = r.value()?;
        let affinity: Arc<Vec<u32>> = r.value()?;
        self.osd_primary_affinity = Some(affinity).filter(|a| !a.is_empty());
        let len = r.length(1)?;
        self.crush = Arc::new(CrushMap::decode(&mut r.sub(len, "CrushWrapper")?)?);
        self.erasure_code_profiles = r.value()?;
        if v >= 4 {
            self.pg_upmap = r.value()?;
            self.pg_upmap_items = r.value()?;
        }
        self.crush_version = if v >= 6 { r.u32()? } else { 1 };
        if v >= 7 {
            self.new_removed_snaps = r.value()?;
            self.new_purged_snaps = r.value()?;
        }
        if v >= 9 {
            self.last_up_change = r.value()?;
            self.last_in_change = r.value()?;
        }
        if v >= 10 {
            self.pg_upmap_primaries = r.value()?;
        }
        Ok(())
    }

    fn decode_osd_only(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (v, mut r) = r.envelope_since(5, 12, "OSDMap OSD data")?;
        let r = &mut r;
        self.hb_back_addrs = r.value()?;
        self.osd_info = r.value()?;
        self.blocklist = r.value()?;
        self.cluster_addrs = r.value()?;
        self.cluster_snapshot_epoch = r.u32()?;
        self.cluster_snapshot = r.string_lossy()?;
        self.osd_uuid = r.value()?;
        self.osd_xinfo = r.value()?;
        self.hb_front_addrs = r.value()?;
        self.nearfull_ratio = r.f32()?;
        self.full_ratio = r.f32()?;
        self.backfillfull_ratio = r.f32()?;
        self.require_min_compat_client = r.u8()?;
        self.require_osd_release = r.u8()?;
        self.settle_required_flags();
        if v >= 6 {
            self.removed_snaps_queue = r.value()?;
        }
        if v >= 8 {
            self.crush_node_flags = r.value()?;
        }
        if v >= 9 {
            self.device_class_flags = r.value()?;
        }
        if v >= 10 {
            self.stretch_mode_enabled = r.bool()?;
            self.stretch_bucket_count = r.u32()?;
            self.degraded_stretch_mode = r.u32()?;
            self.recovering_stretch_mode = r.u32()?;
            self.stretch_mode_bucket = r.i32()?;
        }
        if v >= 11 {
            self.range_blocklist = r.value()?;
        }
        if v >= 12 {
            self.allow_crimson = r.bool()?;
        }
        Ok(())
    }

    /// Flags that follow from the required release.
    pub(super) fn settle_required_flags(&mut self) {
        if self.require_osd_release >= number::NAUTILUS {
            self.flags |= map_flag::PGLOG_HARDLIMIT;
        }
        if self.require_osd_release >= number::LUMINOUS {
            self.flags &= !map_flag::LEGACY_REQUIRE;
            self.flags |= map_flag::RECOVERY_DELETES;
        }
    }
}

impl Encode for OSDMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_into(w, features);
    }
}

impl Decode for OSDMap {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        decode_with_crc(
            r,
            "OSDMap",
            |r| {
                let mut map = OSDMap::default();
                map.decode_client(r)?;
                map.decode_osd_only(r)?;
                Ok(map)
            },
            |_, _, _| Ok(()),
        )
    }
}
