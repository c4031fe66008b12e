//! Forms of the releases, truncations, unknown values, bytes of Ceph's own daemons.

use super::*;
use crate::corpus;

pub(crate) fn sample() -> FsMap {
    let info = |gid: u64, state: i32| MdsInfo {
        gid,
        name: format!("m{gid}"),
        state: MdsState(state),
        export_targets: [1].into(),
        compat: CompatSet::before_16_2_5(),
        ..MdsInfo::default()
    };
    let mdsmap = MdsMap {
        epoch: 8,
        fs_name: "demo".into(),
        info: [(7, info(7, 13)), (8, info(8, 99))].into(),
        r#in: [0].into(),
        up: [(0, 7)].into(),
        data_pools: vec![6],
        required_client_features: FeatureBits(vec![0, 1, 0, 0, 0, 0, 0, 0]),
        qdb_leader: 7,
        qdb_cluster: vec![7, 8],
        ..MdsMap::default()
    };
    let peer = Peer { uuid: "u".into(), remote: ClusterInfo { fs_name: "b".into(), ..Default::default() } };
    let fs = Filesystem { id: 1, mdsmap, mirror_info: MirrorInfo { mirrored: true, peers: vec![peer] } };
    FsMap {
        epoch: 9,
        btime: UTime { sec: 1_795_475_472, nsec: 5_000 },
        default_fscid: 1,
        filesystems: [(1, fs)].into(),
        mds_roles: [(7, 1), (8, 1), (9, -1)].into(),
        standbys: [(9, info(9, -5))].into(),
        standby_epochs: [(9, 4)].into(),
        ..FsMap::default()
    }
}

#[test]
fn each_releases_form_round_trips_as_far_as_it_goes() {
    assert_eq!(FsMap::from_bytes(&sample().to_bytes(Features::ALL)).unwrap(), sample());
    let reef = FsMap::from_bytes(&sample().to_bytes(Release::Reef.features())).unwrap();
    assert_eq!((reef.btime, reef.filesystems[&1].mdsmap.qdb_leader), (UTime::ZERO, 0));
    assert_eq!(reef.to_bytes(Release::Reef.features()), sample().to_bytes(Release::Reef.features()));
    corpus::refuses_truncations::<FsMap>(&sample().to_bytes(Features::ALL));
}

#[test]
fn an_unknown_state_survives_and_shows_as_upstreams() {
    let map = FsMap::from_bytes(&sample().to_bytes(Features::ALL)).unwrap();
    let info = map.by_gid(8).unwrap();
    assert_eq!((info.state, info.state.name()), (MdsState(99), "???"));
}

#[test]
fn daemons_are_found_in_file_systems_and_among_the_standbys() {
    let map = sample();
    assert_eq!(map.by_name("m7").unwrap().gid, 7);
    assert_eq!(map.by_name("m9").unwrap().gid, 9);
    assert_eq!(map.by_gid(10), None);
    assert_eq!(map.filesystem("demo").unwrap().mdsmap.by_rank(0).unwrap().gid, 7);
}

#[test]
fn json_has_the_keys_of_the_release() {
    use crate::release::Dump;
    let json = |release| serde_json::to_value(sample().dumped(release)).unwrap();
    let (pacific, tentacle) = (json(Release::Pacific), json(Release::Tentacle));
    assert_eq!(tentacle["btime"], "2026-11-23T23:11:12:000005+0000");
    assert!(pacific.get("btime").is_none());
    let mdsmap = &tentacle["filesystems"][0]["mdsmap"];
    assert_eq!(mdsmap["required_client_features"]["feature_8"], "mimic");
    assert_eq!(mdsmap["info"]["gid_7"]["compat"]["incompat"]["feature_7"], "mds uses inline data");
    assert_eq!(mdsmap["up"]["mds_0"], 7);
    assert_eq!(mdsmap["flags_state"]["allow_snaps"], true);
    assert!(pacific["filesystems"][0]["mdsmap"].get("flags_state").is_none());
    assert_eq!(tentacle["filesystems"][0]["mirror_info"]["peers"]["u"]["remote"]["fs_name"], "b");
    assert_eq!(tentacle["standbys"][0]["epoch"], 4);
}

/// The forms that point releases wrote: which one a sample has shows only within.
fn forms(fs_map: u8) -> impl Iterator<Item = MdsForm> {
    (16..=19).flat_map(move |mds_map| (9..=10).map(move |mds_info| MdsForm { fs_map, mds_map, mds_info }))
}

fn one_form_gives_back<T: Decode + std::fmt::Debug>(
    type_name: &str,
    encode: impl Fn(&T, &mut Writer, MdsForm),
) {
    for (path, bytes) in corpus::samples(type_name) {
        let value = T::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        let fits = |form| {
            let mut w = Writer::new();
            encode(&value, &mut w, form);
            bytes.starts_with(w.as_slice())
        };
        let version = bytes.first().copied().unwrap_or_default();
        assert!(forms(version).any(fits), "{path}: no form gives it back: {value:?}");
        corpus::refuses_truncations::<T>(&bytes);
    }
}

#[test]
fn what_ceph_encoded_is_written_back_byte_for_byte() {
    one_form_gives_back::<FsMap>("FSMap", |map, w, form| map.encode_form(w, Features::ALL, form));
    one_form_gives_back::<Filesystem>("Filesystem", |fs, w, form| fs.encode_form(w, Features::ALL, form));
    one_form_gives_back::<MdsMap>("MDSMap", |map, w, form| map.encode_form(w, Features::ALL, form));
    corpus::round_trips::<MdsInfo>("MDSMap::mds_info_t", |info, w, version| {
        info.encode_version(w, Features::ALL, version);
    });
    corpus::round_trips_newest::<CompatSet>("CompatSet");
    corpus::round_trips_newest::<FeatureBits>("feature_bitset_t");
}
