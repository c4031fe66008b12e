//! `crush_bucket_choose`: one item of a bucket, by the bucket's algorithm.

use super::Mapper;
use crate::crush::ln::ln;
use crate::crush::{Bucket, ChooseArg, Weights, hash32_3, hash32_4};

/// A bucket's items in a random order that depends on the input, worked out as far as it was needed.
#[derive(Default)]
pub(super) struct Permutation {
    known: usize,
    order: Vec<usize>,
}

impl Permutation {
    /// The index at place `place`, which lies within `len`.
    fn at(&mut self, place: usize, len: usize, x: u32, bucket: i32) -> usize {
        if self.order.is_empty() {
            self.order = (0..len).collect();
        }
        while self.known <= place {
            let p = self.known;
            if p + 1 < len {
                let jump = hash32_3(x, bucket as u32, p as u32) as usize % (len - p);
                self.order.swap(p, p + jump);
            }
            self.known += 1;
        }
        self.order.get(place).copied().unwrap_or_default()
    }
}

impl Mapper<'_> {
    /// The item of a bucket that is not empty, for try `r`; `position` selects the weight set.
    pub(super) fn choose(&mut self, bucket: i32, r: u32, position: usize) -> Option<i32> {
        let b = self.bucket(bucket)?;
        let x = self.x;
        match &b.weights {
            Weights::Uniform { .. } => self.choose_permuted(bucket, r),
            Weights::List { item_weights, sum_weights } => list(b, item_weights, sum_weights, x, r),
            Weights::Tree { node_weights } => tree(b, node_weights, x, r),
            Weights::Straw { straws, .. } => straw(b, straws, x, r),
            Weights::Straw2 { item_weights } => straw2(b, item_weights, self.arg(bucket), x, r, position),
        }
    }

    /// `bucket_perm_choose`.
    pub(super) fn choose_permuted(&mut self, bucket: i32, r: u32) -> Option<i32> {
        let map = self.map;
        let b = map.bucket(bucket)?;
        let len = b.items.len();
        let place = (r as usize).checked_rem(len)?;
        let index = self.permutations.entry(bucket).or_default().at(place, len, self.x, bucket);
        b.items.get(index).copied()
    }
}

fn list(b: &Bucket, item_weights: &[u32], sum_weights: &[u32], x: u32, r: u32) -> Option<i32> {
    let newest_first = b.items.iter().zip(item_weights).zip(sum_weights).rev();
    for ((item, weight), sum) in newest_first {
        let draw = u64::from(hash32_4(x, *item as u32, r, b.id as u32) & 0xffff);
        if (draw * u64::from(*sum)) >> 16 < u64::from(*weight) {
            return Some(*item);
        }
    }
    b.items.first().copied()
}

/// Nodes of the implicit binary tree: odd ones are leaves, the height is the number of trailing zeros.
fn tree(b: &Bucket, node_weights: &[u32], x: u32, r: u32) -> Option<i32> {
    let mut n = node_weights.len() >> 1;
    while n & 1 == 0 {
        if n == 0 {
            return None;
        }
        let weight = u64::from(*node_weights.get(n)?);
        let draw = (u64::from(hash32_4(x, n as u32, r, b.id as u32)) * weight) >> 32;
        let half = 1 << (n.trailing_zeros() - 1);
        let left = n - half;
        n = if draw < u64::from(*node_weights.get(left)?) { left } else { n + half };
    }
    b.items.get(n >> 1).copied()
}

fn straw(b: &Bucket, straws: &[u32], x: u32, r: u32) -> Option<i32> {
    let draws =
        b.items.iter().zip(straws).map(|(item, straw)| {
            (u64::from(hash32_3(x, *item as u32, r) & 0xffff) * u64::from(*straw), *item)
        });
    first_highest(draws)
}

fn straw2(
    b: &Bucket,
    item_weights: &[u32],
    arg: Option<&ChooseArg>,
    x: u32,
    r: u32,
    position: usize,
) -> Option<i32> {
    let weights = arg
        .and_then(|a| a.weight_set.get(position).or(a.weight_set.last()))
        .map_or(item_weights, Vec::as_slice);
    let ids = arg.map(|a| a.ids.as_slice()).filter(|ids| !ids.is_empty()).unwrap_or(&b.items);
    let draws = b.items.iter().zip(ids).zip(weights).map(|((item, id), weight)| {
        let draw = match i64::from(*weight as i32) {
            0 => i64::MIN,
            weight => {
                let hash = hash32_3(x, *id as u32, r) & 0xffff;
                // Below zero, so that dividing by a larger weight gives a larger draw.
                (ln(hash) as i64 - 0x1_0000_0000_0000) / weight
            }
        };
        (draw, *item)
    });
    first_highest(draws)
}

/// The first of those with the highest draw.
fn first_highest<D: Ord>(draws: impl Iterator<Item = (D, i32)>) -> Option<i32> {
    draws.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, item)| item)
}
