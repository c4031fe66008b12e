//! `MonMap::dump` as JSON: what `ceph mon dump -f json` prints, less the `quorum` that the monitor adds. Up to 18.2 two
//! keys end in `: ` and the location is text; 20.2 adds ciphers and `time_added` and prints the weight as a float.

use super::{CRYPTO_AES, CRYPTO_AES256K, MonInfo, MonMap};
use crate::json::{Entries, List, Object, Then};
use crate::mon_feature::MonFeatures;
use crate::release::{Dump, Release, release_name};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};
use std::collections::BTreeMap;

impl Dump for MonMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let newest = release >= Release::Tentacle;
        let mut out = s.serialize_struct("MonMap", 18)?;
        out.serialize_field("epoch", &self.epoch)?;
        if newest {
            let allowed: Vec<Cipher> = self.auth_allowed_ciphers.iter().map(|c| Cipher::of(*c)).collect();
            out.serialize_field("auth_epoch", &self.auth_epoch)?;
            out.serialize_field("auth_service_cipher", &Cipher::of(self.auth_service_cipher))?;
            out.serialize_field("auth_allowed_ciphers", &allowed)?;
            out.serialize_field("auth_preferred_cipher", &Cipher::of(self.auth_preferred_cipher))?;
        }
        out.serialize_field("fsid", &self.fsid)?;
        out.serialize_field("modified", &self.last_changed.gmtime())?;
        out.serialize_field("created", &self.created.gmtime())?;
        out.serialize_field("min_mon_release", &self.min_mon_release)?;
        out.serialize_field("min_mon_release_name", release_name(u32::from(self.min_mon_release)))?;
        out.serialize_field("election_strategy", &self.election_strategy)?;
        let leaders = joined(&self.disallowed_leaders);
        out.serialize_field(if newest { "disallowed_leaders" } else { "disallowed_leaders: " }, &leaders)?;
        out.serialize_field("stretch_mode", &self.stretch_mode)?;
        out.serialize_field("tiebreaker_mon", &self.tiebreaker_mon)?;
        let removed = joined(&self.removed_ranks);
        out.serialize_field(if newest { "removed_ranks" } else { "removed_ranks: " }, &removed)?;
        out.serialize_field(
            "features",
            &FeatureSets { persistent: self.persistent_features, optional: self.optional_features },
        )?;
        let mons =
            List(|| self.by_ranks().map(|(rank, info)| Object(Then(("rank", rank), Info(info, release)))));
        out.serialize_field("mons", &mons)?;
        out.end()
    }
}

#[derive(Serialize)]
struct FeatureSets {
    persistent: MonFeatures,
    optional: MonFeatures,
}

#[derive(Serialize)]
struct Cipher {
    name: &'static str,
    value: i32,
}

impl Cipher {
    fn of(value: i32) -> Cipher {
        let name = match value {
            0 => "none",
            CRYPTO_AES => "aes",
            CRYPTO_AES256K => "aes256k",
            _ => "???",
        };
        Cipher { name, value }
    }
}

/// An entry of a map as `encode_json` prints it.
#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    val: &'a str,
}

/// `mon_info_t::dump`.
struct Info<'a>(&'a MonInfo, Release);

impl Entries for Info<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        let Info(info, release) = self;
        let legacy = info.public_addrs.legacy_or_front().legacy_str();
        out.serialize_entry("name", &info.name)?;
        out.serialize_entry("public_addrs", &info.public_addrs)?;
        out.serialize_entry("addr", &legacy)?;
        out.serialize_entry("public_addr", &legacy)?;
        out.serialize_entry("priority", &info.priority)?;
        if *release >= Release::Tentacle {
            out.serialize_entry("weight", &f64::from(info.weight))?;
            out.serialize_entry("time_added", &info.time_added.real_clock())?;
            let location: Vec<_> = info.crush_loc.iter().map(|(key, val)| Entry { key, val }).collect();
            out.serialize_entry("crush_location", &location)
        } else {
            out.serialize_entry("weight", &info.weight)?;
            out.serialize_entry("crush_location", &braced(&info.crush_loc))
        }
    }
}

impl Dump for MonInfo {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        Object(Info(self, release)).serialize(s)
    }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(",")
}

/// `{host=a,rack=b}`, upstream's text of a map.
fn braced(map: &BTreeMap<String, String>) -> String {
    format!("{{{}}}", joined(map.iter().map(|(k, v)| format!("{k}={v}"))))
}
