//! Tunables of a CRUSH map (`CrushWrapper::set_tunables_*`, `has_*_tunables`): how placement has worked since which
//! release.

use super::{Alg, CrushMap, op};

/// What a map says about the algorithm's variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunables {
    pub choose_local_tries: u32,
    pub choose_local_fallback_tries: u32,
    pub choose_total_tries: u32,
    pub chooseleaf_descend_once: u32,
    pub chooseleaf_vary_r: u8,
    pub chooseleaf_stable: u8,
    pub straw_calc_version: u8,
    /// A bit per [`Alg`] number.
    pub allowed_bucket_algs: u32,
    pub msr_descents: u32,
    pub msr_collision_tries: u32,
}

/// uniform, list and straw.
const LEGACY_ALGS: u32 = 1 << Alg::Uniform as u32 | 1 << Alg::List as u32 | 1 << Alg::Straw as u32;
const HAMMER_ALGS: u32 = LEGACY_ALGS | 1 << Alg::Straw2 as u32;

impl Tunables {
    /// What a map without tunables means.
    pub const ARGONAUT: Tunables = Tunables {
        choose_local_tries: 2,
        choose_local_fallback_tries: 5,
        choose_total_tries: 19,
        chooseleaf_descend_once: 0,
        chooseleaf_vary_r: 0,
        chooseleaf_stable: 0,
        straw_calc_version: 0,
        allowed_bucket_algs: LEGACY_ALGS,
        msr_descents: 100,
        msr_collision_tries: 100,
    };
    pub const BOBTAIL: Tunables = Tunables {
        choose_local_tries: 0,
        choose_local_fallback_tries: 0,
        choose_total_tries: 50,
        chooseleaf_descend_once: 1,
        ..Self::ARGONAUT
    };
    pub const FIREFLY: Tunables = Tunables { chooseleaf_vary_r: 1, ..Self::BOBTAIL };
    pub const HAMMER: Tunables = Tunables { allowed_bucket_algs: HAMMER_ALGS, ..Self::FIREFLY };
    /// The default of every release that Axon knows.
    pub const JEWEL: Tunables = Tunables { chooseleaf_stable: 1, ..Self::HAMMER };

    /// Name of the profile with these values; `straw_calc_version` does not count.
    #[must_use]
    pub fn profile(&self) -> &'static str {
        let these = Tunables { straw_calc_version: 0, ..*self };
        [
            ("jewel", Self::JEWEL),
            ("hammer", Self::HAMMER),
            ("firefly", Self::FIREFLY),
            ("bobtail", Self::BOBTAIL),
            ("argonaut", Self::ARGONAUT),
        ]
        .into_iter()
        .find(|(_, profile)| *profile == these)
        .map_or("unknown", |(name, _)| name)
    }

    pub(crate) fn needs_feature_1(&self) -> bool {
        let tries =
            |t: &Tunables| (t.choose_local_tries, t.choose_local_fallback_tries, t.choose_total_tries);
        tries(self) != tries(&Self::ARGONAUT)
    }

    pub(crate) fn needs_feature_2(&self) -> bool {
        self.chooseleaf_descend_once != 0
    }

    pub(crate) fn needs_feature_3(&self) -> bool {
        self.chooseleaf_vary_r != 0
    }

    pub(crate) fn needs_feature_5(&self) -> bool {
        self.chooseleaf_stable != 0
    }

    pub(crate) fn needs_msr(&self) -> bool {
        self.msr_descents != 100 || self.msr_collision_tries != 100
    }
}

impl Default for Tunables {
    fn default() -> Self {
        Tunables { straw_calc_version: 1, ..Self::JEWEL }
    }
}

impl CrushMap {
    fn has_rule_with(&self, ops: &[u32]) -> bool {
        self.rules().any(|(_, r)| r.has_op(ops))
    }

    #[must_use]
    pub fn has_v2_rules(&self) -> bool {
        self.has_rule_with(&[
            op::CHOOSE_INDEP,
            op::CHOOSELEAF_INDEP,
            op::SET_CHOOSE_TRIES,
            op::SET_CHOOSELEAF_TRIES,
        ])
    }

    #[must_use]
    pub fn has_v3_rules(&self) -> bool {
        self.has_rule_with(&[op::SET_CHOOSELEAF_VARY_R])
    }

    #[must_use]
    pub fn has_v4_buckets(&self) -> bool {
        self.buckets().any(|b| b.alg() == Alg::Straw2)
    }

    #[must_use]
    pub fn has_v5_rules(&self) -> bool {
        self.has_rule_with(&[op::SET_CHOOSELEAF_STABLE])
    }

    #[must_use]
    pub fn has_msr_rules(&self) -> bool {
        self.rules().any(|(_, r)| r.is_msr())
    }

    /// Whether an old peer can be told about the weight sets at all (`has_incompat_choose_args`).
    #[must_use]
    pub fn has_incompat_choose_args(&self) -> bool {
        match self.choose_args.iter().next() {
            None => false,
            Some((key, args)) => {
                self.choose_args.len() > 1
                    || *key != super::DEFAULT_CHOOSE_ARGS
                    || args.values().any(|a| a.weight_set.len() != 1 || !a.ids.is_empty())
            }
        }
    }

    /// Oldest release that understands the map.
    #[must_use]
    pub fn min_required_version(&self) -> &'static str {
        let t = &self.tunables;
        if self.has_msr_rules() || t.needs_msr() {
            "squid"
        } else if self.has_v5_rules() || t.needs_feature_5() {
            "jewel"
        } else if self.has_v4_buckets() {
            "hammer"
        } else if t.needs_feature_3() {
            "firefly"
        } else if t.needs_feature_2() || t.needs_feature_1() {
            "bobtail"
        } else {
            "argonaut"
        }
    }
}
