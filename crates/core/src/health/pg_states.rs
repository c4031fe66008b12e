//! PGs that are not as they should be: PG_AVAILABILITY, PG_DEGRADED, PG_BACKFILL_FULL, PG_DAMAGED, PG_RECOVERY_FULL. Some
//! states are told at once, some only once a PG has been stuck in them.

use super::Subject;
use crate::pg_map::{OsdView, PgMap, cutoff, since};
use crate::text::{OsdList, OsdListRaw, age};
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::pg::{Pg, PgStat, PgState};
use axon_proto::{Release, UTime};
use std::collections::BTreeMap;

/// What a state means for the pool's users, in the order in which upstream tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Consequence {
    Unavailable,
    Degraded,
    BackfillFull,
    Damaged,
    RecoveryFull,
}

impl Consequence {
    fn texts(self) -> (&'static str, HealthStatus, &'static str) {
        match self {
            Consequence::Unavailable => {
                ("PG_AVAILABILITY", HealthStatus::WARN, "Reduced data availability: ")
            }
            Consequence::Degraded => ("PG_DEGRADED", HealthStatus::WARN, "Degraded data redundancy: "),
            Consequence::BackfillFull => (
                "PG_BACKFILL_FULL",
                HealthStatus::WARN,
                "Low space hindering backfill (add storage if this doesn't resolve itself): ",
            ),
            Consequence::Damaged => ("PG_DAMAGED", HealthStatus::ERR, "Possible data damage: "),
            Consequence::RecoveryFull => {
                ("PG_RECOVERY_FULL", HealthStatus::ERR, "Full OSDs blocking recovery: ")
            }
        }
    }
}

/// When the state last was as it should be; given for states that count only once the PG is stuck.
type StuckSince = fn(&PgStat) -> UTime;

/// One rule: a state, what it means, and whether it counts when it is missing.
struct Rule {
    state: PgState,
    consequence: Consequence,
    stuck_since: Option<StuckSince>,
    inverted: bool,
}

impl Rule {
    const fn at_once(state: PgState, consequence: Consequence) -> Self {
        Rule { state, consequence, stuck_since: None, inverted: false }
    }

    const fn stuck(state: PgState, consequence: Consequence, since: StuckSince) -> Self {
        Rule { state, consequence, stuck_since: Some(since), inverted: false }
    }

    fn applies(&self, state: PgState) -> bool {
        state.has(self.state) != self.inverted
    }

    fn name(&self) -> String {
        if self.inverted { "inactive".to_owned() } else { self.state.to_string() }
    }
}

/// By the value of the state's bit, which is upstream's order.
const RULES: [Rule; 13] = [
    Rule {
        state: PgState::ACTIVE,
        consequence: Consequence::Unavailable,
        stuck_since: Some(|pg| pg.last_active),
        inverted: true,
    },
    Rule::at_once(PgState::DOWN, Consequence::Unavailable),
    Rule::at_once(PgState::RECOVERY_UNFOUND, Consequence::Damaged),
    Rule::at_once(PgState::BACKFILL_UNFOUND, Consequence::Damaged),
    Rule::at_once(PgState::DEGRADED, Consequence::Degraded),
    Rule::at_once(PgState::INCONSISTENT, Consequence::Damaged),
    Rule::stuck(PgState::PEERING, Consequence::Unavailable, |pg| pg.last_peered),
    Rule::at_once(PgState::INCOMPLETE, Consequence::Unavailable),
    Rule::stuck(PgState::STALE, Consequence::Unavailable, |pg| pg.last_unstale),
    Rule::at_once(PgState::BACKFILL_TOOFULL, Consequence::BackfillFull),
    Rule::stuck(PgState::UNDERSIZED, Consequence::Degraded, |pg| pg.last_fullsized),
    Rule::at_once(PgState::RECOVERY_TOOFULL, Consequence::RecoveryFull),
    Rule::at_once(PgState::SNAPTRIM_ERROR, Consequence::Damaged),
];

/// What was found of one consequence.
#[derive(Default)]
struct Found {
    /// By the rule's place: how many PGs.
    counts: BTreeMap<usize, i64>,
    messages: BTreeMap<Pg, String>,
}

pub(super) fn check<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    for (consequence, found) in find(subject) {
        let (code, severity, mut summary) = {
            let (code, severity, text) = consequence.texts();
            (code, severity, text.to_owned())
        };
        if consequence == Consequence::Degraded {
            summary.push_str(&degraded_objects(subject.map));
        }
        let parts: Vec<String> = found
            .counts
            .iter()
            .filter_map(|(place, count)| {
                let name = RULES.get(*place)?.name();
                Some(format!("{count} {} {name}", if *count > 1 { "pgs" } else { "pg" }))
            })
            .collect();
        summary.push_str(&parts.join(", "));
        let check = out.add(code, severity, summary, found.counts.values().sum());
        check.detail.extend(found.messages.into_values());
    }
}

fn find<V: OsdView>(subject: &Subject<'_, V>) -> BTreeMap<Consequence, Found> {
    let mut found: BTreeMap<Consequence, Found> = BTreeMap::new();
    // Most clusters have few states and none that a rule applies to: then no PG is looked at.
    let suspect = |state: PgState| RULES.iter().any(|rule| rule.applies(state));
    if !subject.map.num_pg_by_state.keys().any(|state| suspect(*state)) {
        return found;
    }
    let cutoff = cutoff(subject.now, subject.options.mon_pg_stuck_threshold);
    for (pg, stat) in subject.map.pg_stat.iter().filter(|(_, stat)| suspect(stat.state)) {
        for (place, rule) in RULES.iter().enumerate().filter(|(_, rule)| rule.applies(stat.state)) {
            if rule.stuck_since.is_some_and(|since| !is_stuck(stat, since(stat), cutoff)) {
                continue;
            }
            let found = found.entry(rule.consequence).or_default();
            *found.counts.entry(place).or_default() += 1;
            if found.messages.len() <= subject.options.mon_health_max_detail {
                found.messages.insert(*pg, message(subject, *pg, stat, rule));
            }
        }
    }
    found
}

fn is_stuck(stat: &PgStat, since: UTime, cutoff: UTime) -> bool {
    let still_moving = since.is_zero() && stat.last_change >= cutoff;
    !still_moving && since < cutoff
}

fn message<V: OsdView>(subject: &Subject<'_, V>, pg: Pg, stat: &PgStat, rule: &Rule) -> String {
    let acting = match subject.release {
        Release::Pacific => OsdListRaw(&stat.acting).to_string(),
        _ => OsdList(&stat.acting).to_string(),
    };
    let mut text = match rule.stuck_since.map(|since| since(stat)) {
        Some(at) => {
            let how_long = if at.is_zero() {
                "since forever".to_owned()
            } else {
                format!("for {}", age(since(at, subject.now).into()))
            };
            let (name, state) = (rule.name(), stat.state);
            format!("pg {pg} is stuck {name} {how_long}, current state {state}, last acting {acting}")
        }
        None => {
            let unfound = stat.stats.num_objects_unfound;
            let unfound = if unfound == 0 { String::new() } else { format!(", {unfound} unfound") };
            format!("pg {pg} is {}, acting {acting}{unfound}", stat.state)
        }
    };
    if stat.state.has(PgState::INCOMPLETE)
        && let Some(pool) = subject.osds.pool(pg.pool).filter(|pool| pool.min_size > 1)
    {
        text.push_str(&format!(
            " (reducing pool {} min_size from {} may help; search ceph.com/docs for 'incomplete')",
            pool.name, pool.min_size
        ));
    }
    text
}

fn degraded_objects(map: &PgMap) -> String {
    let sum = &map.pg_sum.stats;
    if sum.num_objects_degraded == 0 || sum.num_object_copies <= 0 {
        return String::new();
    }
    let percent = sum.num_objects_degraded as f64 / sum.num_object_copies as f64 * 100.0;
    format!("{}/{} objects degraded ({percent:.3}%), ", sum.num_objects_degraded, sum.num_object_copies)
}
