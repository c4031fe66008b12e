//! The compat weight-set: what CRUSH takes for the weights of OSDs where a pool has no weight-set of its own.

use axon_proto::crush::{Alg, CrushMap, DEFAULT_CHOOSE_ARGS};
use std::collections::BTreeMap;

/// Buckets within buckets at most.
const HEIGHT_MAX: usize = 16;

const ONE: f64 = 65_536.0;

/// Each OSD's weight there; where a bucket has none, the bucket's own, as a new weight-set would have it.
pub(super) fn compat_weights(crush: &CrushMap) -> BTreeMap<i32, f64> {
    let set = crush.choose_args.get(&DEFAULT_CHOOSE_ARGS);
    let mut out = BTreeMap::new();
    for bucket in crush.buckets() {
        let weights = set.and_then(|set| set.get(&slot(bucket.id))).and_then(|arg| arg.weight_set.first());
        for (at, item) in bucket.items.iter().enumerate().filter(|(_, item)| **item >= 0) {
            let set = weights.and_then(|weights| weights.get(at)).copied();
            out.insert(*item, f64::from(set.unwrap_or_else(|| bucket.item_weight(at))) / ONE);
        }
    }
    out
}

/// The map with these weights of OSDs, and those of the buckets above them, in the weight-set.
pub(super) fn with_compat_weights(crush: &CrushMap, weights: &BTreeMap<i32, f64>) -> CrushMap {
    let mut out = crush.clone();
    let mut set = out.choose_args.remove(&DEFAULT_CHOOSE_ARGS).unwrap_or_default();
    for bucket in crush.buckets().filter(|bucket| bucket.alg() == Alg::Straw2) {
        let arg = set.entry(slot(bucket.id)).or_default();
        if arg.weight_set.is_empty() {
            arg.weight_set.push((0..bucket.items.len()).map(|at| bucket.item_weight(at)).collect());
        }
        for position in &mut arg.weight_set {
            for (item, weight) in bucket.items.iter().zip(position) {
                if let Some(wanted) = weights.get(item) {
                    *weight = (wanted * ONE) as u32;
                }
            }
        }
    }
    for _ in 0..HEIGHT_MAX {
        let sums: BTreeMap<i32, u32> = crush
            .buckets()
            .map(|bucket| {
                let own = set.get(&slot(bucket.id)).and_then(|arg| arg.weight_set.first());
                let sum = own.map(|own| own.iter().fold(0u32, |sum, weight| sum.saturating_add(*weight)));
                (bucket.id, sum.unwrap_or(bucket.weight))
            })
            .collect();
        let mut changed = false;
        for bucket in crush.buckets() {
            let Some(arg) = set.get_mut(&slot(bucket.id)) else { continue };
            for (item, weight) in arg.weight_set.iter_mut().flat_map(|set| bucket.items.iter().zip(set)) {
                if let Some(sum) = sums.get(item).filter(|sum| **sum != *weight) {
                    (*weight, changed) = (*sum, true);
                }
            }
        }
        if !changed {
            break;
        }
    }
    out.choose_args.insert(DEFAULT_CHOOSE_ARGS, set);
    out
}

/// Where a bucket is: `-1 - id`.
fn slot(id: i32) -> u32 {
    u32::try_from(-1 - i64::from(id)).unwrap_or(u32::MAX)
}
