//! `crush_choose_firstn`: distinct items in the order in which they were found; a later one moves up when an earlier one
//! fails.

use super::{DESCENT_MAX, Mapper, Tries};

/// What stays the same over one descent and those below it.
#[derive(Clone, Copy)]
struct Firstn {
    type_id: i32,
    tries: u32,
    recurse_tries: u32,
    local: u32,
    local_fallback: u32,
    /// Whether a device is to be found below each item.
    leaf: bool,
    vary_r: u32,
    stable: bool,
}

/// How one replica's search went on.
enum Found {
    Item(i32),
    /// Try again from this bucket.
    Local(i32),
    /// Try again from the top.
    Descend,
    GiveUp,
}

/// What a descent has gathered; the two lists grow together.
#[derive(Default)]
struct Chosen {
    items: Vec<i32>,
    leaves: Vec<i32>,
}

impl Mapper<'_> {
    pub(super) fn choose_firstn_step(
        &mut self,
        from: i32,
        wanted: usize,
        room: usize,
        type_id: i32,
        leaf: bool,
        tries: &Tries,
    ) -> Vec<i32> {
        let recurse_tries = match tries.leaf {
            0 if self.map.tunables.chooseleaf_descend_once != 0 => 1,
            0 => tries.choose,
            n => n,
        };
        let how = Firstn {
            type_id,
            tries: tries.choose,
            recurse_tries,
            local: tries.local,
            local_fallback: tries.local_fallback,
            leaf,
            vary_r: tries.vary_r,
            stable: tries.stable,
        };
        let mut chosen = Chosen::default();
        for rep in 0..wanted {
            if chosen.items.len() >= room {
                break;
            }
            if let Some((item, device)) = self.firstn_one(from, rep as u32, how, &chosen) {
                chosen.items.push(item);
                chosen.leaves.push(device);
            }
        }
        if leaf { chosen.leaves } else { chosen.items }
    }

    /// Searches one replica: the item, and the device below it when one is wanted.
    fn firstn_one(&mut self, top: i32, rep: u32, how: Firstn, chosen: &Chosen) -> Option<(i32, i32)> {
        let mut failed = 0;
        loop {
            let (mut from, mut failed_here) = (top, 0);
            let again = loop {
                let r = rep.wrapping_add(failed);
                let mut device = super::ITEM_NONE;
                match self.firstn_try(from, r, how, chosen, (&mut failed, &mut failed_here), &mut device) {
                    Found::Item(item) => return Some((item, device)),
                    Found::Local(bucket) => from = bucket,
                    Found::Descend => break true,
                    Found::GiveUp => break false,
                }
            };
            if !again {
                return None;
            }
        }
    }

    /// Goes down from `from` to an item of the type, and says what to do when it does not fit.
    fn firstn_try(
        &mut self,
        from: i32,
        r: u32,
        how: Firstn,
        chosen: &Chosen,
        failed: (&mut u32, &mut u32),
        device: &mut i32,
    ) -> Found {
        let position = chosen.items.len();
        let mut from = from;
        for _ in 0..DESCENT_MAX {
            let Some(bucket) = self.bucket(from) else { return Found::GiveUp };
            let len = bucket.items.len() as u32;
            let mut collide = false;
            if len > 0 {
                let item =
                    if how.local_fallback > 0 && *failed.1 >= len >> 1 && *failed.1 > how.local_fallback {
                        self.choose_permuted(from, r)
                    } else {
                        self.choose(from, r, position)
                    };
                let Some(item) = item.filter(|i| *i < self.map.max_devices) else { return Found::GiveUp };
                let item_type = self.map.item_type(item);
                if item_type != how.type_id {
                    if item >= 0 || self.bucket(item).is_none() {
                        return Found::GiveUp;
                    }
                    from = item;
                    continue;
                }
                collide = chosen.items.contains(&item);
                let has_device = !collide && (!how.leaf || self.firstn_leaf(item, r, how, chosen, device));
                if has_device && (item_type != 0 || !self.is_out(item)) {
                    return Found::Item(item);
                }
            }
            *failed.0 += 1;
            *failed.1 += 1;
            return if (collide && *failed.1 <= how.local)
                || (how.local_fallback > 0 && *failed.1 <= len.saturating_add(how.local_fallback))
            {
                Found::Local(from)
            } else if *failed.0 < how.tries {
                Found::Descend
            } else {
                Found::GiveUp
            };
        }
        Found::GiveUp
    }

    /// Looks for a device below an item, other than those found already.
    fn firstn_leaf(&mut self, item: i32, r: u32, how: Firstn, chosen: &Chosen, device: &mut i32) -> bool {
        if item >= 0 {
            *device = item;
            return true;
        }
        let sub_r = if how.vary_r == 0 { 0 } else { r.checked_shr(how.vary_r - 1).unwrap_or(0) };
        let below = Firstn { type_id: 0, tries: how.recurse_tries, recurse_tries: 0, leaf: false, ..how };
        let taken = Chosen { items: chosen.leaves.clone(), leaves: Vec::new() };
        // With `stable` every replica asks the same way; before it, the place in the result counted too.
        let rep = if how.stable { 0 } else { taken.items.len() as u32 };
        match self.firstn_one(item, rep.wrapping_add(sub_r), below, &taken) {
            Some((found, _)) => {
                *device = found;
                true
            }
            None => false,
        }
    }
}
