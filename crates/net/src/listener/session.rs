//! The task of an accepted socket: handshake, then messages until the end; a lossless session without a socket waits for
//! its peer, or for a newer connection of that peer to take it over.

use super::table::{Ask, Found, Taken};
use super::{SessionEvent, SessionId, Shared};
use crate::connection::{Command, ConnectionHandle, Driver, Ended, Link, cookie};
use crate::{Error, Result};
use axon_msgr::auth::con_mode;
use axon_msgr::{Acceptor, Connection, Decision, Event, Existing, Offer, Peer, Policy, Verdict, judge};
use axon_proto::{EntityAddr, EntityAddrVec, EntityType};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// A socket whose peer is not known yet.
pub(super) struct Accepting {
    pub shared: Arc<Shared>,
    /// Its address as the socket has it, of the kind of the protocol that is spoken.
    pub peer: EntityAddr,
    pub session: OwnedSemaphorePermit,
    pub handshake: OwnedSemaphorePermit,
}

/// A finished handshake.
struct Established {
    link: Link,
    peer: Box<Peer>,
    /// The session that this connection takes over.
    taken: Option<Taken>,
    /// Where the session is kept; `None` for one that ends with its socket and is never looked up.
    kept_at: Option<EntityAddrVec>,
}

impl Accepting {
    pub async fn run(self, socket: TcpStream) {
        let shared = self.shared.clone();
        let limit = shared.config.handshake_max;
        let peer_addr = self.peer;
        let established = tokio::select! {
            () = shared.close.cancelled() => return,
            done = timeout(limit, self.establish(socket, peer_addr)) => done,
        };
        let peer = self.peer;
        match established {
            Ok(Ok(established)) => {
                drop(self.handshake);
                Task::new(shared, established).run(peer_addr).await;
                drop(self.session);
            }
            Ok(Err(e @ Error::Protocol { .. })) => info!(%peer, "refused: {e}"),
            Ok(Err(e)) => debug!(%peer, "gone during the handshake: {e}"),
            Err(_) => debug!(%peer, "no handshake within {limit:?}"),
        }
    }

    async fn establish(&self, socket: TcpStream, peer_addr: EntityAddr) -> Result<Established> {
        let config = &self.shared.config;
        let protocol = |source| Error::Protocol { peer: peer_addr, source };
        let conn = Connection::accept(Acceptor {
            local: self.shared.local.clone(),
            peer_addr,
            policies: config.policies,
            limits: config.limits,
            compression: config.compression.clone(),
            auth: (self.shared.verifiers)(self.peer),
            global_seq: self.shared.global_seq.next(),
            cookie: cookie()?,
        })
        .map_err(protocol)?;
        let own = self.shared.local.addrs.of_type(peer_addr.kind).copied().unwrap_or_default();
        let place = self.shared.connections.register(EntityType(0), peer_addr, Some(own));
        let mut link = Link::new(socket, conn, peer_addr, place);
        let (mut taken, mut kept_at) = (None, None);
        loop {
            match link.handshake(&config.bounds).await? {
                Event::Offer { offer, policy } => {
                    let (decision, earlier) = self.decide(&offer, &policy).await?;
                    taken = earlier;
                    kept_at = Some(offer.addrs().clone());
                    link.conn.decide(decision).map_err(protocol)?;
                }
                Event::Connected(peer) => {
                    link.place.open(&peer, link.conn.session().existing(false));
                    return Ok(Established { link, peer, taken, kept_at });
                }
                Event::Closed(Some(source)) => return Err(protocol(source)),
                Event::Closed(None) => return Err(Error::Closed { peer: peer_addr }),
                Event::Reset | Event::Message(_) | Event::KeepaliveAck(_) => {}
            }
        }
    }

    /// Compares what the peer asks for with its earlier session.
    async fn decide(&self, offer: &Offer, policy: &Policy) -> Result<(Decision, Option<Taken>)> {
        let table = &self.shared.table;
        let (asks, existing) = match table.claim(offer.addrs()) {
            Found::Nothing => (None, None),
            Found::Busy => (None, Some(Existing { replacing: true, ..Existing::default() })),
            Found::Claimed(asks) => match ask(&asks, Ask::Inspect).await {
                Some(existing) => (Some(asks), Some(existing)),
                None => (None, None),
            },
        };
        let verdict = judge(existing.as_ref(), offer, policy);
        debug!(peer = %self.peer, ?verdict, "a registered peer");
        let decided = self.carry_out(verdict, asks.as_ref()).await;
        table.release(offer.addrs());
        decided
    }

    async fn carry_out(
        &self,
        verdict: Verdict,
        asks: Option<&mpsc::Sender<Ask>>,
    ) -> Result<(Decision, Option<Taken>)> {
        let taken = match (verdict, asks) {
            (Verdict::Begin | Verdict::Replace { .. } | Verdict::Resume, Some(asks)) => {
                ask(asks, Ask::Take).await
            }
            _ => None,
        };
        let decision = match (verdict, taken) {
            (Verdict::Begin | Verdict::Replace { forget: true }, taken) => {
                if let Some(taken) = taken {
                    // Not waited for: the owner may be slow, and the handshake has a deadline.
                    tokio::spawn(bury(taken, self.shared.events.clone()));
                }
                Decision::Begin
            }
            (Verdict::Replace { forget: false }, None) => Decision::Begin,
            (Verdict::Replace { forget: false }, Some(mut taken)) => {
                let session = std::mem::take(&mut taken.session);
                return Ok((Decision::Replace(Box::new(session)), Some(taken)));
            }
            (Verdict::Resume, Some(mut taken)) => {
                let session = std::mem::take(&mut taken.session);
                return Ok((Decision::Resume(Box::new(session)), Some(taken)));
            }
            // It ended between the two questions.
            (Verdict::Resume, None) => Decision::Reset { full: true },
            (Verdict::Reset { full }, _) => Decision::Reset { full },
            (Verdict::Retry { connect_seq }, _) => Decision::Retry { connect_seq },
            (Verdict::RetryGlobal { global_seq }, _) => Decision::RetryGlobal { global_seq },
            (Verdict::Wait, _) => Decision::Wait,
            (Verdict::Stale, _) => {
                return Err(Error::Closed { peer: self.peer });
            }
        };
        Ok((decision, None))
    }
}

/// Tells the owner that an earlier session is over.
async fn bury(taken: Taken, events: mpsc::Sender<SessionEvent>) {
    taken.close.cancel();
    for event in taken.pending.into_iter().chain([SessionEvent::Closed { id: taken.id, why: None }]) {
        if events.send(event).await.is_err() {
            return;
        }
    }
}

async fn ask<T>(asks: &mpsc::Sender<Ask>, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    asks.send(question(answer)).await.ok()?;
    answered.await.ok()
}

/// An established session's task.
struct Task {
    shared: Arc<Shared>,
    id: SessionId,
    link: Link,
    commands: mpsc::Receiver<Command>,
    close: CancellationToken,
    pending: VecDeque<SessionEvent>,
    kept_at: Option<EntityAddrVec>,
    asks: Option<mpsc::Receiver<Ask>>,
}

impl Task {
    fn new(shared: Arc<Shared>, established: Established) -> Self {
        let Established { link, peer, taken, kept_at } = established;
        let entity = peer.identity.as_ref().map(|identity| identity.name.clone()).unwrap_or_default();
        debug!(peer = %entity, addr = %link.peer, mode = %con_mode::name(peer.con_mode), "negotiated");
        let (id, commands, close, pending) = match taken {
            Some(Taken { id, commands, close, mut pending, .. }) => {
                pending.push_back(SessionEvent::Resumed { id, peer });
                (id, commands, close, pending)
            }
            None => {
                let id = SessionId(shared.next_id.fetch_add(1, Ordering::Relaxed));
                let (commands_tx, commands) = mpsc::channel(shared.config.bounds.commands_max);
                let close = shared.close.child_token();
                let handle = ConnectionHandle::new(commands_tx, close.clone(), link.peer);
                let opened = SessionEvent::Opened { id, peer, handle };
                (id, commands, close, VecDeque::from([opened]))
            }
        };
        let asks = kept_at.clone().map(|addrs| shared.table.register(addrs, id));
        Task { shared, id, link, commands, close, pending, kept_at, asks }
    }

    async fn run(mut self, peer: EntityAddr) {
        let why = loop {
            match self.drive().await {
                Ok(Asked::Nothing) => {}
                Ok(Asked::Take(answer)) => return self.hand_over(answer),
                Err(Ended::Lost(e)) if self.link.conn.is_lossless() => {
                    debug!(%peer, "waiting for the peer to come back: {e}");
                    self.link.conn.handle_disconnect();
                    self.link.place.stands_by();
                    match self.stand_by().await {
                        Some(answer) => return self.hand_over(answer),
                        None if self.close.is_cancelled() => break None,
                        None => break Some(e),
                    }
                }
                Err(Ended::Lost(e)) => break Some(e),
                Err(Ended::Closed | Ended::Interrupted) => break None,
            }
        };
        self.finish(why).await;
    }

    /// Runs the socket until it ends or a newer connection asks.
    async fn drive(&mut self) -> std::result::Result<Asked, Ended> {
        let mut asked = None;
        let interrupt = async {
            match &mut self.asks {
                Some(asks) => asked = asks.recv().await,
                None => std::future::pending().await,
            }
        };
        let mut driver = Driver {
            bounds: &self.shared.config.bounds,
            commands: &mut self.commands,
            close: &self.close,
            events: &self.shared.events,
            pending: &mut self.pending,
        };
        let id = self.id;
        let ended = driver.run(&mut self.link, |event| owners_event(id, event), interrupt).await;
        match (ended, asked) {
            (Ended::Interrupted, Some(ask)) => Ok(self.answer(ask)),
            (Ended::Interrupted, None) => {
                self.asks = None;
                Ok(Asked::Nothing)
            }
            (ended, _) => Err(ended),
        }
    }

    /// Without a socket: waits for a newer connection, for so long as sessions are kept.
    async fn stand_by(&mut self) -> Option<oneshot::Sender<Taken>> {
        let until = Instant::now() + self.shared.config.linger_max;
        loop {
            let asks = self.asks.as_mut()?;
            let asked = tokio::select! {
                () = self.close.cancelled() => return None,
                () = sleep_until(until) => return None,
                permit = self.shared.events.reserve(), if !self.pending.is_empty() => {
                    if let (Ok(permit), Some(event)) = (permit, self.pending.pop_front()) {
                        permit.send(event);
                    }
                    continue;
                }
                asked = asks.recv() => asked?,
            };
            if let Asked::Take(answer) = self.answer(asked) {
                return Some(answer);
            }
        }
    }

    fn answer(&self, ask: Ask) -> Asked {
        match ask {
            Ask::Inspect(answer) => {
                let _ = answer.send(self.link.conn.session().existing(false));
                Asked::Nothing
            }
            Ask::Take(answer) => Asked::Take(answer),
        }
    }

    fn hand_over(self, answer: oneshot::Sender<Taken>) {
        let Task { id, link, commands, close, pending, .. } = self;
        // Nobody waits for it only when the newer connection's handshake ran out of time; the owner's handle notices.
        let _ = answer.send(Taken { id, session: link.conn.into_session(), commands, close, pending });
    }

    async fn finish(mut self, why: Option<Error>) {
        if let Some(addrs) = &self.kept_at {
            self.shared.table.remove(addrs, self.id);
        }
        match &why {
            Some(e) => debug!(peer = %self.link.peer, "session lost: {e}"),
            None => {
                self.link.conn.close();
                self.link.drain(&self.shared.config.bounds).await;
            }
        }
        self.commands.close();
        self.pending.push_back(SessionEvent::Closed { id: self.id, why });
        for event in self.pending {
            if self.shared.events.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// What a newer connection wants.
enum Asked {
    Nothing,
    Take(oneshot::Sender<Taken>),
}

fn owners_event(id: SessionId, event: Event) -> Option<SessionEvent> {
    match event {
        Event::Message(message) => Some(SessionEvent::Message { id, message }),
        Event::KeepaliveAck(sent_at) => Some(SessionEvent::KeepaliveAck { id, sent_at }),
        Event::Connected(_) | Event::Offer { .. } | Event::Reset | Event::Closed(_) => None,
    }
}
