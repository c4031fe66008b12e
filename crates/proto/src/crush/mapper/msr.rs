//! MSR rules (`crush_msr_do_rule`, since 19.2): several devices per bucket of several types, where a device that is out
//! makes the whole descent start again, so that another bucket may take its place.
//!
//! A rule is a run of settings, then blocks of one TAKE, CHOOSE_MSR steps and an EMIT. Each step divides its range of
//! places into strides; a bucket that one stride uses is not used by another.

use super::{DESCENT_MAX, ITEM_NONE, ITEM_UNDEF, Mapper};
use crate::crush::{Rule, Step, op, rule_type};
use std::ops::Range;

/// What was chosen so far, and where the next device of an ordered result goes.
struct Output {
    firstn: bool,
    devices: Vec<i32>,
    returned: usize,
}

impl Output {
    fn emit(&mut self, place: usize, device: i32) {
        let place = if self.firstn { self.returned } else { place };
        if let Some(at) = self.devices.get_mut(place) {
            *at = device;
            self.returned += 1;
        }
    }
}

/// The choose steps of one block and, for each of them, the buckets in use by place.
struct Block<'a> {
    steps: &'a [Step],
    used: Vec<Vec<i32>>,
    size_max: usize,
    descents_so_far: u32,
    collision_tries: u32,
}

impl Block<'_> {
    /// A bucket may be used when its stride uses it already, or no stride does.
    fn may_use(&self, step: usize, all: &Range<usize>, stride: &Range<usize>, candidate: i32) -> bool {
        let used = self.used.get(step).map_or(&[][..], Vec::as_slice);
        let first = all.clone().find(|i| used.get(*i) == Some(&candidate));
        first.is_none_or(|i| stride.contains(&i))
    }

    /// Notes a bucket for a stride; false when it was noted already.
    fn push(&mut self, step: usize, stride: &Range<usize>, candidate: i32) -> bool {
        let Some(used) = self.used.get_mut(step).and_then(|u| u.get_mut(stride.clone())) else {
            return false;
        };
        for place in used {
            if *place == candidate {
                return false;
            }
            if *place == ITEM_UNDEF {
                *place = candidate;
                return true;
            }
        }
        false
    }

    /// Forgets the bucket that was noted last for a stride.
    fn pop(&mut self, step: usize, stride: &Range<usize>) {
        let used = self.used.get_mut(step).and_then(|u| u.get_mut(stride.clone()));
        if let Some(place) = used.and_then(|u| u.iter_mut().rev().find(|p| **p != ITEM_UNDEF)) {
            *place = ITEM_UNDEF;
        }
    }

    /// Whether every place of a stride has its device.
    fn is_complete(&self, stride: &Range<usize>) -> bool {
        let leaves = self.used.last().and_then(|u| u.get(stride.clone()));
        leaves.is_some_and(|l| !l.contains(&ITEM_UNDEF))
    }
}

/// How many strides a step makes.
fn strides(step: &Step, size_max: usize) -> usize {
    match step.arg1 {
        0 => size_max,
        n => n as u32 as usize,
    }
}

impl Mapper<'_> {
    pub(super) fn run_msr(&mut self, rule: &Rule, size_max: usize) -> Vec<i32> {
        let (mut descents, mut collision_tries) =
            (self.map.tunables.msr_descents, self.map.tunables.msr_collision_tries);
        let mut steps = rule.steps.as_slice();
        while let Some((step, rest)) = steps.split_first() {
            match step.op {
                op::SET_MSR_DESCENTS => descents = step.arg1 as u32,
                op::SET_MSR_COLLISION_TRIES => collision_tries = step.arg1 as u32,
                _ => break,
            }
            steps = rest;
        }
        let firstn = rule.rule_type == rule_type::MSR_FIRSTN;
        let mut out = Output { firstn, devices: vec![ITEM_NONE; size_max], returned: 0 };
        let mut start = 0;
        while !steps.is_empty() {
            let Some((take, block, rest)) = split_block(steps) else { return Vec::new() };
            steps = rest;
            if take >= 0 {
                if !block.is_empty() {
                    return Vec::new();
                }
                // Upstream stays at this step for ever here; its compiler lets no such rule through.
                out.emit(start, take);
                start += 1;
                continue;
            }
            let wanted = block.iter().try_fold(1usize, |n, s| n.checked_mul(strides(s, size_max)));
            let Some(wanted) = wanted else { return Vec::new() };
            let end = start.saturating_add(wanted).min(size_max);
            let mut block = Block {
                steps: block,
                used: vec![vec![ITEM_UNDEF; size_max]; block.len()],
                size_max,
                descents_so_far: 0,
                collision_tries,
            };
            let returned_max = out.returned + end.saturating_sub(start);
            while block.descents_so_far < descents && out.returned < returned_max {
                self.msr_choose(&mut block, &mut out, take, wanted, start..end, 0);
                block.descents_so_far += 1;
            }
            start = end;
        }
        if firstn {
            out.devices.truncate(out.returned);
        }
        out.devices
    }

    /// Fills the places of `all` below `bucket`; how many devices were found.
    fn msr_choose(
        &mut self,
        block: &mut Block<'_>,
        out: &mut Output,
        bucket: i32,
        wanted: usize,
        all: Range<usize>,
        step: usize,
    ) -> usize {
        let Some(rule_step) = block.steps.get(step).copied() else { return 0 };
        let stride_len = wanted.checked_div(strides(&rule_step, block.size_max)).unwrap_or(0);
        if stride_len == 0 {
            return 0;
        }
        let mut found = 0;
        let mut unused = Vec::new();
        for (index, at) in all.clone().step_by(stride_len).enumerate() {
            let stride = at..at.saturating_add(stride_len).min(all.end);
            if block.is_complete(&stride) {
                continue;
            }
            let Some(candidate) = self.msr_candidate(block, bucket, &rule_step, (step, &all, &stride), index)
            else {
                continue;
            };
            let last = step + 1 == block.steps.len();
            if rule_step.arg2 == 0 {
                if stride_len == 1 && last && !self.is_out(candidate) {
                    block.push(step, &stride, candidate);
                    out.emit(at, candidate);
                    found += 1;
                }
            } else if !last {
                let below = self.msr_choose(block, out, candidate, stride_len, stride.clone(), step + 1);
                let pushed = block.push(step, &stride, candidate);
                if pushed && below == 0 {
                    // It stays in the way of the other strides until this descent is over.
                    unused.push(stride);
                } else {
                    found += below;
                }
            }
        }
        for stride in unused {
            block.pop(step, &stride);
        }
        found
    }

    /// An item of the step's type that this stride may use.
    fn msr_candidate(
        &mut self,
        block: &Block<'_>,
        bucket: i32,
        rule_step: &Step,
        (step, all, stride): (usize, &Range<usize>, &Range<usize>),
        index: usize,
    ) -> Option<i32> {
        for collisions in 0..block.collision_tries {
            let total = block.descents_so_far.wrapping_mul(block.size_max as u32).wrapping_add(index as u32);
            let r = (total << 16).wrapping_add(collisions);
            let candidate = self.msr_descend(bucket, rule_step.arg2, r, index)?;
            if block.may_use(step, all, stride, candidate) {
                return Some(candidate);
            }
        }
        None
    }

    fn msr_descend(&mut self, bucket: i32, type_id: i32, r: u32, index: usize) -> Option<i32> {
        let mut from = bucket;
        for _ in 0..DESCENT_MAX {
            let item = self.choose(from, r, index)?;
            if item >= 0 || self.map.item_type(item) == type_id {
                return Some(item);
            }
            from = item;
        }
        None
    }
}

/// The next block: what it takes, its choose steps, and what follows its EMIT.
fn split_block(steps: &[Step]) -> Option<(i32, &[Step], &[Step])> {
    let (take, rest) = steps.split_first().filter(|(s, _)| s.op == op::TAKE)?;
    let emit = rest.iter().position(|s| s.op != op::CHOOSE_MSR)?;
    let (block, rest) = rest.split_at_checked(emit)?;
    let (emit, rest) = rest.split_first()?;
    (emit.op == op::EMIT).then_some((take.arg1, block, rest))
}
