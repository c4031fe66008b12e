//! CRUSH maps that Ceph's own daemons wrote.

use super::*;
use crate::corpus;
use axon_denc::{Decode, Encode, Features};

#[test]
fn maps_of_the_corpus_are_written_back_byte_for_byte() {
    for (path, bytes) in corpus::samples("CrushWrapper") {
        let map = CrushMap::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        let features = Features(crate::features::SUPPORTED & !(1 << 38) & !(1 << 33));
        assert!(map.to_bytes(features) == bytes, "{path}");
    }
}

/// Maps with every bucket algorithm and rules of every kind, made and asked by 20.2.4's `crushtool` (`--test
/// --show-mappings`, with some devices reweighted). `jewel` has weight sets with two positions and ids; `argonaut` has the
/// tunables of the first release.
#[test]
fn rules_choose_what_crushtool_says() {
    let dir = format!("{}/testdata/crush", env!("CARGO_MANIFEST_DIR"));
    for name in ["jewel", "argonaut"] {
        let map = CrushMap::from_bytes(&std::fs::read(format!("{dir}/{name}.bin")).unwrap()).unwrap();
        assert_eq!(map.choose_args.is_empty(), name == "argonaut");
        let mut weights = vec![0x10000; 40];
        for (device, weight) in [(3, 0.0), (8, 0.4), (17, 0.0), (30, 0.7), (16, 0.0), (18, 0.0), (19, 0.0)] {
            weights[device] = (weight * 65536.0) as u32;
        }
        let text = std::fs::read_to_string(format!("{dir}/{name}.txt")).unwrap();
        assert_eq!(text.lines().count(), 15 * 2 * 16);
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (size, rule, x) = (words[1], words[3].parse().unwrap(), words[5].parse().unwrap());
            let ours = map.map_rule(rule, x, size.parse().unwrap(), &weights, map.choose_args_of(0));
            let ours = ours.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
            assert_eq!(format!("size {size} rule {rule} x {x} [{ours}]"), line, "{name}");
        }
    }
}

#[test]
fn a_map_that_makes_no_sense_gives_no_device_and_does_not_hang() {
    let bytes = std::fs::read(format!("{}/testdata/crush/jewel.bin", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut map = CrushMap::from_bytes(&bytes).unwrap();
    // Two buckets that hold each other, and an item that is no bucket.
    let ids: Vec<i32> = map.buckets().map(|b| b.id).collect();
    for bucket in map.buckets.iter_mut().flatten() {
        let other = if bucket.id == ids[0] { ids[1] } else { ids[0] };
        bucket.items.fill(other);
    }
    for rule in 0..15 {
        let _ = map.map_rule(rule, 1, 3, &[0x10000; 40], None);
    }
    for bucket in map.buckets.iter_mut().flatten() {
        bucket.items.fill(-999);
    }
    for rule in 0..15 {
        let _ = map.map_rule(rule, 1, 3, &[0x10000; 40], None);
    }
}

#[test]
fn a_map_with_any_byte_changed_decodes_or_is_refused_but_never_panics() {
    let bytes = std::fs::read(format!("{}/testdata/crush/jewel.bin", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(map) = CrushMap::from_bytes(&changed) {
                let _ = map.to_bytes(Features::ALL);
                let _ = (map.roots(), map.min_required_version());
            }
        }
    }
}
