//! How many of something are alive: commands that wait, sessions, connections. For proving that nothing leaks, and for whoever
//! shows how the process does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a client holds at a moment. Idle, it holds one connection: that to its monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands without an answer.
    pub commands: usize,
    /// Sessions with daemons that get commands, connected or not.
    pub daemon_sessions: usize,
    /// Connections, the monitors' included.
    pub connections: usize,
    /// Commands that were sent once more on a new connection, since the start.
    pub resent: u64,
}

/// A number of living things; each holds a [`Held`].
#[derive(Debug, Default)]
pub struct Gauge(AtomicUsize);

impl Gauge {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until the result is dropped.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }
}

/// Counts as one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Held(Arc<Gauge>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
