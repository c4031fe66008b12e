//! Which PGs: those in a state, of a pool, on an OSD (`get_filtered_pg_stats`), and those stuck (`get_stuck_stats`).

use super::PgMap;
use axon_proto::UTime;
use axon_proto::pg::{Pg, PgStat, PgState};
use std::sync::Arc;

/// Which PGs `pg ls` lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct PgFilter {
    /// Any of these bits; `Some(unknown)` those never reported; `None` all.
    pub state: Option<PgState>,
    pub pool: Option<i64>,
    pub osd: Option<i32>,
    /// The OSD must be the acting primary.
    pub primary: bool,
}

impl PgFilter {
    fn takes(&self, pg: Pg, stat: &PgStat) -> bool {
        let on_osd = |osd: i32| {
            if self.primary { stat.acting_primary == osd } else { stat.acting.contains(&osd) }
        };
        let in_state = |state: PgState| {
            stat.state.any(state) || (state == PgState::UNKNOWN && stat.state == PgState::UNKNOWN)
        };
        self.pool.is_none_or(|pool| pool == pg.pool)
            && self.osd.is_none_or(on_osd)
            && self.state.is_none_or(in_state)
    }
}

/// The ways of being stuck that `pg dump_stuck` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    Inactive,
    Unclean,
    Undersized,
    Degraded,
    Stale,
    Peering,
}

impl Stuck {
    /// By upstream's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "inactive" => Stuck::Inactive,
            "unclean" => Stuck::Unclean,
            "undersized" => Stuck::Undersized,
            "degraded" => Stuck::Degraded,
            "stale" => Stuck::Stale,
            "peering" => Stuck::Peering,
            _ => return None,
        })
    }

    /// Since when the PG is in that way, if it is.
    fn since(self, stat: &PgStat) -> Option<UTime> {
        let has = |state| stat.state.has(state);
        let (is, since) = match self {
            Stuck::Inactive => (!has(PgState::ACTIVE), stat.last_active),
            Stuck::Unclean => (!has(PgState::CLEAN), stat.last_clean),
            Stuck::Undersized => (has(PgState::UNDERSIZED), stat.last_fullsized),
            Stuck::Degraded => (has(PgState::DEGRADED), stat.last_undegraded),
            Stuck::Stale => (has(PgState::STALE), stat.last_unstale),
            Stuck::Peering => (has(PgState::PEERING), stat.last_peered),
        };
        is.then_some(since)
    }
}

impl PgMap {
    /// The PGs that the filter takes, in order.
    pub fn filtered(&self, filter: PgFilter) -> impl Iterator<Item = (Pg, &Arc<PgStat>)> {
        self.pg_stat.iter().filter(move |(pg, stat)| filter.takes(**pg, stat)).map(|(pg, stat)| (*pg, stat))
    }

    /// The PGs that have been stuck in one of the ways since before `cutoff`.
    pub fn stuck<'a>(
        &'a self,
        ways: &'a [Stuck],
        cutoff: UTime,
    ) -> impl Iterator<Item = (Pg, &'a Arc<PgStat>)> {
        self.pg_stat
            .iter()
            .filter(move |(_, stat)| {
                ways.iter().any(|way| way.since(stat).is_some_and(|since| since < cutoff))
            })
            .map(|(pg, stat)| (*pg, stat))
    }
}
