//! `crush_do_rule` (`src/crush/mapper.c`): the devices that a rule chooses for an input. Split by how a bucket chooses
//! (`choose`), by the two modes of ordinary rules (`firstn`, `indep`) and by MSR rules (`msr`).
//!
//! Invariants: the result is that of upstream for every map, input and weight; a rule or map that makes no sense gives
//! fewer devices, never a panic, and no recursion deeper than the map is high.

mod choose;
mod firstn;
mod indep;
mod msr;

use super::{Bucket, ChooseArg, ChooseArgMap, CrushMap, Rule, hash32_2, op};
use choose::Permutation;
use std::collections::HashMap;

/// "No device at this place" (`CRUSH_ITEM_NONE`).
pub const ITEM_NONE: i32 = 0x7fff_ffff;
/// "Not chosen yet" (`CRUSH_ITEM_UNDEF`).
const ITEM_UNDEF: i32 = 0x7fff_fffe;
/// A map whose buckets contain each other must not hang us; no hierarchy is that high.
const DESCENT_MAX: usize = 1000;

/// One run of a rule: what does not change, and the permutations that buckets remember during it.
struct Mapper<'a> {
    map: &'a CrushMap,
    /// 16.16 fixed point by device.
    weights: &'a [u32],
    x: u32,
    args: Option<&'a ChooseArgMap>,
    permutations: HashMap<i32, Permutation>,
}

impl CrushMap {
    /// The devices that rule `rule` chooses for input `x`: up to `size_max`, [`ITEM_NONE`] where a positional rule found
    /// none. `weights` are the reweights by device, `args` the weight sets of the pool.
    #[must_use]
    pub fn map_rule(
        &self,
        rule: i32,
        x: u32,
        size_max: usize,
        weights: &[u32],
        args: Option<&ChooseArgMap>,
    ) -> Vec<i32> {
        let Some(rule) = self.rule(rule) else { return Vec::new() };
        let mut mapper = Mapper { map: self, weights, x, args, permutations: HashMap::new() };
        if rule.is_msr() { mapper.run_msr(rule, size_max) } else { mapper.run(rule, size_max) }
    }
}

/// Settings that steps may change within a rule.
struct Tries {
    choose: u32,
    /// 0 when no step says so.
    leaf: u32,
    local: u32,
    local_fallback: u32,
    vary_r: u32,
    stable: bool,
}

impl Mapper<'_> {
    fn bucket(&self, id: i32) -> Option<&Bucket> {
        self.map.bucket(id)
    }

    /// Whether an id is that of a bucket, or lies among the devices.
    fn exists(&self, item: i32) -> bool {
        (0..self.map.max_devices).contains(&item) || self.bucket(item).is_some()
    }

    fn arg(&self, bucket: i32) -> Option<&ChooseArg> {
        self.args?.get(&u32::try_from(-1 - i64::from(bucket)).ok()?)
    }

    /// Whether a device is rejected for its reweight (`is_out`).
    fn is_out(&self, item: i32) -> bool {
        match usize::try_from(item).ok().and_then(|i| self.weights.get(i)) {
            Some(weight) if *weight >= 0x10000 => false,
            None | Some(0) => true,
            Some(weight) => hash32_2(self.x, item as u32) & 0xffff >= *weight,
        }
    }

    fn run(&mut self, rule: &Rule, size_max: usize) -> Vec<i32> {
        let t = &self.map.tunables;
        let mut tries = Tries {
            // The tunable counts repetitions, not tries.
            choose: t.choose_total_tries.saturating_add(1),
            leaf: 0,
            local: t.choose_local_tries,
            local_fallback: t.choose_local_fallback_tries,
            vary_r: u32::from(t.chooseleaf_vary_r),
            stable: t.chooseleaf_stable != 0,
        };
        let mut result = Vec::new();
        let mut taken: Vec<i32> = Vec::new();
        for step in &rule.steps {
            let arg1 = u32::try_from(step.arg1).ok();
            let positive = arg1.filter(|n| *n > 0);
            match step.op {
                op::TAKE if self.exists(step.arg1) => taken = vec![step.arg1],
                op::SET_CHOOSE_TRIES => tries.choose = positive.unwrap_or(tries.choose),
                op::SET_CHOOSELEAF_TRIES => tries.leaf = positive.unwrap_or(tries.leaf),
                op::SET_CHOOSE_LOCAL_TRIES => tries.local = arg1.unwrap_or(tries.local),
                op::SET_CHOOSE_LOCAL_FALLBACK_TRIES => {
                    tries.local_fallback = arg1.unwrap_or(tries.local_fallback);
                }
                op::SET_CHOOSELEAF_VARY_R => tries.vary_r = arg1.unwrap_or(tries.vary_r),
                op::SET_CHOOSELEAF_STABLE => tries.stable = arg1.map_or(tries.stable, |n| n != 0),
                op::CHOOSE_FIRSTN | op::CHOOSELEAF_FIRSTN | op::CHOOSE_INDEP | op::CHOOSELEAF_INDEP => {
                    taken = self.choose_step(step, &taken, size_max, &tries);
                }
                op::EMIT => {
                    let room = size_max.saturating_sub(result.len());
                    result.extend(taken.drain(..).take(room));
                }
                _ => {}
            }
        }
        result
    }

    /// Chooses below each item that the step before took.
    fn choose_step(&mut self, step: &super::Step, taken: &[i32], size_max: usize, tries: &Tries) -> Vec<i32> {
        let leaf = matches!(step.op, op::CHOOSELEAF_FIRSTN | op::CHOOSELEAF_INDEP);
        let firstn = matches!(step.op, op::CHOOSE_FIRSTN | op::CHOOSELEAF_FIRSTN);
        let mut out = Vec::new();
        for from in taken {
            let wanted = match usize::try_from(step.arg1) {
                Ok(n) if n > 0 => n,
                _ => size_max.saturating_sub(step.arg1.unsigned_abs() as usize),
            };
            // What was taken may be no bucket, such as the "none" of a step before.
            if wanted == 0 || *from >= 0 || self.bucket(*from).is_none() {
                continue;
            }
            let room = size_max - out.len();
            out.extend(if firstn {
                self.choose_firstn_step(*from, wanted, room, step.arg2, leaf, tries)
            } else {
                self.choose_indep_step(*from, wanted, room.min(wanted), step.arg2, leaf, tries)
            });
        }
        out
    }
}
