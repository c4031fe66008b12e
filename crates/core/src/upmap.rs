//! Spreading PGs evenly by `pg_upmap_items` (what `OSDMap::calc_pg_upmaps` is for; the way is our own): move one replica at
//! a time from an OSD that has more PGs than its weight asks for to one that has fewer, where the pool's rule allows it.
//!
//! Invariants: a move keeps a PG's OSDs distinct, in the same TAKE, and in failure domains of their own; every change brings
//! the sum of squared deviations down, so the search ends; at most `changes_max` PGs are changed.
//!
//! Not here: MSR rules (pools with one are left alone), and balancing primaries.

use axon_proto::crush::{CrushMap, ITEM_NONE, op};
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::Pg;
use std::collections::{BTreeMap, BTreeSet};

/// What to tell the monitors: items to set, and PGs whose items go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upmaps {
    pub set: BTreeMap<Pg, Vec<(i32, i32)>>,
    pub removed: BTreeSet<Pg>,
}

impl Upmaps {
    /// How many PGs change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.len() + self.removed.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Changes that bring every OSD within `deviation_max` PGs of what its weight asks for, as far as they can be found.
#[must_use]
pub fn calc_pg_upmaps(map: &OSDMap, pools: &BTreeSet<i64>, deviation_max: u32, changes_max: usize) -> Upmaps {
    let mut spread = Spread::of(map, pools);
    let deviation_max = f64::from(deviation_max.max(1));
    let mut changed: BTreeSet<Pg> = BTreeSet::new();
    while changed.len() < changes_max {
        match spread.best_move(deviation_max, &changed) {
            Some(step) => {
                changed.insert(step.pg);
                spread.apply(step);
            }
            None => break,
        }
    }
    let mut out = Upmaps::default();
    for pg in changed {
        match spread.items.get(&pg).filter(|items| !items.is_empty()) {
            Some(items) => {
                out.set.insert(pg, items.clone());
            }
            None => {
                out.removed.insert(pg);
            }
        }
    }
    out
}

/// One replica's way.
struct Move {
    pg: Pg,
    from: i32,
    to: i32,
}

struct Spread<'a> {
    map: &'a OSDMap,
    rules: BTreeMap<i32, RuleView>,
    /// Where each PG is, explicit mappings included.
    places: BTreeMap<Pg, Vec<i32>>,
    items: BTreeMap<Pg, Vec<(i32, i32)>>,
    by_osd: BTreeMap<i32, BTreeSet<Pg>>,
    /// PGs too many (or, below zero, too few) by OSD that can have some.
    deviation: BTreeMap<i32, f64>,
}

impl<'a> Spread<'a> {
    fn of(map: &'a OSDMap, pools: &BTreeSet<i64>) -> Self {
        let mut out = Spread {
            map,
            rules: BTreeMap::new(),
            places: BTreeMap::new(),
            items: BTreeMap::new(),
            by_osd: BTreeMap::new(),
            deviation: BTreeMap::new(),
        };
        for (id, pool) in map.pools.iter().filter(|(id, _)| pools.contains(id)) {
            let rule = i32::from(pool.crush_rule);
            let Some(view) = RuleView::of(&map.crush, rule) else { continue };
            out.rules.entry(rule).or_insert(view);
            let shares: BTreeMap<i32, f64> = map
                .crush
                .rule_shares(rule)
                .into_iter()
                .map(|(osd, share)| (osd, f64::from(share) * f64::from(map.weightf(osd))))
                .filter(|(osd, share)| *share > 0.0 && map.exists(*osd))
                .collect();
            let all: f64 = shares.values().sum();
            let replicas = f64::from(pool.pg_num) * f64::from(pool.size);
            for (osd, share) in shares {
                *out.deviation.entry(osd).or_default() -= replicas * share / all;
            }
            for pg in map.pgs_of(*id) {
                out.place(pg);
            }
        }
        out
    }

    fn place(&mut self, pg: Pg) {
        let osds = self.map.pg_to_raw_upmap(pg);
        for osd in osds.iter().filter(|osd| **osd != ITEM_NONE) {
            self.by_osd.entry(*osd).or_default().insert(pg);
            if let Some(deviation) = self.deviation.get_mut(osd) {
                *deviation += 1.0;
            }
        }
        self.places.insert(pg, osds);
        if let Some(items) = self.map.pg_upmap_items.get(&pg) {
            self.items.insert(pg, items.clone());
        }
    }

    /// The move that helps most: from the fullest OSD that has one to give, to the emptiest that may take it.
    ///
    /// Where no move is left this looks at every replica that is one too many and every OSD that has one too few, so a step
    /// is a look at two [`Site`]s.
    fn best_move(&self, deviation_max: f64, changed: &BTreeSet<Pg>) -> Option<Move> {
        let mut osds: Vec<(i32, f64)> = self.deviation.iter().map(|(osd, d)| (*osd, *d)).collect();
        osds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let takes_some = |osd: i32| self.map.is_up(osd) && !self.map.is_out(osd);
        let emptiest: Vec<(i32, f64)> =
            osds.iter().rev().copied().filter(|(osd, _)| takes_some(*osd)).collect();
        for (from, much) in &osds {
            // Less than one PG apart a move would only swap the two.
            let helps =
                |little: f64| much - little > 1.0 && (*much > deviation_max || little < -deviation_max);
            let helped = emptiest.partition_point(|(_, little)| helps(*little));
            let mut wanted = emptiest.get(..helped).unwrap_or_default();
            if wanted.is_empty() {
                // Those behind have fewer to give.
                break;
            }
            let mut best = None;
            for pg in self.by_osd.get(from).into_iter().flatten().filter(|pg| !changed.contains(pg)) {
                let Some(at) = self.emptiest_for(*pg, *from, wanted) else { continue };
                best = wanted.get(at).map(|(to, _)| Move { pg: *pg, from: *from, to: *to });
                // Another PG is of use only for an OSD that is emptier still.
                wanted = wanted.get(..at).unwrap_or_default();
                if wanted.is_empty() {
                    break;
                }
            }
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The first of the OSDs that the PG's rule lets its replica on `from` be on.
    fn emptiest_for(&self, pg: Pg, from: i32, emptiest: &[(i32, f64)]) -> Option<usize> {
        // A whole explicit mapping is somebody's will.
        if self.map.pg_upmap.contains_key(&pg) {
            return None;
        }
        let rule = self.rules.get(&i32::from(self.map.pool(pg.pool)?.crush_rule))?;
        let (osds, here) = (self.places.get(&pg)?, rule.site(from)?);
        let others = osds.iter().filter(|osd| **osd != from && **osd != ITEM_NONE);
        let taken: Vec<i32> = others.filter_map(|osd| rule.site(*osd)?.last()).collect();
        let fits = |to: i32| {
            let site = rule.site(to);
            site.is_some_and(|site| site.may_replace(here, &taken))
                && !osds.contains(&to)
                && self.shows(pg, from, to)
        };
        emptiest.iter().position(|(to, _)| fits(*to))
    }

    /// Whether the OSD map, told of the new items, would really put the replica there.
    fn shows(&self, pg: Pg, from: i32, to: i32) -> bool {
        let items = moved(self.items.get(&pg).map_or(&[][..], Vec::as_slice), from, to);
        let mut osds = self.map.pg_to_raw_osds(pg);
        for (from, to) in items {
            if osds.contains(&to) {
                continue;
            }
            if let Some(place) = osds.iter_mut().find(|osd| **osd == from) {
                *place = to;
            }
        }
        let wanted = self.places.get(&pg).into_iter().flatten();
        let wanted: BTreeSet<i32> = wanted.map(|osd| if *osd == from { to } else { *osd }).collect();
        osds.into_iter().collect::<BTreeSet<_>>() == wanted
    }

    fn apply(&mut self, step: Move) {
        let Move { pg, from, to } = step;
        let items = self.items.entry(pg).or_default();
        *items = moved(items, from, to);
        if let Some(place) = self.places.get_mut(&pg).and_then(|osds| osds.iter_mut().find(|o| **o == from)) {
            *place = to;
        }
        if let Some(pgs) = self.by_osd.get_mut(&from) {
            pgs.remove(&pg);
        }
        self.by_osd.entry(to).or_default().insert(pg);
        for (osd, by) in [(from, -1.0), (to, 1.0)] {
            if let Some(deviation) = self.deviation.get_mut(&osd) {
                *deviation += by;
            }
        }
    }
}

/// The items once what is on `from` goes to `to`: a way that ended at `from` is led on, one that leads back is dropped.
fn moved(items: &[(i32, i32)], from: i32, to: i32) -> Vec<(i32, i32)> {
    let mut out = items.to_vec();
    match out.iter_mut().find(|(_, end)| *end == from) {
        Some(item) => item.1 = to,
        None => out.push((from, to)),
    }
    out.retain(|(begin, end)| begin != end);
    out
}

/// What a rule asks of a PG's OSDs, as the place of each in the tree.
struct RuleView {
    /// By id.
    sites: Vec<Site>,
}

/// Where an OSD stands: the TAKEs that it is below, and the bucket above it of each of the rule's choices, outermost first.
#[derive(Clone, Debug, Default)]
struct Site {
    takes: Vec<usize>,
    domains: Vec<Option<i32>>,
}

impl RuleView {
    fn of(crush: &CrushMap, id: i32) -> Option<Self> {
        let rule = crush.rule(id).filter(|rule| !rule.is_msr())?;
        let choices = [op::CHOOSE_FIRSTN, op::CHOOSE_INDEP, op::CHOOSELEAF_FIRSTN, op::CHOOSELEAF_INDEP];
        let mut levels = Vec::new();
        for step in rule.steps.iter().filter(|step| choices.contains(&step.op)) {
            if !levels.contains(&step.arg2) {
                levels.push(step.arg2);
            }
        }
        if levels.is_empty() {
            return None;
        }
        // OSDs elsewhere have a place too: a PG may still be there.
        let mut sites: Vec<Site> = (0..crush.max_devices).map(|osd| Site::of(crush, osd, &levels)).collect();
        for (at, take) in crush.takes_of(id).into_iter().enumerate() {
            for osd in crush.devices_below(take) {
                if let Some(site) = usize::try_from(osd).ok().and_then(|osd| sites.get_mut(osd)) {
                    site.takes.push(at);
                }
            }
        }
        Some(RuleView { sites })
    }

    fn site(&self, osd: i32) -> Option<&Site> {
        self.sites.get(usize::try_from(osd).ok()?)
    }
}

impl Site {
    fn of(crush: &CrushMap, osd: i32, levels: &[i32]) -> Self {
        let above = crush.ancestors(osd);
        let domain = |kind: &i32| match kind {
            0 => Some(osd),
            _ => above.iter().copied().find(|above| crush.item_type(*above) == *kind),
        };
        Site { takes: Vec::new(), domains: levels.iter().map(domain).collect() }
    }

    /// The failure domain of the last choice.
    fn last(&self) -> Option<i32> {
        self.domains.last().copied().flatten()
    }

    /// Whether a replica may be here instead of there, while others have those failure domains taken.
    fn may_replace(&self, there: &Site, taken: &[i32]) -> bool {
        let outer = self.domains.len().saturating_sub(1);
        let outer = self.domains.iter().zip(&there.domains).take(outer);
        self.last().is_some_and(|domain| !taken.contains(&domain))
            && self.takes.iter().any(|take| there.takes.contains(take))
            // Outer choices stay as CRUSH made them.
            && outer.into_iter().all(|(here, there)| here.is_some() && here == there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::crush::{Bucket, Rule, Step, Tunables, Weights, rule_type};
    use axon_proto::osd_map::{Incremental, OsdInfo, PgPool, state};
    use std::sync::Arc;

    const ONE: u32 = 0x10000;

    fn bucket(id: i32, type_id: u16, items: Vec<i32>, weight: u32) -> Option<Bucket> {
        let weights = Weights::Straw2 { item_weights: vec![weight; items.len()] };
        let weight = weight * u32::try_from(items.len()).unwrap();
        Some(Bucket { id, type_id, hash: 0, weight, items, weights })
    }

    /// Hosts of two OSDs each below one root, and a pool of three replicas on three hosts.
    fn map(hosts: i32, pg_num: u32) -> OSDMap {
        let mut crush = CrushMap::default();
        (crush.max_devices, crush.tunables) = (hosts * 2, Tunables::default());
        crush.type_map = [(0, "osd"), (1, "host"), (11, "root")].map(|(id, n)| (id, n.to_owned())).into();
        crush.buckets.push(bucket(-1, 11, (2..hosts + 2).map(|n| -n).collect(), 2 * ONE));
        for host in 0..hosts {
            crush.buckets.push(bucket(-2 - host, 1, vec![host * 2, host * 2 + 1], ONE));
            crush.name_map.insert(-2 - host, format!("host{host}"));
        }
        crush.name_map.insert(-1, "default".to_owned());
        let step = |op, arg1, arg2| Step { op, arg1, arg2 };
        let steps = vec![step(op::TAKE, -1, 0), step(op::CHOOSELEAF_FIRSTN, 0, 1), step(op::EMIT, 0, 0)];
        crush.rules = vec![Some(Rule { rule_type: rule_type::REPLICATED, min_size: 1, max_size: 10, steps })];
        let osds = usize::try_from(hosts * 2).unwrap();
        let pool = PgPool { pool_type: 1, size: 3, pg_num, pgp_num: pg_num, ..PgPool::default() };
        OSDMap {
            epoch: 5,
            max_osd: hosts * 2,
            osd_state: Arc::new(vec![state::EXISTS | state::UP; osds]),
            osd_weight: Arc::new(vec![ONE; osds]),
            osd_info: Arc::new(vec![OsdInfo::default(); osds]),
            pools: Arc::new([(1, Arc::new(pool))].into()),
            pool_name: Arc::new([(1, "p".to_owned())].into()),
            crush: Arc::new(crush),
            ..Default::default()
        }
    }

    fn counts(map: &OSDMap) -> Vec<usize> {
        let mut counts = vec![0; usize::try_from(map.max_osd).unwrap()];
        for pg in map.pgs_of(1) {
            for osd in map.pg_to_up_acting(pg).up {
                counts[usize::try_from(osd).unwrap()] += 1;
            }
        }
        counts
    }

    fn applied(map: &OSDMap, upmaps: &Upmaps) -> OSDMap {
        let mut next = map.clone();
        let inc = Incremental {
            epoch: map.epoch + 1,
            new_pg_upmap_items: upmaps.set.clone(),
            old_pg_upmap_items: upmaps.removed.clone(),
            ..Default::default()
        };
        next.apply(&inc).unwrap();
        next
    }

    fn off_by(counts: &[usize]) -> usize {
        counts.iter().max().unwrap() - counts.iter().min().unwrap()
    }

    #[test]
    fn an_uneven_pool_becomes_even_and_keeps_its_failure_domains() {
        let before = map(6, 128);
        assert!(off_by(&counts(&before)) > 4, "{:?}", counts(&before));
        let upmaps = calc_pg_upmaps(&before, &[1].into(), 1, 1000);
        let after = applied(&before, &upmaps);
        assert!(off_by(&counts(&after)) <= 2, "{:?}", counts(&after));
        for pg in after.pgs_of(1) {
            let up = after.pg_to_up_acting(pg).up;
            let hosts: BTreeSet<i32> = up.iter().map(|osd| osd / 2).collect();
            assert_eq!((up.len(), hosts.len()), (3, 3), "{pg}: {up:?}");
        }
        assert!(calc_pg_upmaps(&after, &[1].into(), 1, 1000).is_empty(), "nothing is left to do");
    }

    #[test]
    fn no_more_pgs_are_changed_than_asked_for_and_other_pools_are_left_alone() {
        let map = map(6, 128);
        assert_eq!(calc_pg_upmaps(&map, &[1].into(), 1, 3).len(), 3);
        assert!(calc_pg_upmaps(&map, &[2].into(), 1, 3).is_empty());
    }

    #[test]
    fn nothing_goes_to_osds_that_are_out_or_down() {
        let mut map = map(6, 128);
        Arc::make_mut(&mut map.osd_weight)[0] = 0;
        Arc::make_mut(&mut map.osd_state)[3] = state::EXISTS;
        let upmaps = calc_pg_upmaps(&map, &[1].into(), 1, 1000);
        assert!(!upmaps.is_empty() && upmaps.set.values().flatten().all(|(_, to)| !matches!(to, 0 | 3)));
    }

    /// The first that is found when every pair of OSDs and every PG is tried.
    fn plain_best_move(spread: &Spread, rule: &Rule, deviation_max: f64) -> Option<(Pg, i32, i32)> {
        let map = spread.map;
        let host = |osd: &i32| map.crush.parent(*osd);
        let mut osds: Vec<(i32, f64)> = spread.deviation.iter().map(|(osd, d)| (*osd, *d)).collect();
        osds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let below = map.crush.devices_below(rule.steps[0].arg1);
        for (from, much) in &osds {
            for (to, little) in osds.iter().rev() {
                if much - little <= 1.0 || *much <= deviation_max && *little >= -deviation_max {
                    break;
                }
                let may = |pg: &&Pg| {
                    let others = spread.places[*pg].iter().filter(|osd| *osd != from && **osd != ITEM_NONE);
                    below.contains(to)
                        && below.contains(from)
                        && !spread.places[*pg].contains(to)
                        && others.map(host).all(|other| other != host(to))
                        && spread.shows(**pg, *from, *to)
                };
                let free = map.is_up(*to) && !map.is_out(*to);
                if let Some(pg) = spread.by_osd.get(from).into_iter().flatten().find(|pg| free && may(pg)) {
                    return Some((*pg, *from, *to));
                }
            }
        }
        None
    }

    #[test]
    fn no_better_move_is_passed_over() {
        for (hosts, pg_num, weights) in
            [(6, 128, [4, 4, 4]), (3, 64, [4, 1, 4]), (4, 200, [1, 2, 4]), (9, 90, [3, 4, 0])]
        {
            let mut map = map(hosts, pg_num);
            for (at, weight) in Arc::make_mut(&mut map.osd_weight).iter_mut().enumerate() {
                *weight = ONE / 4 * weights[at % weights.len()];
            }
            Arc::make_mut(&mut map.osd_state)[1] = state::EXISTS;
            let rule = map.crush.rule(0).unwrap().clone();
            let mut spread = Spread::of(&map, &[1].into());
            for step in 0..1000 {
                let found = spread.best_move(1.0, &BTreeSet::new());
                let plain = plain_best_move(&spread, &rule, 1.0);
                assert_eq!(found.as_ref().map(|m| (m.pg, m.from, m.to)), plain, "{hosts} hosts, step {step}");
                let Some(found) = found else { break };
                assert!(step < 999);
                spread.apply(found);
            }
        }
    }

    #[test]
    fn a_way_is_led_on_or_dropped_when_it_leads_back() {
        assert_eq!(moved(&[], 1, 2), [(1, 2)]);
        assert_eq!(moved(&[(1, 2)], 2, 3), [(1, 3)]);
        assert_eq!(moved(&[(1, 2), (4, 5)], 2, 1), [(4, 5)]);
    }
}
