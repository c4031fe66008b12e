//! `ceph osd tree` and the manager's `osd_map_tree` (`OSDMap::print_tree`): the CRUSH tree with what the map knows about
//! each OSD, and the OSDs that the tree does not hold.

use super::OSDMap;
use crate::crush::{TreeItem, TreeWalk};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeSet;

/// Which OSDs to show: those that have one of the states, or all when none is given (`OSDMap::DUMP_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeFilter {
    pub inside: bool,
    pub out: bool,
    pub up: bool,
    pub down: bool,
    pub destroyed: bool,
}

impl TreeFilter {
    fn is_empty(self) -> bool {
        self == TreeFilter::default()
    }
}

/// The tree of one map, for serde: `{"nodes": [...], "stray": [...]}`; without `stray` below a named bucket.
pub struct OsdTree<'a> {
    map: &'a OSDMap,
    filter: TreeFilter,
    /// A bucket's name instead of the roots.
    bucket: Option<&'a str>,
}

impl OSDMap {
    /// The whole tree.
    #[must_use]
    pub fn tree(&self) -> OsdTree<'_> {
        self.tree_with(TreeFilter::default(), None)
    }

    /// What `ceph osd tree [STATES] [BUCKET]` shows.
    #[must_use]
    pub fn tree_with<'a>(&'a self, filter: TreeFilter, bucket: Option<&'a str>) -> OsdTree<'a> {
        OsdTree { map: self, filter, bucket }
    }
}

impl OsdTree<'_> {
    fn shows(&self, osd: i32) -> bool {
        let (map, f) = (self.map, self.filter);
        f.is_empty()
            || f.up && map.is_up(osd)
            || f.down && map.is_down(osd)
            || f.inside && map.is_in(osd)
            || f.out && map.is_out(osd)
            || f.destroyed && map.is_destroyed(osd)
    }
}

impl Serialize for OsdTree<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let crush = &self.map.crush;
        let root = self.bucket.map(|name| crush.item_id(name));
        let show = |osd| self.shows(osd);
        let items = match root {
            // No such bucket.
            Some(None) => Vec::new(),
            _ => crush.tree(&TreeWalk {
                show_shadow: false,
                root: root.flatten(),
                show_device: &show,
                show_empty_buckets: self.filter.is_empty(),
            }),
        };
        let mut out = s.serialize_map(None)?;
        let nodes: Vec<_> = items.iter().map(|item| Node { map: self.map, item }).collect();
        out.serialize_entry("nodes", &nodes)?;
        if self.bucket.is_none() {
            let seen: BTreeSet<i32> = items.iter().map(|i| i.id).collect();
            let stray: Vec<_> =
                self.map.osds().filter(|osd| !seen.contains(osd) && self.shows(*osd)).collect();
            let alone = |id| TreeItem { id, parent: 0, depth: 0, weight: 0, children: Vec::new() };
            let stray: Vec<_> = stray.into_iter().map(alone).collect();
            let stray: Vec<_> = stray.iter().map(|item| Node { map: self.map, item }).collect();
            out.serialize_entry("stray", &stray)?;
        }
        out.end()
    }
}

struct Node<'a> {
    map: &'a OSDMap,
    item: &'a TreeItem,
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (map, item) = (self.map, self.item);
        let mut out = s.serialize_map(None)?;
        map.crush.tree_item_fields(item, &|pool| map.pool_name.get(&pool).cloned(), &mut out)?;
        if item.id < 0 {
            out.serialize_entry("children", &item.children)?;
        } else {
            let status = if map.is_up(item.id) {
                "up"
            } else if map.is_destroyed(item.id) {
                "destroyed"
            } else {
                "down"
            };
            out.serialize_entry("exists", &u8::from(map.exists(item.id)))?;
            out.serialize_entry("status", status)?;
            out.serialize_entry("reweight", &f64::from(map.weightf(item.id)))?;
            out.serialize_entry("primary_affinity", &f64::from(map.primary_affinityf(item.id)))?;
        }
        out.end()
    }
}
