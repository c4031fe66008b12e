//! Answers that depend only on map epochs, kept as bytes (plain and compressed) until an epoch changes.
//!
//! Invariant: one entry per cache; a reader takes no lock and never waits for a writer.

use super::gzip;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::{Arc, OnceLock};

/// The epochs that an answer depends on; unused places are 0.
pub type Epochs = [u64; 2];

/// Bytes of an answer, and their gzip form once somebody asked for it.
#[derive(Debug)]
pub struct Cached {
    epochs: Epochs,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Cached {
    pub(crate) fn new<T: Serialize>(epochs: Epochs, value: &T) -> Self {
        // Map keys are strings and numbers are finite in every answer; an empty body would show otherwise.
        let plain = Bytes::from(serde_json::to_vec(value).unwrap_or_default());
        Cached { epochs, plain, gzip: OnceLock::new() }
    }

    /// Of JSON text, which is not copied.
    pub(crate) fn written(epochs: Epochs, text: Box<RawValue>) -> Self {
        let plain = Bytes::from(String::from(Box::<str>::from(text)));
        Cached { epochs, plain, gzip: OnceLock::new() }
    }

    /// As it is.
    #[must_use]
    pub fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    /// The compressed form, if somebody has asked for it.
    #[must_use]
    pub fn gzip_kept(&self) -> Option<Bytes> {
        self.gzip.get().cloned()
    }

    /// Compressed: takes long when it is large and not kept.
    #[must_use]
    pub fn gzip(&self) -> Bytes {
        self.gzip.get_or_init(|| gzip::compress(&self.plain)).clone()
    }
}

/// The newest answer. Every operation has one ([`super::Call::per_epoch`]).
#[derive(Debug, Default)]
pub struct EpochCache(ArcSwapOption<Cached>);

impl EpochCache {
    /// The answer for these epochs: the kept one, or what `make` gives.
    pub fn answer<T: Serialize, E>(
        &self,
        epochs: Epochs,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<Cached>, E> {
        if let Some(kept) = self.0.load_full().filter(|kept| kept.epochs == epochs) {
            return Ok(kept);
        }
        let cached = Arc::new(Cached::new(epochs, &make()?));
        self.0.store(Some(cached.clone()));
        Ok(cached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_made_once_per_epoch() {
        let cache = EpochCache::default();
        let mut made = 0;
        let mut ask = |epochs| {
            let answer: Result<_, ()> = cache.answer(epochs, || {
                made += 1;
                Ok(vec![made])
            });
            answer.unwrap().plain()
        };
        assert_eq!(ask([1, 0]), "[1]");
        assert_eq!(ask([1, 0]), "[1]");
        assert_eq!(ask([2, 0]), "[2]");
        assert_eq!(ask([2, 1]), "[3]");
    }

    #[test]
    fn an_error_is_not_kept() {
        let cache = EpochCache::default();
        assert_eq!(cache.answer::<u8, _>([1, 0], || Err("no map yet")).unwrap_err(), "no map yet");
        assert_eq!(cache.answer::<u8, ()>([1, 0], || Ok(7)).unwrap().plain(), "7");
    }
}
