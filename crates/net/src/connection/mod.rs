//! The tokio driver of msgr connections: one task per connection owns socket and state machine.
//!
//! Invariants: every queue is bounded; the task never waits for its owner while it has something to write, so an owner
//! that waits to send cannot block itself; every wait for the peer has a deadline.
//!
//! `dial.rs` connects (and, on lossless sessions, connects again), `drive.rs` is the loop, `handle.rs` is what the owner
//! holds. Accepting is in `listener`.

mod dial;
mod drive;
mod handle;

pub use dial::{AuthSource, Detour, Dial, connect, connect_lossless};
pub use handle::{Connected, ConnectionEvent, ConnectionHandle, Outgoing, Step};

pub(crate) use drive::{Driver, Ended, Link};
pub(crate) use handle::Command;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages that wait to be taken by the task.
    pub commands_max: usize,
    /// Events that wait to be taken by the owner; reading stops when the queue is full.
    pub events_max: usize,
    /// Unwritten bytes beyond which no further message is taken.
    pub transmit_bytes_max: usize,
    /// Bytes asked for in one read.
    pub read_bytes_max: usize,
    /// The peer takes nothing for so long: the connection is lost.
    pub stalled_max: Duration,
    /// Nothing was read or written for so long (`ms_connection_idle_timeout`).
    pub idle_max: Duration,
    /// How long what waits may still be written after a close.
    pub drain_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            commands_max: 64,
            events_max: 256,
            transmit_bytes_max: 4 << 20,
            read_bytes_max: 256 << 10,
            stalled_max: Duration::from_secs(60),
            idle_max: Duration::from_secs(900),
            drain_max: Duration::from_secs(2),
        }
    }
}

/// The process-wide count of connection attempts (`AsyncMessenger::get_global_seq`): a peer tells by it which of two
/// connections is newer.
#[derive(Debug, Default)]
pub struct GlobalSeq(AtomicU64);

impl GlobalSeq {
    /// The next number.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A peer knows of a higher one.
    pub fn raise(&self, seen: u64) {
        self.0.fetch_max(seen, Ordering::Relaxed);
    }
}

/// A random number that is not zero, for naming a session.
pub(crate) fn cookie() -> crate::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| crate::Error::Random)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

/// A random nonce for an address of ours.
pub fn nonce() -> crate::Result<u32> {
    Ok((cookie()? >> 32) as u32)
}
