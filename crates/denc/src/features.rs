//! Feature bits of a connection (`src/include/ceph_features.h`). The named bits live in `axon-proto`; this is the set.

use std::ops::BitOr;

/// A set of upstream's 64 feature bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u64);

impl Features {
    /// No feature: what a peer of the first release would have.
    pub const NONE: Features = Features(0);
    /// Every bit set: the newest encoding of everything. Right for round-trip tests.
    pub const ALL: Features = Features(u64::MAX);

    /// Whether every bit of `bits` is set.
    #[must_use]
    pub const fn has(self, bits: u64) -> bool {
        self.0 & bits == bits
    }

    /// The bits set in both.
    #[must_use]
    pub const fn and(self, other: Features) -> Features {
        Features(self.0 & other.0)
    }
}

impl BitOr<u64> for Features {
    type Output = Features;
    fn bitor(self, bits: u64) -> Features {
        Features(self.0 | bits)
    }
}
