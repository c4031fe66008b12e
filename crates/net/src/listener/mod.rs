//! Accepting connections over msgr v2 and v1: binding to a port, or the first free one of a range, for each; a task per socket, and one bounded
//! queue of events for the owner (the manager's `DaemonServer`).
//!
//! Invariants: a peer that misbehaves, stalls or cannot authenticate costs its own connection only; nobody holds a place
//! longer than the handshake's deadline without having authenticated; events of one session come in order, and the first is
//! `Opened`, the last `Closed`.
//!
//! `session.rs` is a socket's task, `table.rs` keeps the sessions that outlive their sockets. The manager's own policies
//! keep none (`DaemonServer::init` sets `stateless_server`).

mod session;
mod table;
#[cfg(test)]
mod tests;

use crate::connection::{Bounds, ConnectionHandle, GlobalSeq};
use crate::connections::Connections;
use crate::{Error, Result};
use axon_core::tell::Messenger;
use axon_msgr::auth::ServerAuth;
use axon_msgr::{Compression, Limits, Local, Peer, Policy};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityName, EntityType, RawMessage, UTime};
use session::Accepting;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;
use table::Table;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// `ms_bind_port_min` to `ms_bind_port_max`.
pub const PORTS_DEFAULT: RangeInclusive<u16> = 6800..=7568;

/// How to listen.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Our entity: kind and number (`mgr.<global id>`). The addresses are filled in by binding.
    pub kind: EntityType,
    pub num: u64,
    pub ip: IpAddr,
    /// The address that peers are told, when `ip` is the wildcard.
    pub advertised_ip: Option<IpAddr>,
    pub ports: RangeInclusive<u16>,
    /// Protocols to listen with, each on a port of its own, in the order in which peers are told (`ms_bind_msgr2`,
    /// `ms_bind_msgr1`).
    pub protocols: Vec<AddrType>,
    /// Tells two runs on the same port apart.
    pub nonce: u32,
    pub policies: fn(EntityType) -> Policy,
    pub limits: Limits,
    pub compression: Compression,
    pub bounds: Bounds,
    pub sessions_max: usize,
    /// Connections that have not authenticated yet.
    pub handshakes_max: usize,
    pub handshake_max: Duration,
    /// How long a lossless session waits for its peer to come back.
    pub linger_max: Duration,
}

impl ListenerConfig {
    /// The manager's listener on `ip`.
    #[must_use]
    pub fn of_manager(global_id: u64, ip: IpAddr, nonce: u32) -> Self {
        ListenerConfig {
            kind: EntityType::MGR,
            num: global_id,
            ip,
            advertised_ip: None,
            ports: PORTS_DEFAULT,
            protocols: vec![AddrType::MSGR2, AddrType::LEGACY],
            nonce,
            policies: Policy::of_manager_towards,
            limits: Limits { message_bytes_max: 64 << 20, ..Limits::default() },
            compression: Compression::default(),
            bounds: Bounds { events_max: 1024, ..Bounds::default() },
            sessions_max: 32 << 10,
            handshakes_max: 1024,
            handshake_max: Duration::from_secs(10),
            linger_max: Duration::from_secs(900),
        }
    }
}

/// Names a session for the time of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the sessions tell their owner.
#[derive(Debug)]
pub enum SessionEvent {
    /// A peer has authenticated; `peer.identity` says who and with which capabilities.
    Opened {
        id: SessionId,
        peer: Box<Peer>,
        handle: ConnectionHandle,
    },
    Message {
        id: SessionId,
        message: RawMessage,
    },
    /// The answer to a keepalive, with the time at which that was sent.
    KeepaliveAck {
        id: SessionId,
        sent_at: UTime,
    },
    /// A lossless session goes on over a new socket.
    Resumed {
        id: SessionId,
        peer: Box<Peer>,
    },
    /// `None`: closed by us.
    Closed {
        id: SessionId,
        why: Option<Error>,
    },
}

/// Makes the authentication for each accepted socket.
pub type Verifiers = Arc<dyn Fn(EntityAddr) -> Box<dyn ServerAuth> + Send + Sync>;

/// Bound sockets that do not accept yet, so that their addresses can be announced first.
pub struct Listener {
    sockets: Vec<(AddrType, TcpListener)>,
    config: ListenerConfig,
    addrs: EntityAddrVec,
}

impl Listener {
    /// Binds each protocol to the first free port of the range.
    pub async fn bind(config: ListenerConfig) -> Result<Self> {
        let (mut sockets, mut addrs) = (Vec::new(), Vec::new());
        let ip = config.advertised_ip.unwrap_or(config.ip);
        for kind in config.protocols.clone() {
            let (socket, port) = bind_one(&config).await?;
            let addr = EntityAddr::new(kind, SocketAddr::new(ip, port), config.nonce);
            info!(%addr, "listening");
            sockets.push((kind, socket));
            addrs.push(addr);
        }
        Ok(Listener { sockets, addrs: EntityAddrVec(addrs), config })
    }

    /// What peers are to be told (in the manager's beacon).
    #[must_use]
    pub fn addrs(&self) -> &EntityAddrVec {
        &self.addrs
    }

    /// Begins to accept. Dropping the returned guard ends the listener and all its sessions.
    #[must_use]
    pub fn serve(self, verifiers: Verifiers) -> (Serving, mpsc::Receiver<SessionEvent>) {
        let (events, events_rx) = mpsc::channel(self.config.bounds.events_max);
        let close = CancellationToken::new();
        let local = Local {
            kind: self.config.kind,
            num: Some(self.config.num.cast_signed()),
            addrs: self.addrs,
            nonce: self.config.nonce,
        };
        let shared = Arc::new(Shared {
            local,
            verifiers,
            events,
            close,
            table: Table::default(),
            next_id: AtomicU64::new(1),
            global_seq: GlobalSeq::default(),
            sessions: Arc::new(Semaphore::new(self.config.sessions_max)),
            handshakes: Arc::new(Semaphore::new(self.config.handshakes_max)),
            connections: Arc::default(),
            listen_sockets: self.sockets.iter().map(|(_, socket)| socket.as_raw_fd()).collect(),
            config: self.config,
        });
        let view = ListenerView(Arc::downgrade(&shared));
        let serving =
            Serving { addrs: shared.local.addrs.clone(), view, _close: shared.close.clone().drop_guard() };
        for (kind, socket) in self.sockets {
            tokio::spawn(accept_all(socket, kind, shared.clone()));
        }
        (serving, events_rx)
    }
}

/// Keeps a listener going.
#[derive(Debug)]
pub struct Serving {
    addrs: EntityAddrVec,
    view: ListenerView,
    _close: tokio_util::sync::DropGuard,
}

impl Serving {
    #[must_use]
    pub fn addrs(&self) -> &EntityAddrVec {
        &self.addrs
    }

    /// For looking at its connections.
    #[must_use]
    pub fn view(&self) -> ListenerView {
        self.view.clone()
    }
}

/// Shows a listener's connections for as long as it goes.
#[derive(Clone, Default)]
pub struct ListenerView(Weak<Shared>);

impl ListenerView {
    /// `None`: it has ended.
    #[must_use]
    pub fn messenger(&self) -> Option<Messenger> {
        let shared = self.0.upgrade().filter(|shared| !shared.close.is_cancelled())?;
        let (connections, queued) = shared.connections.dump();
        Some(Messenger {
            nonce: shared.config.nonce.into(),
            my_name: EntityName::new(shared.local.kind, shared.config.num.cast_signed()),
            my_addrs: shared.local.addrs.clone(),
            listen_sockets: shared.listen_sockets.clone(),
            connections,
            queued: queued + shared.events.max_capacity() - shared.events.capacity(),
        })
    }
}

impl std::fmt::Debug for ListenerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ListenerView")
    }
}

/// What all sessions of a listener share.
struct Shared {
    config: ListenerConfig,
    local: Local,
    verifiers: Verifiers,
    events: mpsc::Sender<SessionEvent>,
    close: CancellationToken,
    table: Table,
    next_id: AtomicU64,
    global_seq: GlobalSeq,
    sessions: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    connections: Arc<Connections>,
    listen_sockets: Vec<RawFd>,
}

async fn bind_one(config: &ListenerConfig) -> Result<(TcpListener, u16)> {
    let (first, last) = (*config.ports.start(), *config.ports.end());
    let failed = |source| Error::Bind { ip: config.ip, first, last, source: Arc::new(source) };
    let mut last_error = ErrorKind::AddrNotAvailable.into();
    for port in config.ports.clone() {
        match TcpListener::bind(SocketAddr::new(config.ip, port)).await {
            Ok(socket) => {
                let port = socket.local_addr().map_err(failed)?.port();
                return Ok((socket, port));
            }
            Err(e) if e.kind() == ErrorKind::AddrInUse => last_error = e,
            Err(e) => return Err(failed(e)),
        }
    }
    Err(failed(last_error))
}

async fn accept_all(socket: TcpListener, kind: AddrType, shared: Arc<Shared>) {
    /// After an error such as "too many open files", which the next call would only repeat.
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        let accepted = tokio::select! {
            () = shared.close.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => admit(socket, EntityAddr::new(kind, peer, 0), &shared),
            Err(e) => {
                warn!("accept: {e}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(socket: TcpStream, peer: EntityAddr, shared: &Arc<Shared>) {
    let session = shared.sessions.clone().try_acquire_owned();
    let handshake = shared.handshakes.clone().try_acquire_owned();
    match (session, handshake) {
        (Ok(session), Ok(handshake)) => {
            let accepting = Accepting { shared: shared.clone(), peer, session, handshake };
            tokio::spawn(accepting.run(socket));
        }
        (Err(_), _) => warn!(%peer, "refused: {} sessions are open", shared.config.sessions_max),
        (_, Err(_)) => warn!(%peer, "refused: {} handshakes are under way", shared.config.handshakes_max),
    }
}
