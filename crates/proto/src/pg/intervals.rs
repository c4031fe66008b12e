//! `interval_set<snapid_t>` (`src/include/interval_set.h`): disjoint half-open ranges. On the wire a map of start to
//! length; in JSON a list of `{start, length}` where both are printed as `snapid_t` (hexadecimal strings).

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Ranges by their start; the value is the length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(pub BTreeMap<u64, u64>);

impl Intervals {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Intervals) -> Intervals {
        let mut out = BTreeMap::new();
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((a_start, a_len)), Some((b_start, b_len))) = (a.peek(), b.peek()) {
            let (a_end, b_end) = (a_start.saturating_add(**a_len), b_start.saturating_add(**b_len));
            let (start, end) = (**a_start.max(b_start), a_end.min(b_end));
            if start < end {
                out.insert(start, end - start);
            }
            if a_end <= b_end {
                a.next()
            } else {
                b.next()
            };
        }
        Intervals(out)
    }

    /// Adds what `other` has; ranges that touch become one.
    pub fn union_of(&mut self, other: &Intervals) {
        for (start, len) in &other.0 {
            let (mut start, mut end) = (*start, start.saturating_add(*len));
            while let Some((s, l)) = self.0.range(..=end).next_back().map(|(s, l)| (*s, *l)) {
                let e = s.saturating_add(l);
                if e < start {
                    break;
                }
                self.0.remove(&s);
                (start, end) = (start.min(s), end.max(e));
            }
            self.0.insert(start, end - start);
        }
    }

    /// Takes away what `other` has.
    pub fn subtract(&mut self, other: &Intervals) {
        for (start, len) in &other.0 {
            let (start, end) = (*start, start.saturating_add(*len));
            while let Some((s, l)) = self.0.range(..end).next_back().map(|(s, l)| (*s, *l)) {
                let e = s.saturating_add(l);
                if e <= start {
                    break;
                }
                self.0.remove(&s);
                if s < start {
                    self.0.insert(s, start - s);
                }
                if end < e {
                    self.0.insert(end, e - end);
                }
            }
        }
    }
}

/// As upstream prints it: `[1~3,a~2]`, numbers as `snapid_t`.
impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(s, l)| format!("{}~{}", snapid(*s), snapid(*l))).collect();
        write!(f, "[{}]", parts.join(","))
    }
}

impl Encode for Intervals {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.0.encode(w, features);
    }
}
impl Decode for Intervals {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.value().map(Intervals)
    }
}

/// `snapid_t` as upstream prints it.
fn snapid(id: u64) -> String {
    match id {
        u64::MAX => "snapdir".to_owned(),
        0xffff_ffff_ffff_fffe => "head".to_owned(),
        id => format!("{id:x}"),
    }
}

impl Serialize for Intervals {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Interval {
            start: String,
            length: String,
        }
        let mut out = s.serialize_seq(Some(self.0.len()))?;
        for (start, length) in &self.0 {
            out.serialize_element(&Interval { start: snapid(*start), length: snapid(*length) })?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intersection_keeps_only_what_both_have() {
        let set = |ranges: &[(u64, u64)]| Intervals(ranges.iter().copied().collect());
        let a = set(&[(1, 4), (10, 5), (20, 1)]);
        let b = set(&[(3, 9), (14, 10)]);
        assert_eq!(a.intersection(&b), set(&[(3, 2), (10, 2), (14, 1), (20, 1)]));
        assert!(a.intersection(&set(&[])).is_empty());
    }

    #[test]
    fn a_union_joins_ranges_that_touch_and_a_difference_cuts_them() {
        let set = |ranges: &[(u64, u64)]| Intervals(ranges.iter().copied().collect());
        let mut a = set(&[(1, 2), (10, 2), (20, 1)]);
        a.union_of(&set(&[(3, 7), (21, 4), (30, 1)]));
        assert_eq!(a, set(&[(1, 11), (20, 5), (30, 1)]));
        a.subtract(&set(&[(2, 3), (11, 10), (24, 9)]));
        assert_eq!(a, set(&[(1, 1), (5, 6), (21, 3)]));
        assert_eq!(a.to_string(), "[1~1,5~6,15~3]");
    }
}
