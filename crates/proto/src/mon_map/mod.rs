//! `MonMap` (`src/mon/MonMap.{h,cc}`): the monitors, their names, addresses and ranks. Versions 6 (oldest read), 9 (16.2,
//! 18.2), 10 (20.2: ciphers).
//!
//! Invariants: every version from 9 on is written back byte for byte by [`MonMap::encode_version`]; a rank is an index
//! into `ranks`, and a name there need not be in `mon_info` (lookups return `Option`).
//!
//! Not here: the forms for peers before Nautilus; finding monitors by configuration (`axon-core`'s config).

mod dump;
mod info;

pub use info::MonInfo;

use crate::mon_feature::MonFeatures;
use crate::release::Release;
use crate::{Fsid, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// The monitors' map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonMap {
    pub epoch: u32,
    pub fsid: Fsid,
    pub last_changed: UTime,
    pub created: UTime,
    pub persistent_features: MonFeatures,
    pub optional_features: MonFeatures,
    pub mon_info: BTreeMap<String, MonInfo>,
    /// Names by rank.
    pub ranks: Vec<String>,
    /// `ceph_release_t`: the oldest release of a monitor that may join.
    pub min_mon_release: u8,
    pub removed_ranks: BTreeSet<u32>,
    /// 1 classic, 2 disallow, 3 connectivity.
    pub election_strategy: u8,
    pub disallowed_leaders: BTreeSet<String>,
    pub stretch_mode: bool,
    pub tiebreaker_mon: String,
    pub stretch_marked_down_mons: BTreeSet<String>,
    pub auth_epoch: u32,
    /// `CEPH_CRYPTO_*`: 1 AES-128, 2 AES-256 (`aes256k`).
    pub auth_service_cipher: i32,
    pub auth_allowed_ciphers: Vec<i32>,
    pub auth_preferred_cipher: i32,
}

const CRYPTO_AES: i32 = 1;
const CRYPTO_AES256K: i32 = 2;

impl Default for MonMap {
    fn default() -> Self {
        MonMap {
            epoch: 0,
            fsid: Fsid::default(),
            last_changed: UTime::ZERO,
            created: UTime::ZERO,
            persistent_features: MonFeatures::default(),
            optional_features: MonFeatures::default(),
            mon_info: BTreeMap::new(),
            ranks: Vec::new(),
            min_mon_release: 0,
            removed_ranks: BTreeSet::new(),
            election_strategy: 1,
            disallowed_leaders: BTreeSet::new(),
            stretch_mode: false,
            tiebreaker_mon: String::new(),
            stretch_marked_down_mons: BTreeSet::new(),
            auth_epoch: 0,
            // What upstream assumes of a map that is too old to say.
            auth_service_cipher: CRYPTO_AES,
            auth_allowed_ciphers: vec![CRYPTO_AES, CRYPTO_AES256K],
            auth_preferred_cipher: CRYPTO_AES,
        }
    }
}

impl MonMap {
    /// The version that a release writes.
    #[must_use]
    pub fn version_of(release: Release) -> u8 {
        if release >= Release::Tentacle { 10 } else { 9 }
    }

    /// The monitor of that rank.
    #[must_use]
    pub fn by_rank(&self, rank: usize) -> Option<&MonInfo> {
        self.mon_info.get(self.ranks.get(rank)?)
    }

    /// The rank of the monitor of that name.
    #[must_use]
    pub fn rank_of(&self, name: &str) -> Option<usize> {
        self.ranks.iter().position(|n| n == name)
    }

    /// The monitors in order of rank.
    pub fn by_ranks(&self) -> impl Iterator<Item = (usize, &MonInfo)> {
        self.ranks.iter().enumerate().filter_map(|(rank, name)| Some((rank, self.mon_info.get(name)?)))
    }

    /// Writes the form of `version`, 9 or 10.
    pub fn encode_version(&self, w: &mut Writer, features: Features, version: u8) {
        w.envelope(version, 6, |w| {
            self.fsid.encode(w, features);
            w.u32(self.epoch);
            self.last_changed.encode(w, features);
            self.created.encode(w, features);
            self.persistent_features.encode(w, features);
            self.optional_features.encode(w, features);
            // The entries' version is independent of the map's, but both grew with 20.2.
            let info_version = if version >= 10 { 6 } else { 5 };
            w.length(self.mon_info.len());
            for (name, info) in &self.mon_info {
                w.string(name);
                info.encode_version(w, features, info_version);
            }
            self.ranks.encode(w, features);
            w.u8(self.min_mon_release);
            self.removed_ranks.encode(w, features);
            w.u8(self.election_strategy);
            self.disallowed_leaders.encode(w, features);
            w.bool(self.stretch_mode);
            w.string(&self.tiebreaker_mon);
            self.stretch_marked_down_mons.encode(w, features);
            if version >= 10 {
                w.u32(self.auth_epoch);
                w.i32(self.auth_service_cipher);
                let mut ciphers = self.auth_allowed_ciphers.clone();
                ciphers.sort_unstable();
                ciphers.encode(w, features);
                w.i32(self.auth_preferred_cipher);
            }
        });
    }
}

impl Encode for MonMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_version(w, features, Self::version_of(Release::of_peer(features)));
    }
}

impl Decode for MonMap {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(6, 10, "MonMap")?;
        let mut map = MonMap {
            fsid: r.value()?,
            epoch: r.u32()?,
            last_changed: r.value()?,
            created: r.value()?,
            persistent_features: r.value()?,
            optional_features: r.value()?,
            mon_info: r.value()?,
            ranks: r.value()?,
            ..MonMap::default()
        };
        if version >= 7 {
            map.min_mon_release = r.u8()?;
        }
        if version >= 8 {
            map.removed_ranks = r.value()?;
            map.election_strategy = r.u8()?;
            map.disallowed_leaders = r.value()?;
        }
        if version >= 9 {
            map.stretch_mode = r.bool()?;
            map.tiebreaker_mon = r.value()?;
            map.stretch_marked_down_mons = r.value()?;
        }
        if version >= 10 {
            map.auth_epoch = r.u32()?;
            map.auth_service_cipher = r.i32()?;
            map.auth_allowed_ciphers = r.value()?;
            map.auth_preferred_cipher = r.i32()?;
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntityAddr, EntityAddrVec, corpus};

    fn sample() -> MonMap {
        let info = |name: &str, port: u16| MonInfo {
            name: name.into(),
            public_addrs: EntityAddrVec(vec![EntityAddr::v2(([127, 0, 0, 1], port).into())]),
            priority: 1,
            weight: 2,
            crush_loc: [("host".to_owned(), "h".to_owned())].into(),
            time_added: UTime { sec: 1_795_475_472, nsec: 5 },
        };
        MonMap {
            epoch: 3,
            fsid: Fsid([7; 16]),
            mon_info: [("a".to_owned(), info("a", 3300)), ("b".to_owned(), info("b", 3301))].into(),
            ranks: vec!["b".into(), "a".into()],
            min_mon_release: 20,
            removed_ranks: [2].into(),
            election_strategy: 200,
            persistent_features: MonFeatures { features: 1 << 50 },
            auth_epoch: 4,
            auth_service_cipher: 77,
            ..MonMap::default()
        }
    }

    #[test]
    fn both_forms_round_trip_and_unknown_values_survive() {
        assert_eq!(MonMap::from_bytes(&sample().to_bytes(Features::ALL)).unwrap(), sample());
        let old = MonMap::from_bytes(&sample().to_bytes(Release::Reef.features())).unwrap();
        assert_eq!((old.auth_epoch, old.election_strategy), (0, 200));
        assert_eq!(old.mon_info["a"].time_added, UTime::ZERO);
        corpus::refuses_truncations::<MonMap>(&sample().to_bytes(Features::ALL));
    }

    #[test]
    fn ranks_find_monitors_and_a_rank_without_a_monitor_finds_none() {
        let mut map = sample();
        assert_eq!(map.by_rank(0).unwrap().name, "b");
        assert_eq!(map.rank_of("a"), Some(1));
        map.ranks.push("gone".into());
        assert_eq!((map.by_rank(2), map.by_rank(9)), (None, None));
        assert_eq!(map.by_ranks().count(), 2);
    }

    #[test]
    fn what_ceph_encoded_is_written_back_byte_for_byte() {
        corpus::round_trips::<MonMap>("MonMap", |map, w, version| {
            map.encode_version(w, Features::ALL, version);
        });
        corpus::round_trips::<MonInfo>("mon_info_t", |info, w, version| {
            info.encode_version(w, Features::ALL, version);
        });
    }
}
