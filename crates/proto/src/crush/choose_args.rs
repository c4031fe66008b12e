//! `crush_choose_arg_map` (`src/crush/crush.h`): weights and ids that a pool uses instead of a bucket's own.

use super::bucket::{check, numbers};
use super::{Alg, Bucket, CrushMap};
use axon_denc::{Features, Reader, Result, Writer};
use std::collections::BTreeMap;

/// Key of the weight set for pools without one of their own (`DEFAULT_CHOOSE_ARGS`).
pub const DEFAULT_CHOOSE_ARGS: i64 = -1;

/// `crush_choose_arg`: replacements for one bucket. Never both empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChooseArg {
    /// Weights by position in the result; the last one stands for all later positions.
    pub weight_set: Vec<Vec<u32>>,
    /// What is hashed instead of the items.
    pub ids: Vec<i32>,
}

/// Arguments by bucket slot (`-1 - id`).
pub type ChooseArgMap = BTreeMap<u32, ChooseArg>;

pub(super) fn encode(args: &ChooseArgMap, w: &mut Writer, features: Features) {
    w.length(args.len());
    for (slot, arg) in args {
        w.u32(*slot);
        w.value(&arg.weight_set, features);
        w.value(&arg.ids, features);
    }
}

/// Reads the arguments and leaves out what upstream's `update_choose_args` strips.
pub(super) fn decode(r: &mut Reader<'_>, map: &CrushMap) -> Result<ChooseArgMap> {
    let len = r.length(12)?;
    let mut out = ChooseArgMap::new();
    for _ in 0..len {
        let at = r.clone();
        let slot = r.u32()?;
        if slot as usize >= map.buckets.len() {
            return Err(at.bad_value("crush choose_args bucket", slot));
        }
        let positions = r.length(4)?;
        let mut weight_set = Vec::new();
        for _ in 0..positions {
            let len = r.length(4)?;
            weight_set.push(numbers(r, len)?);
        }
        let len = r.length(4)?;
        check(r, len, 4)?;
        let ids = (0..len).map(|_| r.i32()).collect::<Result<Vec<_>>>()?;
        let bucket = map.buckets.get(slot as usize).and_then(Option::as_ref);
        if !ids.is_empty() && bucket.is_none_or(|b| b.items.len() != ids.len()) {
            return Err(at.bad_value("crush choose_args ids", ids.len() as u64));
        }
        if bucket.is_some_and(|b| b.alg() == Alg::Straw2) && !(weight_set.is_empty() && ids.is_empty()) {
            out.insert(slot, ChooseArg { weight_set, ids });
        }
    }
    fit(&mut out, map);
    Ok(out)
}

/// Weight sets get the length of their bucket. Upstream leaves those alone whose number of positions differs.
fn fit(args: &mut ChooseArgMap, map: &CrushMap) {
    let positions = args.values().map(|a| a.weight_set.len()).find(|n| *n > 0).unwrap_or(1);
    for (slot, arg) in args.iter_mut().filter(|(_, a)| a.weight_set.len() == positions) {
        if let Some(Some(bucket)) = map.buckets.get(*slot as usize) {
            arg.weight_set.iter_mut().for_each(|w| w.resize(bucket.items.len(), 0));
        }
    }
}

impl CrushMap {
    /// The arguments of a pool, else the default ones (`choose_args_get_with_fallback`).
    #[must_use]
    pub fn choose_args_of(&self, pool: i64) -> Option<&ChooseArgMap> {
        self.choose_args.get(&pool).or_else(|| self.choose_args.get(&DEFAULT_CHOOSE_ARGS))
    }

    /// Sets a device's weight in the weight-set for all pools, and the sums above it; the set is made of the buckets' own
    /// weights if there is none (`create_choose_args`, `choose_args_adjust_item_weightf`). A set with several positions stays
    /// as it is, as upstream's.
    pub fn set_compat_weight(&mut self, device: i32, weight: u32) {
        let straw2 = |bucket: &&Bucket| bucket.alg() == Alg::Straw2;
        let own = |bucket: &Bucket| -> Vec<u32> {
            (0..bucket.items.len()).map(|at| bucket.item_weight(at)).collect()
        };
        if !self.choose_args.contains_key(&DEFAULT_CHOOSE_ARGS) {
            let args = self.buckets().filter(straw2).filter_map(|bucket| {
                let slot = u32::try_from(-1 - bucket.id).ok()?;
                Some((slot, ChooseArg { weight_set: vec![own(bucket)], ids: Vec::new() }))
            });
            let args = args.collect();
            self.choose_args.insert(DEFAULT_CHOOSE_ARGS, args);
        }
        let buckets = &self.buckets;
        let Some(args) = self.choose_args.get_mut(&DEFAULT_CHOOSE_ARGS) else { return };
        // What a bucket weighs now has to be said in the buckets that it is in; the tree has no cycles.
        let mut changed = vec![(device, weight)];
        let mut steps_left = buckets.len().saturating_mul(buckets.len()).saturating_add(1);
        while let Some((item, weight)) = changed.pop() {
            for bucket in buckets.iter().flatten().filter(straw2) {
                let places = || bucket.items.iter().enumerate().filter(|(_, id)| **id == item);
                let Ok(slot) = u32::try_from(-1 - bucket.id) else { continue };
                if steps_left == 0 || places().next().is_none() {
                    continue;
                }
                steps_left -= 1;
                let arg = args.entry(slot).or_default();
                if arg.weight_set.is_empty() {
                    arg.weight_set = vec![own(bucket)];
                }
                let [weights] = arg.weight_set.as_mut_slice() else { continue };
                for (place, _) in places() {
                    if let Some(slot) = weights.get_mut(place) {
                        *slot = weight;
                    }
                }
                changed.push((bucket.id, weights.iter().fold(0, |sum, w| sum.saturating_add(*w))));
            }
        }
    }
}
