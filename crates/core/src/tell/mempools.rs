//! `dump_mempools`: what the process holds of each kind (`src/common/mempool.cc`, `src/include/mempool.h`), for who wants to know where
//! its memory is: in the maps that grow with the cluster, or elsewhere.
//!
//! Upstream counts what its allocators hand out. Here the snapshot's structures are gone through: items are entries of maps and lists,
//! bytes what these take in memory (an entry's size and that of the lists in it), without the allocator's and the trees' own overhead.
//! The answer costs O(entries); older snapshots that a reader still holds are not in it.
//!
//! Invariants: every pool of the release is listed; `total` is their sum; a pool of what a manager does not have (an object store, an
//! MDS's cache) is 0, and so is `osdmap_mapping`: places of PGs are computed when asked for.

use super::{Answer, Ask, Row, row};
use crate::kv::Kv;
use crate::pg_map::PgMap;
use axon_proto::Release;
use axon_proto::crush::{Bucket, CrushMap, Rule, Weights};
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::{HbInterfaces, OsdStat, Pg, PgStat, PoolStat};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::mem::size_of;

pub(super) const ROWS: &[Row] = &[row("dump_mempools", "get mempool stats", dump)];

/// Upstream's, in its order.
const POOLS: [&str; 30] = [
    "bloom_filter",
    "bluestore_alloc",
    "bluestore_cache_data",
    "bluestore_cache_onode",
    "bluestore_cache_meta",
    "bluestore_cache_other",
    "bluestore_cache_buffer",
    "bluestore_extent",
    "bluestore_blob",
    "bluestore_shared_blob",
    "bluestore_inline_bl",
    "bluestore_fsck",
    "bluestore_txc",
    "bluestore_writing_deferred",
    "bluestore_writing",
    "bluefs",
    "bluefs_file_reader",
    "bluefs_file_writer",
    "buffer_anon",
    "buffer_meta",
    "osd",
    "osd_mapbl",
    "osd_pglog",
    "osdmap",
    "osdmap_mapping",
    "pgmap",
    "mds_co",
    EC_EXTENT_CACHE,
    "unittest_1",
    "unittest_2",
];

/// What 16.2 calls some of them.
const OF_OLD: [(&str, &str); 4] = [
    ("bluestore_cache_buffer", "bluestore_Buffer"),
    ("bluestore_extent", "bluestore_Extent"),
    ("bluestore_blob", "bluestore_Blob"),
    ("bluestore_shared_blob", "bluestore_SharedBlob"),
];

/// Since 20.2.
const EC_EXTENT_CACHE: &str = "ec_extent_cache";

/// What a pool holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    items: usize,
    bytes: usize,
}

impl Held {
    /// That many entries of that size, and what they hold besides.
    fn add(&mut self, items: usize, entry_bytes: usize, inner_bytes: usize) {
        self.items += items;
        self.bytes += items * entry_bytes + inner_bytes;
    }

    fn map<K, V>(&mut self, map: &BTreeMap<K, V>, inner: impl Fn(&V) -> usize) {
        self.add(map.len(), size_of::<(K, V)>(), map.values().map(inner).sum());
    }

    fn list<T>(&mut self, list: &[T], inner: impl Fn(&T) -> usize) {
        self.add(list.len(), size_of::<T>(), list.iter().map(inner).sum());
    }

    fn json(self) -> Value {
        json!({ "items": self.items, "bytes": self.bytes })
    }
}

fn dump(ask: &Ask<'_>) -> Answer {
    let state = ask.state;
    let mut total = Held::default();
    let mut by_pool = Map::new();
    for name in
        POOLS.into_iter().filter(|name| *name != EC_EXTENT_CACHE || state.release >= Release::Tentacle)
    {
        let held = match name {
            "osdmap" => of_osd_map(&state.osd_map),
            "pgmap" => of_pg_map(&state.pg_map),
            "buffer_anon" => of_buffers(&state.kv),
            _ => Held::default(),
        };
        total.add(held.items, 0, held.bytes);
        let of_old = OF_OLD.into_iter().find(|(new, _)| *new == name && state.release < Release::Reef);
        by_pool.insert(of_old.map_or(name, |(_, old)| old).to_owned(), held.json());
    }
    Answer::json(json!({ "mempool": { "by_pool": by_pool, "total": total.json() } }))
}

/// Values of the monitors' store are kept as they came.
fn of_buffers(kv: &Kv) -> Held {
    let mut held = Held::default();
    for (_, value) in kv.under("") {
        held.add(1, value.len(), 0);
    }
    held
}

fn of_osd_map(map: &OSDMap) -> Held {
    let mut held = Held::default();
    held.add(1, size_of::<OSDMap>(), 0);
    held.map(&map.pools, |pool| {
        let texts = pool.properties.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        size_of_val(&**pool) + texts + pool.erasure_code_profile.len()
    });
    held.map(&map.pool_name, String::len);
    held.list(&map.osd_state, |_| 0);
    held.list(&map.osd_weight, |_| 0);
    held.list(map.osd_primary_affinity.as_deref().map_or(&[], Vec::as_slice), |_| 0);
    held.list(&map.osd_info, |_| 0);
    held.list(&map.osd_xinfo, |_| 0);
    held.list(&map.osd_uuid, |_| 0);
    for addrs in [&map.client_addrs, &map.cluster_addrs, &map.hb_back_addrs, &map.hb_front_addrs] {
        held.list(addrs, |addrs| size_of_val(&**addrs) + size_of_val(addrs.0.as_slice()));
    }
    held.map(&map.pg_temp, |osds| size_of_val(osds.as_slice()));
    held.map(&map.primary_temp, |_| 0);
    held.map(&map.pg_upmap, |osds| size_of_val(osds.as_slice()));
    held.map(&map.pg_upmap_items, |pairs| size_of_val(pairs.as_slice()));
    held.map(&map.pg_upmap_primaries, |_| 0);
    held.map(&map.erasure_code_profiles, |profile| profile.iter().map(|(k, v)| k.len() + v.len()).sum());
    held.map(&map.blocklist, |_| 0);
    held.map(&map.range_blocklist, |_| 0);
    of_crush(&map.crush, &mut held);
    held
}

fn of_crush(crush: &CrushMap, held: &mut Held) {
    held.list(&crush.buckets, |bucket| bucket.as_ref().map_or(0, bucket_bytes));
    held.list(&crush.rules, |rule: &Option<Rule>| {
        rule.as_ref().map_or(0, |rule| size_of_val(rule.steps.as_slice()))
    });
    for names in [&crush.type_map, &crush.name_map, &crush.rule_name_map, &crush.class_name] {
        held.map(names, String::len);
    }
    held.map(&crush.class_map, |_| 0);
    held.map(&crush.class_bucket, |shadows| shadows.len() * size_of::<(i32, i32)>());
}

fn bucket_bytes(bucket: &Bucket) -> usize {
    let weights = match &bucket.weights {
        Weights::Straw2 { item_weights } => size_of_val(item_weights.as_slice()),
        // Of old clusters; they are as long as the items.
        _ => size_of_val(bucket.items.as_slice()),
    };
    size_of_val(bucket.items.as_slice()) + weights
}

fn of_pg_map(map: &PgMap) -> Held {
    let mut held = Held::default();
    held.add(1, size_of::<PgMap>(), 0);
    held.map(&map.pg_stat, |stat| pg_bytes(stat));
    held.map(&map.osd_stat, |stat| osd_bytes(stat));
    held.map(&map.pool_statfs, |_| 0);
    held.map(&map.pg_pool_sum, |_: &PoolStat| 0);
    held.map(&map.num_pg_by_state, |_| 0);
    held.map(&map.num_pg_by_pool, |_| 0);
    held.map(&map.num_pg_by_pool_state, |states| states.len() * size_of::<(u64, i32)>());
    held.map(&map.num_pg_by_osd, |_| 0);
    held.map(&map.pg_by_osd, |pgs| pgs.len() * size_of::<Pg>());
    held.map(&map.blocked_by_sum, |_| 0);
    held.list(&map.osd_last_seq, |_| 0);
    held.map(&map.per_pool_deltas, |_| 0);
    held.map(&map.per_pool_stamps, |_| 0);
    held
}

fn pg_bytes(stat: &PgStat) -> usize {
    let ids = [&stat.up, &stat.acting, &stat.blocked_by];
    let ids = ids.into_iter().map(|list| size_of_val(list.as_slice())).sum::<usize>();
    size_of::<PgStat>() + ids + size_of_val(stat.avail_no_missing.as_slice())
}

fn osd_bytes(stat: &OsdStat) -> usize {
    let heartbeats = stat.hb_pingtime.len() * size_of::<(i32, HbInterfaces)>();
    size_of::<OsdStat>() + size_of_val(stat.hb_peers.as_slice()) + heartbeats
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn entries_are_counted_and_a_map_that_grows_takes_more() {
        let mut map = PgMap::default();
        let empty = of_pg_map(&map);
        assert_eq!(empty, Held { items: 1, bytes: size_of::<PgMap>() });
        let stat = PgStat { up: vec![0, 1, 2], ..PgStat::default() };
        map.pg_stat.insert(Pg { pool: 1, seed: 0 }, Arc::new(stat));
        let one = of_pg_map(&map);
        let entry = size_of::<(Pg, Arc<PgStat>)>() + size_of::<PgStat>() + 3 * size_of::<i32>();
        assert_eq!((one.items - empty.items, one.bytes - empty.bytes), (1, entry));
        let osds = OSDMap { osd_state: Arc::new(vec![0; 1000]), ..OSDMap::default() };
        let (few, many) = (of_osd_map(&OSDMap::default()), of_osd_map(&osds));
        assert_eq!((many.items - few.items, many.bytes - few.bytes), (1000, 4000));
        let kv = Kv::from_entries([("mgr/a", "12345"), ("mgr/b", "")]);
        assert_eq!(of_buffers(&kv), Held { items: 2, bytes: 5 });
    }
}
