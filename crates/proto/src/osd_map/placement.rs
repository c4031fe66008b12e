//! From an object to its PG and from a PG to its OSDs (`OSDMap::pg_to_up_acting_osds` and what it is made of): CRUSH, then
//! explicit mappings, then who is up, then primary affinity, then temporary mappings.

use super::{OSDMap, PgPool, WEIGHT_IN, pool_flag};
use crate::crush::{ITEM_NONE, hash32_2, str_hash};
use crate::pg::Pg;

/// Where a PG is. A primary of -1 is none; [`ITEM_NONE`] stands for an empty place of an erasure-coded PG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpActing {
    pub up: Vec<i32>,
    pub up_primary: i32,
    pub acting: Vec<i32>,
    pub acting_primary: i32,
}

impl Default for UpActing {
    fn default() -> Self {
        UpActing { up: Vec::new(), up_primary: -1, acting: Vec::new(), acting_primary: -1 }
    }
}

/// `ceph_stable_mod`: like `x % b`, but few values change when `b` grows. `mask` is the next power of two less one.
fn stable_mod(x: u32, b: u32, mask: u32) -> u32 {
    if x & mask < b { x & mask } else { x & (mask >> 1) }
}

fn mask_of(n: u32) -> u32 {
    n.wrapping_sub(1).checked_ilog2().map_or(0, |bit| u32::MAX >> (31 - bit))
}

fn first_device(osds: &[i32]) -> i32 {
    osds.iter().copied().find(|osd| *osd != ITEM_NONE).unwrap_or(-1)
}

impl PgPool {
    /// Whether OSDs move up when one before them is missing (replicas), or keep their places (shards).
    #[must_use]
    pub fn can_shift_osds(&self) -> bool {
        self.is_replicated()
    }

    /// The placement seed of an object's name, or of the key that is hashed in its place (`hash_key`).
    #[must_use]
    pub fn hash_key(&self, key: &str, namespace: &str) -> u32 {
        if namespace.is_empty() {
            return str_hash(self.object_hash, key.as_bytes());
        }
        str_hash(self.object_hash, format!("{namespace}\u{1f}{key}").as_bytes())
    }

    /// The PG with a seed below `pg_num` (`raw_pg_to_pg`).
    #[must_use]
    pub fn raw_pg_to_pg(&self, pg: Pg) -> Pg {
        Pg { pool: pg.pool, seed: stable_mod(pg.seed, self.pg_num, mask_of(self.pg_num)) }
    }

    /// CRUSH's input for a PG (`raw_pg_to_pps`).
    #[must_use]
    pub fn raw_pg_to_pps(&self, pg: Pg) -> u32 {
        let seed = stable_mod(pg.seed, self.pgp_num, mask_of(self.pgp_num));
        if self.flags & pool_flag::HASHPSPOOL != 0 {
            hash32_2(seed, pg.pool as u32)
        } else {
            seed.wrapping_add(pg.pool as u32)
        }
    }

    /// How many equal parts the pool would have if all were as large as this PG (`get_pg_num_divisor`).
    #[must_use]
    pub fn pg_num_divisor(&self, pg: Pg) -> u32 {
        let mask = mask_of(self.pg_num);
        if self.pg_num == mask.wrapping_add(1) {
            return self.pg_num;
        }
        let half = mask >> 1;
        if pg.seed & half < self.pg_num & half { mask + 1 } else { (mask + 1) >> 1 }
    }
}

impl OSDMap {
    /// The PG of an object: `key` is its locator key, or empty. `None` when there is no such pool.
    #[must_use]
    pub fn object_to_pg(&self, pool: i64, name: &str, key: &str, namespace: &str) -> Option<Pg> {
        let p = self.pool(pool)?;
        let raw = Pg { pool, seed: p.hash_key(if key.is_empty() { name } else { key }, namespace) };
        Some(p.raw_pg_to_pg(raw))
    }

    /// All PGs of a pool.
    pub fn pgs_of(&self, pool: i64) -> impl Iterator<Item = Pg> + use<> {
        let pg_num = self.pool(pool).map_or(0, |p| p.pg_num);
        (0..pg_num).map(move |seed| Pg { pool, seed })
    }

    /// Where a PG should be and where it is. All empty when there is no such PG.
    #[must_use]
    pub fn pg_to_up_acting(&self, pg: Pg) -> UpActing {
        let Some(pool) = self.pool(pg.pool).filter(|p| pg.seed < p.pg_num) else {
            return UpActing::default();
        };
        let (up, up_primary) = self.pg_to_up(pool, pg);
        let (mut acting, mut acting_primary) = self.temp_osds(pool, pg);
        if acting.is_empty() {
            acting.clone_from(&up);
            if acting_primary == -1 {
                acting_primary = up_primary;
            }
        }
        UpActing { up, up_primary, acting, acting_primary }
    }

    /// What CRUSH says, without OSDs that do not exist (`pg_to_raw_osds`).
    #[must_use]
    pub fn pg_to_raw_osds(&self, pg: Pg) -> Vec<i32> {
        self.pool(pg.pool).map(|pool| self.raw_osds(pool, pg)).unwrap_or_default()
    }

    /// What CRUSH and the explicit mappings say (`pg_to_raw_upmap`).
    #[must_use]
    pub fn pg_to_raw_upmap(&self, pg: Pg) -> Vec<i32> {
        let Some(pool) = self.pool(pg.pool) else { return Vec::new() };
        let mut raw = self.raw_osds(pool, pg);
        self.apply_upmap(pool, pg, &mut raw);
        raw
    }

    fn raw_osds(&self, pool: &PgPool, pg: Pg) -> Vec<i32> {
        let pps = pool.raw_pg_to_pps(pg);
        let args = self.crush.choose_args_of(pg.pool);
        let rule = i32::from(pool.crush_rule);
        let mut osds = self.crush.map_rule(rule, pps, usize::from(pool.size), &self.osd_weight, args);
        self.keep(pool, &mut osds, |map, osd| map.exists(osd));
        osds
    }

    /// Takes out the OSDs that do not pass, or empties their places.
    fn keep(&self, pool: &PgPool, osds: &mut Vec<i32>, passes: impl Fn(&OSDMap, i32) -> bool) {
        if pool.can_shift_osds() {
            osds.retain(|osd| passes(self, *osd));
        } else {
            osds.iter_mut().filter(|osd| !passes(self, **osd)).for_each(|osd| *osd = ITEM_NONE);
        }
    }

    fn pg_to_up(&self, pool: &PgPool, pg: Pg) -> (Vec<i32>, i32) {
        let mut up = self.raw_osds(pool, pg);
        self.apply_upmap(pool, pg, &mut up);
        self.keep(pool, &mut up, |map, osd| map.is_up(osd));
        let primary = first_device(&up);
        let primary = self.apply_primary_affinity(pool, pool.raw_pg_to_pps(pg), &mut up).unwrap_or(primary);
        (up, primary)
    }

    /// Whether an id names a place in the map whose weight is 0; ids that name no place are not refused.
    fn is_marked_out(&self, osd: i32) -> bool {
        usize::try_from(osd).ok().and_then(|i| self.osd_weight.get(i)) == Some(&0)
    }

    fn apply_upmap(&self, pool: &PgPool, raw_pg: Pg, raw: &mut Vec<i32>) {
        let pg = pool.raw_pg_to_pg(raw_pg);
        if let Some(osds) = self.pg_upmap.get(&pg) {
            // A target that is out voids the mapping, and with it all others of this PG.
            if osds.iter().any(|osd| self.is_marked_out(*osd)) {
                return;
            }
            raw.clone_from(osds);
        }
        for (from, to) in self.pg_upmap_items.get(&pg).into_iter().flatten() {
            if raw.contains(to) || self.is_marked_out(*to) {
                continue;
            }
            if let Some(place) = raw.iter_mut().find(|osd| *osd == from) {
                *place = *to;
            }
        }
        if let Some(primary) = self.pg_upmap_primaries.get(&pg) {
            let weight = usize::try_from(*primary).ok().and_then(|i| self.osd_weight.get(i));
            let place = raw.iter().skip(1).position(|osd| osd == primary);
            if let (Some(place), true) = (place, weight.is_some_and(|w| *w != 0)) {
                raw.swap(0, place + 1);
            }
        }
    }

    /// Chooses another primary when an OSD's affinity says so; replicas are moved behind it.
    fn apply_primary_affinity(&self, pool: &PgPool, pps: u32, osds: &mut [i32]) -> Option<i32> {
        self.osd_primary_affinity.as_ref()?;
        let affinity = |osd: i32| self.primary_affinity(osd);
        if !osds.iter().any(|osd| *osd != ITEM_NONE && affinity(*osd) != WEIGHT_IN) {
            return None;
        }
        let accepts = |osd: i32| {
            let a = affinity(osd);
            a >= WEIGHT_IN || hash32_2(pps, osd as u32) >> 16 < a
        };
        let mut there = (0..).zip(osds.iter()).filter(|(_, osd)| **osd != ITEM_NONE);
        // When all refuse, the first one has to.
        let first = there.clone().next();
        let (place, primary) = there.find(|(_, osd)| accepts(**osd)).or(first).map(|(i, osd)| (i, *osd))?;
        if pool.can_shift_osds() {
            osds.get_mut(..=place)?.rotate_right(1);
        }
        Some(primary)
    }

    /// The temporary mapping of a PG; empty and -1 when there is none.
    fn temp_osds(&self, pool: &PgPool, pg: Pg) -> (Vec<i32>, i32) {
        let pg = pool.raw_pg_to_pg(pg);
        let mut osds = self.pg_temp.get(&pg).cloned().unwrap_or_default();
        self.keep(pool, &mut osds, |map, osd| map.is_up(osd));
        let primary = self.primary_temp.get(&pg).copied().unwrap_or_else(|| first_device(&osds));
        (self.undo_primary_first(pool, osds), primary)
    }

    /// In pools with EC optimizations the temporary mapping lists those shards first that may become primary
    /// (`pgtemp_undo_primaryfirst`).
    fn undo_primary_first(&self, pool: &PgPool, osds: Vec<i32>) -> Vec<i32> {
        if pool.flags & pool_flag::EC_OPTIMIZATIONS == 0 || osds.len() != usize::from(pool.size) {
            return osds;
        }
        let may_not = |shard: u8| pool.nonprimary_shards.0.checked_shr(shard.into()).unwrap_or(0) & 1 != 0;
        let split = osds.len().saturating_sub(pool.nonprimary_shards.0.count_ones() as usize);
        let (first, later) = osds.split_at(split);
        let (mut first, mut later) = (first.iter(), later.iter());
        let of_shard = |shard| if may_not(shard) { later.next() } else { first.next() };
        (0..pool.size).map(of_shard).map(|osd| osd.copied().unwrap_or(ITEM_NONE)).collect()
    }
}
