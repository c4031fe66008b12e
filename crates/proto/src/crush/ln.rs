//! `crush_ln` (`src/crush/mapper.c`): a base-2 logarithm in fixed point, with which straw2 turns a hash into a draw.

use super::ln_table::{LOG_HIGH, LOG_LOW, RECIPROCAL};

/// `2^44 * log2(x + 1)` for 16-bit `x`.
pub(super) fn ln(x: u32) -> u64 {
    let x = (x & 0xffff) + 1;
    // Shift the highest bit to bit 15 or 16; the shift is the exponent.
    let shift = if x & 0x18000 == 0 { x.leading_zeros() - 16 } else { 0 };
    let x = x << shift;
    let exponent = u64::from(15 - shift);
    let k = ((x >> 8) - 128) as usize;
    let reciprocal = RECIPROCAL.get(k).copied().unwrap_or_default();
    // x * reciprocal is 2^48 * (2^15 + a rest of 8 bits).
    let rest = (u64::from(x).wrapping_mul(reciprocal) >> 48) & 0xff;
    let log = LOG_HIGH.get(k).copied().unwrap_or_default()
        + LOG_LOW.get(rest as usize).copied().unwrap_or_default();
    (exponent << 44) + (log >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_exact_but_for_the_last() {
        assert_eq!(ln(0), 0);
        for bit in 0..16 {
            assert_eq!(ln((1 << bit) - 1), bit << 44);
        }
        // Upstream's last table entry is a little low; placement depends on that.
        assert_eq!(ln(0xffff), (16 << 44) - (1 << 28));
    }

    #[test]
    fn every_value_is_close_to_the_true_logarithm() {
        for x in 0..=0xffff {
            let exact = (f64::from(x) + 1.0).log2() * (1u64 << 44) as f64;
            assert!((ln(x) as f64 - exact).abs() < 2e9, "{x}");
        }
    }
}
