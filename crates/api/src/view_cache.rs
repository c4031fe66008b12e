//! Answers that are dear to fetch, kept for a moment and fetched once for all who ask meanwhile (`ViewCache` of
//! `dashboard/tools.py`; the same numbers in all releases).
//!
//! Invariants: one fetch per key at a time, which goes on when its first asker leaves; who waits longer than
//! [`PATIENCE`] gets the value before, marked as stale; no more than [`KEYS_MAX`] keys are kept.

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a value is as good as new.
const FRESH: Duration = Duration::from_secs(1);
/// How long an asker waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(5);
/// Keys beyond which those that nobody fetches are forgotten.
const KEYS_MAX: usize = 256;

/// A value and whether it is older than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<V> {
    pub value: V,
    pub stale: bool,
}

impl<V> View<V> {
    /// Upstream's `VALUE_OK` and `VALUE_STALE`.
    #[must_use]
    pub fn status(&self) -> u8 {
        u8::from(self.stale)
    }
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewError<E> {
    /// The fetch failed.
    Failed(E),
    /// It takes long, and there is no value from before.
    NoDataYet,
}

type Fetch<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

struct Slot<V, E> {
    kept: Option<(Instant, V)>,
    running: Option<Fetch<V, E>>,
}

type Slots<K, V, E> = Arc<Mutex<HashMap<K, Slot<V, E>>>>;

/// The cache; values and errors are cheap to clone.
pub struct ViewCache<K, V, E> {
    slots: Slots<K, V, E>,
}

impl<K, V, E> Default for ViewCache<K, V, E> {
    fn default() -> Self {
        ViewCache { slots: Arc::default() }
    }
}

impl<K, V, E> ViewCache<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// The value of `key`, by `fetch` when the kept one is too old.
    pub async fn view<F>(&self, key: K, fetch: impl FnOnce() -> F) -> Result<View<V>, ViewError<E>>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let running = {
            let mut slots = locked(&self.slots);
            if slots.len() >= KEYS_MAX {
                slots.retain(|_, slot| slot.running.is_some());
            }
            let slot = slots.entry(key.clone()).or_insert(Slot { kept: None, running: None });
            match &slot.kept {
                Some((at, value)) if at.elapsed() < FRESH => {
                    return Ok(View { value: value.clone(), stale: false });
                }
                _ => slot.running.get_or_insert_with(|| self.started(&key, fetch())).clone(),
            }
        };
        match timeout(PATIENCE, running).await {
            Ok(Ok(value)) => Ok(View { value, stale: false }),
            Ok(Err(error)) => Err(ViewError::Failed(error)),
            Err(_) => {
                let kept = locked(&self.slots).get(&key).and_then(|slot| slot.kept.clone());
                kept.map(|(_, value)| View { value, stale: true }).ok_or(ViewError::NoDataYet)
            }
        }
    }

    /// Starts a fetch that ends in the slot, whoever still waits for it.
    fn started<F>(&self, key: &K, fetch: F) -> Fetch<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (slots, key) = (self.slots.clone(), key.clone());
        let kept = async move {
            let result = fetch.await;
            if let Some(slot) = locked(&slots).get_mut(&key) {
                slot.running = None;
                slot.kept = result.as_ref().ok().map(|value| (Instant::now(), value.clone()));
            }
            result
        };
        let shared = kept.boxed().shared();
        tokio::spawn(shared.clone());
        shared
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::sleep;

    type Cache = ViewCache<i32, u32, &'static str>;

    async fn counted(
        cache: &Cache,
        runs: &Arc<AtomicU32>,
        secs: u64,
    ) -> Result<View<u32>, ViewError<&'static str>> {
        let runs = runs.clone();
        let fetch = || async move {
            sleep(Duration::from_secs(secs)).await;
            Ok(runs.fetch_add(1, Ordering::Relaxed) + 1)
        };
        cache.view(7, fetch).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_fetched_once_for_all_who_ask_and_again_when_it_is_old() {
        let (cache, runs) = (Cache::default(), Arc::default());
        let (a, b) = tokio::join!(counted(&cache, &runs, 1), counted(&cache, &runs, 1));
        assert_eq!((a, b), (Ok(View { value: 1, stale: false }), Ok(View { value: 1, stale: false })));
        assert_eq!(counted(&cache, &runs, 1).await.unwrap().value, 1);
        sleep(FRESH).await;
        assert_eq!(counted(&cache, &runs, 1).await.unwrap().value, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_fetch_leaves_the_value_before_and_goes_on() {
        let (cache, runs) = (Cache::default(), Arc::default());
        assert_eq!(counted(&cache, &runs, 6).await, Err(ViewError::NoDataYet));
        sleep(Duration::from_secs(3)).await;
        let late = counted(&cache, &runs, 6).await.unwrap();
        assert_eq!((late.value, late.status()), (1, 1), "the first fetch ended meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_and_forgets_the_value() {
        let (cache, runs) = (Cache::default(), Arc::default());
        counted(&cache, &runs, 0).await.unwrap();
        sleep(FRESH).await;
        assert_eq!(cache.view(7, || async { Err("no") }).await, Err(ViewError::Failed("no")));
        assert_eq!(counted(&cache, &runs, 6).await, Err(ViewError::NoDataYet));
    }
}
