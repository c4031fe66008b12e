//! The tree as `ceph osd tree` and `ceph osd crush tree` walk it (`src/crush/CrushTreeDumper.h`): roots by id, below a
//! bucket its devices by class and number, then its buckets by name.

use super::{CrushMap, DEFAULT_CHOOSE_ARGS};
use serde::ser::{Serialize, SerializeMap};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an item is to be shown; a bucket is shown when something below it is, or when empty ones are.
pub struct TreeWalk<'a> {
    pub show_shadow: bool,
    /// Start here instead of at the roots.
    pub root: Option<i32>,
    pub show_device: &'a dyn Fn(i32) -> bool,
    pub show_empty_buckets: bool,
}

/// One line of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeItem {
    pub id: i32,
    /// 0 at a root.
    pub parent: i32,
    pub depth: usize,
    /// 16.16 fixed point.
    pub weight: u32,
    /// In upstream's order, which is the reverse of the walk's.
    pub children: Vec<i32>,
}

impl CrushMap {
    /// The items in the order of the walk.
    #[must_use]
    pub fn tree(&self, walk: &TreeWalk<'_>) -> Vec<TreeItem> {
        let roots = match walk.root {
            Some(root) => BTreeSet::from([root]),
            None if walk.show_shadow => self.roots(),
            None => self.nonshadow_roots(),
        };
        let mut out = Vec::new();
        for root in roots.into_iter().filter(|id| self.shows(walk, *id, 0)) {
            let weight = self.bucket(root).map_or(0, |b| b.weight);
            self.walk(walk, TreeItem { id: root, parent: 0, depth: 0, weight, children: vec![] }, &mut out);
        }
        out
    }

    /// All items but shadows, in the order of the walk.
    #[must_use]
    pub fn whole_tree(&self) -> &[TreeItem] {
        self.index.tree(self)
    }

    /// Buckets that contain each other are cut off at this depth.
    const DEPTH_MAX: usize = 100;

    fn shows(&self, walk: &TreeWalk<'_>, id: i32, depth: usize) -> bool {
        if id >= 0 {
            return (walk.show_device)(id);
        }
        walk.show_empty_buckets
            || depth < Self::DEPTH_MAX
                && self.bucket(id).is_some_and(|b| b.items.iter().any(|i| self.shows(walk, *i, depth + 1)))
    }

    fn walk(&self, walk: &TreeWalk<'_>, mut item: TreeItem, out: &mut Vec<TreeItem>) {
        let mut sorted = BTreeMap::new();
        if let Some(bucket) = self.bucket(item.id).filter(|_| item.depth < Self::DEPTH_MAX) {
            for (pos, id) in bucket.items.iter().enumerate().filter(|(_, id)| self.shows(walk, **id, 0)) {
                let key = if *id >= 0 {
                    format!("{}_osd.{id:08}", self.item_class(*id).unwrap_or_default())
                } else {
                    format!("_{}", self.item_name(*id).unwrap_or_default())
                };
                sorted.entry(key).or_insert((*id, bucket.item_weight(pos)));
            }
        }
        item.children = sorted.values().rev().map(|(id, _)| *id).collect();
        let (parent, depth) = (item.id, item.depth + 1);
        out.push(item);
        for (id, weight) in sorted.into_values() {
            self.walk(walk, TreeItem { id, parent, depth, weight, children: vec![] }, out);
        }
    }

    /// The keys that every dump of a tree has for an item, but for `children`. `pool_name` names weight sets.
    pub fn tree_item_fields<M: SerializeMap>(
        &self,
        item: &TreeItem,
        pool_name: &dyn Fn(i64) -> Option<String>,
        out: &mut M,
    ) -> Result<(), M::Error> {
        out.serialize_entry("id", &item.id)?;
        if let Some(class) = self.item_class(item.id) {
            out.serialize_entry("device_class", class)?;
        }
        if item.id < 0 {
            let type_id = self.item_type(item.id);
            out.serialize_entry("name", self.item_name(item.id).unwrap_or_default())?;
            out.serialize_entry("type", self.type_name(type_id).unwrap_or_default())?;
            out.serialize_entry("type_id", &type_id)?;
        } else {
            out.serialize_entry("name", &format_args!("osd.{}", item.id))?;
            out.serialize_entry("type", self.type_name(0).unwrap_or_default())?;
            out.serialize_entry("type_id", &0)?;
            out.serialize_entry("crush_weight", &f64::from(super::dump::float(item.weight)))?;
            out.serialize_entry("depth", &item.depth)?;
        }
        if item.parent < 0 {
            out.serialize_entry("pool_weights", &PoolWeights { map: self, item, pool_name })?;
        }
        Ok(())
    }
}

/// Weights of an item in the weight sets of its bucket, by position.
struct PoolWeights<'a> {
    map: &'a CrushMap,
    item: &'a TreeItem,
    pool_name: &'a dyn Fn(i64) -> Option<String>,
}

impl Serialize for PoolWeights<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        if self.map.choose_args.is_empty() {
            return out.end();
        }
        let slot = u32::try_from(-1 - i64::from(self.item.parent)).unwrap_or(u32::MAX);
        let items = self.map.bucket(self.item.parent).map_or(&[][..], |b| &b.items);
        let Some(pos) = items.iter().position(|id| *id == self.item.id) else { return out.end() };
        for (pool, args) in &self.map.choose_args {
            let Some(arg) = args.get(&slot).filter(|a| !a.weight_set.is_empty()) else { continue };
            let name = match *pool {
                DEFAULT_CHOOSE_ARGS => "(compat)".to_owned(),
                pool => (self.pool_name)(pool).unwrap_or_else(|| pool.to_string()),
            };
            let at = |weights: &Vec<u32>| weights.get(pos).copied().unwrap_or_default();
            let weights: Vec<f64> =
                arg.weight_set.iter().map(at).map(|w| super::dump::float(w).into()).collect();
            out.serialize_entry(&name, &weights)?;
        }
        out.end()
    }
}
