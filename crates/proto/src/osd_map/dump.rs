//! `OSDMap::dump` (`ceph osd dump`, the manager's `osd_map`). 18.2 adds `allow_crimson`, `pg_upmap_primaries` and a pool's
//! `read_balance`.

use super::{OSDMap, OsdXInfo, PgPool, PoolSnaps, map_flag, state};
use crate::json::{Object, Then};
use crate::pg::Pg;
use crate::release::{Dump, Release, release_name};
use crate::{EntityAddr, EntityAddrVec, UTime};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::json;
use std::collections::BTreeMap;

impl Dump for OSDMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.dump_head(release, &mut out)?;
        out.serialize_entry("pools", &Pools(self, release))?;
        out.serialize_entry("osds", &Osds(self))?;
        out.serialize_entry("osd_xinfo", &XInfos(self))?;
        self.dump_mappings(release, &mut out)?;
        out.serialize_entry("blocklist", &Blocklist(&self.blocklist))?;
        out.serialize_entry("range_blocklist", &Blocklist(&self.range_blocklist))?;
        out.serialize_entry("erasure_code_profiles", &*self.erasure_code_profiles)?;
        out.serialize_entry("removed_snaps_queue", &snaps(&self.removed_snaps_queue))?;
        out.serialize_entry("new_removed_snaps", &snaps(&self.new_removed_snaps))?;
        out.serialize_entry("new_purged_snaps", &snaps(&self.new_purged_snaps))?;
        self.dump_tail(&mut out)?;
        out.end()
    }
}

impl OSDMap {
    fn dump_head<M: SerializeMap>(&self, release: Release, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("epoch", &self.epoch)?;
        out.serialize_entry("fsid", &self.fsid)?;
        out.serialize_entry("created", &self.created)?;
        out.serialize_entry("modified", &self.modified)?;
        out.serialize_entry("last_up_change", &self.last_up_change)?;
        out.serialize_entry("last_in_change", &self.last_in_change)?;
        out.serialize_entry("flags", &self.flags_text())?;
        out.serialize_entry("flags_num", &self.flags)?;
        out.serialize_entry("flags_set", &map_flag::names(self.flags))?;
        out.serialize_entry("crush_version", &self.crush_version)?;
        out.serialize_entry("full_ratio", &f64::from(self.full_ratio))?;
        out.serialize_entry("backfillfull_ratio", &f64::from(self.backfillfull_ratio))?;
        out.serialize_entry("nearfull_ratio", &f64::from(self.nearfull_ratio))?;
        out.serialize_entry("cluster_snapshot", &self.cluster_snapshot)?;
        out.serialize_entry("pool_max", &self.pool_max)?;
        out.serialize_entry("max_osd", &self.max_osd)?;
        out.serialize_entry(
            "require_min_compat_client",
            release_name(self.require_min_compat_client.into()),
        )?;
        out.serialize_entry("min_compat_client", self.min_compat_client(release))?;
        out.serialize_entry("require_osd_release", release_name(self.require_osd_release.into()))?;
        if release >= Release::Reef {
            out.serialize_entry("allow_crimson", &self.allow_crimson)?;
        }
        Ok(())
    }

    fn dump_mappings<M: SerializeMap>(&self, release: Release, out: &mut M) -> Result<(), M::Error> {
        let osds = |(pgid, osds): (&Pg, &Vec<i32>)| json!({"pgid": pgid, "osds": osds});
        out.serialize_entry("pg_upmap", &self.pg_upmap.iter().map(osds).collect::<Vec<_>>())?;
        let pair = |(from, to): &(i32, i32)| json!({"from": from, "to": to});
        let items = |(pgid, pairs): (&Pg, &Vec<(i32, i32)>)| json!({"pgid": pgid, "mappings": pairs.iter().map(pair).collect::<Vec<_>>()});
        out.serialize_entry("pg_upmap_items", &self.pg_upmap_items.iter().map(items).collect::<Vec<_>>())?;
        if release >= Release::Reef {
            let primary = |(pgid, osd): (&Pg, &i32)| json!({"pgid": pgid, "primary_osd": osd});
            let primaries: Vec<_> = self.pg_upmap_primaries.iter().map(primary).collect();
            out.serialize_entry("pg_upmap_primaries", &primaries)?;
        }
        out.serialize_entry("pg_temp", &self.pg_temp.iter().map(osds).collect::<Vec<_>>())?;
        // Upstream opens no object here: PGs and OSDs alternate.
        let flat: Vec<_> =
            self.primary_temp.iter().flat_map(|(pgid, osd)| [json!(pgid), json!(osd)]).collect();
        out.serialize_entry("primary_temp", &flat)
    }

    fn dump_tail<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        let node = |id: i32| self.crush.item_name(id).map_or_else(|| id.to_string(), str::to_owned);
        let class = |id: i32| self.crush.class_name.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let flags = |map: &BTreeMap<i32, u32>, name: &dyn Fn(i32) -> String| {
            let named = map.iter().map(|(id, bits)| (name(*id), json!(state::names(*bits))));
            named.collect::<serde_json::Map<_, _>>()
        };
        out.serialize_entry("crush_node_flags", &flags(&self.crush_node_flags, &node))?;
        out.serialize_entry("device_class_flags", &flags(&self.device_class_flags, &class))?;
        out.serialize_entry(
            "stretch_mode",
            &json!({
                "stretch_mode_enabled": self.stretch_mode_enabled,
                "stretch_bucket_count": self.stretch_bucket_count,
                "degraded_stretch_mode": self.degraded_stretch_mode,
                "recovering_stretch_mode": self.recovering_stretch_mode,
                "stretch_mode_bucket": self.stretch_mode_bucket,
            }),
        )
    }

    /// One pool as in the map's dump: with its id, its name and how its reads are balanced.
    pub fn dump_pool<S: Serializer>(
        &self,
        id: i64,
        pool: &PgPool,
        release: Release,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        out.serialize_entry("pool", &id)?;
        out.serialize_entry("pool_name", self.pool_name.get(&id).map_or("<unknown>", String::as_str))?;
        pool.dump_fields(release, &mut out)?;
        if let Some(balance) = self.read_balance(id, release) {
            out.serialize_entry("read_balance", &balance.dumped(release))?;
        }
        out.end()
    }

    /// One OSD as in the map's dump (`dump_osd`); nothing but `osd` when it does not exist.
    pub fn dump_osd<S: Serializer>(&self, id: i32, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.dump_osd_fields(id, &mut out)?;
        out.end()
    }

    /// The members of one OSD, for an object that has more.
    pub fn dump_osd_fields<M: SerializeMap>(&self, id: i32, out: &mut M) -> Result<(), M::Error> {
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        let blank = EntityAddrVec::default();
        let addrs = |column: &super::Addrs| column.get(at).map_or_else(|| blank.clone(), |a| (**a).clone());
        let all = [
            ("public_addr", addrs(&self.client_addrs)),
            ("cluster_addr", addrs(&self.cluster_addrs)),
            ("heartbeat_back_addr", addrs(&self.hb_back_addrs)),
            ("heartbeat_front_addr", addrs(&self.hb_front_addrs)),
        ];
        let info = self.osd_info.get(at).copied().unwrap_or_default();
        out.serialize_entry("osd", &id)?;
        out.serialize_entry("uuid", &self.uuid(id))?;
        out.serialize_entry("up", &u8::from(self.is_up(id)))?;
        out.serialize_entry("in", &u8::from(self.is_in(id)))?;
        out.serialize_entry("weight", &f64::from(self.weightf(id)))?;
        out.serialize_entry("primary_affinity", &f64::from(self.primary_affinityf(id)))?;
        out.serialize_entry("last_clean_begin", &info.last_clean_begin)?;
        out.serialize_entry("last_clean_end", &info.last_clean_end)?;
        out.serialize_entry("up_from", &info.up_from)?;
        out.serialize_entry("up_thru", &info.up_thru)?;
        out.serialize_entry("down_at", &info.down_at)?;
        out.serialize_entry("lost_at", &info.lost_at)?;
        for (name, addrs) in &all {
            out.serialize_entry(&format!("{name}s"), addrs)?;
        }
        for (name, addrs) in &all {
            out.serialize_entry(name, &addrs.legacy_or_front().legacy_str())?;
        }
        out.serialize_entry("state", &state::names(self.state(id)))
    }
}

struct Pools<'a>(&'a OSDMap, Release);
impl Serialize for Pools<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(&'a OSDMap, Release, i64, &'a PgPool);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.0.dump_pool(self.2, self.3, self.1, s)
            }
        }
        s.collect_seq(self.0.pools.iter().map(|(id, pool)| One(self.0, self.1, *id, pool)))
    }
}

struct Osds<'a>(&'a OSDMap);
impl Serialize for Osds<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(&'a OSDMap, i32);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.0.dump_osd(self.1, s)
            }
        }
        s.collect_seq(self.0.osds().map(|osd| One(self.0, osd)))
    }
}

struct XInfos<'a>(&'a OSDMap);
impl Serialize for XInfos<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_seq(None)?;
        for osd in self.0.osds() {
            let at = usize::try_from(osd).unwrap_or(usize::MAX);
            let info: OsdXInfo = self.0.osd_xinfo.get(at).copied().unwrap_or_default();
            out.serialize_element(&Object(Then(("osd", osd), info)))?;
        }
        out.end()
    }
}

struct Blocklist<'a>(&'a BTreeMap<EntityAddr, UTime>);
impl Serialize for Blocklist<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(addr, until)| (addr.to_string(), until)))
    }
}

fn snaps(pools: &PoolSnaps) -> serde_json::Value {
    let interval = |(begin, length): (&u64, &u64)| json!({"begin": begin, "length": length});
    let of_pool = |(pool, snaps): (&i64, &crate::pg::Intervals)| json!({"pool": pool, "snaps": snaps.0.iter().map(interval).collect::<Vec<_>>()});
    pools.iter().map(of_pool).collect::<Vec<_>>().into()
}
