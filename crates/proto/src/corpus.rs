//! Test support: bytes that Ceph's own daemons encoded, read from `AXON_CORPUS` or `../shared/corpus` beside the
//! workspace as `<release>/<Type>/<hash>` when that is there, and checks that every decoder must pass.

use axon_denc::{Decode, Encode, Features, Reader, Writer};
use std::fmt::Debug;
use std::path::PathBuf;

/// The samples of a type: path for messages, bytes. Empty when there is no corpus.
pub(crate) fn samples(type_name: &str) -> Vec<(String, Vec<u8>)> {
    let root = std::env::var_os("AXON_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let mut out = Vec::new();
    for release in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let dir = release.path().join(type_name);
        for file in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if let Ok(bytes) = std::fs::read(file.path()) {
                out.push((file.path().display().to_string(), bytes));
            }
        }
    }
    out
}

/// Every sample decodes, `encode` writes back what was read (given the first byte, the version), and no prefix of that
/// decodes. What lies behind the value is not looked at: some samples were captured with the slack of their buffer.
pub(crate) fn round_trips<T: Decode + Debug>(type_name: &str, encode: impl Fn(&T, &mut Writer, u8)) {
    for (path, bytes) in samples(type_name) {
        let mut r = Reader::named(&bytes, "sample");
        let value = T::decode(&mut r).unwrap_or_else(|e| panic!("{path}: {e}"));
        let bytes = &bytes[..r.offset()];
        let mut w = Writer::new();
        encode(&value, &mut w, bytes.first().copied().unwrap_or_default());
        assert_eq!(w.as_slice(), bytes, "{path}: {value:?}");
        refuses_truncations::<T>(bytes);
    }
}

/// [`round_trips`] for types whose encoding is the same in all releases.
pub(crate) fn round_trips_newest<T: Decode + Encode + Debug>(type_name: &str) {
    round_trips::<T>(type_name, |value, w, _| value.encode(w, Features::ALL));
}

/// No prefix of `bytes` decodes. Of long samples only the prefixes around 2,000 places, to stay quick.
pub(crate) fn refuses_truncations<T: Decode + Debug>(bytes: &[u8]) {
    let step = (bytes.len() / 2000).max(1);
    for len in (0..bytes.len()).step_by(step) {
        if let Ok(value) = T::from_bytes(&bytes[..len]) {
            panic!("{len} of {} bytes decoded to {value:?}", bytes.len());
        }
    }
}
