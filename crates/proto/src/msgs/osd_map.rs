//! `MOSDMap` (`src/messages/MOSDMap.h`, versions 2 to 4): full OSD maps and increments, each as the monitors wrote it.
//!
//! The maps stay bytes here: a receiver decodes only those that lead on from what it has
//! ([`crate::osd_map::Incremental`], [`crate::OSDMap`]). Not here: writing the maps anew for peers before Nautilus.

use crate::Fsid;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// OSD maps by epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MOSDMap {
    pub fsid: Fsid,
    /// Increments by the epoch that they lead to.
    pub incremental_maps: BTreeMap<u32, Bytes>,
    /// Full maps.
    pub maps: BTreeMap<u32, Bytes>,
    /// The sender has every epoch from this one on.
    pub cluster_osdmap_trim_lower_bound: u32,
    pub newest_map: u32,
}

impl MOSDMap {
    /// The newest epoch in the message.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.maps.keys().next_back().max(self.incremental_maps.keys().next_back()).copied()
    }
}

impl Payload for MOSDMap {
    const TYPE: u16 = 41;
    const NAME: &'static str = "MOSDMap";
    const VERSION: u16 = 4;
    const COMPAT: u16 = 3;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.value(&self.fsid, features);
        w.value(&self.incremental_maps, features);
        w.value(&self.maps, features);
        w.u32(self.cluster_osdmap_trim_lower_bound);
        w.u32(self.newest_map);
        // Snapshots removed in a gap of epochs, which nobody fills since Octopus.
        w.u32(0);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        if raw.header.version < 2 {
            return Err(r.bad_value("header.version", raw.header.version));
        }
        let message = MOSDMap {
            fsid: r.value()?,
            incremental_maps: r.value()?,
            maps: r.value()?,
            cluster_osdmap_trim_lower_bound: r.u32()?,
            newest_map: r.u32()?,
        };
        if raw.header.version >= 4 {
            r.value::<BTreeMap<i64, crate::pg::Intervals>>()?;
        }
        Ok(message)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MOSDMap {
            fsid: Fsid([7; 16]),
            incremental_maps: [(12, Bytes::from_static(b"increment"))].into(),
            maps: [(11, Bytes::from_static(b"map"))].into(),
            cluster_osdmap_trim_lower_bound: 1,
            newest_map: 12,
        }]
    }
}
