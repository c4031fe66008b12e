//! What the map says about one OSD: `osd_info_t`, `osd_xinfo_t` (`src/osd/OSDMap.h`) and the bits of its state.

use crate::json::{Entries, Object};
use crate::{UTime, features};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Bits of an OSD's state (`CEPH_OSD_*`), also used as flags of CRUSH nodes and device classes.
pub mod state {
    pub const EXISTS: u32 = 1;
    pub const UP: u32 = 1 << 1;
    pub const AUTOOUT: u32 = 1 << 2;
    pub const NEW: u32 = 1 << 3;
    pub const FULL: u32 = 1 << 4;
    pub const NEARFULL: u32 = 1 << 5;
    pub const BACKFILLFULL: u32 = 1 << 6;
    pub const DESTROYED: u32 = 1 << 7;
    pub const NOUP: u32 = 1 << 8;
    pub const NODOWN: u32 = 1 << 9;
    pub const NOIN: u32 = 1 << 10;
    pub const NOOUT: u32 = 1 << 11;
    pub const STOP: u32 = 1 << 12;

    /// Name of one bit (`ceph_osd_state_name`).
    #[must_use]
    pub fn name(bit: u32) -> &'static str {
        match bit {
            EXISTS => "exists",
            UP => "up",
            AUTOOUT => "autoout",
            NEW => "new",
            FULL => "full",
            NEARFULL => "nearfull",
            BACKFILLFULL => "backfillfull",
            DESTROYED => "destroyed",
            NOUP => "noup",
            NODOWN => "nodown",
            NOIN => "noin",
            NOOUT => "noout",
            STOP => "stop",
            _ => "???",
        }
    }

    /// Names of all bits in the order of the alphabet, as every dump has them.
    #[must_use]
    pub fn names(bits: u32) -> Vec<&'static str> {
        let mut out: Vec<_> = (0..32).map(|n| 1 << n).filter(|bit| bits & bit != 0).map(name).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Weight of an OSD that is in, 16.16 fixed point (`CEPH_OSD_IN`); also the default primary affinity.
pub const WEIGHT_IN: u32 = 0x10000;

/// `osd_info_t`: epochs of an OSD's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OsdInfo {
    pub last_clean_begin: u32,
    pub last_clean_end: u32,
    pub up_from: u32,
    pub up_thru: u32,
    pub down_at: u32,
    pub lost_at: u32,
}

impl Encode for OsdInfo {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(1);
        for epoch in [
            self.last_clean_begin,
            self.last_clean_end,
            self.up_from,
            self.up_thru,
            self.down_at,
            self.lost_at,
        ] {
            w.u32(epoch);
        }
    }
}
impl Decode for OsdInfo {
    const BYTES_MIN: usize = 25;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.skip(1)?;
        Ok(OsdInfo {
            last_clean_begin: r.u32()?,
            last_clean_end: r.u32()?,
            up_from: r.u32()?,
            up_thru: r.u32()?,
            down_at: r.u32()?,
            lost_at: r.u32()?,
        })
    }
}

/// `osd_xinfo_t`, versions 1 to 4 (4 since 15.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OsdXInfo {
    pub down_stamp: UTime,
    /// As it travels: 0 never laggy, `u32::MAX` always.
    pub laggy_probability_raw: u32,
    pub laggy_interval: u32,
    pub features: u64,
    pub old_weight: u32,
    pub last_purged_snaps_scrub: UTime,
    pub dead_epoch: u32,
}

impl OsdXInfo {
    /// Between 0 and 1. Upstream keeps a `float`, which rounds.
    #[must_use]
    pub fn laggy_probability(&self) -> f32 {
        self.laggy_probability_raw as f32 / u32::MAX as f32
    }

    /// What upstream writes after it has kept the probability as a `float`. There, certainty comes out as 2^32, of which
    /// an x86-64 keeps the low 32 bits.
    fn laggy_probability_written(&self) -> u32 {
        (self.laggy_probability() * u32::MAX as f32) as u64 as u32
    }
}

/// `osd_xinfo_t::dump`.
impl Entries for OsdXInfo {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        out.serialize_entry("down_stamp", &self.down_stamp)?;
        out.serialize_entry("laggy_probability", &f64::from(self.laggy_probability()))?;
        out.serialize_entry("laggy_interval", &self.laggy_interval)?;
        out.serialize_entry("features", &self.features)?;
        out.serialize_entry("old_weight", &self.old_weight)?;
        out.serialize_entry("last_purged_snaps_scrub", &self.last_purged_snaps_scrub)?;
        out.serialize_entry("dead_epoch", &self.dead_epoch)
    }
}
impl Serialize for OsdXInfo {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        Object(self).serialize(s)
    }
}

impl Encode for OsdXInfo {
    fn encode(&self, w: &mut Writer, features: Features) {
        let v = if features.has(features::SERVER_OCTOPUS) { 4 } else { 3 };
        w.envelope(v, 1, |w| {
            w.value(&self.down_stamp, features);
            w.u32(self.laggy_probability_written());
            w.u32(self.laggy_interval);
            w.u64(self.features);
            w.u32(self.old_weight);
            if v >= 4 {
                w.value(&self.last_purged_snaps_scrub, features);
                w.u32(self.dead_epoch);
            }
        });
    }
}
impl Decode for OsdXInfo {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (v, mut r) = r.envelope(4, "osd_xinfo_t")?;
        let mut x = OsdXInfo {
            down_stamp: r.value()?,
            laggy_probability_raw: r.u32()?,
            laggy_interval: r.u32()?,
            ..Default::default()
        };
        if v >= 2 {
            x.features = r.u64()?;
        }
        if v >= 3 {
            x.old_weight = r.u32()?;
        }
        if v >= 4 {
            x.last_purged_snaps_scrub = r.value()?;
            x.dead_epoch = r.u32()?;
        }
        Ok(x)
    }
}
