//! Reports into the map and out of it, with every sum kept (`stat_pg_add`, `stat_pg_sub`, `stat_osd_add`, …).

use super::PgMap;
use axon_proto::pg::{OsdStat, Pg, PgStat, PgState, StoreStatfs};
use axon_proto::pg_map_digest::PgCount;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Takes `by` from a count and drops the entry at zero.
fn take<K: Ord>(counts: &mut BTreeMap<K, i32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count <= 0 {
            counts.remove(key);
        }
    }
}

impl PgMap {
    /// Replaces the report of a PG.
    pub(super) fn put_pg(&mut self, pg: Pg, stat: Arc<PgStat>) {
        if let Some(old) = self.pg_stat.insert(pg, stat.clone()) {
            self.uncount_pg(pg, &old);
        }
        self.count_pg(pg, &stat);
    }

    /// Forgets a PG; whether it was the last one of its pool.
    pub(super) fn remove_pg(&mut self, pg: Pg) -> bool {
        let Some(old) = self.pg_stat.remove(&pg) else { return false };
        self.uncount_pg(pg, &old);
        !self.num_pg_by_pool.contains_key(&pg.pool)
    }

    fn count_pg(&mut self, pg: Pg, s: &PgStat) {
        self.pg_sum.add_pg(s);
        self.pg_pool_sum.entry(pg.pool).or_default().add_pg(s);
        *self.num_pg_by_state.entry(s.state).or_default() += 1;
        *self.num_pg_by_pool_state.entry(pg.pool).or_default().entry(s.state).or_default() += 1;
        *self.num_pg_by_pool.entry(pg.pool).or_default() += 1;
        self.num_pg_active += i64::from(s.state.has(PgState::ACTIVE));
        self.num_pg_unknown += i64::from(s.state == PgState::UNKNOWN);
        for osd in &s.blocked_by {
            *self.blocked_by_sum.entry(*osd).or_default() += 1;
        }
        let (acting, up) = (distinct(&s.acting), distinct(&s.up));
        for osd in &acting {
            self.count_on(*osd).acting += 1;
            put_at(&mut self.pg_by_osd, *osd, pg);
        }
        for osd in up.difference(&acting) {
            self.count_on(*osd).up_not_acting += 1;
            put_at(&mut self.pg_by_osd, *osd, pg);
        }
        for osd in spares(s) {
            put_at(&mut self.pg_by_spare_osd, osd, pg);
        }
        if s.up_primary >= 0 {
            self.count_on(s.up_primary).primary += 1;
        }
    }

    fn uncount_pg(&mut self, pg: Pg, s: &PgStat) {
        self.pg_sum.sub_pg(s);
        if let Some(sum) = self.pg_pool_sum.get_mut(&pg.pool) {
            sum.sub_pg(s);
        }
        take(&mut self.num_pg_by_state, &s.state);
        if let Some(states) = self.num_pg_by_pool_state.get_mut(&pg.pool) {
            take(states, &s.state);
        }
        if let Some(count) = self.num_pg_by_pool.get_mut(&pg.pool) {
            *count -= 1;
            if *count <= 0 {
                self.num_pg_by_pool.remove(&pg.pool);
            }
        }
        self.num_pg_active -= i64::from(s.state.has(PgState::ACTIVE));
        self.num_pg_unknown -= i64::from(s.state == PgState::UNKNOWN);
        for osd in &s.blocked_by {
            take(&mut self.blocked_by_sum, osd);
        }
        let (acting, up) = (distinct(&s.acting), distinct(&s.up));
        for osd in &acting {
            self.count_on(*osd).acting -= 1;
        }
        for osd in up.difference(&acting) {
            self.count_on(*osd).up_not_acting -= 1;
        }
        for osd in acting.union(&up) {
            take_from(&mut self.pg_by_osd, *osd, pg);
        }
        for osd in spares(s) {
            take_from(&mut self.pg_by_spare_osd, osd, pg);
        }
        if s.up_primary >= 0 {
            self.count_on(s.up_primary).primary -= 1;
        }
    }

    fn count_on(&mut self, osd: i32) -> &mut PgCount {
        self.num_pg_by_osd.entry(osd).or_default()
    }

    /// Replaces the report of an OSD.
    pub(super) fn put_osd(&mut self, osd: i32, stat: Arc<OsdStat>) {
        self.osd_sum.add(&stat);
        self.set_seq(osd, stat.seq);
        if let Some(old) = self.osd_stat.insert(osd, stat) {
            self.osd_sum.sub(&old);
        }
    }

    /// Forgets an OSD and its account of every pool.
    pub(super) fn remove_osd(&mut self, osd: i32) {
        if let Some(old) = self.osd_stat.remove(&osd) {
            self.osd_sum.sub(&old);
            self.set_seq(osd, 0);
        }
        let sums = &mut self.pg_pool_sum;
        self.pool_statfs.retain(|(pool, of), statfs| {
            if *of == osd
                && let Some(sum) = sums.get_mut(pool)
            {
                sum.sub_statfs(statfs);
            }
            *of != osd
        });
    }

    /// The index of an OSD in the digest is its id, so ids that no real map can have are not kept.
    fn set_seq(&mut self, osd: i32, seq: u64) {
        const OSD_ID_MAX: usize = 1 << 20;
        let Some(at) = usize::try_from(osd).ok().filter(|at| *at < OSD_ID_MAX) else { return };
        if self.osd_last_seq.len() <= at {
            self.osd_last_seq.resize(at + 1, 0);
        }
        if let Some(place) = self.osd_last_seq.get_mut(at) {
            *place = seq;
        }
    }

    /// Replaces an OSD's account of a pool; of a pool without PGs it is ignored.
    pub(super) fn put_statfs(&mut self, key: (i64, i32), statfs: StoreStatfs) {
        let Some(sum) = self.pg_pool_sum.get_mut(&key.0) else { return };
        sum.add_statfs(&statfs);
        if let Some(old) = self.pool_statfs.insert(key, statfs) {
            sum.sub_statfs(&old);
        }
    }

    /// Forgets what is kept of a pool beside its PGs.
    pub(super) fn forget_pool(&mut self, pool: i64) {
        self.pool_statfs.retain(|(of, _), _| *of != pool);
        self.pg_pool_sum.remove(&pool);
        self.num_pg_by_pool_state.remove(&pool);
        self.num_pg_by_pool.remove(&pool);
        self.per_pool_deltas.remove(&pool);
        self.per_pool_stamps.remove(&pool);
    }
}

type PgsByOsd = BTreeMap<i32, Arc<BTreeSet<Pg>>>;

fn put_at(index: &mut PgsByOsd, osd: i32, pg: Pg) {
    Arc::make_mut(index.entry(osd).or_default()).insert(pg);
}

fn take_from(index: &mut PgsByOsd, osd: i32, pg: Pg) {
    if let Some(pgs) = index.get_mut(&osd) {
        Arc::make_mut(pgs).remove(&pg);
        if pgs.is_empty() {
            index.remove(&osd);
        }
    }
}

/// OSDs that have a whole copy of a degraded PG and are in neither of its sets; an OSD may be named twice.
fn spares(s: &PgStat) -> impl Iterator<Item = i32> {
    let whole = if s.state.has(PgState::DEGRADED) { s.avail_no_missing.as_slice() } else { &[] };
    whole.iter().map(|shard| shard.osd).filter(|osd| !s.acting.contains(osd) && !s.up.contains(osd))
}

/// The OSDs of a set, without the holes of an erasure-coded PG counted twice.
fn distinct(osds: &[i32]) -> BTreeSet<i32> {
    osds.iter().copied().collect()
}
