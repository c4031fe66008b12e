//! `mon_info_t` (`src/mon/MonMap.{h,cc}`): versions 5 (16.2, 18.2) and 6 (20.2: `time_added`); reads from 1.

use crate::release::Release;
use crate::{EntityAddrVec, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use std::collections::BTreeMap;

/// One monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonInfo {
    pub name: String,
    pub public_addrs: EntityAddrVec,
    /// Lower is preferred by clients.
    pub priority: u16,
    pub weight: u16,
    pub crush_loc: BTreeMap<String, String>,
    pub time_added: UTime,
}

impl MonInfo {
    /// Writes the form of `version`, 5 or 6.
    pub fn encode_version(&self, w: &mut Writer, features: Features, version: u8) {
        w.envelope(version, 1, |w| {
            w.string(&self.name);
            self.public_addrs.encode(w, features);
            w.u16(self.priority);
            w.u16(self.weight);
            self.crush_loc.encode(w, features);
            if version >= 6 {
                self.time_added.encode(w, features);
            }
        });
    }
}

impl Encode for MonInfo {
    fn encode(&self, w: &mut Writer, features: Features) {
        let version = if Release::of_peer(features) >= Release::Tentacle { 6 } else { 5 };
        self.encode_version(w, features, version);
    }
}

impl Decode for MonInfo {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope(6, "mon_info_t")?;
        Ok(MonInfo {
            name: r.value()?,
            public_addrs: r.value()?,
            priority: if version >= 2 { r.u16()? } else { 0 },
            weight: if version >= 4 { r.u16()? } else { 0 },
            crush_loc: if version >= 5 { r.value()? } else { BTreeMap::new() },
            time_added: if version >= 6 { r.value()? } else { UTime::ZERO },
        })
    }
}
