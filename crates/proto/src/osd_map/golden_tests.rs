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
