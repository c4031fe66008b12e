//! The digest for the monitors (`PGMap::encode_digest`): sums, and what needs the OSD map beside the reports.

use super::{OsdView, PgMap};
use axon_proto::UTime;
use axon_proto::pg::{Intervals, OsdStat, Pg, PgState};
use axon_proto::pg_map_digest::PgMapDigest;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl PgMap {
    /// What the active manager reports to the monitors. `stuck_secs` is `mon_pg_stuck_threshold`.
    #[must_use]
    pub fn digest(&self, osds: &impl OsdView, now: UTime, stuck_secs: u32) -> PgMapDigest {
        let pools = self.per_pool_deltas.iter();
        PgMapDigest {
            num_pg: self.num_pg(),
            num_pg_active: self.num_pg_active,
            num_pg_unknown: self.num_pg_unknown,
            num_osd: i64::try_from(self.osd_stat.len()).unwrap_or(i64::MAX),
            pg_pool_sum: self
                .pg_pool_sum
                .iter()
                .filter_map(|(pool, sum)| Some((i32::try_from(*pool).ok()?, sum.clone())))
                .collect(),
            pg_sum: self.pg_sum.clone(),
            osd_sum: self.osd_sum.clone(),
            num_pg_by_state: self.num_pg_by_state.clone(),
            num_pg_by_osd: self.num_pg_by_osd.clone(),
            num_pg_by_pool: self.num_pg_by_pool.clone(),
            osd_last_seq: self.osd_last_seq.clone(),
            per_pool_sum_delta: pools
                .clone()
                .map(|(pool, deltas)| {
                    let stamp = self.per_pool_stamps.get(pool).copied().unwrap_or_default();
                    (*pool, (deltas.stat(), stamp))
                })
                .collect(),
            per_pool_sum_deltas_stamps: pools.map(|(pool, deltas)| (*pool, deltas.span())).collect(),
            pg_sum_delta: self.pg_sum_deltas.stat(),
            stamp_delta: self.pg_sum_deltas.span(),
            avail_space_by_rule: self.rules_avail(osds),
            purged_snaps: self.purged_snaps(),
            osd_sum_by_class: self.osd_sum_by_class(osds),
            pool_pg_unavailable_map: self.unavailable_pgs(now, stuck_secs),
        }
    }

    /// By device class: the sum of its OSDs.
    #[must_use]
    pub fn osd_sum_by_class(&self, osds: &impl OsdView) -> BTreeMap<String, OsdStat> {
        let mut sums: BTreeMap<String, OsdStat> = BTreeMap::new();
        for (osd, stat) in &self.osd_stat {
            if let Some(class) = osds.device_class(*osd) {
                match sums.get_mut(class) {
                    Some(sum) => sum.add(stat),
                    None => {
                        let mut sum = OsdStat::default();
                        sum.add(stat);
                        sums.insert(class.to_owned(), sum);
                    }
                }
            }
        }
        sums
    }

    /// By CRUSH rule of a pool: the raw bytes that fit before the first of its OSDs is full.
    #[must_use]
    pub fn rules_avail(&self, osds: &impl OsdView) -> BTreeMap<i32, i64> {
        let pools = osds.pools();
        let with_pgs = pools.iter().filter(|(id, _)| self.pg_pool_sum.contains_key(id));
        let rules: BTreeSet<i32> = with_pgs.map(|(_, pool)| pool.crush_rule).collect();
        rules.into_iter().map(|rule| (rule, self.rule_avail(osds, rule))).collect()
    }

    /// Of one rule.
    pub(super) fn rule_avail(&self, osds: &impl OsdView, rule: i32) -> i64 {
        const ENOENT: i64 = 2;
        let Some(weights) = osds.rule_weights(rule) else { return -ENOENT };
        if weights.is_empty() {
            return 0;
        }
        let unusable_ratio = 1.0 - f64::from(osds.full_ratio());
        let projected = weights.iter().filter(|(_, weight)| **weight != 0.0).filter_map(|(osd, weight)| {
            let statfs = &self.osd_stat.get(osd)?.statfs;
            // An OSD that is out reports nothing.
            if statfs.total == 0 {
                return None;
            }
            let avail_kb = statfs.kb_avail() as f64 - statfs.kb() as f64 * unusable_ratio;
            Some((avail_kb.max(0.0) * 1024.0 / f64::from(*weight)) as i64)
        });
        projected.min().unwrap_or(-1)
    }

    /// By pool: the snapshots that every PG has purged. A pool with a PG that was not reported yet has none.
    fn purged_snaps(&self) -> BTreeMap<i64, Intervals> {
        let mut purged: BTreeMap<i64, Intervals> = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for (pg, stat) in &self.pg_stat {
            if stat.state == PgState::UNKNOWN {
                unknown.insert(pg.pool);
                continue;
            }
            match purged.get_mut(&pg.pool) {
                Some(common) if common.is_empty() => {}
                Some(common) => *common = common.intersection(&stat.purged_snaps),
                None => {
                    purged.insert(pg.pool, stat.purged_snaps.clone());
                }
            }
        }
        purged.retain(|pool, _| !unknown.contains(pool));
        purged
    }

    /// For every pool, its PGs that are inactive or stale for too long, or have unfound objects.
    fn unavailable_pgs(&self, now: UTime, stuck_secs: u32) -> BTreeMap<u64, Vec<Pg>> {
        let cutoff = cutoff(now, stuck_secs);
        let mut unavailable: BTreeMap<u64, Vec<Pg>> = BTreeMap::new();
        for (pg, stat) in &self.pg_stat {
            let Ok(pool) = u64::try_from(pg.pool) else { continue };
            let pgs = unavailable.entry(pool).or_default();
            let inactive = !stat.state.has(PgState::ACTIVE) && stat.last_active < cutoff;
            let stale = stat.state.has(PgState::STALE) && stat.last_unstale < cutoff;
            if inactive || stale || stat.stats.num_objects_unfound != 0 {
                pgs.push(*pg);
            }
        }
        unavailable
    }
}

/// `secs` before `now`.
pub(crate) fn cutoff(now: UTime, secs: u32) -> UTime {
    now.to_duration().saturating_sub(Duration::from_secs(u64::from(secs))).into()
}
