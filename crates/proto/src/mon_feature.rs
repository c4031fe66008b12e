//! `mon_feature_t` (`src/mon/mon_types.h`, version 1): features that monitors agree on, by name in JSON.

use axon_denc::denc_struct;
use serde::{Serialize, Serializer};

/// A set of the monitors' own feature bits. Unknown bits survive and are called `unknown`, as upstream does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MonFeatures {
    pub features: u64,
}
denc_struct!(mon_feature_t, 1, 1; MonFeatures { features });

impl MonFeatures {
    const NAMES: [(u32, &str); 15] = [
        (0, "kraken"),
        (1, "luminous"),
        (2, "mimic"),
        (3, "osdmap-prune"),
        (4, "nautilus"),
        (5, "octopus"),
        (6, "pacific"),
        (7, "elector-pinging"),
        (8, "quincy"),
        (9, "reef"),
        (10, "squid"),
        (11, "tentacle"),
        (31, "cephx_auth_aes256k"),
        (32, "nvmeof_beacon_diff"),
        (63, "reserved"),
    ];

    /// Upstream's names of the bits that are set, lowest first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..64).filter(move |bit| self.features >> bit & 1 == 1).map(|bit| {
            Self::NAMES.iter().find(|(known, _)| *known == bit).map_or("unknown", |(_, name)| name)
        })
    }
}

/// `mon_feature_t::dump`: the names.
impl Serialize for MonFeatures {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn bits_have_upstreams_names_and_unknown_ones_survive() {
        let features = MonFeatures { features: 1 << 1 | 1 << 7 | 1 << 40 };
        assert_eq!(features.names().collect::<Vec<_>>(), ["luminous", "elector-pinging", "unknown"]);
        corpus::round_trips_newest::<MonFeatures>("mon_feature_t");
    }
}
