//! `pow2_hist_t` (`src/common/histogram.h`, envelope version 1): counts in bins of powers of two. No trailing zeros.

use axon_denc::denc_struct;
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A histogram; bin `i` counts what is under 2^i and not in an earlier bin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pow2Hist {
    pub h: Vec<i32>,
}
denc_struct!(pow2_hist_t, 1, 1; Pow2Hist { h });

impl Pow2Hist {
    fn combine(&mut self, o: &Self, with: fn(i32, i32) -> i32) {
        if self.h.len() < o.h.len() {
            self.h.resize(o.h.len(), 0);
        }
        for (to, from) in self.h.iter_mut().zip(&o.h) {
            *to = with(*to, *from);
        }
        let len = self.h.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
        self.h.truncate(len);
    }

    pub fn add(&mut self, o: &Self) {
        self.combine(o, i32::wrapping_add);
    }

    pub fn sub(&mut self, o: &Self) {
        self.combine(o, i32::wrapping_sub);
    }
}

impl Serialize for Pow2Hist {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("pow2_hist_t", 2)?;
        out.serialize_field("histogram", &self.h)?;
        let upper_bound = u32::try_from(self.h.len()).ok().and_then(|len| 1i32.checked_shl(len)).unwrap_or(0);
        out.serialize_field("upper_bound", &upper_bound)?;
        out.end()
    }
}
