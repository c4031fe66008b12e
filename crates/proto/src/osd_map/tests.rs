//! Maps and increments that Ceph's own daemons wrote.

use super::*;
use crate::{corpus, features};
use axon_denc::{Decode, Encode, Features, Writer};

/// What `ceph-dencoder` of 16.2 and 18.2 writes with: everything of its release.
fn dencoder_features() -> Features {
    Features(features::SUPPORTED & !(1 << 50) & !(1 << 38))
}

#[test]
fn pools_of_the_corpus_are_written_back_byte_for_byte() {
    for (path, bytes) in corpus::samples("pg_pool_t") {
        let pool = PgPool::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(pool.to_bytes(dencoder_features()) == bytes, "{path}");
    }
}

#[test]
fn osd_info_of_the_corpus_is_written_back_byte_for_byte() {
    corpus::round_trips_newest::<OsdInfo>("osd_info_t");
    corpus::round_trips_newest::<OsdXInfo>("osd_xinfo_t");
}

/// Version of the client section: the first byte behind the outer envelope.
fn client_version(bytes: &[u8]) -> u8 {
    bytes[6]
}

#[test]
fn maps_of_the_corpus_are_written_back_byte_for_byte() {
    for (path, bytes) in corpus::samples("OSDMap") {
        let map = OSDMap::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut w = Writer::new();
        let mut features = map.encoding_features();
        if map.epoch == 0 {
            features = dencoder_features();
        }
        map.encode_with_client_version(&mut w, client_version(&bytes), features);
        assert!(w.as_slice() == bytes, "{path}");
        corpus::refuses_truncations::<OSDMap>(&bytes);
    }
}

#[test]
fn increments_of_the_corpus_are_written_back_byte_for_byte() {
    for (path, bytes) in corpus::samples("OSDMap::Incremental") {
        let inc = Incremental::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut w = Writer::new();
        inc.encode_with_client_version(&mut w, client_version(&bytes), inc.encode_features);
        assert!(w.as_slice() == bytes, "{path}");
        corpus::refuses_truncations::<Incremental>(&bytes);
    }
}

#[test]
fn a_flipped_bit_is_told_by_the_crc_or_by_the_format() {
    for (path, mut bytes) in corpus::samples("OSDMap").into_iter().take(3) {
        for at in (12..bytes.len()).step_by(17) {
            bytes[at] ^= 0x10;
            assert!(OSDMap::from_bytes(&bytes).is_err(), "{path} with byte {at} changed");
            bytes[at] ^= 0x10;
        }
    }
}
