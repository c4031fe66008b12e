//! `MgrMap::dump` as JSON. Since 18.2: `flags`; since 20.2: `force_disabled_modules`; the names of `active_clients`
//! exist in all three releases.
//!
//! Upstream prints `force_disabled_modules` as an object with the key `module` once per module; so does this.

use super::MgrMap;
use crate::release::{Dump, Release, release_name};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use std::collections::{BTreeMap, BTreeSet};

impl Dump for MgrMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("MgrMap", 17)?;
        out.serialize_field("epoch", &self.epoch)?;
        if release >= Release::Quincy {
            out.serialize_field("flags", &self.flags)?;
        }
        out.serialize_field("active_gid", &self.active_gid)?;
        out.serialize_field("active_name", &self.active_name)?;
        out.serialize_field("active_addrs", &self.active_addrs)?;
        out.serialize_field("active_addr", &self.active_addrs.legacy_or_front().legacy_str())?;
        out.serialize_field("active_change", &self.active_change)?;
        out.serialize_field("active_mgr_features", &self.active_mgr_features)?;
        out.serialize_field("available", &self.available)?;
        out.serialize_field("standbys", &self.standbys.values().collect::<Vec<_>>())?;
        out.serialize_field("modules", &self.modules)?;
        out.serialize_field("available_modules", &self.available_modules)?;
        out.serialize_field("services", &self.services)?;
        out.serialize_field("always_on_modules", &ByRelease(&self.always_on_modules))?;
        if release >= Release::Squid {
            out.serialize_field("force_disabled_modules", &Repeated(&self.force_disabled_modules))?;
        }
        out.serialize_field("last_failure_osd_epoch", &self.last_failure_osd_epoch)?;
        out.serialize_field("active_clients", &Clients(self))?;
        out.end()
    }
}

struct ByRelease<'a>(&'a BTreeMap<u32, BTreeSet<String>>);
impl Serialize for ByRelease<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(release, modules)| (release_name(*release), modules)))
    }
}

struct Repeated<'a>(&'a BTreeSet<String>);
impl Serialize for Repeated<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(Some(self.0.len()))?;
        for module in self.0 {
            out.serialize_entry("module", module)?;
        }
        out.end()
    }
}

struct Clients<'a>(&'a MgrMap);
impl Serialize for Clients<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Client<'a> {
            name: &'a str,
            addrvec: &'a [crate::EntityAddr],
        }
        let mut out = s.serialize_seq(Some(self.0.clients.len()))?;
        for (name, addrs) in &self.0.clients {
            out.serialize_element(&Client { name, addrvec: &addrs.0 })?;
        }
        out.end()
    }
}
