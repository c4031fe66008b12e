//! The client of a cluster: one task for the monitors' session, one per daemon that gets commands, and this handle to them.
//!
//! `commands` carries a command to its target, `mds` those to MDSs.

mod commands;
mod mds;

use crate::Result;
use crate::auth::AuthContext;
use crate::config::{Config, Wire};
use crate::counts::{Counts, Gauge};
use crate::daemon::{Daemons, Maps, OsdDirectory};
use crate::dialer::Dialer;
use crate::event::Event;
use crate::in_flight::InFlight;
use crate::mon::session::{Channels, Request, Session};
use crate::mon::{MonError, OpenSession, SessionState};
use axon_cephx::Principal;
use axon_core::Commands;
use axon_core::tell::{CommandOp, Messenger};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityName, Fsid, Message, MonMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

/// What the cluster tells, in order. When it is not read for long the session stops reading too.
pub type EventReceiver = mpsc::Receiver<Event>;

/// Events that may wait for their reader.
const EVENTS_MAX: usize = 256;
/// Requests that may wait for the session's task.
const REQUESTS_MAX: usize = 1024;

/// A handle to the cluster. Clones share one session; it ends when the last one is dropped, or by [`Client::shutdown`].
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub dialer: Arc<Dialer>,
    requests: mpsc::Sender<Request>,
    pub state: watch::Receiver<SessionState>,
    pub maps: watch::Sender<Maps>,
    pub daemons: Daemons,
    pub manager: OnceLock<Commands>,
    pub stop: CancellationToken,
    pub commands: Arc<Gauge>,
    pub in_flight: Arc<InFlight>,
    _stop_when_dropped: DropGuard,
}

/// Starts the client. It hunts for a monitor until it has one; [`Client::ready`] waits for that.
///
/// # Errors
/// When the system has no randomness to give.
pub fn connect(config: Config) -> Result<(Client, EventReceiver)> {
    let auth = match config.key.clone() {
        Some(key) => {
            let principal = Principal { name: config.name.clone(), key };
            AuthContext::with_clock(principal, config.want_keys, config.clock.clone())
        }
        None => AuthContext::without_key(config.name.clone()),
    };
    let dialer = Arc::new(Dialer::new(Arc::new(config), auth)?);
    let (requests_tx, requests) = mpsc::channel(REQUESTS_MAX);
    let (events, events_rx) = mpsc::channel(EVENTS_MAX);
    let (state, state_rx) = watch::channel(SessionState::Hunting { why: None });
    let (maps, maps_rx) = watch::channel(Maps::default());
    let stop = CancellationToken::new();
    let channels = Channels { requests, events, state, maps: maps.clone(), stop: stop.clone() };
    tokio::spawn(Session::new(dialer.clone(), channels).run());
    let inner = Inner {
        daemons: Daemons::new(dialer.clone(), maps_rx),
        manager: OnceLock::new(),
        dialer,
        requests: requests_tx,
        state: state_rx,
        maps,
        commands: Arc::default(),
        in_flight: Arc::default(),
        _stop_when_dropped: stop.clone().drop_guard(),
        stop,
    };
    Ok((Client(Arc::new(inner)), events_rx))
}

impl Client {
    /// Waits for a session whose monitor has sent the monmap.
    ///
    /// # Errors
    /// What the last round of the hunt failed with, as soon as a monitor refuses us or belongs to another cluster, or after
    /// `patience` for anything else. The hunt goes on in any case, so the call may be repeated.
    pub async fn ready(&self, patience: Duration) -> std::result::Result<OpenSession, MonError> {
        let mut state = self.0.state.clone();
        let is_final = |state: &SessionState| match state {
            SessionState::Open(open) => !open.mon.starts_with(UNNAMED) && self.monmap().is_some(),
            SessionState::Hunting { why: Some(MonError::Refused { .. } | MonError::WrongCluster { .. }) } => {
                true
            }
            SessionState::Hunting { .. } => false,
            SessionState::Closed => true,
        };
        let settled = timeout(patience, state.wait_for(is_final)).await.map(|r| r.map(|state| state.clone()));
        match settled.unwrap_or_else(|_| Ok(self.state())) {
            Ok(SessionState::Open(open)) => Ok(open),
            Ok(SessionState::Hunting { why: Some(why) }) => Err(why),
            Ok(SessionState::Hunting { why: None }) => Err(MonError::Timeout { secs: patience.as_secs() }),
            Ok(SessionState::Closed) | Err(_) => Err(MonError::Closed),
        }
    }

    /// How it stands with the monitors.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.0.state.borrow().clone()
    }

    /// The newest monmap; `None` before the first session.
    #[must_use]
    pub fn monmap(&self) -> Option<Arc<MonMap>> {
        self.0.maps.borrow().monmap.clone()
    }

    /// The cluster's fsid, once a monitor has told it.
    #[must_use]
    pub fn fsid(&self) -> Option<Fsid> {
        self.monmap().map(|m| m.fsid).or(self.0.dialer.config.fsid)
    }

    /// What the client holds now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            commands: self.0.commands.count(),
            daemon_sessions: self.0.daemons.alive.count(),
            connections: self.0.dialer.connections.count(),
            resent: self.0.dialer.resent.load(Ordering::Relaxed),
        }
    }

    /// The commands to OSDs and placement groups that have not been answered.
    #[must_use]
    pub fn command_ops(&self) -> Vec<CommandOp> {
        self.0.in_flight.dump()
    }

    /// Its connections.
    #[must_use]
    pub fn messenger(&self) -> Messenger {
        let (connections, queued) = self.0.dialer.connections.dump();
        let my_addrs = self.my_addrs().0.into_iter().map(|addr| EntityAddr { kind: AddrType::ANY, ..addr });
        Messenger {
            nonce: self.0.dialer.nonce().into(),
            my_name: EntityName::new(self.config().name.kind, self.my_global_id().cast_signed()),
            my_addrs: EntityAddrVec(my_addrs.collect()),
            listen_sockets: Vec::new(),
            connections,
            queued,
        }
    }

    /// The configuration that the client was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.dialer.config
    }

    /// Tickets and rotating keys, for a listener that verifies who connects.
    #[must_use]
    pub fn auth(&self) -> Arc<AuthContext> {
        self.0.dialer.auth.clone()
    }

    /// The global id that the monitors gave; 0 before the first session. A new session keeps it.
    #[must_use]
    pub fn my_global_id(&self) -> u64 {
        self.0.dialer.auth.global_id()
    }

    /// The addresses that monitors and OSDs know our connections by: for the beacon's client addresses, by which a failed
    /// manager is blocklisted. Empty before the first session.
    #[must_use]
    pub fn my_addrs(&self) -> EntityAddrVec {
        let SessionState::Open(open) = self.state() else { return EntityAddrVec::default() };
        let Some(mut sock) = open.our_addr.sock else { return EntityAddrVec::default() };
        sock.set_port(0);
        EntityAddrVec(vec![EntityAddr::new(AddrType::MSGR2, sock, self.0.dialer.nonce())])
    }

    /// Sends a message to the monitors: now, or with the next session.
    pub async fn send_mon(&self, message: impl Into<Message>) {
        self.request(Request::Send(message.into())).await;
    }

    /// Wants `what` pushed from version `start` on.
    pub async fn subscribe(&self, what: &str, start: u64) {
        self.request(Request::Subscribe { what: what.to_owned(), start, once: false }).await;
    }

    /// Wants one answer about `what` of version `start` or newer.
    pub async fn subscribe_once(&self, what: &str, start: u64) {
        self.request(Request::Subscribe { what: what.to_owned(), start, once: true }).await;
    }

    /// No longer wants `what`.
    pub async fn unsubscribe(&self, what: &str) {
        self.request(Request::Unsubscribe { what: what.to_owned() }).await;
    }

    /// The newest and the oldest version of a map (`osdmap`, `fsmap`, …) at the monitors, as of a moment after the call.
    pub async fn newest_version(&self, what: &str) -> std::result::Result<(u64, u64), MonError> {
        let (waiter, answer) = oneshot::channel();
        self.request(Request::Version { what: what.to_owned(), waiter }).await;
        answer.await.unwrap_or(Err(MonError::Closed))
    }

    /// The newest OSD map, by whoever keeps it: commands to OSDs and placement groups go by it. The same epoch again costs
    /// nothing; epoch 0 stands for no map.
    pub fn set_osd_map(&self, osds: Arc<dyn OsdDirectory>) {
        let epoch = osds.epoch();
        self.0.maps.send_if_modified(|maps| {
            let is_new = epoch > 0 && maps.osds.as_ref().is_none_or(|old| old.epoch() != epoch);
            if is_new {
                maps.osds = Some(osds);
            }
            is_new
        });
    }

    /// The options in force, by whoever keeps the central configuration: methods, modes and compression of connections from now on.
    /// What cannot be read leaves them as they are.
    pub fn set_options(&self, options: crate::config::Options<'_>) {
        match Wire::load(self.config().name.kind, options) {
            Ok(wire) if wire != *self.0.dialer.wire() => {
                info!("modes and compression of new connections have changed");
                self.0.dialer.set_wire(wire);
            }
            Ok(_) => {}
            Err(why) => warn!("the options of connections cannot be read: {why}"),
        }
    }

    /// Who runs the commands for the active manager, when that is us. Once.
    pub fn set_manager(&self, manager: Commands) {
        // A second one would mean two managers in one process.
        let _ = self.0.manager.set(manager);
    }

    /// Ends the session and everything that waits.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
    }

    async fn request(&self, request: Request) {
        // Fails only when the task has ended; what waits in the request is dropped and so learns of it.
        let _ = self.0.requests.send(request).await;
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.config().name).finish_non_exhaustive()
    }
}

/// How monitors are called before the monmap names them.
const UNNAMED: &str = "noname-";
