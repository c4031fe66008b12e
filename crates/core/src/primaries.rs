//! Spreading the reads of a replicated pool evenly by `pg_upmap_primaries` (what `OSDMap::balance_primaries` is for, 18.2 on;
//! the way is our own): hand the part of a PG's primary from an OSD that has too many to the one of its OSDs that has fewest.
//!
//! Invariants: no data moves; an OSD's fair number of primaries is the sum over its PGs of its part of the PG's primary
//! affinities; every change brings the sum of squared deviations down, so the search ends.

use axon_proto::crush::ITEM_NONE;
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::Pg;
use std::collections::{BTreeMap, BTreeSet};

/// What to tell the monitors: primaries to set, and PGs whose explicit primary goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Primaries {
    pub set: BTreeMap<Pg, i32>,
    pub removed: BTreeSet<Pg>,
}

/// Changes that bring every OSD near its fair number of primaries of a pool; none for a pool that is not replicated.
#[must_use]
pub fn balance_primaries(map: &OSDMap, pool: i64) -> Primaries {
    let Some(_) = map.pool(pool).filter(|pool| pool.is_replicated()) else { return Primaries::default() };
    let mut surplus: BTreeMap<i32, f64> = BTreeMap::new();
    let mut places: BTreeMap<Pg, (Vec<i32>, i32)> = BTreeMap::new();
    for pg in map.pgs_of(pool) {
        let at = map.pg_to_up_acting(pg);
        let osds: Vec<i32> = at.up.iter().copied().filter(|osd| *osd != ITEM_NONE).collect();
        let affinity: f64 = osds.iter().map(|osd| f64::from(map.primary_affinityf(*osd))).sum();
        if affinity <= 0.0 || !osds.contains(&at.up_primary) {
            continue;
        }
        for osd in &osds {
            *surplus.entry(*osd).or_default() -= f64::from(map.primary_affinityf(*osd)) / affinity;
        }
        *surplus.entry(at.up_primary).or_default() += 1.0;
        places.insert(pg, (osds, at.up_primary));
    }
    let before: BTreeMap<Pg, i32> = places.iter().map(|(pg, (_, primary))| (*pg, *primary)).collect();
    while let Some((pg, from, to)) = best_change(&places, &surplus) {
        for (osd, by) in [(from, -1.0), (to, 1.0)] {
            *surplus.entry(osd).or_default() += by;
        }
        if let Some((_, primary)) = places.get_mut(&pg) {
            *primary = to;
        }
    }
    let mut out = Primaries::default();
    for (pg, (osds, primary)) in &places {
        if before.get(pg) == Some(primary) {
            continue;
        }
        // Without one CRUSH's first OSD is the primary, unless affinities say otherwise.
        let plain = osds.iter().all(|osd| map.primary_affinityf(*osd) >= 1.0);
        if plain && osds_without_primary(map, *pg).first() == Some(primary) {
            out.removed.insert(*pg);
        } else {
            out.set.insert(*pg, *primary);
        }
    }
    out.removed.retain(|pg| map.pg_upmap_primaries.contains_key(pg));
    out
}

/// Where a PG is without its explicit primary, those that are up.
fn osds_without_primary(map: &OSDMap, pg: Pg) -> Vec<i32> {
    let mut osds = map.pg_to_raw_osds(pg);
    for (from, to) in map.pg_upmap_items.get(&pg).into_iter().flatten() {
        if !osds.contains(to)
            && let Some(place) = osds.iter_mut().find(|osd| *osd == from)
        {
            *place = *to;
        }
    }
    if let Some(all) = map.pg_upmap.get(&pg) {
        osds.clone_from(all);
    }
    osds.retain(|osd| map.is_up(*osd));
    osds
}

/// From the OSD with most to spare, to the one with least among those of one of its PGs.
fn best_change(
    places: &BTreeMap<Pg, (Vec<i32>, i32)>,
    surplus: &BTreeMap<i32, f64>,
) -> Option<(Pg, i32, i32)> {
    let of = |osd: &i32| surplus.get(osd).copied().unwrap_or(0.0);
    let mut best: Option<(f64, Pg, i32, i32)> = None;
    for (pg, (osds, from)) in places {
        for to in osds.iter().filter(|osd| *osd != from) {
            let gain = of(from) - of(to);
            // Less than one apart a change would only swap the two.
            if gain > 1.0 + 1e-9 && best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, *pg, *from, *to));
            }
        }
    }
    best.map(|(_, pg, from, to)| (pg, from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::osd_map::{PgPool, pool_type, state};
    use std::sync::Arc;

    /// Four OSDs, PGs placed by explicit mappings whose first OSD is mostly 0.
    fn map() -> OSDMap {
        let pool =
            PgPool { pool_type: pool_type::REPLICATED, size: 3, pg_num: 8, pgp_num: 8, ..PgPool::default() };
        let places = (0..8)
            .map(|seed| (Pg::new(1, seed), vec![0, 1 + (seed % 3) as i32, 1 + ((seed + 1) % 3) as i32]));
        OSDMap {
            epoch: 3,
            max_osd: 4,
            osd_state: Arc::new(vec![state::EXISTS | state::UP; 4]),
            osd_weight: Arc::new(vec![0x10000; 4]),
            pools: Arc::new([(1, Arc::new(pool))].into()),
            pg_upmap: Arc::new(places.collect()),
            ..OSDMap::default()
        }
    }

    #[test]
    fn primaries_are_handed_on_until_they_are_even() {
        let map = map();
        let changes = balance_primaries(&map, 1);
        assert!(changes.removed.is_empty());
        let mut primaries = [0; 4];
        for pg in map.pgs_of(1) {
            let primary = changes.set.get(&pg).copied().unwrap_or(map.pg_to_up_acting(pg).up_primary);
            assert!(map.pg_to_up_acting(pg).up.contains(&primary));
            primaries[usize::try_from(primary).unwrap()] += 1;
        }
        assert!(primaries.iter().all(|count| (1..=3).contains(count)), "{primaries:?}");
    }

    #[test]
    fn a_pool_that_is_not_there_is_left_alone() {
        assert_eq!(balance_primaries(&map(), 9), Primaries::default());
    }
}
