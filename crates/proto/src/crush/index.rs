//! What is looked up often and follows from the map: parents by item, ids by name, the whole tree. Built at the first question.

use super::{CrushMap, TreeItem, TreeWalk};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The lookup tables of one map.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// Buckets that hold an item, in the order of their slots.
    pub parents: HashMap<i32, Vec<i32>>,
    pub by_name: HashMap<String, i32>,
}

/// The tables, once they were asked for. Two maps are equal whether or not that happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    tables: OnceLock<Tables>,
    tree: OnceLock<Vec<TreeItem>>,
}

impl Index {
    pub(super) fn of(&self, map: &CrushMap) -> &Tables {
        self.tables.get_or_init(|| {
            let mut tables = Tables::default();
            for bucket in map.buckets() {
                for item in &bucket.items {
                    tables.parents.entry(*item).or_default().push(bucket.id);
                }
            }
            tables.by_name = map.name_map.iter().map(|(id, name)| (name.clone(), *id)).collect();
            tables
        })
    }

    /// The tree as `osd df` walks it.
    pub(super) fn tree(&self, map: &CrushMap) -> &[TreeItem] {
        let walk =
            TreeWalk { show_shadow: false, root: None, show_device: &|_| true, show_empty_buckets: true };
        self.tree.get_or_init(|| map.tree(&walk))
    }
}

impl PartialEq for Index {
    fn eq(&self, _: &Index) -> bool {
        true
    }
}
impl Eq for Index {}
