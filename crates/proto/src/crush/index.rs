//! What is looked up often and follows from the map: parents by item, ids by name. Built at the first question.

use super::CrushMap;
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
pub(super) struct Index(OnceLock<Tables>);

impl Index {
    pub(super) fn of(&self, map: &CrushMap) -> &Tables {
        self.0.get_or_init(|| {
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
}

impl PartialEq for Index {
    fn eq(&self, _: &Index) -> bool {
        true
    }
}
impl Eq for Index {}
