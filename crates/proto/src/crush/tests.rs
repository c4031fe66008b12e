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
