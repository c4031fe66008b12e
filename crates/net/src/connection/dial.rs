//! Connecting, and on lossless sessions connecting again.

use super::{
    Bounds, Command, Connected, ConnectionEvent, ConnectionHandle, Driver, Ended, GlobalSeq, Link, Step,
    cookie,
};
use crate::connections::Connections;
use crate::counts::Held;
use crate::{Error, Result};
use axon_msgr::auth::{AuthError, ClientAuth, con_mode};
use axon_msgr::{Compression, Connection, Connector, Event, Limits, Local, Peer, Policy};
use axon_proto::{EntityAddr, EntityType};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// Whom to call, and as whom.
#[derive(Clone, Debug)]
pub struct Dial {
    pub local: Local,
    pub peer: EntityType,
    pub target: EntityAddr,
    pub policy: Policy,
    pub limits: Limits,
    pub compression: Compression,
    pub bounds: Bounds,
    /// For TCP connect and the whole handshake together.
    pub deadline: Duration,
    pub global_seq: Arc<GlobalSeq>,
    /// What connections there are.
    pub connections: Arc<Connections>,
    pub detour: Option<Detour>,
}

/// Where to connect to instead of an address that the maps give: a proxy, a forwarded port. Peers still learn the address
/// itself.
#[derive(Clone)]
pub struct Detour(Arc<dyn Fn(SocketAddr) -> SocketAddr + Send + Sync>);

impl Detour {
    #[must_use]
    pub fn new(to: impl Fn(SocketAddr) -> SocketAddr + Send + Sync + 'static) -> Self {
        Detour(Arc::new(to))
    }
}

impl std::fmt::Debug for Detour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Detour")
    }
}

impl Dial {
    async fn socket(&self) -> Result<TcpStream> {
        let sock = self.target.sock.ok_or(Error::NoSocketAddress { peer: self.target })?;
        let sock = self.detour.as_ref().map_or(sock, |Detour(to)| to(sock));
        TcpStream::connect(sock).await.map_err(|e| Error::io(self.target, "connecting", e))
    }

    fn timeout(&self) -> Error {
        Error::Timeout { peer: self.target, during: "connecting", after: self.deadline }
    }

    async fn open(&self, auth: Box<dyn ClientAuth>) -> Result<(Link, Peer)> {
        let conn = Connection::connect(Connector {
            local: self.local.clone(),
            peer: self.peer,
            target: self.target,
            policy: self.policy,
            limits: self.limits,
            compression: self.compression.clone(),
            auth,
            global_seq: self.global_seq.next(),
            cookie: cookie()?,
        })
        .map_err(|source| Error::Protocol { peer: self.target, source })?;
        let begun = std::time::Instant::now();
        let place = self.connections.register(self.peer, self.target, None);
        let mut link = Link::new(self.socket().await?, conn, self.target, place);
        link.steps.push(Step { what: "TCP connect", begun, ended: begun });
        let peer = self.handshake(&mut link, |_| ()).await?;
        Ok((link, peer))
    }

    async fn handshake(&self, link: &mut Link, mut reset: impl FnMut(())) -> Result<Peer> {
        loop {
            match link.handshake(&self.bounds).await? {
                Event::Connected(peer) => {
                    self.global_seq.raise(link.conn.global_seq());
                    let mode = con_mode::name(peer.con_mode);
                    debug!(peer = %peer.name, addr = %self.target, %mode, "negotiated");
                    link.place.open(&peer, link.conn.session().existing(false));
                    return Ok(*peer);
                }
                Event::Closed(Some(source)) => return Err(Error::Protocol { peer: self.target, source }),
                Event::Closed(None) => return Err(Error::Closed { peer: self.target }),
                Event::Reset => reset(()),
                Event::Offer { .. } | Event::Message(_) | Event::KeepaliveAck(_) => {}
            }
        }
    }
}

/// Connects and authenticates. Dropping the future before it is done leaves nothing behind. The session ends with its
/// socket.
pub async fn connect(dial: Dial, auth: Box<dyn ClientAuth>) -> Result<Connected> {
    let (link, peer) = timeout(dial.deadline, dial.open(auth)).await.map_err(|_| dial.timeout())??;
    let (connected, task) = begin(dial, link, peer);
    tokio::spawn(task.run(None));
    Ok(connected)
}

/// Makes a fresh authentication for each attempt to connect.
pub type AuthSource = Box<dyn FnMut() -> std::result::Result<Box<dyn ClientAuth>, AuthError> + Send>;

/// Like [`connect`], for a lossless policy: the task connects again when the socket is lost, until it is closed, and
/// nothing sent is lost or doubled. A server that keeps no sessions makes it an ordinary connection.
pub async fn connect_lossless(dial: Dial, mut auth: AuthSource) -> Result<Connected> {
    let first = auth().map_err(|e| Error::Protocol { peer: dial.target, source: e.into() })?;
    let (link, peer) = timeout(dial.deadline, dial.open(first)).await.map_err(|_| dial.timeout())??;
    let (connected, task) = begin(dial, link, peer);
    tokio::spawn(task.run(Some(auth)));
    Ok(connected)
}

fn begin(dial: Dial, mut link: Link, peer: Peer) -> (Connected, Task) {
    let (commands_tx, commands) = mpsc::channel(dial.bounds.commands_max);
    let (events, events_rx) = mpsc::channel(dial.bounds.events_max);
    link.place.queue(&events);
    let close = CancellationToken::new();
    let mut steps = std::mem::take(&mut link.steps);
    // The last one is that it is ready.
    steps.pop();
    let handle = ConnectionHandle::new(commands_tx, close.clone(), dial.target);
    let task = Task {
        _held: dial.connections.hold(),
        dial,
        link,
        commands,
        close,
        events,
        pending: VecDeque::new(),
    };
    (Connected { handle, events: events_rx, peer, steps }, task)
}

/// `ms_initial_backoff`, `ms_max_backoff`.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

struct Task {
    _held: Held,
    dial: Dial,
    link: Link,
    commands: mpsc::Receiver<Command>,
    close: CancellationToken,
    events: mpsc::Sender<ConnectionEvent>,
    pending: VecDeque<ConnectionEvent>,
}

impl Task {
    async fn run(mut self, mut again: Option<AuthSource>) {
        let why = loop {
            let mut driver = Driver {
                bounds: &self.dial.bounds,
                commands: &mut self.commands,
                close: &self.close,
                events: &self.events,
                pending: &mut self.pending,
            };
            match driver.run(&mut self.link, owners_event, std::future::pending()).await {
                Ended::Closed | Ended::Interrupted => break None,
                Ended::Lost(error) => match &mut again {
                    Some(auth) if self.link.conn.is_lossless() => {
                        info!(peer = %self.dial.target, "connecting again: {error}");
                        if !self.redial(auth).await {
                            break None;
                        }
                    }
                    _ => break Some(error),
                },
            }
        };
        self.finish(why).await;
    }

    /// Connects until it succeeds; `false` when closed meanwhile.
    async fn redial(&mut self, auth: &mut AuthSource) -> bool {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let close = self.close.clone();
            let attempt = tokio::select! {
                () = close.cancelled() => return false,
                attempt = self.attempt(auth) => attempt,
            };
            match attempt {
                Ok(peer) => {
                    self.pending.push_back(ConnectionEvent::Reconnected(Box::new(peer)));
                    return true;
                }
                Err(e) => debug!(peer = %self.dial.target, "not yet: {e}"),
            }
            tokio::select! {
                () = self.close.cancelled() => return false,
                () = sleep(backoff) => backoff = (backoff * 2).min(BACKOFF_MAX),
            }
        }
    }

    async fn attempt(&mut self, auth: &mut AuthSource) -> Result<Peer> {
        let peer = self.dial.target;
        let protocol = |source| Error::Protocol { peer, source };
        let dial = &self.dial;
        let (link, pending) = (&mut self.link, &mut self.pending);
        let attempt = async {
            link.place.stands_by();
            link.socket = dial.socket().await?;
            link.place.socket(&link.socket);
            link.conn.handle_disconnect();
            while link.conn.poll_event().is_some() {}
            let auth = auth().map_err(|e| protocol(e.into()))?;
            link.conn.reconnect(auth, dial.global_seq.next()).map_err(protocol)?;
            dial.handshake(link, |()| pending.push_back(ConnectionEvent::Reset)).await
        };
        timeout(dial.deadline, attempt).await.map_err(|_| dial.timeout())?
    }

    /// Hands over what is left, then says why it ended.
    async fn finish(mut self, why: Option<Error>) {
        match &why {
            Some(e) => debug!(peer = %self.dial.target, "connection lost: {e}"),
            None => {
                self.link.conn.close();
                self.link.drain(&self.dial.bounds).await;
            }
        }
        self.commands.close();
        self.pending.push_back(ConnectionEvent::Closed(why));
        // An owner that closed may not listen any more, so its queue is waited for only while it wants more.
        for event in self.pending {
            tokio::select! {
                biased;
                sent = self.events.send(event) => if sent.is_err() { return },
                () = async { self.close.cancelled().await; sleep(self.dial.bounds.drain_max).await } => return,
            }
        }
    }
}

fn owners_event(event: Event) -> Option<ConnectionEvent> {
    match event {
        Event::Message(m) => Some(ConnectionEvent::Message(m)),
        Event::KeepaliveAck(at) => Some(ConnectionEvent::KeepaliveAck(at)),
        Event::Reset => Some(ConnectionEvent::Reset),
        Event::Connected(_) | Event::Offer { .. } | Event::Closed(_) => None,
    }
}
