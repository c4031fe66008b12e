//! `crush_choose_arg_map` (`src/crush/crush.h`): weights and ids that a pool uses instead of a bucket's own.

use super::bucket::{check, numbers};
use super::{Alg, CrushMap};
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
}
