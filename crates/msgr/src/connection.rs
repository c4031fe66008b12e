//! One connection, over either protocol: bytes and commands in, bytes and events out. Which protocol is spoken follows from the
//! kind of the address: the one that is called, or, at an acceptor, the one that the peer is given.
//!
//! Four kinds of method: getters; `handle_*` for what comes in; commands (`send`, `keepalive`, `close`, `decide`,
//! `reconnect`); `poll_*` for what must go out. Time comes in as an argument.
//!
//! A lossless session outlives its socket: the connecting side calls [`Connection::reconnect`] on the same connection, the
//! accepting side takes the [`Session`] out of the old connection and gives it to the new one with
//! [`Connection::decide`].
//!
//! Invariant: before a session is open no more than [`UNKNOWN_PEER_BYTES`] are reserved ahead of what has arrived.

use crate::auth::ClientAuth;
use crate::handshake::Peer;
use crate::handshake::server::{Decision, Offer};
use crate::{Acceptor, Connector, Error, Misuse, Policy, Result, Session, v1, v2};
use axon_proto::{AddrType, RawMessage, UTime};
use bytes::{Bytes, BytesMut};
use std::io::IoSlice;

/// Room that is made at a time for a peer that is not known yet.
pub const UNKNOWN_PEER_BYTES: usize = 4096;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The handshake is done; messages flow.
    Connected(Box<Peer>),
    /// The peer asks for a session that may exist already; the owner must [`Connection::decide`].
    Offer {
        offer: Box<Offer>,
        policy: Policy,
    },
    Message(RawMessage),
    /// The answer to our [`Connection::keepalive`], with the time that it carried.
    KeepaliveAck(UTime),
    /// The peer lost the session: what was not acknowledged is gone.
    Reset,
    /// The last event. `None`: closed by ourselves.
    Closed(Option<Error>),
}

/// A connection's state machine.
pub struct Connection {
    protocol: Protocol,
    /// Room that is made for a read.
    read_bytes: usize,
}

/// Most room for a read when it is not known how much will come.
const READ_BYTES_MAX: usize = 16 << 10;

enum Protocol {
    V1(Box<v1::Connection>),
    V2(Box<v2::Connection>),
}

macro_rules! of {
    ($self:expr, $conn:ident => $call:expr) => {
        match $self {
            Protocol::V1($conn) => $call,
            Protocol::V2($conn) => $call,
        }
    };
}

impl Connection {
    /// The connecting side; what it opens with waits in [`Self::poll_transmit`].
    pub fn connect(call: Connector) -> Result<Self> {
        if call.cookie == 0 && !call.policy.lossy {
            return Err(Misuse::ZeroCookie.into());
        }
        Ok(Connection::over(match call.target.kind {
            AddrType::LEGACY => Protocol::V1(Box::new(v1::Connection::connect(call))),
            _ => Protocol::V2(Box::new(v2::Connection::connect(call))),
        }))
    }

    /// The accepting side; what it opens with waits in [`Self::poll_transmit`].
    pub fn accept(call: Acceptor) -> Result<Self> {
        if call.cookie == 0 {
            return Err(Misuse::ZeroCookie.into());
        }
        Ok(Connection::over(match call.peer_addr.kind {
            AddrType::LEGACY => Protocol::V1(Box::new(v1::Connection::accept(call))),
            _ => Protocol::V2(Box::new(v2::Connection::accept(call))),
        }))
    }

    fn over(protocol: Protocol) -> Self {
        Connection { protocol, read_bytes: UNKNOWN_PEER_BYTES }
    }

    // Getters.

    /// Messages flow.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        of!(&self.protocol, c => c.is_ready())
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        of!(&self.protocol, c => c.is_closed())
    }

    /// The part of the handshake that is under way, or `ready`, or `closed`.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        of!(&self.protocol, c => c.phase())
    }

    /// Whether the session goes on after the socket is lost.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        of!(&self.protocol, c => c.is_lossless())
    }

    /// The peer, once connected.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.session().peer()
    }

    #[must_use]
    pub fn session(&self) -> &Session {
        of!(&self.protocol, c => c.session())
    }

    /// Number of bytes that wait to be written.
    #[must_use]
    pub fn transmit_bytes(&self) -> usize {
        of!(&self.protocol, c => c.transmit_bytes())
    }

    /// Whether the owner should hand over more messages; `false` while too much is unwritten or unacknowledged.
    #[must_use]
    pub fn wants_messages(&self, transmit_bytes_max: usize) -> bool {
        let unacked_max = of!(&self.protocol, c => c.limits().unacked_messages_max);
        self.is_ready()
            && self.transmit_bytes() < transmit_bytes_max
            && self.session().sent.len() < unacked_max
    }

    /// The number of our last attempt to connect; a peer's RETRY_GLOBAL may have raised it.
    #[must_use]
    pub fn global_seq(&self) -> u64 {
        self.session().global_seq
    }

    // What comes in.

    /// Bytes from the socket. An error also comes as [`Event::Closed`].
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        of!(&mut self.protocol, c => c.input().extend_from_slice(bytes));
        self.handle_input()
    }

    /// Where a driver may read the socket into, to save a copy; then it calls [`Self::handle_input`]. Room is made for
    /// what is awaited, but never for more than `bytes_max` that have not arrived.
    pub fn input_buffer(&mut self, bytes_max: usize) -> &mut BytesMut {
        let bytes_max = if self.is_ready() { bytes_max.max(UNKNOWN_PEER_BYTES) } else { UNKNOWN_PEER_BYTES };
        let least = self.read_bytes.clamp(UNKNOWN_PEER_BYTES, bytes_max);
        of!(&mut self.protocol, c => {
            let awaited = c.wanted().saturating_sub(c.input().len());
            c.input().reserve(awaited.clamp(least, bytes_max));
            c.input()
        })
    }

    /// Works on what was read into [`Self::input_buffer`].
    pub fn handle_input(&mut self) -> Result<()> {
        let (len, capacity) = of!(&mut self.protocol, c => (c.input().len(), c.input().capacity()));
        let handled = of!(&mut self.protocol, c => c.handle_input());
        // Whoever fills what it is given has many small messages to say: room for them saves calls and buffers. A large message
        // gets a buffer of its size, and the less of it was read before, the less is copied there.
        let is_large = of!(&mut self.protocol, c => c.wanted()) > self.read_bytes;
        if len == capacity && !is_large {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else if is_large || len < self.read_bytes / 8 {
            self.read_bytes = (self.read_bytes / 2).max(UNKNOWN_PEER_BYTES);
        }
        handled
    }

    /// The socket is gone. A lossless session waits for [`Self::reconnect`] or [`Self::into_session`].
    pub fn handle_disconnect(&mut self) {
        of!(&mut self.protocol, c => c.handle_disconnect());
    }

    // Commands.

    /// Queues a message; it gets its number when it is sent.
    pub fn send(&mut self, message: RawMessage) -> Result<()> {
        if self.is_closed() && !self.is_lossless() {
            return Err(Misuse::Closed.into());
        }
        let bytes = message.front.len() + message.middle.len() + message.data.len();
        let bytes_max = of!(&self.protocol, c => c.limits().sent_bytes_max) as usize;
        if bytes > bytes_max {
            return Err(Misuse::MessageTooLarge { bytes, bytes_max }.into());
        }
        of!(&mut self.protocol, c => c.send(message))
    }

    /// Asks the peer for a sign of life; [`Event::KeepaliveAck`] brings `now` back.
    pub fn keepalive(&mut self, now: UTime) -> Result<()> {
        of!(&mut self.protocol, c => c.keepalive(now))
    }

    /// Answers [`Event::Offer`].
    pub fn decide(&mut self, decision: Decision) -> Result<()> {
        of!(&mut self.protocol, c => c.decide(decision))
    }

    /// Starts over on a new socket with the same session. Only for the connecting side of a lossless session.
    pub fn reconnect(&mut self, auth: Box<dyn ClientAuth>, global_seq: u64) -> Result<()> {
        of!(&mut self.protocol, c => c.reconnect(auth, global_seq))
    }

    /// Ends the connection: nothing more is accepted, what waits can still be written.
    pub fn close(&mut self) {
        of!(&mut self.protocol, c => c.close());
    }

    /// The session, for a new connection.
    #[must_use]
    pub fn into_session(self) -> Session {
        of!(self.protocol, c => c.into_session())
    }

    // What must go out.

    /// Everything that waits to be written, as one piece.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        of!(&mut self.protocol, c => c.prepare_transmit());
        let bytes = of!(&mut self.protocol, c => c.out().take());
        (!bytes.is_empty()).then_some(bytes)
    }

    /// What waits, as slices for a vectored write; then [`Self::transmitted`].
    pub fn transmit_slices<const N: usize>(&mut self) -> ([IoSlice<'_>; N], usize) {
        of!(&mut self.protocol, c => c.prepare_transmit());
        of!(&mut self.protocol, c => c.out().slices())
    }

    /// So many bytes of [`Self::transmit_slices`] were written.
    pub fn transmitted(&mut self, bytes: usize) {
        of!(&mut self.protocol, c => c.out().advance(bytes));
    }

    /// Whether anything waits to be written.
    pub fn has_transmit(&mut self) -> bool {
        of!(&mut self.protocol, c => c.prepare_transmit());
        self.transmit_bytes() > 0
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        of!(&mut self.protocol, c => c.poll_event())
    }
}
