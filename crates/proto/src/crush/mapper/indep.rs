//! `crush_choose_indep`: items for places, breadth first; what fails leaves its place empty and moves no other.

use super::{DESCENT_MAX, ITEM_NONE, ITEM_UNDEF, Mapper, Tries};
use crate::crush::Alg;

/// What stays the same over one search.
#[derive(Clone, Copy)]
struct Indep {
    /// How many places there are in all; the tries step by it.
    wanted: u32,
    type_id: i32,
    tries: u32,
    recurse_tries: u32,
    leaf: bool,
    parent_r: u32,
}

/// How the search for one place ended.
enum Place {
    /// Item and device below it.
    Filled(i32, i32),
    /// It stays empty whatever is tried.
    Empty,
    Again,
    /// As before, and the device is out. Upstream has noted it as the leaf by then, and so a place of `chooseleaf indep 0 type osd`
    /// that nothing fills keeps it.
    Out(i32),
}

impl Mapper<'_> {
    pub(super) fn choose_indep_step(
        &mut self,
        from: i32,
        wanted: usize,
        places: usize,
        type_id: i32,
        leaf: bool,
        tries: &Tries,
    ) -> Vec<i32> {
        let how = Indep {
            wanted: wanted as u32,
            type_id,
            tries: tries.choose,
            recurse_tries: tries.leaf.max(1),
            leaf,
            parent_r: 0,
        };
        let (items, leaves) = self.indep(from, 0, places, how);
        if leaf { leaves } else { items }
    }

    /// Fills `places` places, the first of which is number `first`.
    fn indep(&mut self, top: i32, first: usize, places: usize, how: Indep) -> (Vec<i32>, Vec<i32>) {
        let mut items = vec![ITEM_UNDEF; places];
        let mut leaves = vec![ITEM_UNDEF; places];
        for failed in 0..how.tries {
            if !items.contains(&ITEM_UNDEF) {
                break;
            }
            for i in 0..places {
                if items.get(i) != Some(&ITEM_UNDEF) {
                    continue;
                }
                let (item, device) = match self.indep_one(top, first, first + i, failed, how, &items) {
                    Place::Filled(item, device) => (item, device),
                    Place::Empty => (ITEM_NONE, ITEM_NONE),
                    Place::Out(device) => {
                        leaves.get_mut(i).into_iter().for_each(|leaf| *leaf = device);
                        continue;
                    }
                    Place::Again => continue,
                };
                if let (Some(a), Some(b)) = (items.get_mut(i), leaves.get_mut(i)) {
                    (*a, *b) = (item, device);
                }
            }
        }
        for item in items.iter_mut().chain(&mut leaves) {
            if *item == ITEM_UNDEF {
                *item = ITEM_NONE;
            }
        }
        (items, leaves)
    }

    fn indep_one(
        &mut self,
        top: i32,
        first: usize,
        rep: usize,
        failed: u32,
        how: Indep,
        items: &[i32],
    ) -> Place {
        let mut from = top;
        for _ in 0..DESCENT_MAX {
            let Some(bucket) = self.bucket(from) else { return Place::Empty };
            let len = bucket.items.len() as u32;
            if len == 0 {
                return Place::Again;
            }
            // A uniform bucket of a fitting size would give the same items again: step by one more.
            let uniform = bucket.alg() == Alg::Uniform && len.is_multiple_of(how.wanted.max(1));
            let step = if uniform { how.wanted.wrapping_add(1) } else { how.wanted };
            let r = (rep as u32).wrapping_add(how.parent_r).wrapping_add(step.wrapping_mul(failed));
            let Some(item) = self.choose(from, r, first).filter(|i| *i < self.map.max_devices) else {
                return Place::Empty;
            };
            let item_type = self.map.item_type(item);
            if item_type != how.type_id {
                if item >= 0 || self.bucket(item).is_none() {
                    return Place::Empty;
                }
                from = item;
                continue;
            }
            if items.contains(&item) {
                return Place::Again;
            }
            let mut device = ITEM_UNDEF;
            if how.leaf {
                device = if item >= 0 { item } else { self.indep_leaf(item, rep, r, how) };
                if device == ITEM_NONE {
                    return Place::Again;
                }
            }
            if item_type == 0 && self.is_out(item) {
                return Place::Out(device);
            }
            return Place::Filled(item, device);
        }
        Place::Empty
    }

    fn indep_leaf(&mut self, item: i32, rep: usize, r: u32, how: Indep) -> i32 {
        let below =
            Indep { type_id: 0, tries: how.recurse_tries, recurse_tries: 0, leaf: false, parent_r: r, ..how };
        self.indep(item, rep, 1, below).0.first().copied().unwrap_or(ITEM_NONE)
    }
}
