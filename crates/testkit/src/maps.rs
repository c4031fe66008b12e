//! OSD maps made up from a seed: any tree, rule, weight set and exception that a monitor could have made, to compare where PGs are with
//! what upstream's own tools say.
//!
//! Invariants: a seed gives the same map each time; a map has what its release knows only.

use crate::Rng;
use axon_launcher::Release;
use axon_proto::crush::{
    Bucket, ChooseArg, ChooseArgMap, CrushMap, DEFAULT_CHOOSE_ARGS, Rule, Step, Tunables, Weights, op,
    rule_type,
};
use axon_proto::osd_map::{
    OSDMap, OsdInfo, OsdXInfo, PgPool, WEIGHT_IN, map_flag, pool_flag, pool_type, state,
};
use axon_proto::pg::Pg;
use axon_proto::{EntityAddrVec, Fsid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types of buckets.
const HOST: i32 = 1;
const RACK: i32 = 3;
const ROOT: i32 = 11;

/// Most items of one bucket whose algorithm allows but few.
const FEW: usize = 12;

/// A map of `osds` OSDs.
#[must_use]
pub fn osd_map(seed: u64, osds: usize, release: Release) -> OSDMap {
    let mut rng = Rng::new(seed);
    let mut tree = Tree { map: CrushMap::default(), rng: rng.clone() };
    let roots = tree.grow(osds);
    let mut map = OSDMap {
        fsid: Fsid([7; 16]),
        epoch: 1 + seed as u32 % 1000,
        max_osd: osds as i32,
        // A release since Nautilus sets the last one as it decodes.
        flags: map_flag::SORTBITWISE
            | map_flag::RECOVERY_DELETES
            | map_flag::PURGED_SNAPDIRS
            | map_flag::PGLOG_HARDLIMIT,
        require_osd_release: release.major(),
        require_min_compat_client: 14,
        ..OSDMap::default()
    };
    states(&mut map, osds, &mut rng);
    let mut pools = BTreeMap::new();
    for id in 1..=4 {
        let pool = tree.pool(osds, &roots, release);
        map.pool_max = id;
        Arc::make_mut(&mut map.pool_name).insert(i64::from(id), format!("pool{id}"));
        pools.insert(i64::from(id), Arc::new(pool));
    }
    tree.weigh(pools.keys().copied());
    exceptions(&mut map, &pools, osds, release, &mut rng);
    map.pools = Arc::new(pools);
    map.crush = Arc::new(tree.map);
    map
}

/// Who exists, is up, is in and may be primary.
fn states(map: &mut OSDMap, osds: usize, rng: &mut Rng) {
    let weight = |rng: &mut Rng| match rng.below(8) {
        0 => 0,
        1 => rng.below(u64::from(WEIGHT_IN)) as u32,
        _ => WEIGHT_IN,
    };
    let bits = |rng: &mut Rng| match rng.below(16) {
        0 => 0,
        1 | 2 => state::EXISTS,
        _ => state::EXISTS | state::UP,
    };
    map.osd_state = Arc::new((0..osds).map(|_| bits(rng)).collect());
    map.osd_weight = Arc::new((0..osds).map(|_| weight(rng)).collect());
    if rng.below(2) == 0 {
        map.osd_primary_affinity = Some(Arc::new((0..osds).map(|_| weight(rng)).collect()));
    }
    map.osd_info = Arc::new(vec![OsdInfo::default(); osds]);
    map.osd_xinfo = Arc::new(vec![OsdXInfo::default(); osds]);
    map.osd_uuid = Arc::new(vec![Fsid([1; 16]); osds]);
    let none = Arc::new(EntityAddrVec::default());
    let addrs = Arc::new(vec![none; osds]);
    map.client_addrs = addrs.clone();
    map.cluster_addrs = addrs.clone();
    map.hb_back_addrs = addrs.clone();
    map.hb_front_addrs = addrs;
}

/// Explicit and temporary mappings of one PG in four.
fn exceptions(
    map: &mut OSDMap,
    pools: &BTreeMap<i64, Arc<PgPool>>,
    osds: usize,
    release: Release,
    rng: &mut Rng,
) {
    let some = |rng: &mut Rng, n: usize| -> Vec<i32> {
        let mut out = Vec::new();
        for _ in 0..n {
            let osd = rng.below(osds as u64) as i32;
            if !out.contains(&osd) {
                out.push(osd);
            }
        }
        out
    };
    for (id, pool) in pools {
        for seed in 0..pool.pg_num {
            let pg = Pg { pool: *id, seed };
            let size = usize::from(pool.size);
            match rng.below(24) {
                0 => drop(Arc::make_mut(&mut map.pg_upmap).insert(pg, some(rng, size))),
                1 | 2 => {
                    let pairs = (0..1 + rng.below(3))
                        .map(|_| (rng.below(osds as u64) as i32, rng.below(osds as u64) as i32))
                        .collect();
                    Arc::make_mut(&mut map.pg_upmap_items).insert(pg, pairs);
                }
                3 => drop(Arc::make_mut(&mut map.pg_temp).insert(pg, some(rng, size))),
                4 => {
                    Arc::make_mut(&mut map.primary_temp).insert(pg, rng.below(osds as u64) as i32);
                }
                5 if release >= Release::Reef => {
                    Arc::make_mut(&mut map.pg_upmap_primaries).insert(pg, rng.below(osds as u64) as i32);
                }
                _ => {}
            }
        }
    }
}

/// A CRUSH map that grows.
struct Tree {
    map: CrushMap,
    rng: Rng,
}

impl Tree {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// Hosts of up to a dozen OSDs, racks of up to eight hosts, one or two roots; the roots' ids.
    fn grow(&mut self, osds: usize) -> Vec<i32> {
        let types = [(0, "osd"), (HOST, "host"), (RACK, "rack"), (ROOT, "root")];
        self.map.type_map = types.map(|(id, name)| (id, name.to_owned())).into();
        self.map.tunables = match self.rng.below(6) {
            0 => Tunables::ARGONAUT,
            1 => Tunables::FIREFLY,
            2 => Tunables { choose_local_tries: 2, choose_local_fallback_tries: 3, ..Tunables::default() },
            _ => Tunables::default(),
        };
        self.map.tunables.straw_calc_version = 1;
        self.map.tunables.allowed_bucket_algs = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5;
        self.map.max_devices = osds as i32;
        self.map.name_map = (0..osds as i32).map(|osd| (osd, format!("osd.{osd}"))).collect();
        let devices: Vec<(i32, u32)> = (0..osds as i32).map(|osd| (osd, self.weight())).collect();
        let per_host = 1 + self.below(FEW.min(osds));
        let hosts = self.level(&devices, per_host, HOST);
        let per_rack = 1 + self.below(8);
        let racks = self.level(&hosts, per_rack, RACK);
        let mut roots = vec![self.bucket(&racks, ROOT)];
        if self.rng.below(2) == 0 {
            // Another tree over some of the racks, as of a device class.
            let some: Vec<_> = racks.iter().copied().step_by(2).collect();
            roots.push(self.bucket(&some, ROOT));
        }
        roots.into_iter().map(|(id, _)| id).collect()
    }

    fn weight(&mut self) -> u32 {
        match self.rng.below(10) {
            0 => 0,
            1..=4 => WEIGHT_IN,
            _ => self.rng.below(20 * u64::from(WEIGHT_IN)) as u32,
        }
    }

    fn level(&mut self, items: &[(i32, u32)], each: usize, type_id: i32) -> Vec<(i32, u32)> {
        items.chunks(each).map(|chunk| self.bucket(chunk, type_id)).collect()
    }

    fn bucket(&mut self, items: &[(i32, u32)], type_id: i32) -> (i32, u32) {
        let id = -1 - self.map.buckets.len() as i32;
        let mut item_weights: Vec<u32> = items.iter().map(|(_, weight)| *weight).collect();
        let weights = match self.rng.below(10) {
            0 if items.len() <= FEW => {
                item_weights.fill(WEIGHT_IN);
                Weights::Uniform { item_weight: WEIGHT_IN }
            }
            1 if items.len() <= FEW => {
                let mut sum = 0u32;
                let sum_weights = item_weights.iter().map(|w| {
                    sum = sum.saturating_add(*w);
                    sum
                });
                Weights::List { sum_weights: sum_weights.collect(), item_weights: item_weights.clone() }
            }
            2 if items.len() <= FEW => Weights::Tree { node_weights: tree_nodes(&item_weights) },
            _ => Weights::Straw2 { item_weights: item_weights.clone() },
        };
        let weight = item_weights.iter().fold(0u32, |sum, w| sum.saturating_add(*w));
        let items = items.iter().map(|(item, _)| *item).collect();
        self.map.buckets.push(Some(Bucket { id, type_id: type_id as u16, hash: 0, weight, items, weights }));
        self.map.name_map.insert(id, format!("b{}", -id));
        (id, weight)
    }

    /// A pool with a rule of its own.
    fn pool(&mut self, osds: usize, roots: &[i32], release: Release) -> PgPool {
        let erasure = self.rng.below(2) == 0;
        let size = 1 + self.below(if erasure { 9 } else { 5 }).min(osds);
        let pg_num = 1 + self.rng.below(200) as u32;
        let pgp_num =
            if self.rng.below(3) == 0 { 1 + self.rng.below(u64::from(pg_num)) as u32 } else { pg_num };
        let rule = self.rule(erasure, size, roots, release);
        PgPool {
            flags: if self.rng.below(5) == 0 { 0 } else { pool_flag::HASHPSPOOL },
            pool_type: if erasure { pool_type::ERASURE } else { pool_type::REPLICATED },
            size: size as u8,
            min_size: 1,
            crush_rule: rule,
            object_hash: 2,
            pg_num,
            pgp_num,
            pg_num_pending: pg_num,
            pg_num_target: pg_num,
            pgp_num_target: pgp_num,
            ..PgPool::default()
        }
    }

    fn rule(&mut self, erasure: bool, size: usize, roots: &[i32], release: Release) -> u8 {
        let step = |op, arg1, arg2| Step { op, arg1, arg2 };
        let root = self.rng.one(roots).copied().unwrap_or(-1);
        let mut steps = Vec::new();
        let domain = self.rng.one(&[0, HOST, RACK]).copied().unwrap_or_default();
        let msr = release >= Release::Tentacle && self.rng.below(4) == 0;
        let kind = match (erasure, msr) {
            (false, false) => rule_type::REPLICATED,
            (true, false) => rule_type::ERASURE,
            (false, true) => rule_type::MSR_FIRSTN,
            (true, true) => rule_type::MSR_INDEP,
        };
        if msr {
            let across = 1 + self.below(size) as i32;
            let each = (size as i32 + across - 1) / across;
            if self.rng.below(3) == 0 {
                steps.push(step(op::SET_MSR_DESCENTS, 3 + self.below(20) as i32, 0));
                steps.push(step(op::SET_MSR_COLLISION_TRIES, 2 + self.below(20) as i32, 0));
            }
            steps.push(step(op::TAKE, root, 0));
            steps.push(step(op::CHOOSE_MSR, across, if domain == 0 { HOST } else { domain }));
            steps.push(step(op::CHOOSE_MSR, each, 0));
            steps.push(step(op::EMIT, 0, 0));
        } else {
            self.tries(&mut steps);
            let (choose, leaf) = match erasure {
                true => (op::CHOOSE_INDEP, op::CHOOSELEAF_INDEP),
                false => (op::CHOOSE_FIRSTN, op::CHOOSELEAF_FIRSTN),
            };
            steps.push(step(op::TAKE, root, 0));
            match self.rng.below(4) {
                // Some racks, and in each some hosts' OSDs.
                0 => {
                    steps.push(step(choose, 1 + self.below(size) as i32, RACK));
                    steps.push(step(leaf, 1 + self.below(3) as i32, HOST));
                }
                // The first from one tree, the others from another.
                1 if !erasure => {
                    steps.push(step(leaf, 1, domain));
                    steps.push(step(op::EMIT, 0, 0));
                    let other = self.rng.one(roots).copied().unwrap_or(-1);
                    steps.push(step(op::TAKE, other, 0));
                    steps.push(step(leaf, -1, domain));
                }
                _ => steps.push(step(leaf, 0, domain)),
            }
            steps.push(step(op::EMIT, 0, 0));
        }
        let rule = Rule { rule_type: kind, min_size: 1, max_size: 20, steps };
        self.map.rules.push(Some(rule));
        let id = self.map.rules.len() - 1;
        self.map.rule_name_map.insert(id as i32, format!("rule{id}"));
        id as u8
    }

    /// Steps that change how often something is tried.
    fn tries(&mut self, steps: &mut Vec<Step>) {
        let all = [
            (op::SET_CHOOSE_TRIES, 100),
            (op::SET_CHOOSELEAF_TRIES, 8),
            (op::SET_CHOOSE_LOCAL_TRIES, 4),
            (op::SET_CHOOSE_LOCAL_FALLBACK_TRIES, 4),
            (op::SET_CHOOSELEAF_VARY_R, 3),
            (op::SET_CHOOSELEAF_STABLE, 2),
        ];
        for (op, bound) in all {
            if self.rng.below(5) == 0 {
                let least = i32::from(op == op::SET_CHOOSE_TRIES || op == op::SET_CHOOSELEAF_TRIES);
                steps.push(Step { op, arg1: least + self.below(bound) as i32, arg2: 0 });
            }
        }
    }

    /// Weight sets: none, for all pools, or for one; with positions, and ids in the place of items.
    fn weigh(&mut self, pools: impl Iterator<Item = i64>) {
        let keys: Vec<i64> = pools.chain([DEFAULT_CHOOSE_ARGS]).collect();
        for _ in 0..self.rng.below(3) {
            let key = self.rng.one(&keys).copied().unwrap_or(DEFAULT_CHOOSE_ARGS);
            let positions = 1 + self.below(3);
            let mut args = ChooseArgMap::new();
            for slot in 0..self.map.buckets.len() {
                let Some(Some(bucket)) = self.map.buckets.get(slot) else { continue };
                let (items, id) = (bucket.items.clone(), bucket.id);
                if !matches!(bucket.weights, Weights::Straw2 { .. }) || self.rng.below(5) == 0 {
                    continue;
                }
                let weights = |tree: &mut Tree| items.iter().map(|_| tree.weight()).collect::<Vec<u32>>();
                let weight_set = (0..positions).map(|_| weights(self)).collect();
                let ids = match self.rng.below(4) {
                    0 => items.iter().map(|item| item.wrapping_add(1000 * id)).collect(),
                    _ => Vec::new(),
                };
                args.insert(slot as u32, ChooseArg { weight_set, ids });
            }
            self.map.choose_args.insert(key, args);
        }
    }
}

/// The nodes of a tree bucket: items are the odd ones, and each other one is the sum of the two below it
/// (`crush_make_tree_bucket`).
fn tree_nodes(items: &[u32]) -> Vec<u32> {
    let depth = if items.is_empty() { 0 } else { 1 + items.len().next_power_of_two().ilog2() };
    let mut nodes = vec![0u32; 1 << depth];
    for (i, weight) in items.iter().enumerate() {
        let mut node = ((i + 1) << 1) - 1;
        for _ in 0..depth {
            if let Some(sum) = nodes.get_mut(node) {
                *sum = sum.saturating_add(*weight);
            }
            let height = node.trailing_zeros();
            let left_below = node & (1 << (height + 1)) != 0;
            node = if left_below { node - (1 << height) } else { node + (1 << height) };
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_denc::{Decode, Encode};

    #[test]
    fn a_seed_is_a_map_that_survives_its_encoding() {
        for (seed, release) in (0..40).zip(Release::ALL.into_iter().cycle()) {
            let osds = 3 + (seed as usize * 7) % 90;
            let map = osd_map(seed, osds, release);
            let bytes = map.to_bytes(map.encoding_features());
            assert!(bytes == osd_map(seed, osds, release).to_bytes(map.encoding_features()));
            let again = OSDMap::from_bytes(&bytes).unwrap();
            let twice = again.to_bytes(map.encoding_features());
            let differs = twice.iter().zip(&bytes).position(|(a, b)| a != b);
            assert!(
                twice == bytes,
                "seed {seed}: {} and {} bytes, from {differs:?}",
                twice.len(),
                bytes.len()
            );
        }
    }

    #[test]
    fn inner_nodes_of_a_tree_are_sums() {
        assert_eq!(tree_nodes(&[1, 2, 4]), [0, 1, 3, 2, 7, 4, 4, 0]);
    }
}
