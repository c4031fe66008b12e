//! Maps as real monitors of the three releases stored them, beside what their own `ceph … dump -f json` printed of the
//! same epoch: decoding gives that JSON, encoding gives those bytes. The clusters had two file systems, a mirrored one
//! among them, a located monitor, a standby manager and an RGW.
//!
//! `AXON_GOLDEN` names another folder of the same shape (`<release>/<map>.{bin,json}`), to check freshly captured maps.

use axon_denc::{Decode, Encode, Reader};
use axon_proto::{Dump, FsMap, MgrMap, MonMap, Release, ServiceMap};
use serde_json::Value;
use std::path::PathBuf;

fn golden(release: Release, name: &str) -> Option<(Vec<u8>, Value)> {
    let root = std::env::var_os("AXON_GOLDEN")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")), PathBuf::from);
    let dir = root.join(release.name());
    let bytes = std::fs::read(dir.join(format!("{name}.bin"))).ok()?;
    let text = std::fs::read_to_string(dir.join(format!("{name}.json"))).expect("the map's JSON");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    if let Some(object) = json.as_object_mut() {
        // Added by the command, not by the map.
        object.remove("quorum");
    }
    Some((bytes, json))
}

/// Upstream's formatter prints a float without fraction as an integer.
fn with_integers(value: &mut Value) {
    match value {
        Value::Number(n) if n.is_f64() => {
            if let Some(f) = n.as_f64().filter(|f| f.fract() == 0.0) {
                *value = Value::from(f as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_integers),
        Value::Object(items) => items.values_mut().for_each(with_integers),
        _ => {}
    }
}

fn check<T: Decode + Encode>(name: &str, dump: impl Fn(&T, Release) -> serde_json::Result<Value>) -> usize {
    let mut checked = 0;
    for release in [Release::Pacific, Release::Reef, Release::Tentacle] {
        let Some((bytes, expect)) = golden(release, name) else { continue };
        let mut r = Reader::new(&bytes);
        let map = T::decode(&mut r).unwrap_or_else(|e| panic!("{release} {name}: {e}"));
        r.finish().unwrap_or_else(|e| panic!("{release} {name}: {e}"));
        let mut json = dump(&map, release).expect("every map can be JSON");
        with_integers(&mut json);
        assert_eq!(json, expect, "{release} {name}");
        // The order of the keys, too.
        assert_eq!(json.to_string(), expect.to_string(), "{release} {name}");
        assert!(map.to_bytes(release.features()) == bytes, "{release} {name}: other bytes");
        checked += 1;
    }
    checked
}

#[test]
fn monitors_maps_read_and_write_as_the_monitors_own() {
    let checked = check::<MonMap>("mon_map", |map, release| serde_json::to_value(map.dumped(release)));
    assert_eq!(checked, 3);
}

#[test]
fn managers_maps_read_and_write_as_the_monitors_own() {
    let dump = |map: &MgrMap, release| serde_json::to_value(map.dumped(release));
    assert_eq!(check("mgr_map_new", dump), 3);
    assert!(check("mgr_map", dump) >= 1);
}

#[test]
fn file_systems_maps_read_and_write_as_the_monitors_own() {
    assert_eq!(check::<FsMap>("fs_map", |map, release| serde_json::to_value(map.dumped(release))), 3);
}

#[test]
fn service_maps_read_and_write_as_the_monitors_own() {
    assert_eq!(check::<ServiceMap>("service_map", |map, _| serde_json::to_value(map)), 3);
}
