//! The parts of the CRUSH tree that pools share: capacity, budget of placement groups, and roots that overlap, whose pools
//! nobody scales.

use axon_core::State;
use axon_core::pg_map::OsdView;
use axon_proto::crush::op;
use axon_proto::osd_map::{OSDMap, PgPool};
use std::collections::BTreeSet;

/// `CrushSubtreeResourceStatus`.
#[derive(Debug, Default)]
pub(super) struct Subtree {
    pub osds: BTreeSet<i32>,
    pub pool_names: Vec<String>,
    /// Bytes.
    pub capacity: i64,
    pub pg_left: i64,
    pub pool_used: usize,
    pub total_target_ratio: f64,
    pub total_target_bytes: f64,
}

#[derive(Debug, Default)]
pub(super) struct Roots {
    subtrees: Vec<Subtree>,
    /// Root and the index of its part, in the order in which pools name them.
    by_root: Vec<(i32, usize)>,
    overlapped: BTreeSet<i32>,
}

impl Roots {
    pub fn of(state: &State) -> Self {
        let map = &*state.osd_map;
        let mut out = Roots::default();
        for (id, pool) in map.pools.iter() {
            let Some(root) = root_of(map, pool) else { continue };
            let osds = map.crush.devices_below(root);
            let at = out.part_of(root, &osds);
            match out.by_root.iter_mut().find(|(known, _)| *known == root) {
                Some(known) => known.1 = at,
                None => out.by_root.push((root, at)),
            }
            let Some(part) = out.subtrees.get_mut(at) else { continue };
            part.osds.extend(osds);
            part.pool_names.push(map.pool_name.get(id).cloned().unwrap_or_default());
            match pool.options.number("target_size_ratio").filter(|ratio| *ratio != 0.0) {
                Some(ratio) => part.total_target_ratio += ratio,
                None => {
                    let bytes = pool.options.int("target_size_bytes").unwrap_or(0);
                    part.total_target_bytes += bytes as f64 * raw_used_rate(map, *id);
                }
            }
        }
        out.settle(state);
        out
    }

    /// The part that a root's OSDs belong to; a new one where they are in none.
    fn part_of(&mut self, root: i32, osds: &BTreeSet<i32>) -> usize {
        for (known, at) in &self.by_root {
            let meets = self.subtrees.get(*at).is_some_and(|part| !part.osds.is_disjoint(osds));
            if meets {
                if *known != root {
                    self.overlapped.extend([*known, root]);
                }
                return *at;
            }
        }
        self.subtrees.push(Subtree::default());
        self.subtrees.len() - 1
    }

    fn settle(&mut self, state: &State) {
        let per_osd: i64 = state.option("mon_target_pg_per_osd", 100);
        for part in &mut self.subtrees {
            part.pg_left = i64::try_from(part.osds.len()).unwrap_or(0).saturating_mul(per_osd);
            // As the disks are, not as they are reweighted just now.
            let stats = part.osds.iter().filter_map(|osd| state.pg_map.osd_stat.get(osd));
            part.capacity = stats.map(|stat| stat.statfs.kb() * 1024).sum();
        }
    }

    pub fn part(&mut self, root: i32) -> Option<&mut Subtree> {
        let at = self.by_root.iter().find(|(known, _)| *known == root)?.1;
        self.subtrees.get_mut(at)
    }

    /// Each root with its part.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Subtree)> {
        self.by_root.iter().filter_map(|(root, at)| Some((*root, self.subtrees.get(*at)?)))
    }

    pub fn is_overlapped(&self, root: i32) -> bool {
        self.overlapped.contains(&root)
    }
}

/// What the first TAKE of a pool's rule takes.
pub(super) fn root_of(map: &OSDMap, pool: &PgPool) -> Option<i32> {
    let rule = map.crush.rule(i32::from(pool.crush_rule))?;
    rule.steps.iter().find(|step| step.op == op::TAKE).map(|step| step.arg1)
}

/// Raw bytes per stored byte.
pub(super) fn raw_used_rate(map: &OSDMap, pool: i64) -> f64 {
    OsdView::pool(map, pool).map_or(1.0, |view| f64::from(view.raw_used_rate))
}
