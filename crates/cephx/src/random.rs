//! The random source that callers hand in (`CryptoRandom` in `src/auth/Crypto.h`). Tests give a counter, `axon-net` the
//! operating system's source.

/// Fills bytes with randomness. Must be a cryptographic source outside tests.
pub trait Random {
    /// Overwrites all of `out`.
    fn fill(&mut self, out: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Random for F {
    fn fill(&mut self, out: &mut [u8]) {
        self(out);
    }
}

/// A random array.
pub(crate) fn array<const N: usize>(rng: &mut dyn Random) -> [u8; N] {
    let mut out = [0; N];
    rng.fill(&mut out);
    out
}

/// A random number.
pub(crate) fn number(rng: &mut dyn Random) -> u64 {
    u64::from_le_bytes(array(rng))
}
