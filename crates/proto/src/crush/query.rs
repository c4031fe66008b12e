//! Questions about the tree: parents, locations, what lies below, roots, and how a rule weighs its devices.

use super::{CrushMap, op};
use std::collections::{BTreeMap, BTreeSet};

/// A map whose buckets contain each other must not hang us.
const HEIGHT_MAX: usize = 1000;

impl CrushMap {
    /// The bucket that holds an item; shadows do not count (`get_immediate_parent_id`).
    #[must_use]
    pub fn parent(&self, id: i32) -> Option<i32> {
        self.index.of(self).parents.get(&id)?.iter().copied().find(|p| !self.is_shadow(*p))
    }

    /// The buckets above an item, nearest first.
    #[must_use]
    pub fn ancestors(&self, id: i32) -> Vec<i32> {
        let above = |id: &i32| self.parent(*id);
        std::iter::successors(self.parent(id), above).take(HEIGHT_MAX).collect()
    }

    /// The bucket of a type above an item.
    #[must_use]
    pub fn ancestor_of_type(&self, id: i32, type_name: &str) -> Option<i32> {
        let type_id = self.type_id(type_name)?;
        self.ancestors(id).into_iter().find(|a| self.item_type(*a) == type_id)
    }

    /// Name of the host of a device.
    #[must_use]
    pub fn host(&self, device: i32) -> Option<&str> {
        self.item_name(self.ancestor_of_type(device, "host")?)
    }

    /// Where an item is: type name to bucket name (`get_full_location`).
    #[must_use]
    pub fn location(&self, id: i32) -> BTreeMap<String, String> {
        let named =
            |a: i32| Some((self.type_name(self.item_type(a))?.to_owned(), self.item_name(a)?.to_owned()));
        self.ancestors(id).into_iter().filter_map(named).collect()
    }

    /// Buckets that no bucket holds, shadows too (`find_roots`).
    #[must_use]
    pub fn roots(&self) -> BTreeSet<i32> {
        let parents = &self.index.of(self).parents;
        self.buckets().map(|b| b.id).filter(|id| !parents.contains_key(id)).collect()
    }

    /// Roots without shadows (`find_nonshadow_roots`).
    #[must_use]
    pub fn nonshadow_roots(&self) -> BTreeSet<i32> {
        self.roots().into_iter().filter(|id| !self.is_shadow(*id)).collect()
    }

    /// What a rule's TAKE steps take (`find_takes_by_rule`).
    #[must_use]
    pub fn takes_of(&self, rule: i32) -> BTreeSet<i32> {
        let steps = self.rule(rule).map_or(&[][..], |r| &r.steps);
        steps.iter().filter(|s| s.op == op::TAKE).map(|s| s.arg1).collect()
    }

    /// Everything below a bucket and itself.
    #[must_use]
    pub fn subtree(&self, id: i32) -> BTreeSet<i32> {
        let mut out = BTreeSet::from([id]);
        let mut open = vec![id];
        while let Some(bucket) = open.pop().and_then(|id| self.bucket(id)) {
            open.extend(bucket.items.iter().copied().filter(|item| out.insert(*item) && *item < 0));
        }
        out
    }

    /// Devices below a bucket; a device is its own.
    #[must_use]
    pub fn devices_below(&self, id: i32) -> BTreeSet<i32> {
        self.subtree(id).into_iter().filter(|id| *id >= 0).collect()
    }

    /// Whether an item lies below a bucket or is it.
    #[must_use]
    pub fn subtree_contains(&self, root: i32, item: i32) -> bool {
        self.subtree(root).contains(&item)
    }

    /// Names of all device classes.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.class_name.values().map(String::as_str)
    }

    /// Devices of a class.
    #[must_use]
    pub fn devices_of_class(&self, class: &str) -> BTreeSet<i32> {
        let id = self.class_name.iter().find(|(_, name)| *name == class).map(|(id, _)| *id);
        self.class_map
            .iter()
            .filter(|(item, c)| **item >= 0 && Some(**c) == id)
            .map(|(item, _)| *item)
            .collect()
    }

    /// CRUSH weight of a device in its bucket, 16.16 fixed point.
    #[must_use]
    pub fn device_weight(&self, device: i32) -> Option<u32> {
        let bucket = self.bucket(self.parent(device)?)?;
        let pos = bucket.items.iter().position(|item| *item == device)?;
        Some(bucket.item_weight(pos))
    }

    /// Each device's share of what a rule takes (`get_rule_weight_osd_map`), in upstream's single precision.
    #[must_use]
    pub fn rule_shares(&self, rule: i32) -> BTreeMap<i32, f32> {
        let mut weights: BTreeMap<i32, f32> = BTreeMap::new();
        let mut sum = 0f32;
        let steps = self.rule(rule).map_or(&[][..], |r| &r.steps);
        for take in steps.iter().filter(|s| s.op == op::TAKE).map(|s| s.arg1) {
            if take >= 0 {
                weights.insert(take, 1.0);
                sum = 1.0;
            } else {
                sum += self.weigh_below(take, &mut weights);
            }
        }
        weights.values_mut().for_each(|w| *w /= sum);
        weights
    }

    /// Each device's share of what is below a bucket (`get_take_weight_osd_map`), in the same precision.
    #[must_use]
    pub fn take_shares(&self, take: i32) -> BTreeMap<i32, f32> {
        let mut weights = BTreeMap::new();
        let sum = if take < 0 { self.weigh_below(take, &mut weights) } else { 1.0 };
        if take >= 0 {
            weights.insert(take, 1.0);
        }
        weights.values_mut().for_each(|w| *w /= sum);
        weights
    }

    fn weigh_below(&self, root: i32, weights: &mut BTreeMap<i32, f32>) -> f32 {
        let mut sum = 0f32;
        let mut open = std::collections::VecDeque::from([root]);
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop_front() {
            let Some(bucket) = self.bucket(id).filter(|_| seen.insert(id)) else { continue };
            for (pos, item) in bucket.items.iter().enumerate() {
                if *item < 0 {
                    open.push_back(*item);
                } else {
                    let weight = bucket.item_weight(pos) as f32;
                    weights.insert(*item, weight);
                    sum += weight;
                }
            }
        }
        sum
    }
}
