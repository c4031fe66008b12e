//! The sessions that a peer may come back to, by the peer's addresses (`AsyncMessenger::lookup_conn`). The state itself
//! stays with the session's task; here is only how to reach it.

use super::SessionId;
use crate::connection::Command;
use axon_msgr::{Existing, Session};
use axon_proto::EntityAddrVec;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::SessionEvent;

/// What a newer connection asks of a session's task.
pub(super) enum Ask {
    Inspect(oneshot::Sender<Existing>),
    /// The task ends; whoever asked goes on with the session.
    Take(oneshot::Sender<Taken>),
}

/// A session without its socket.
pub(super) struct Taken {
    pub id: SessionId,
    pub session: Session,
    pub commands: mpsc::Receiver<Command>,
    pub close: CancellationToken,
    pub pending: VecDeque<SessionEvent>,
}

#[derive(Clone)]
struct Entry {
    id: SessionId,
    asks: mpsc::Sender<Ask>,
    /// A newer connection is deciding about it.
    replacing: bool,
}

#[derive(Default)]
pub(super) struct Table {
    entries: Mutex<HashMap<EntityAddrVec, Entry>>,
}

/// What the table knows of a peer's earlier session.
pub(super) enum Found {
    Nothing,
    /// Another connection is replacing it now.
    Busy,
    /// Ours to decide until [`Table::release`] or [`Table::register`].
    Claimed(mpsc::Sender<Ask>),
}

impl Table {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<EntityAddrVec, Entry>) -> T) -> T {
        f(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Claims the session of these addresses.
    pub fn claim(&self, addrs: &EntityAddrVec) -> Found {
        self.with(|entries| match entries.get_mut(addrs) {
            None => Found::Nothing,
            Some(entry) if entry.replacing => Found::Busy,
            Some(entry) => {
                entry.replacing = true;
                Found::Claimed(entry.asks.clone())
            }
        })
    }

    /// The claimed session stays as it is.
    pub fn release(&self, addrs: &EntityAddrVec) {
        self.with(|entries| {
            if let Some(entry) = entries.get_mut(addrs) {
                entry.replacing = false;
            }
        });
    }

    /// From now on this task has the session of these addresses.
    pub fn register(&self, addrs: EntityAddrVec, id: SessionId) -> mpsc::Receiver<Ask> {
        let (asks, asks_rx) = mpsc::channel(1);
        self.with(|entries| entries.insert(addrs, Entry { id, asks, replacing: false }));
        asks_rx
    }

    /// The session has ended.
    pub fn remove(&self, addrs: &EntityAddrVec, id: SessionId) {
        self.with(|entries| {
            if entries.get(addrs).is_some_and(|e| e.id == id) {
                entries.remove(addrs);
            }
        });
    }
}
