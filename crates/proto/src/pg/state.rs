//! The state of a PG: `PG_STATE_*` and `pg_state_string` (`src/osd/osd_types.{h,cc}`). No bit set is `unknown`.

use serde::{Serialize, Serializer};
use std::fmt;

/// A set of state bits. Bits not known here survive, unnamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgState(pub u64);

macro_rules! states {
    ($($name:ident $text:literal = $bit:literal;)*) => {
        impl PgState {
            $( pub const $name: PgState = PgState(1 << $bit); )*
            /// Bits with upstream's names, in the order in which upstream prints them.
            const NAMES: &'static [(u64, &'static str)] = &[ $( (1 << $bit, $text), )* ];
        }
    };
}
// Upstream's printing order.
states! {
    STALE "stale" = 17;
    CREATING "creating" = 0;
    ACTIVE "active" = 1;
    ACTIVATING "activating" = 24;
    CLEAN "clean" = 2;
    RECOVERY_WAIT "recovery_wait" = 22;
    RECOVERY_TOOFULL "recovery_toofull" = 28;
    RECOVERING "recovering" = 14;
    FORCED_RECOVERY "forced_recovery" = 30;
    DOWN "down" = 4;
    RECOVERY_UNFOUND "recovery_unfound" = 5;
    BACKFILL_UNFOUND "backfill_unfound" = 6;
    UNDERSIZED "undersized" = 23;
    DEGRADED "degraded" = 10;
    REMAPPED "remapped" = 18;
    PREMERGE "premerge" = 7;
    SCRUBBING "scrubbing" = 8;
    DEEP_SCRUB "deep" = 19;
    INCONSISTENT "inconsistent" = 11;
    PEERING "peering" = 12;
    REPAIR "repair" = 13;
    BACKFILL_WAIT "backfill_wait" = 15;
    BACKFILLING "backfilling" = 20;
    FORCED_BACKFILL "forced_backfill" = 31;
    BACKFILL_TOOFULL "backfill_toofull" = 21;
    INCOMPLETE "incomplete" = 16;
    PEERED "peered" = 25;
    SNAPTRIM "snaptrim" = 26;
    SNAPTRIM_WAIT "snaptrim_wait" = 27;
    SNAPTRIM_ERROR "snaptrim_error" = 29;
    FAILED_REPAIR "failed_repair" = 32;
    LAGGY "laggy" = 33;
    WAIT "wait" = 34;
}

impl PgState {
    /// Nothing was reported yet.
    pub const UNKNOWN: PgState = PgState(0);

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn has(self, other: PgState) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    #[must_use]
    pub const fn any(self, other: PgState) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: PgState) -> PgState {
        PgState(self.0 | other.0)
    }

    /// The bits without those of `other`.
    #[must_use]
    pub const fn without(self, other: PgState) -> PgState {
        PgState(self.0 & !other.0)
    }

    /// The state of one name (`pg_string_state`); `unknown` is no bit at all.
    #[must_use]
    pub fn from_name(name: &str) -> Option<PgState> {
        if name == "unknown" {
            return Some(PgState::UNKNOWN);
        }
        Self::NAMES.iter().find(|(_, text)| *text == name).map(|(bit, _)| PgState(*bit))
    }

    /// The names of the bits that are set, in upstream's order; empty for `unknown`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, text)| *text)
    }
}

impl fmt::Display for PgState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names();
        let Some(first) = names.next() else { return f.pad("unknown") };
        f.write_str(first)?;
        names.try_for_each(|name| write!(f, "+{name}"))
    }
}
impl Serialize for PgState {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_prints_in_upstreams_order_and_each_name_reads_back() {
        let state = PgState::DEEP_SCRUB.with(PgState::CLEAN).with(PgState::ACTIVE).with(PgState::SCRUBBING);
        assert_eq!(state.to_string(), "active+clean+scrubbing+deep");
        assert_eq!(PgState::UNKNOWN.to_string(), "unknown");
        for (bit, name) in PgState::NAMES {
            assert_eq!(PgState::from_name(name), Some(PgState(*bit)));
        }
        assert_eq!(PgState::from_name("no_such"), None);
    }
}
