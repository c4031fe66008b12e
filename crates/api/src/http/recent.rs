//! Answers that show statistics: made once, then kept as bytes for up to a second, as long as the maps that they show are
//! the same. Daemons report every five seconds, so that a second hides nothing; a change of a map shows at once.
//!
//! Invariants: a reader of a kept answer takes no lock; one request makes an answer, and others that want the same get the
//! one before it, or wait when that shows older maps or is too old; at most [`VARIANTS_MAX`] answers are kept per
//! operation.

use super::epoch_cache::{Cached, Epochs};
use arc_swap::ArcSwap;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// An older answer is made anew.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How old it may be while that lasts.
const AGE_MAX_WHILE_MAKING: Duration = Duration::from_secs(2);
/// Answers to different parameters or permissions.
const VARIANTS_MAX: usize = 4;

#[derive(Debug)]
struct Kept {
    variant: String,
    epochs: Epochs,
    made: Instant,
    answer: Arc<Cached>,
}

/// Every operation has one ([`super::Call::recent`]).
#[derive(Debug, Default)]
pub struct Recent {
    kept: ArcSwap<Vec<Arc<Kept>>>,
    making: Mutex<()>,
}

impl Recent {
    /// The kept answer to `variant`, or what `make` gives.
    pub async fn answer<E, F>(&self, variant: &str, epochs: Epochs, make: F) -> Result<Arc<Cached>, E>
    where
        F: AsyncFnOnce() -> Result<Box<RawValue>, E>,
    {
        if let Some(answer) = self.find(variant, epochs, AGE_MAX) {
            return Ok(answer);
        }
        let _one_at_a_time = match self.making.try_lock() {
            Ok(guard) => guard,
            Err(_) => match self.find(variant, epochs, AGE_MAX_WHILE_MAKING) {
                Some(answer) => return Ok(answer),
                None => self.making.lock().await,
            },
        };
        if let Some(answer) = self.find(variant, epochs, AGE_MAX) {
            return Ok(answer);
        }
        let made = Instant::now();
        let answer = Arc::new(Cached::written(epochs, make().await?));
        let fresh = Arc::new(Kept { variant: variant.to_owned(), epochs, made, answer: answer.clone() });
        let others = self.kept.load();
        let others = others.iter().filter(|kept| kept.variant != variant).cloned();
        self.kept.store(Arc::new([fresh].into_iter().chain(others).take(VARIANTS_MAX).collect()));
        Ok(answer)
    }

    fn find(&self, variant: &str, epochs: Epochs, age_max: Duration) -> Option<Arc<Cached>> {
        let kept = self.kept.load();
        let fits = |kept: &&Arc<Kept>| {
            kept.variant == variant && kept.epochs == epochs && kept.made.elapsed() < age_max
        };
        kept.iter().find(fits).map(|kept| kept.answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::to_raw_value;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::oneshot;

    fn raw(value: u32) -> Box<RawValue> {
        to_raw_value(&value).unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_ask_at_the_same_time() {
        let recent = Recent::default();
        let made = AtomicU32::new(0);
        let ask = |variant: &'static str, epoch| {
            recent.answer(variant, [epoch, 0], async || {
                tokio::task::yield_now().await;
                Ok::<_, ()>(raw(made.fetch_add(1, Ordering::Relaxed)))
            })
        };
        let answers = tokio::join!(ask("a", 1), ask("a", 1), ask("a", 1));
        for answer in [answers.0, answers.1, answers.2] {
            assert_eq!(answer.unwrap().plain(), "0");
        }
        assert_eq!(ask("b", 1).await.unwrap().plain(), "1");
        assert_eq!(ask("a", 1).await.unwrap().plain(), "0");
        assert_eq!(ask("a", 2).await.unwrap().plain(), "2", "a map has changed");
    }

    #[tokio::test]
    async fn while_an_answer_is_made_anew_others_get_the_one_before() {
        let recent = Recent::default();
        recent.answer("", [1, 0], async || Ok::<_, ()>(raw(0))).await.unwrap();
        tokio::time::sleep(AGE_MAX).await;
        let (go, wait) = oneshot::channel();
        let maker = recent.answer("", [1, 0], async || {
            wait.await.unwrap();
            Ok::<_, ()>(raw(1))
        });
        let other = async {
            let stale = recent.answer("", [1, 0], async || Err("one is being made already")).await;
            go.send(()).unwrap();
            stale
        };
        let (made, stale) = tokio::join!(maker, other);
        assert_eq!(stale.unwrap().plain(), "0");
        assert_eq!(made.unwrap().plain(), "1");
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let recent = Recent::default();
        assert_eq!(recent.answer("", [1, 0], async || Err("no")).await.unwrap_err(), "no");
        assert_eq!(recent.answer("", [1, 0], async || Ok::<_, ()>(raw(7))).await.unwrap().plain(), "7");
    }
}
