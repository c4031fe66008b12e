//! Ceph's releases by number (`ceph_release_t`, `src/common/ceph_releases.h`) and what depends on them: the feature bits
//! that mark a peer's release, and JSON whose keys differ between releases.

use crate::features;
use axon_denc::Features;
use serde::{Serialize, Serializer};
use std::fmt;

/// A release that Axon knows, oldest first. What travels on the wire is its number, see [`release_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    Pacific = 16,
    Quincy = 17,
    Reef = 18,
    Squid = 19,
    Tentacle = 20,
}

impl Release {
    /// All, oldest first.
    pub const ALL: [Release; 5] =
        [Release::Pacific, Release::Quincy, Release::Reef, Release::Squid, Release::Tentacle];
    /// The newest one known.
    pub const NEWEST: Release = Release::Tentacle;

    /// Upstream's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The release of that number; newer numbers than known give the newest.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Release> {
        if number > u32::from(Release::NEWEST.number()) {
            return Some(Release::NEWEST);
        }
        Self::ALL.into_iter().find(|r| u32::from(r.number()) == number)
    }

    /// The bit that a peer of this release (or a newer one) has.
    #[must_use]
    pub const fn server_feature(self) -> u64 {
        match self {
            Release::Pacific => features::SERVER_PACIFIC,
            Release::Quincy => features::SERVER_QUINCY,
            Release::Reef => features::SERVER_REEF,
            Release::Squid => features::SERVER_SQUID,
            Release::Tentacle => features::SERVER_TENTACLE,
        }
    }

    /// The newest release whose bit a peer with `features` has; the oldest known one when it has none.
    #[must_use]
    pub fn of_peer(features: Features) -> Release {
        Self::ALL.into_iter().rev().find(|r| features.has(r.server_feature())).unwrap_or(Release::Pacific)
    }

    /// Bits of a peer of this release, as far as encodings depend on them.
    #[must_use]
    pub fn features(self) -> Features {
        let newer = Self::ALL.into_iter().filter(|r| *r > self);
        // A release's mark shares the bits of its incarnation with other names: clear only its own bit.
        let own = |r: Release| r.server_feature() & !(features::SERVER_NAUTILUS | features::SERVER_LUMINOUS);
        Features(newer.fold(features::SUPPORTED, |bits, r| bits & !own(r)))
    }

    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        release_name(u32::from(self.number()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Upstream's name of a release number (`ceph_release_name`); `unknown` for others.
#[must_use]
pub fn release_name(number: u32) -> &'static str {
    const NAMES: [&str; 20] = [
        "argonaut",
        "bobtail",
        "cuttlefish",
        "dumpling",
        "emperor",
        "firefly",
        "giant",
        "hammer",
        "infernalis",
        "jewel",
        "kraken",
        "luminous",
        "mimic",
        "nautilus",
        "octopus",
        "pacific",
        "quincy",
        "reef",
        "squid",
        "tentacle",
    ];
    let index = (number as usize).checked_sub(1);
    index.and_then(|i| NAMES.get(i)).copied().unwrap_or("unknown")
}

/// JSON as the daemons of a release print it (`dump` of the type), where releases differ.
pub trait Dump {
    /// Serializes with the keys that `release` has.
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error>;

    /// The value together with a release, for serde.
    fn dumped(&self, release: Release) -> Dumped<'_, Self> {
        Dumped(self, release)
    }
}

/// A value to be serialized as a release prints it.
#[derive(Debug)]
pub struct Dumped<'a, T: ?Sized>(pub &'a T, pub Release);

impl<T: Dump + ?Sized> Serialize for Dumped<'_, T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.dump(self.1, s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_release_is_read_from_its_feature_bits() {
        for release in Release::ALL {
            assert_eq!(Release::of_peer(release.features()), release, "{release}");
        }
        assert_eq!(Release::of_peer(Features::ALL), Release::NEWEST);
        assert_eq!(Release::of_peer(Features::NONE), Release::Pacific);
    }

    #[test]
    fn names_are_upstreams() {
        assert_eq!(Release::Tentacle.name(), "tentacle");
        assert_eq!((release_name(14), release_name(0), release_name(99)), ("nautilus", "unknown", "unknown"));
        assert_eq!(Release::from_number(25), Some(Release::Tentacle));
        assert_eq!(Release::from_number(15), None);
    }
}
