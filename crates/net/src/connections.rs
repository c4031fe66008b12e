//! The connections of one messenger, for whoever wants to see them (`messenger dump`: `AsyncMessenger::conns`, `anon_conns`,
//! `accepting_conns`).
//!
//! Invariants: an entry lives as long as its [`Registered`], which goes with the connection's socket and state machine; a connection's
//! task writes to its own entry only, and never waits for a reader longer than a few fields take to copy.

use crate::counts::{Gauge, Held};
use axon_core::tell;
use axon_msgr::auth::con_mode;
use axon_msgr::{Existing, Peer};
use axon_proto::{EntityAddr, EntityAddrVec, EntityName, EntityType};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How much waits in a connection's own queue of events.
type Queued = Box<dyn Fn() -> usize + Send>;

/// The connections.
#[derive(Default)]
pub struct Connections {
    established: Arc<Gauge>,
    last_id: AtomicU64,
    entries: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

struct Entry {
    accepted: bool,
    begun: Instant,
    /// Milliseconds from `begun` until bytes last moved.
    active_ms: AtomicU64,
    facts: Mutex<Facts>,
}

struct Facts {
    phase: &'static str,
    fd: Option<RawFd>,
    peer: EntityName,
    target: EntityAddr,
    socket_addr: EntityAddr,
    addrs: EntityAddrVec,
    known: Option<Peer>,
    session: Existing,
    queued: Option<Queued>,
}

impl Connections {
    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.established.count()
    }

    /// Counts as one that is open, until the result is dropped.
    pub(crate) fn hold(&self) -> Held {
        self.established.hold()
    }

    /// One that begins: we call `target`, or it calls us at `socket_addr`.
    pub(crate) fn register(
        self: &Arc<Self>,
        kind: EntityType,
        target: EntityAddr,
        socket_addr: Option<EntityAddr>,
    ) -> Registered {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let facts = Facts {
            phase: "",
            fd: None,
            peer: EntityName::new(kind, -1),
            target,
            socket_addr: socket_addr.unwrap_or_default(),
            addrs: EntityAddrVec(vec![target]),
            known: None,
            session: Existing::default(),
            queued: None,
        };
        let entry = Arc::new(Entry {
            accepted: socket_addr.is_some(),
            begun: Instant::now(),
            active_ms: AtomicU64::new(0),
            facts: Mutex::new(facts),
        });
        self.lock().insert(id, entry.clone());
        Registered { of: self.clone(), id, entry }
    }

    /// All of them as they are now, and how much waits in their queues.
    pub(crate) fn dump(&self) -> (Vec<tell::Connection>, usize) {
        let entries: Vec<(u64, Arc<Entry>)> = self.lock().iter().map(|(id, e)| (*id, e.clone())).collect();
        let queued =
            entries.iter().map(|(_, entry)| entry.lock().queued.as_ref().map_or(0, |queued| queued()));
        let queued = queued.sum();
        (entries.into_iter().map(|(id, entry)| entry.dump(id)).collect(), queued)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("count", &self.lock().len()).finish()
    }
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dump(&self, conn_id: u64) -> tell::Connection {
        let facts = self.lock();
        let known = facts.known.as_ref();
        let identity = known.and_then(|peer| peer.identity.as_ref());
        let mode = known.map(|peer| peer.con_mode);
        let started_ago = self.begun.elapsed();
        let active = Duration::from_millis(self.active_ms.load(Ordering::Relaxed));
        tell::Connection {
            conn_id,
            accepted: self.accepted,
            lossy: known.is_some_and(|peer| peer.lossy),
            phase: facts.phase,
            socket_fd: facts.fd,
            entity: identity.map(|identity| identity.name.clone()),
            peer: facts.peer,
            global_id: identity.map_or(0, |identity| identity.global_id),
            addrs: facts.addrs.clone(),
            socket_addr: facts.socket_addr,
            target_addr: facts.target,
            con_mode: mode.map_or("unknown", con_mode::name),
            secure: mode == Some(con_mode::SECURE),
            compression: known.and_then(|peer| peer.compression).map(axon_msgr::Algorithm::name),
            rev1: known.is_some_and(|peer| peer.rev1),
            connect_seq: facts.session.connect_seq,
            peer_global_seq: facts.session.peer_global_seq,
            started_ago,
            active_ago: started_ago.saturating_sub(active),
        }
    }
}

/// A connection's place among the others, until it is dropped.
pub(crate) struct Registered {
    of: Arc<Connections>,
    id: u64,
    entry: Arc<Entry>,
}

impl Registered {
    /// It has that socket.
    pub fn socket(&self, socket: &impl AsRawFd) {
        self.entry.lock().fd = Some(socket.as_raw_fd());
        self.moved();
    }

    /// Its socket is gone; the session waits.
    pub fn stands_by(&self) {
        let mut facts = self.entry.lock();
        (facts.fd, facts.phase) = (None, "standby");
    }

    /// What it does now, see [`tell::Connection::phase`].
    pub fn phase(&self, phase: &'static str) {
        self.entry.lock().phase = phase;
    }

    /// Messages flow.
    pub fn open(&self, peer: &Peer, session: Existing) {
        let mut facts = self.entry.lock();
        (facts.phase, facts.session) = ("ready", session);
        if !peer.addrs.0.is_empty() {
            facts.addrs = peer.addrs.clone();
        }
        facts.peer = peer.name;
        facts.known = Some(peer.clone());
    }

    /// Events that wait for the owner are in that queue.
    pub fn queue<T: Send + 'static>(&self, events: &mpsc::Sender<T>) {
        // A strong one would keep the owner from seeing the end.
        let events = events.downgrade();
        let queued = move || events.upgrade().map_or(0, |events| events.max_capacity() - events.capacity());
        self.entry.lock().queued = Some(Box::new(queued));
    }

    /// Bytes have moved.
    pub fn moved(&self) {
        let ms = u64::try_from(self.entry.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.entry.active_ms.store(ms, Ordering::Relaxed);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.of.lock().remove(&self.id);
    }
}
