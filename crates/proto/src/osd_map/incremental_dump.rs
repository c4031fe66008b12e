//! `OSDMap::Incremental::dump` (`src/osd/OSDMap.cc`, the same in 18.2 and 20.2): what `ceph-dencoder` and a module's
//! `OSDMapIncremental.dump()` print.
//!
//! Upstream leaves the list `new_purged_snaps` open, so that the flags of CRUSH nodes and device classes and the stretch mode stand
//! in it. That is kept. Where it prints one key several times in an object (`flag`), only the last one would reach a reader;
//! here such a key holds a list when there are several.

use super::{Incremental, OSDMap, state};
use crate::crush::CrushMap;
use crate::pg::{Intervals, Pg};
use crate::release::{Dump, Release};
use crate::{EntityAddr, EntityAddrVec, UTime};
use axon_denc::Decode;
use serde::ser::{Error, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Dump for Incremental {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.dump_head(&mut out)?;
        if !self.fullmap.is_empty() {
            let map = OSDMap::from_bytes(&self.fullmap).map_err(S::Error::custom)?;
            out.serialize_entry("full_map", &map.dumped(release))?;
        }
        if !self.crush.is_empty() {
            let map = CrushMap::from_bytes(&self.crush).map_err(S::Error::custom)?;
            out.serialize_entry("crush", &map.dumped(release))?;
        }
        out.serialize_entry("new_max_osd", &self.new_max_osd)?;
        self.dump_pools(release, &mut out)?;
        out.serialize_entry("new_up_osds", &self.up_osds())?;
        self.dump_osds(&mut out)?;
        self.dump_mappings(&mut out)?;
        self.dump_lives(&mut out)?;
        self.dump_tail(&mut out)?;
        out.end()
    }
}

impl Incremental {
    fn dump_head<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("epoch", &self.epoch)?;
        out.serialize_entry("fsid", &self.fsid)?;
        out.serialize_entry("modified", &self.modified)?;
        out.serialize_entry("new_last_up_change", &self.new_last_up_change)?;
        out.serialize_entry("new_last_in_change", &self.new_last_in_change)?;
        out.serialize_entry("new_pool_max", &self.new_pool_max)?;
        out.serialize_entry("new_flags", &self.new_flags)?;
        out.serialize_entry("new_full_ratio", &f64::from(self.new_full_ratio))?;
        out.serialize_entry("new_nearfull_ratio", &f64::from(self.new_nearfull_ratio))?;
        out.serialize_entry("new_backfillfull_ratio", &f64::from(self.new_backfillfull_ratio))?;
        out.serialize_entry("new_require_min_compat_client", &self.new_require_min_compat_client)?;
        out.serialize_entry("new_require_osd_release", &self.new_require_osd_release)?;
        out.serialize_entry("mutate_allow_crimson", &self.mutate_allow_crimson)
    }

    fn dump_pools<M: SerializeMap>(&self, release: Release, out: &mut M) -> Result<(), M::Error> {
        let pools: Vec<Value> = (self.new_pools.iter())
            .map(|(id, pool)| with(json!({"pool": id}), json!(pool.dumped(release))))
            .collect();
        out.serialize_entry("new_pools", &pools)?;
        out.serialize_entry("new_pool_names", &listed(&self.new_pool_names, "pool", "name"))?;
        out.serialize_entry("old_pools", &self.old_pools)
    }

    fn up_osds(&self) -> Vec<Value> {
        let one = |(osd, addrs): (&i32, &EntityAddrVec)| {
            let legacy =
                |addrs: &EntityAddrVec| json!(addrs.legacy().cloned().unwrap_or_default().to_string());
            let mut up = Map::new();
            up.insert("osd".to_owned(), json!(osd));
            up.insert("public_addr".to_owned(), legacy(addrs));
            up.insert("public_addrs".to_owned(), json!(addrs));
            if let Some(cluster) = self.new_up_cluster.get(osd) {
                up.insert("cluster_addr".to_owned(), legacy(cluster));
                up.insert("cluster_addrs".to_owned(), json!(cluster));
            }
            for (key, column) in [
                ("heartbeat_back_addrs", &self.new_hb_back_up),
                ("heartbeat_front_addrs", &self.new_hb_front_up),
            ] {
                if let Some(addrs) = column.get(osd) {
                    up.insert(key.to_owned(), json!(addrs));
                }
            }
            Value::Object(up)
        };
        self.new_up_client.iter().map(one).collect()
    }

    fn dump_osds<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("new_weight", &listed(&self.new_weight, "osd", "weight"))?;
        // Upstream's old encoding had no bit for "up", which is therefore also written as none.
        let flip = |(osd, bits): (&i32, &u32)| json!({"osd": osd, "state_xor": state::names(*bits)});
        out.serialize_entry("osd_state_xor", &self.new_state.iter().map(flip).collect::<Vec<_>>())
    }

    fn dump_mappings<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("new_pg_temp", &listed(&self.new_pg_temp, "pgid", "osds"))?;
        // No object here: PGs and OSDs alternate.
        let primary = |(pgid, osd): (&Pg, &i32)| [json!(pgid), json!(osd)];
        out.serialize_entry(
            "primary_temp",
            &self.new_primary_temp.iter().flat_map(primary).collect::<Vec<_>>(),
        )?;
        out.serialize_entry("new_pg_upmap", &listed(&self.new_pg_upmap, "pgid", "osds"))?;
        out.serialize_entry("old_pg_upmap", &self.old_pg_upmap)?;
        let pair = |(from, to): &(i32, i32)| json!({"from": from, "to": to});
        let items = |(pgid, pairs): (&Pg, &Vec<(i32, i32)>)| json!({"pgid": pgid, "mappings": pairs.iter().map(pair).collect::<Vec<_>>()});
        out.serialize_entry(
            "new_pg_upmap_items",
            &self.new_pg_upmap_items.iter().map(items).collect::<Vec<_>>(),
        )?;
        out.serialize_entry("old_pg_upmap_items", &self.old_pg_upmap_items)?;
        out.serialize_entry(
            "new_pg_upmap_primaries",
            &listed(&self.new_pg_upmap_primary, "pgid", "primary_osd"),
        )?;
        out.serialize_entry("old_pg_upmap_primaries", &self.old_pg_upmap_primary)
    }

    fn dump_lives<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("new_up_thru", &listed(&self.new_up_thru, "osd", "up_thru"))?;
        out.serialize_entry("new_lost", &listed(&self.new_lost, "osd", "epoch_lost"))?;
        let interval =
            |(osd, (first, last)): (&i32, &(u32, u32))| json!({"osd": osd, "first": first, "last": last});
        let intervals: Vec<_> = self.new_last_clean_interval.iter().map(interval).collect();
        out.serialize_entry("new_last_clean_interval", &intervals)?;
        // Upstream opens lists, in which names get lost.
        let until = |map: &BTreeMap<EntityAddr, UTime>| map.values().copied().collect::<Vec<_>>();
        let texts = |addrs: &[EntityAddr]| addrs.iter().map(ToString::to_string).collect::<Vec<_>>();
        out.serialize_entry("new_blocklist", &until(&self.new_blocklist))?;
        out.serialize_entry("old_blocklist", &texts(&self.old_blocklist))?;
        out.serialize_entry("new_range_blocklist", &until(&self.new_range_blocklist))?;
        out.serialize_entry("old_range_blocklist", &texts(&self.old_range_blocklist))?;
        let xinfo: Vec<Value> =
            self.new_xinfo.iter().map(|(osd, info)| with(json!({"osd": osd}), json!(info))).collect();
        out.serialize_entry("new_xinfo", &xinfo)?;
        if !self.cluster_snapshot.is_empty() {
            out.serialize_entry("cluster_snapshot", &self.cluster_snapshot)?;
        }
        out.serialize_entry("new_uuid", &listed(&self.new_uuid, "osd", "uuid"))
    }

    fn dump_tail<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("erasure_code_profiles", &self.new_erasure_code_profiles)?;
        out.serialize_entry("old_erasure_code_profiles", &self.old_erasure_code_profiles)?;
        let snaps = |pools: &BTreeMap<i64, Intervals>| pools.iter().map(of_pool).collect::<Vec<Value>>();
        out.serialize_entry("new_removed_snaps", &snaps(&self.new_removed_snaps))?;
        let mut open = snaps(&self.new_purged_snaps);
        open.push(flags(&self.new_crush_node_flags));
        open.push(flags(&self.new_device_class_flags));
        open.push(json!({
            "change_stretch_mode": self.change_stretch_mode,
            "stretch_mode_enabled": self.stretch_mode_enabled,
            "new_stretch_bucket_count": self.new_stretch_bucket_count,
            "new_degraded_stretch_mode": self.new_degraded_stretch_mode,
            "new_recovering_stretch_mode": self.new_recovering_stretch_mode,
            "new_stretch_mode_bucket": self.new_stretch_mode_bucket,
        }));
        out.serialize_entry("new_purged_snaps", &open)
    }
}

/// A map as a list of objects with two members.
fn listed<K: serde::Serialize, V: serde::Serialize>(
    map: &BTreeMap<K, V>,
    key: &str,
    value: &str,
) -> Vec<Value> {
    map.iter().map(|(k, v)| json!({key: k, value: v})).collect()
}

fn of_pool((pool, snaps): (&i64, &Intervals)) -> Value {
    let interval = |(begin, length): (&u64, &u64)| json!({"begin": begin, "length": length});
    json!({"pool": pool, "snaps": snaps.0.iter().map(interval).collect::<Vec<_>>()})
}

fn flags(map: &BTreeMap<i32, u32>) -> Value {
    let one = |(id, bits): (&i32, &u32)| match state::names(*bits).as_slice() {
        [] => json!({"id": id}),
        [flag] => json!({"id": id, "flag": flag}),
        flags => json!({"id": id, "flag": flags}),
    };
    map.iter().map(one).collect()
}

/// The members of both.
fn with(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}
