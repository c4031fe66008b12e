//! Options and stored values as their writer sees them: a write goes to the monitors and comes back as a push a moment
//! later; until then reads take the written value from here. Upstream gets the same from `set_config` and `set_store`,
//! which update their maps when the monitors have answered.
//!
//! Invariants: an entry is made only after the monitors accepted the write; it ends when the push shows its value, or
//! after a few seconds, so that another writer's later value wins.

use crate::dashboard::MODULE;
use axon_core::{Cluster, CommandError, State};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const KEPT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Option,
    Stored,
}

type Entries = HashMap<(What, String), (Option<String>, Instant)>;

/// Writes that the push has not shown yet.
#[derive(Default)]
pub struct OwnWrites {
    entries: Mutex<Entries>,
    /// So that reads need no lock while there are none.
    count: AtomicUsize,
}

impl OwnWrites {
    /// An option's text.
    pub fn option(&self, state: &State, name: &str) -> Option<String> {
        let pushed = state.module_option(MODULE, name);
        // This manager's own value hides the module's, written or not.
        let own = state.options.contains_key(&format!("mgr/{MODULE}/{}/{name}", state.me.id));
        if own { pushed.map(str::to_owned) } else { self.read(What::Option, name, pushed) }
    }

    /// A stored value's text.
    pub fn stored(&self, state: &State, key: &str) -> Option<String> {
        self.read(What::Stored, key, state.module_store(MODULE, key))
    }

    /// `config set mgr mgr/dashboard/<name>`, or `config rm`.
    pub async fn set_option(
        &self,
        cluster: &Cluster,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), CommandError> {
        cluster.set_module_option(MODULE, name, value).await?;
        self.wrote(What::Option, name, value);
        Ok(())
    }

    /// `config-key set mgr/dashboard/<key>`, or `config-key rm`.
    pub async fn store(&self, cluster: &Cluster, key: &str, value: Option<&str>) -> Result<(), CommandError> {
        cluster.store(MODULE, key, value).await?;
        self.wrote(What::Stored, key, value);
        Ok(())
    }

    fn wrote(&self, what: What, name: &str, value: Option<&str>) {
        self.with(|entries| {
            entries.insert((what, name.to_owned()), (value.map(str::to_owned), Instant::now()));
        });
    }

    fn read(&self, what: What, name: &str, pushed: Option<&str>) -> Option<String> {
        if self.count.load(Ordering::Acquire) == 0 {
            return pushed.map(str::to_owned);
        }
        self.with(|entries| {
            let key = (what, name.to_owned());
            match entries.get(&key) {
                Some((written, at)) if written.as_deref() != pushed && at.elapsed() < KEPT => written.clone(),
                Some(_) => {
                    entries.remove(&key);
                    pushed.map(str::to_owned)
                }
                None => pushed.map(str::to_owned),
            }
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Entries) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut entries);
        self.count.store(entries.len(), Ordering::Release);
        result
    }
}
