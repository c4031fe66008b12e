//! `feature_bitset_t` (`src/mds/mdstypes.{h,cc}`) and the names of CephFS features (`src/mds/cephfs_features.cc`): 16.2
//! knows 18 of them in print, 20.2 23; later ones are only appended.

use crate::release::Release;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::{Serialize, Serializer};

/// A bit set of any length. Bytes are kept as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureBits(pub Vec<u8>);

/// Names by bit; the first five bits are reserved.
const NAMES: [&str; 24] = [
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "jewel",
    "kraken",
    "luminous",
    "mimic",
    "reply_encoding",
    "reclaim_client",
    "lazy_caps_wanted",
    "multi_reconnect",
    "deleg_ino",
    "metric_collect",
    "alternate_name",
    "notify_session_state",
    "op_getvxattr",
    "32bits_retry_fwd",
    "new_snaprealm_info",
    "has_owner_uidgid",
    "client_mds_auth_caps",
    "charmap",
    "blockdiff",
];

impl FeatureBits {
    /// Whether that bit is set.
    #[must_use]
    pub fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// Number of features that a release has names for; it does not print others.
    fn named_by(release: Release) -> usize {
        match release {
            Release::Pacific | Release::Quincy => 19,
            Release::Reef | Release::Squid => 22,
            Release::Tentacle => NAMES.len(),
        }
    }

    /// `{"feature_8": "mimic", …}` of the bits that are set and that `release` has a name for.
    pub(super) fn named(&self, release: Release) -> NamedFeatures<'_> {
        NamedFeatures { bits: self, known: Self::named_by(release) }
    }
}

impl Encode for FeatureBits {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.blob(&self.0);
    }
}
impl Decode for FeatureBits {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(FeatureBits(r.blob()?.to_vec()))
    }
}

pub(super) struct NamedFeatures<'a> {
    bits: &'a FeatureBits,
    known: usize,
}
impl Serialize for NamedFeatures<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let set = NAMES.iter().enumerate().take(self.known).filter(|(bit, _)| self.bits.has(*bit));
        s.collect_map(set.map(|(bit, name)| (format!("feature_{bit}"), name)))
    }
}
