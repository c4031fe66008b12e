//! `MgrMap` (`src/mon/MgrMap.h`): which manager is active, which wait, which modules are enabled. Versions 11 (16.2.0),
//! 12 (names of clients), 13 (`flags`, 18.2), 14 (`force_disabled_modules`, 20.2); older than 11 is refused.
//!
//! Invariants: every version from 11 on is written back byte for byte by [`MgrMap::encode_version`]; `clients` is sorted
//! by name, equal names in the order of the encoding.

mod dump;
mod module;
mod standby;

pub use module::{ModuleInfo, ModuleOption, OptionLevel, OptionType};
pub use standby::StandbyInfo;
pub(crate) use standby::module_names; // MMgrBeacon

use crate::release::Release;
use crate::{EntityAddrVec, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// The managers' map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MgrMap {
    pub epoch: u32,
    pub last_failure_osd_epoch: u32,
    pub flags: u64,
    /// Global id of the active manager; 0: none.
    pub active_gid: u64,
    pub active_addrs: EntityAddrVec,
    /// Whether the active manager serves already.
    pub available: bool,
    pub active_name: String,
    /// When the active manager became active, or was lost.
    pub active_change: UTime,
    pub active_mgr_features: u64,
    /// RADOS clients of the active manager's modules, to be blocklisted when it fails: a multimap by name.
    pub clients: Vec<(String, EntityAddrVec)>,
    pub standbys: BTreeMap<u64, StandbyInfo>,
    /// Enabled modules, beside those that are always on.
    pub modules: BTreeSet<String>,
    /// By number of the release.
    pub always_on_modules: BTreeMap<u32, BTreeSet<String>>,
    pub force_disabled_modules: BTreeSet<String>,
    pub available_modules: Vec<ModuleInfo>,
    /// URI by module.
    pub services: BTreeMap<String, String>,
}

impl MgrMap {
    /// `FLAG_DOWN`: the operator wants no manager.
    pub const FLAG_DOWN: u64 = 1;

    /// What the monitors answer to a manager that says it is available and is not the active one (`create_null_mgrmap`): no version
    /// of the map.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.epoch == u32::MAX
    }

    /// The version that a release writes.
    #[must_use]
    pub fn version_of(release: Release) -> u8 {
        match release {
            Release::Pacific => 12,
            Release::Quincy | Release::Reef => 13,
            Release::Squid | Release::Tentacle => 14,
        }
    }

    /// Whether the active manager reports that module.
    #[must_use]
    pub fn has_module(&self, name: &str) -> bool {
        self.available_modules.iter().any(|m| m.name == name)
    }

    /// The modules that are on in `release` whatever the operator enabled, without those forced off; when the map does
    /// not know the release, those of the newest one before it (`get_always_on_modules`).
    #[must_use]
    pub fn always_on(&self, release: Release) -> BTreeSet<&str> {
        let release = u32::from(release.number());
        let listed = match self.always_on_modules.get(&release) {
            Some(modules) => Some(modules),
            // Upstream looks at the newest entry only.
            None => self.always_on_modules.last_key_value().filter(|(r, _)| **r < release).map(|(_, m)| m),
        };
        listed.into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether a manager of that name is active or standby.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.active_name == name || self.standbys.values().any(|s| s.name == name)
    }

    /// Writes the form of `version`, 11 to 14.
    pub fn encode_version(&self, w: &mut Writer, features: Features, version: u8) {
        w.envelope(version, 6, |w| {
            w.u32(self.epoch);
            self.active_addrs.encode(w, features);
            w.u64(self.active_gid);
            w.bool(self.available);
            w.string(&self.active_name);
            self.standbys.encode(w, features);
            self.modules.encode(w, features);
            self.services.encode(w, features);
            self.available_modules.encode(w, features);
            self.active_change.encode(w, features);
            self.always_on_modules.encode(w, features);
            w.u64(self.active_mgr_features);
            w.u32(self.last_failure_osd_epoch);
            encode_clients(&self.clients, w, features, version >= 12);
            if version >= 13 {
                w.u64(self.flags);
            }
            if version >= 14 {
                self.force_disabled_modules.encode(w, features);
            }
        });
    }
}

impl Encode for MgrMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_version(w, features, Self::version_of(Release::of_peer(features)));
    }
}

impl Decode for MgrMap {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(11, 14, "MgrMap")?;
        let r = &mut r;
        Ok(MgrMap {
            epoch: r.u32()?,
            active_addrs: r.value()?,
            active_gid: r.u64()?,
            available: r.bool()?,
            active_name: r.value()?,
            standbys: r.value()?,
            modules: r.value()?,
            services: r.value()?,
            available_modules: r.value()?,
            active_change: r.value()?,
            always_on_modules: r.value()?,
            active_mgr_features: r.u64()?,
            last_failure_osd_epoch: r.u32()?,
            clients: decode_clients(r, version >= 12)?,
            flags: if version >= 13 { r.u64()? } else { 0 },
            force_disabled_modules: if version >= 14 { r.value()? } else { BTreeSet::new() },
        })
    }
}

/// Addresses first, then (since Quincy's version) the names, so that older readers find what they know.
pub(crate) fn encode_clients(
    clients: &[(String, EntityAddrVec)],
    w: &mut Writer,
    features: Features,
    with_names: bool,
) {
    w.length(clients.len());
    for (_, addrs) in clients {
        addrs.encode(w, features);
    }
    if with_names {
        w.length(clients.len());
        for (name, _) in clients {
            w.string(name);
        }
    }
}

/// The reverse of [`encode_clients`]; clients without names get the empty name.
pub(crate) fn decode_clients(r: &mut Reader<'_>, with_names: bool) -> Result<Vec<(String, EntityAddrVec)>> {
    let addrs: Vec<EntityAddrVec> = r.value()?;
    let at = r.clone();
    let names: Vec<String> = if with_names { r.value()? } else { vec![String::new(); addrs.len()] };
    if names.len() != addrs.len() {
        return Err(at.bad_value("number of clients' names", names.len() as u64));
    }
    let mut clients: Vec<_> = names.into_iter().zip(addrs).collect();
    clients.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn sample() -> MgrMap {
        let standby = StandbyInfo {
            gid: 4711,
            name: "y".into(),
            mgr_features: 0x3f01_cfbf_7ffd_ffff,
            available_modules: vec![ModuleInfo::new("balancer")],
        };
        let option = ModuleOption { name: "o".into(), kind: OptionType(77), ..Default::default() };
        let module =
            ModuleInfo { module_options: [("o".to_owned(), option)].into(), ..ModuleInfo::new("dashboard") };
        MgrMap {
            epoch: 9,
            active_gid: 4100,
            active_name: "x".into(),
            available: true,
            standbys: [(4711, standby)].into(),
            always_on_modules: [(16, ["balancer".to_owned()].into()), (20, ["crash".to_owned()].into())]
                .into(),
            available_modules: vec![module],
            clients: vec![
                ("devicehealth".into(), EntityAddrVec::default()),
                ("volumes".into(), EntityAddrVec::default()),
            ],
            flags: 1,
            force_disabled_modules: ["progress".to_owned()].into(),
            ..Default::default()
        }
    }

    #[test]
    fn every_releases_form_round_trips_as_far_as_it_goes() {
        let newest = sample();
        assert_eq!(MgrMap::from_bytes(&newest.to_bytes(Release::Tentacle.features())).unwrap(), newest);
        let reef = MgrMap::from_bytes(&newest.to_bytes(Release::Reef.features())).unwrap();
        assert_eq!(reef, MgrMap { force_disabled_modules: BTreeSet::new(), ..newest.clone() });
        let pacific = MgrMap::from_bytes(&newest.to_bytes(Release::Pacific.features())).unwrap();
        assert_eq!(pacific, MgrMap { flags: 0, force_disabled_modules: BTreeSet::new(), ..newest });
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample().to_bytes(Features::ALL);
        corpus::refuses_truncations::<MgrMap>(&bytes);
    }

    #[test]
    fn an_unknown_option_type_survives() {
        let map = MgrMap::from_bytes(&sample().to_bytes(Features::ALL)).unwrap();
        let option = &map.available_modules[0].module_options["o"];
        assert_eq!((option.kind, option.kind.name()), (OptionType(77), "unknown"));
    }

    #[test]
    fn names_and_addresses_of_clients_must_agree_in_number() {
        let mut w = Writer::new();
        w.length(0);
        w.length(1);
        w.string("volumes");
        assert!(decode_clients(&mut Reader::new(w.as_slice()), true).is_err());
    }

    #[test]
    fn a_release_that_the_map_does_not_list_takes_the_newest_before_it() {
        let map = sample();
        assert_eq!(map.always_on(Release::Pacific), ["balancer"].into());
        assert_eq!(map.always_on(Release::Reef), BTreeSet::new());
        assert_eq!(map.always_on(Release::Tentacle), ["crash"].into());
    }

    #[test]
    fn what_ceph_encoded_is_written_back_byte_for_byte() {
        corpus::round_trips::<MgrMap>("MgrMap", |map, w, version| {
            map.encode_version(w, Features::ALL, version);
        });
        corpus::round_trips_newest::<ModuleInfo>("MgrMap::ModuleInfo");
        corpus::round_trips_newest::<ModuleOption>("MgrMap::ModuleOption");
        corpus::round_trips_newest::<StandbyInfo>("MgrMap::StandbyInfo");
    }
}
