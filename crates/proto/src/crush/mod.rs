//! The CRUSH map (`src/crush/CrushWrapper.{h,cc}`, `crush.h`): the tree of devices, the rules that choose devices for a
//! placement group, and the names and classes around them. Forms of 16.2 to 20.2; only MSR rules (19.2 on) are new in them.
//!
//! Invariants: bucket `id` lies in slot `-1 - id`; `choose_args` name only existing straw2 buckets, and a weight set there
//! has as many weights as its bucket has items; `max_devices` is one more than the highest device in a bucket or
//! with a name (upstream's `finalize`).
//!
//! Not here: changing a map (the monitors do that); the compiler and tester of `crushtool`.

mod bucket;
mod choose_args;
mod codec;
mod dump;
mod hash;
mod index;
mod ln;
mod ln_table;
mod mapper;
mod query;
mod rule;
mod tree;
mod tunables;

#[cfg(test)]
mod tests;

pub use bucket::{Alg, Bucket, Weights};
pub use choose_args::{ChooseArg, ChooseArgMap, DEFAULT_CHOOSE_ARGS};
pub use hash::{hash32, hash32_2, hash32_3, hash32_4, str_hash};
pub use mapper::ITEM_NONE;
pub use rule::{Rule, Step, op, rule_type};
pub use tree::{TreeItem, TreeWalk};
pub use tunables::Tunables;

use index::Index;
use std::collections::BTreeMap;

/// `CrushWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrushMap {
    /// Slot `-1 - id` holds bucket `id`.
    pub buckets: Vec<Option<Bucket>>,
    /// By rule id.
    pub rules: Vec<Option<Rule>>,
    pub max_devices: i32,
    /// Names of bucket types; 0 is the device.
    pub type_map: BTreeMap<i32, String>,
    /// Names of buckets and devices.
    pub name_map: BTreeMap<i32, String>,
    pub rule_name_map: BTreeMap<i32, String>,
    pub tunables: Tunables,
    /// Device (or shadow bucket) to its class.
    pub class_map: BTreeMap<i32, i32>,
    pub class_name: BTreeMap<i32, String>,
    /// Bucket and class to the shadow bucket that holds only that class.
    pub class_bucket: BTreeMap<i32, BTreeMap<i32, i32>>,
    /// Weight sets by pool id, or by [`DEFAULT_CHOOSE_ARGS`].
    pub choose_args: BTreeMap<i64, ChooseArgMap>,
    index: Index,
}

impl CrushMap {
    /// The bucket with that (negative) id.
    #[must_use]
    pub fn bucket(&self, id: i32) -> Option<&Bucket> {
        self.buckets.get(usize::try_from(-1 - i64::from(id)).ok()?)?.as_ref()
    }

    /// The rule with that id.
    #[must_use]
    pub fn rule(&self, id: i32) -> Option<&Rule> {
        self.rules.get(usize::try_from(id).ok()?)?.as_ref()
    }

    /// All buckets, -1 first.
    pub fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter().flatten()
    }

    /// All rules with their ids.
    pub fn rules(&self) -> impl Iterator<Item = (i32, &Rule)> {
        (0..).zip(&self.rules).filter_map(|(id, r)| r.as_ref().map(|r| (id, r)))
    }

    /// Name of a bucket or device.
    #[must_use]
    pub fn item_name(&self, id: i32) -> Option<&str> {
        self.name_map.get(&id).map(String::as_str)
    }

    /// The bucket or device of that name.
    #[must_use]
    pub fn item_id(&self, name: &str) -> Option<i32> {
        self.index.of(self).by_name.get(name).copied()
    }

    /// Name of a bucket type.
    #[must_use]
    pub fn type_name(&self, type_id: i32) -> Option<&str> {
        self.type_map.get(&type_id).map(String::as_str)
    }

    /// The bucket type of that name.
    #[must_use]
    pub fn type_id(&self, name: &str) -> Option<i32> {
        self.type_map.iter().find(|(_, n)| *n == name).map(|(id, _)| *id)
    }

    /// Name of a rule.
    #[must_use]
    pub fn rule_name(&self, id: i32) -> Option<&str> {
        self.rule_name_map.get(&id).map(String::as_str)
    }

    /// The rule of that name.
    #[must_use]
    pub fn rule_id(&self, name: &str) -> Option<i32> {
        self.rule_name_map.iter().find(|(_, n)| *n == name).map(|(id, _)| *id)
    }

    /// Class of a device, or of a shadow bucket.
    #[must_use]
    pub fn item_class(&self, id: i32) -> Option<&str> {
        self.class_name.get(self.class_map.get(&id)?).map(String::as_str)
    }

    /// Whether a bucket is a shadow: the copy of another with the devices of one class. Its name (`default~hdd`) is one that
    /// no operator could have given.
    #[must_use]
    pub fn is_shadow(&self, id: i32) -> bool {
        let valid = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        self.item_name(id).is_some_and(|n| n.is_empty() || !n.bytes().all(valid))
    }

    /// The type of an item: a bucket's, or 0 for a device.
    #[must_use]
    pub fn item_type(&self, id: i32) -> i32 {
        self.bucket(id).map_or(0, |b| i32::from(b.type_id))
    }
}
