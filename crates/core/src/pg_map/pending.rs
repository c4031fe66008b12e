//! What was reported since the map was last settled (`PGMap::Incremental`, `ClusterState::ingest_pgstats`,
//! `PGMapUpdater`): newest report per PG and OSD, so that a burst costs one application.

use super::delta::since;
use super::{OsdView, PgMap};
use axon_proto::UTime;
use axon_proto::msgs::pg_stats::MPGStats;
use axon_proto::pg::{OsdStat, Pg, PgStat, PgState, Pow2Hist, StoreStatfs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Twice `mon_delta_reset_interval`: a longer silence of a pool counts as this long, so that its rate starts quickly.
const POOL_SPAN_MAX: Duration = Duration::from_secs(20);

/// Collected changes. One value lives as long as the map and is emptied by [`PgMap::settle`].
#[derive(Clone, Debug, Default)]
pub struct Pending {
    pg_stat: BTreeMap<Pg, PgStat>,
    pg_remove: BTreeSet<Pg>,
    osd_stat: BTreeMap<i32, OsdStat>,
    osd_remove: BTreeSet<i32>,
    pool_statfs: BTreeMap<(i64, i32), StoreStatfs>,
    /// Pools of the OSD map that was followed last, with `pg_num`: reports of other PGs are ignored.
    pools: BTreeMap<i64, u32>,
}

impl Pending {
    /// Takes an OSD's report. What is older than what the map has, or of a PG or pool that does not exist, is left out.
    pub fn report(&mut self, map: &PgMap, osds: &impl OsdView, from: i32, stats: MPGStats) {
        // An OSD that is out has no part in the sums; its sequence still tells the monitors that it reported.
        let osd_stat = if osds.is_out(from) {
            OsdStat { seq: stats.osd_stat.seq, ..Default::default() }
        } else {
            stats.osd_stat
        };
        self.osd_stat.insert(from, osd_stat);
        for (pg, stat) in stats.pg_stat {
            let exists = self.pools.get(&pg.pool).is_some_and(|pg_num| pg.seed < *pg_num);
            let newer_known =
                map.pg_stat.get(&pg).is_some_and(|known| known.version_pair() > stat.version_pair());
            if exists && !newer_known {
                self.pg_stat.insert(pg, stat);
            }
        }
        let known_pools = stats.pool_stat.into_iter().filter(|(pool, _)| self.pools.contains_key(pool));
        let statfs = known_pools.map(|(pool, statfs)| ((pool, from), statfs));
        self.pool_statfs.extend(statfs);
    }

    /// Follows an OSD map: PGs of new pools and splits appear, those of deleted pools and merges go, OSDs that are gone or
    /// out leave the sums, and PGs whose primary is down become stale. Settle the map after it.
    pub fn follow(&mut self, map: &PgMap, osds: &impl OsdView, now: UTime) {
        self.follow_osds(map, osds);
        self.follow_pools(map, osds);
        self.mark_stale(map, osds, now);
    }

    fn follow_osds(&mut self, map: &PgMap, osds: &impl OsdView) {
        for (osd, stat) in &map.osd_stat {
            if !osds.exists(*osd) {
                self.osd_stat.remove(osd);
                self.osd_remove.insert(*osd);
            } else if osds.is_out(*osd) {
                if stat.statfs.total != 0 {
                    self.osd_stat.insert(*osd, OsdStat::default());
                }
            } else if osds.is_down(*osd) && !stat.op_queue_age_hist.h.is_empty() {
                let stat = self.osd_stat.entry(*osd).or_insert_with(|| OsdStat::clone(stat));
                stat.op_queue_age_hist = Pow2Hist::default();
            }
        }
    }

    fn follow_pools(&mut self, map: &PgMap, osds: &impl OsdView) {
        self.pools = osds.pools().into_iter().map(|(id, pool)| (id, pool.pg_num)).collect();
        for (pool, count) in &map.num_pg_by_pool {
            let pg_num = self.pools.get(pool).copied().unwrap_or(0);
            if i64::from(pg_num) < *count {
                let gone = map.pg_stat.range(Pg::new(*pool, pg_num)..=Pg::new(*pool, u32::MAX));
                self.pg_remove.extend(gone.map(|(pg, _)| *pg));
            }
        }
        let modified = osds.modified();
        for (pool, pg_num) in &self.pools {
            let known = map.num_pg_by_pool.get(pool).copied().unwrap_or(0);
            let known = u32::try_from(known).unwrap_or(u32::MAX);
            for seed in known..*pg_num {
                self.pg_stat.entry(Pg::new(*pool, seed)).or_insert_with(|| created(modified));
            }
        }
        let pools = &self.pools;
        self.pg_stat.retain(|pg, _| pools.get(&pg.pool).is_some_and(|pg_num| pg.seed < *pg_num));
    }

    fn mark_stale(&mut self, map: &PgMap, osds: &impl OsdView, now: UTime) {
        let is_orphan = |stat: &PgStat| {
            !stat.state.has(PgState::STALE) && stat.acting_primary != -1 && osds.is_down(stat.acting_primary)
        };
        for (pg, known) in &map.pg_stat {
            if self.pg_remove.contains(pg) || !is_orphan(known) {
                continue;
            }
            let stat = self.pg_stat.entry(*pg).or_insert_with(|| PgStat::clone(known));
            // A report that came meanwhile may be of another primary that lives.
            if stat.acting_primary == known.acting_primary || is_orphan(stat) {
                stat.state = stat.state.with(PgState::STALE);
                stat.last_unstale = now;
            }
        }
    }
}

/// The report of a PG that was just made and that no OSD has reported yet.
fn created(at: UTime) -> PgStat {
    PgStat {
        last_fresh: at,
        last_active: at,
        last_change: at,
        last_peered: at,
        last_clean: at,
        last_unstale: at,
        last_undegraded: at,
        last_fullsized: at,
        last_scrub_stamp: at,
        last_deep_scrub_stamp: at,
        last_clean_scrub_stamp: at,
        ..PgStat::unreported()
    }
}

impl PgMap {
    /// Applies what was collected (`apply_incremental`), takes the deltas for the rates, and counts a new version.
    pub fn settle(&mut self, pending: &mut Pending, now: UTime) {
        let old_sum = self.pg_sum.stats;
        let old_pools: Vec<_> = self.pg_pool_sum.iter().map(|(id, sum)| (*id, sum.stats)).collect();
        for (pg, stat) in std::mem::take(&mut pending.pg_stat) {
            self.put_pg(pg, Arc::new(stat));
        }
        for (key, statfs) in std::mem::take(&mut pending.pool_statfs) {
            self.put_statfs(key, statfs);
        }
        for (osd, stat) in std::mem::take(&mut pending.osd_stat) {
            self.put_osd(osd, Arc::new(stat));
        }
        let gone = std::mem::take(&mut pending.pg_remove);
        let deleted: BTreeSet<i64> =
            gone.into_iter().filter(|pg| self.remove_pg(*pg)).map(|pg| pg.pool).collect();
        for osd in std::mem::take(&mut pending.osd_remove) {
            self.remove_osd(osd);
        }
        if !self.stamp.is_zero() {
            self.pg_sum_deltas.push(&old_sum, &self.pg_sum.stats, since(self.stamp, now));
        }
        for (pool, old) in old_pools {
            let last = self.per_pool_stamps.insert(pool, now).unwrap_or_default();
            let new = self.pg_pool_sum.get(&pool).map(|sum| sum.stats).unwrap_or_default();
            let span = since(last, now).min(POOL_SPAN_MAX);
            self.per_pool_deltas.entry(pool).or_default().push(&old, &new, span);
        }
        for pool in deleted {
            self.forget_pool(pool);
        }
        self.stamp = now;
        self.version += 1;
    }
}
