//! `CompatSet` (`src/include/CompatSet.h`): named features that a reader needs, to read or to write. Without an envelope,
//! the same in all releases.
//!
//! Invariants: what was decoded is written back byte for byte, so the mask of bits is kept beside the names.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Features with their numbers; upstream's mask has a bit per number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureSet {
    mask: u64,
    pub names: BTreeMap<u64, String>,
}

impl FeatureSet {
    /// A set of these features; numbers of 64 and more have no bit.
    #[must_use]
    pub fn new<'a>(features: impl IntoIterator<Item = (u64, &'a str)>) -> Self {
        let mut set = FeatureSet::default();
        for (id, name) in features {
            set.insert(id, name);
        }
        set
    }

    /// Adds a feature.
    pub fn insert(&mut self, id: u64, name: &str) {
        if id < 64 {
            self.mask |= 1 << id;
        }
        self.names.insert(id, name.to_owned());
    }

    /// Whether the feature of that number is in the set.
    #[must_use]
    pub fn contains(&self, id: u64) -> bool {
        self.names.contains_key(&id)
    }
}

impl Encode for FeatureSet {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u64(self.mask);
        self.names.encode(w, features);
    }
}
impl Decode for FeatureSet {
    const BYTES_MIN: usize = 12;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(FeatureSet { mask: r.u64()?, names: r.value()? })
    }
}
impl Serialize for FeatureSet {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_map(self.names.iter().map(|(id, name)| (format!("feature_{id}"), name)))
    }
}

/// Features that do not matter for access, that writers need, that every reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompatSet {
    pub compat: FeatureSet,
    pub ro_compat: FeatureSet,
    pub incompat: FeatureSet,
}
axon_denc::denc_struct!(CompatSet; CompatSet { compat, ro_compat, incompat });

impl CompatSet {
    /// What an MDS of 16.2.4 or older supports, which did not say so (`get_compat_set_v16_2_4`).
    #[must_use]
    pub fn before_16_2_5() -> Self {
        let incompat = FeatureSet::new([
            (1, "base v0.20"),
            (2, "client writeable ranges"),
            (3, "default file layouts on dirs"),
            (4, "dir inode in separate object"),
            (5, "mds uses versioned encoding"),
            (6, "dirfrag is stored in omap"),
            Self::INLINE,
            (8, "no anchor table"),
            (9, "file layout v2"),
            (10, "snaprealm v2"),
        ]);
        CompatSet { incompat, ..CompatSet::default() }
    }

    /// The feature that upstream adds to every set of a map it decodes, as every MDS since Nautilus has it.
    pub(super) const INLINE: (u64, &'static str) = (7, "mds uses inline data");

    /// The set with [`Self::INLINE`], as upstream shows it.
    pub(super) fn with_inline(&self) -> Self {
        let mut out = self.clone();
        out.incompat.insert(Self::INLINE.0, Self::INLINE.1);
        out
    }

    /// Whether no bit is set in any of the masks.
    pub(super) fn is_empty(&self) -> bool {
        [&self.compat, &self.ro_compat, &self.incompat].iter().all(|set| set.mask & !1 == 0)
    }
}
