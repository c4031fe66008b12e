//! What the owner of a connection holds.

use crate::{Error, Result};
use axon_denc::Features;
use axon_msgr::Peer;
use axon_proto::{EntityAddr, Message, RawMessage, UTime};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A message to send: encoded by the connection's features when it goes out, or as it is.
#[derive(Clone, Debug)]
pub enum Outgoing {
    Typed(Message),
    Raw(RawMessage),
}

impl Outgoing {
    pub(crate) fn into_raw(self, features: Features) -> RawMessage {
        match self {
            Outgoing::Typed(message) => message.to_raw(features),
            Outgoing::Raw(raw) => raw,
        }
    }
}

impl From<Message> for Outgoing {
    fn from(message: Message) -> Self {
        Outgoing::Typed(message)
    }
}

impl From<RawMessage> for Outgoing {
    fn from(raw: RawMessage) -> Self {
        Outgoing::Raw(raw)
    }
}

pub(crate) enum Command {
    Send(Outgoing),
    Keepalive,
}

/// Sends on a connection. Clones share it; when the last one is dropped the connection is closed.
#[derive(Clone, Debug)]
pub struct ConnectionHandle {
    commands: mpsc::Sender<Command>,
    close: CancellationToken,
    _close_when_dropped: Arc<DropGuard>,
    peer: EntityAddr,
}

impl ConnectionHandle {
    pub(crate) fn new(commands: mpsc::Sender<Command>, close: CancellationToken, peer: EntityAddr) -> Self {
        let guard = Arc::new(close.clone().drop_guard());
        ConnectionHandle { commands, close, _close_when_dropped: guard, peer }
    }

    /// Queues a message; waits while the queue is full. `Ok` means queued, not received by the peer.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<()> {
        self.command(Command::Send(message.into())).await
    }

    /// Queues a message unless the queue is full (`Ok(false)`).
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<bool> {
        match self.commands.try_send(Command::Send(message.into())) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed { peer: self.peer }),
        }
    }

    /// Waits until the queue has room, or the connection has ended.
    pub async fn room(&self) {
        tokio::select! {
            () = self.close.cancelled() => {}
            // Only its end is an error.
            permit = self.commands.reserve() => drop(permit),
        }
    }

    /// Whether a message can be queued now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.commands.capacity() > 0
    }

    /// As [`Self::keepalive`], unless the queue is full.
    pub fn try_keepalive(&self) {
        // A full queue, or an end, shows by itself.
        let _ = self.commands.try_send(Command::Keepalive);
    }

    /// Asks the peer for a sign of life; the answer is a [`ConnectionEvent::KeepaliveAck`] with the time of sending.
    pub async fn keepalive(&self) -> Result<()> {
        self.command(Command::Keepalive).await
    }

    /// Ends the connection; what was queued before is still written if the peer takes it soon.
    pub fn close(&self) {
        self.close.cancel();
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.close.is_cancelled() || self.commands.is_closed()
    }

    /// The address of the peer.
    #[must_use]
    pub fn peer_addr(&self) -> EntityAddr {
        self.peer
    }

    async fn command(&self, command: Command) -> Result<()> {
        let closed = || Error::Closed { peer: self.peer };
        tokio::select! {
            () = self.close.cancelled() => Err(closed()),
            sent = self.commands.send(command) => sent.map_err(|_| closed()),
        }
    }
}

/// What a connection tells its owner.
#[derive(Debug)]
pub enum ConnectionEvent {
    Message(RawMessage),
    /// The answer to a keepalive, with the time at which that was sent.
    KeepaliveAck(UTime),
    /// Lossless sessions: the session goes on over a new socket.
    Reconnected(Box<Peer>),
    /// Lossless sessions: the peer lost the session; what it had not acknowledged is gone.
    Reset,
    /// The last event. `None`: closed by us.
    Closed(Option<Error>),
}

/// An established connection.
#[derive(Debug)]
pub struct Connected {
    pub handle: ConnectionHandle,
    pub events: mpsc::Receiver<ConnectionEvent>,
    pub peer: Peer,
    /// How it came about, in order.
    pub steps: Vec<Step>,
}

/// A part of connecting: what, and when it was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: &'static str,
    pub begun: Instant,
    pub ended: Instant,
}
