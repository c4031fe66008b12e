//! Maps of real clusters of 16.2.15, 18.2.7 and 20.2.4 under `testdata/`, and what their own tools say about them:
//! `osdmap.bin` is `ceph osd getmap`, the JSON files are `ceph osd dump|tree|crush dump|crush rule dump -f json`, `pgs.txt` is
//! `osdmaptool --test-map-pgs-dump-all`.

use super::tree::TreeFilter;
use super::*;
use crate::crush::TreeWalk;
use crate::release::{Dump, Release};
use axon_denc::{Decode, Encode};
use serde_json::Value;

const RELEASES: [Release; 3] = [Release::Pacific, Release::Reef, Release::Tentacle];

fn file(release: Release, name: &str) -> Vec<u8> {
    let path = format!("{}/testdata/{release}/osd_map/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn golden(release: Release, name: &str) -> Value {
    serde_json::from_slice(&file(release, name)).unwrap()
}

fn map(release: Release) -> OSDMap {
    OSDMap::from_bytes(&file(release, "osdmap.bin")).unwrap()
}

/// Fails at the first difference: values, keys, and the order of keys but where upstream has none.
fn assert_same(path: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |m: &serde_json::Map<String, Value>| {
                let mut keys: Vec<_> = m.keys().cloned().collect();
                if path.ends_with("/blocklist") {
                    keys.sort();
                }
                keys
            };
            assert_eq!(keys(a), keys(b), "keys of {path}");
            a.iter().for_each(|(key, value)| assert_same(&format!("{path}/{key}"), value, &b[key]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "length of {path}: {ours} {theirs}");
            (0..).zip(a.iter().zip(b)).for_each(|(i, (a, b))| assert_same(&format!("{path}/{i}"), a, b));
        }
        (Value::Number(a), Value::Number(b)) => {
            assert!(a == b || a.as_f64() == b.as_f64(), "{path}: ours {a}, theirs {b}");
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn maps_of_monitors_are_written_back_byte_for_byte() {
    for release in RELEASES {
        let bytes = file(release, "osdmap.bin");
        let map = map(release);
        assert!(map.to_bytes(map.encoding_features()) == bytes, "{release}");
        crate::corpus::refuses_truncations::<OSDMap>(&bytes);
    }
}

#[test]
fn the_dump_is_the_clis() {
    for release in RELEASES {
        let ours = serde_json::to_value(map(release).dumped(release)).unwrap();
        assert_same(release.name(), &ours, &golden(release, "dump.json"));
    }
}

#[test]
fn the_crush_dump_and_its_rules_are_the_clis() {
    for release in RELEASES {
        let map = map(release);
        let ours = serde_json::to_value(map.crush.dumped(release)).unwrap();
        assert_same(release.name(), &ours, &golden(release, "crush.json"));
        let rules: Vec<_> =
            map.crush.rules().filter_map(|(id, _)| map.crush.dump_rule(id, release)).collect();
        assert_same(release.name(), &rules.into(), &golden(release, "rules.json"));
    }
}

#[test]
fn the_tree_is_the_clis() {
    for release in RELEASES {
        let map = map(release);
        let up = TreeFilter { up: true, ..TreeFilter::default() };
        for (file, tree) in [
            ("tree.json", map.tree()),
            ("tree_up.json", map.tree_with(up, None)),
            ("tree_from.json", map.tree_with(TreeFilter::default(), Some("default"))),
        ] {
            assert_same(
                &format!("{release} {file}"),
                &serde_json::to_value(tree).unwrap(),
                &golden(release, file),
            );
        }
    }
}

#[test]
fn the_shadow_tree_has_the_clis_order() {
    for release in RELEASES {
        let walk =
            TreeWalk { show_shadow: true, root: None, show_device: &|_| true, show_empty_buckets: true };
        let ours: Vec<_> = map(release).crush.tree(&walk).iter().map(|i| i64::from(i.id)).collect();
        let theirs = golden(release, "crush_tree.json");
        let theirs: Vec<_> =
            theirs["nodes"].as_array().unwrap().iter().map(|n| n["id"].as_i64().unwrap()).collect();
        assert_eq!(ours, theirs, "{release}");
    }
}

fn list(osds: &[i32]) -> String {
    format!("[{}]", osds.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
}

#[test]
fn every_pg_is_where_osdmaptool_says() {
    for release in RELEASES {
        let map = map(release);
        let text = String::from_utf8(file(release, "pgs.txt")).unwrap();
        assert!(text.lines().count() >= 16);
        for line in text.lines() {
            let pg: Pg = line.split_whitespace().next().unwrap().parse().unwrap();
            let at = map.pg_to_up_acting(pg);
            let raw = map.pg_to_raw_osds(pg);
            let primary = raw.iter().find(|o| **o != crate::crush::ITEM_NONE).copied().unwrap_or(-1);
            let ours = format!(
                "{pg} raw ({}, p{primary}) up ({}, p{}) acting ({}, p{})",
                list(&raw),
                list(&at.up),
                at.up_primary,
                list(&at.acting),
                at.acting_primary
            );
            assert_eq!(ours, line, "{release}");
        }
    }
}

/// All increments of a cluster from its first epoch on: each with its length before it.
fn increments(release: Release) -> Vec<Vec<u8>> {
    let bytes = file(release, "increments.bin");
    let mut r = axon_denc::Reader::new(&bytes);
    let mut out = Vec::new();
    while !r.is_empty() {
        out.push(r.blob().unwrap().to_vec());
    }
    out
}

#[test]
fn a_map_built_by_increments_has_the_monitors_crc_at_each_epoch_and_its_bytes_at_the_last() {
    for release in RELEASES {
        let mut ours = OSDMap::default();
        for bytes in increments(release) {
            let inc = Incremental::from_bytes(&bytes).unwrap();
            assert!(inc.to_bytes(inc.encode_features) == bytes, "{release} {}", inc.epoch);
            ours.apply(&inc).unwrap();
            assert!(ours.matches_crc(&inc), "{release}: epoch {}", inc.epoch);
            assert_eq!(ours.encoding_features(), inc.encode_features, "{release}: epoch {}", inc.epoch);
        }
        assert!(ours.encode_full(ours.encoding_features()).0 == file(release, "osdmap.bin"), "{release}");
    }
}

#[test]
fn an_increment_that_does_not_follow_is_refused_and_changes_nothing() {
    let release = Release::Tentacle;
    let before = map(release);
    let mut inc = Incremental { fsid: before.fsid, epoch: before.epoch + 2, ..Incremental::default() };
    let mut ours = before.clone();
    let gap = ApplyError::EpochGap { have: before.epoch, leads_to: before.epoch + 2 };
    assert_eq!(ours.apply(&inc), Err(gap));
    inc.epoch = before.epoch + 1;
    inc.new_weight.insert(before.max_osd, 0);
    inc.new_flags = 0;
    let beyond = ApplyError::NoSuchOsd { osd: before.max_osd, max_osd: before.max_osd };
    assert_eq!(ours.apply(&inc), Err(beyond));
    inc.fsid = crate::Fsid([9; 16]);
    assert!(matches!(ours.apply(&inc), Err(ApplyError::OtherCluster { .. })));
    assert_eq!(ours, before);
}

#[test]
fn a_clone_shares_its_columns_until_one_changes() {
    let before = map(Release::Reef);
    let mut after = before.clone();
    let mut inc = Incremental { fsid: before.fsid, epoch: before.epoch + 1, ..Incremental::default() };
    inc.new_weight.insert(0, 0x8000);
    after.apply(&inc).unwrap();
    assert!(Arc::ptr_eq(&before.client_addrs, &after.client_addrs));
    assert!(Arc::ptr_eq(&before.crush, &after.crush));
    assert!(!Arc::ptr_eq(&before.osd_weight, &after.osd_weight));
    assert_eq!((before.weight(0), after.weight(0)), (0x10000, 0x8000));
}

#[test]
fn an_object_is_in_the_pg_that_the_monitor_says() {
    // `ceph osd map rep NAME [NAMESPACE]` on the cluster that the map is from: the whole hash and the PG.
    let map = map(Release::Tentacle);
    let pool = map.pool_id("rep").unwrap();
    for (name, namespace, hash, pg) in [
        ("a", "", 0x29ee_c818, 0),
        ("ab", "", 0x9879_ac41, 1),
        ("obj", "", 0xaabc_5e21, 1),
        ("foo.1", "", 0x86ff_9a8e, 6),
        ("0123456789a", "", 0x90d7_829e, 6),
        ("0123456789ab", "", 0x92f3_1ad0, 0),
        ("rbd_data.1234567890ab.0000000000000001", "", 0x4df3_93f2, 2),
        ("naïve name", "", 0xafd6_fd77, 7),
        ("obj", "ns1", 0x37ed_a02a, 2),
    ] {
        assert_eq!(map.pool(pool).unwrap().hash_key(name, namespace), hash, "{namespace} {name}");
        assert_eq!(map.object_to_pg(pool, name, "", namespace), Some(Pg { pool, seed: pg }));
        assert_eq!(map.object_to_pg(pool, "other", name, namespace), Some(Pg { pool, seed: pg }));
    }
    assert_eq!(map.object_to_pg(999, "a", "", ""), None);
}

#[test]
fn queries_agree_with_the_dump() {
    for release in RELEASES {
        let (map, dump) = (map(release), golden(release, "dump.json"));
        for osd in dump["osds"].as_array().unwrap() {
            let id = osd["osd"].as_i64().unwrap() as i32;
            assert_eq!(map.is_up(id), osd["up"] == 1);
            assert_eq!(map.is_in(id), osd["in"] == 1);
            assert_eq!(Some(id), map.osd_by_uuid(osd["uuid"].as_str().unwrap().parse().unwrap()));
        }
        assert_eq!(map.counts().0, dump["osds"].as_array().unwrap().len());
        let (id, pool) = map.pool_by_name("ecp").unwrap();
        assert_eq!((map.pool_name[&id].as_str(), pool.is_erasure()), ("ecp", true));
        // osd.1 has its own flags, its class' and those of the root above it.
        let flags = state::NOUP | state::NODOWN | state::NOIN | state::NOOUT;
        assert_eq!(map.flags_of(1), flags, "{release}");
        assert_eq!(map.location(0)["root"], "default");
        assert!(map.location(0).contains_key("host"));
        assert_eq!(map.crush.host(0).map(str::to_owned), map.location(0).remove("host"));
        assert!(map.crush.devices_of_class("ssd").contains(&0));
        assert!(map.crush.subtree_contains(map.crush.item_id("default").unwrap(), 2));
        let listed = |text: &str| map.is_blocklisted(&crate::EntityAddr::v2(text.parse().unwrap()));
        assert!(listed("10.1.2.4:77") && listed("10.9.255.1:1"), "{release}");
        assert!(!listed("10.1.2.5:77") && !listed("10.10.0.1:1") && !listed("10.1.2.3:0"));
    }
}
