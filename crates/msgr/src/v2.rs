//! One v2 connection: the methods are those of [`crate::Connection`], which chooses the protocol.

use crate::auth::ClientAuth;
use crate::frame::control::{self, Ack, Keepalive2, Keepalive2Ack};
use crate::frame::{Frame, SizeLimits, Tag, message_from};
use crate::handshake::server::Decision;
use crate::handshake::{Context, Peer, Phase, Step, Wire, client, server};
use crate::transmit::Transmit;
use crate::{
    Acceptor, Compression, Connector, Error, Event, Limits, Local, Misbehaved, Misuse, Policy, Result,
    Session, banner,
};
use axon_proto::{EntityAddr, EntityType, RawMessage, UTime};
use bytes::BytesMut;
use std::collections::VecDeque;

#[expect(clippy::large_enum_variant, reason = "one per connection; a phase replaces itself with each frame")]
enum State {
    Banner(Opening),
    Handshake(Phase),
    Ready,
    Closed,
}

enum Opening {
    Client(Box<Connector>),
    Server(Box<Acceptor>),
}

/// What a connecting side needs again to reconnect.
struct Redial {
    local: Local,
    peer: EntityType,
    target: EntityAddr,
    policy: Policy,
    compression: Compression,
    cookie: u64,
}

/// The state machine of one v2 connection.
pub struct Connection {
    state: State,
    wire: Wire,
    input: BytesMut,
    session: Session,
    events: VecDeque<Event>,
    redial: Option<Redial>,
    /// Messages are dropped with the socket. Known for sure once connected.
    lossy: bool,
}

impl Connection {
    /// The connecting side.
    pub fn connect(call: Connector) -> Self {
        let session = Session { global_seq: call.global_seq, ..Session::default() };
        let redial = Redial {
            local: call.local.clone(),
            peer: call.peer,
            target: call.target,
            policy: call.policy,
            compression: call.compression.clone(),
            cookie: call.cookie,
        };
        let (limits, lossy) = (call.limits, call.policy.lossy);
        Self::open(Opening::Client(Box::new(call)), limits, session, Some(redial), lossy)
    }

    /// The accepting side.
    pub fn accept(call: Acceptor) -> Self {
        let limits = call.limits;
        Self::open(Opening::Server(Box::new(call)), limits, Session::default(), None, true)
    }

    fn open(opening: Opening, limits: Limits, session: Session, redial: Option<Redial>, lossy: bool) -> Self {
        let mut wire = Wire::new(limits);
        wire.put_raw(&banner::ours(limits.revision_max));
        Connection {
            state: State::Banner(opening),
            wire,
            input: BytesMut::new(),
            session,
            events: VecDeque::new(),
            redial,
            lossy,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    pub(crate) fn phase(&self) -> &'static str {
        match &self.state {
            State::Banner(_) => "banner",
            State::Handshake(phase) => phase.name(),
            State::Ready => "ready",
            State::Closed => "closed",
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) fn is_lossless(&self) -> bool {
        !self.lossy
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.wire.limits
    }

    pub(crate) fn out(&mut self) -> &mut Transmit {
        &mut self.wire.out
    }

    pub(crate) fn transmit_bytes(&self) -> usize {
        self.wire.out.len()
    }

    pub(crate) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// How many bytes must have come before anything can be done with them.
    pub(crate) fn wanted(&self) -> usize {
        self.wire.reader.wanted()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn handle_input(&mut self) -> Result<()> {
        match self.advance() {
            Ok(()) => Ok(()),
            Err(e) => {
                self.fail(e.clone());
                Err(e)
            }
        }
    }

    pub(crate) fn handle_disconnect(&mut self) {
        self.state = State::Closed;
        self.input.clear();
        self.wire.out.clear();
    }

    pub(crate) fn send(&mut self, message: RawMessage) -> Result<()> {
        self.session.queue.push_back(message);
        self.flush_queue()
    }

    pub(crate) fn keepalive(&mut self, now: UTime) -> Result<()> {
        if !self.is_ready() {
            return Err(Misuse::Closed.into());
        }
        self.wire.send(&Keepalive2 { timestamp: now })
    }

    pub(crate) fn decide(&mut self, decision: Decision) -> Result<()> {
        let State::Handshake(Phase::ServerDeciding(deciding)) =
            std::mem::replace(&mut self.state, State::Closed)
        else {
            return Err(Misuse::NothingToDecide.into());
        };
        let mut ctx = Context { wire: &mut self.wire, session: &mut self.session };
        let result = deciding.decide(decision, &mut ctx).and_then(|step| self.settle(step));
        match result.and_then(|()| self.advance()) {
            Ok(()) => Ok(()),
            Err(e) => {
                self.fail(e.clone());
                Err(e)
            }
        }
    }

    pub(crate) fn reconnect(&mut self, auth: Box<dyn ClientAuth>, global_seq: u64) -> Result<()> {
        let Some(redial) = &self.redial else { return Err(Misuse::Closed.into()) };
        let limits = self.wire.limits;
        if self.session.server_cookie != 0 {
            self.session.connect_seq += 1;
        }
        self.session.global_seq = self.session.global_seq.max(global_seq);
        self.lossy = redial.policy.lossy;
        let call = Connector {
            local: redial.local.clone(),
            peer: redial.peer,
            target: redial.target,
            policy: redial.policy,
            limits,
            compression: redial.compression.clone(),
            auth,
            global_seq,
            cookie: redial.cookie,
        };
        self.wire = Wire::new(limits);
        self.wire.put_raw(&banner::ours(limits.revision_max));
        self.input.clear();
        self.state = State::Banner(Opening::Client(Box::new(call)));
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        if !self.is_closed() {
            self.state = State::Closed;
            self.events.push_back(Event::Closed(None));
        }
    }

    /// An acknowledgement goes out when no message carries it.
    pub(crate) fn prepare_transmit(&mut self) {
        if self.is_ready() && !self.lossy && self.session.unacked_in > 0 {
            self.session.unacked_in = 0;
            let ack = Ack { seq: self.session.in_seq };
            if let Err(e) = self.wire.send(&ack) {
                self.fail(e);
            }
        }
    }

    fn fail(&mut self, error: Error) {
        if !matches!(self.state, State::Closed) || self.events.is_empty() {
            self.events.push_back(Event::Closed(Some(error)));
        }
        self.state = State::Closed;
        self.input.clear();
        self.out().clear();
    }

    /// Takes what is complete from the input.
    fn advance(&mut self) -> Result<()> {
        loop {
            match &self.state {
                State::Closed => {
                    self.input.clear();
                    return Ok(());
                }
                State::Banner(_) => {
                    if !self.take_banner()? {
                        return Ok(());
                    }
                }
                // The peer must wait for our answer, so nothing more is taken until it is decided.
                State::Handshake(Phase::ServerDeciding(_)) => return Ok(()),
                State::Handshake(_) | State::Ready => {
                    let ready = self.is_ready();
                    let limits = &self.wire.limits;
                    let sizes = SizeLimits {
                        control_bytes_max: limits.control_frame_bytes_max,
                        // The first segment is the header.
                        message_bytes_max: ready.then(|| limits.message_bytes_max.saturating_add(64)),
                    };
                    let Some(frame) = self.wire.reader.poll(&mut self.input, sizes)? else { return Ok(()) };
                    if ready { self.handle_frame(frame)? } else { self.handle_handshake(&frame)? }
                }
            }
        }
    }

    fn take_banner(&mut self) -> Result<bool> {
        let Some((banner, supported)) = banner::take(&mut self.input)? else { return Ok(false) };
        self.wire.peer_compresses = supported & banner::COMPRESSION != 0;
        if supported & banner::REVISION_1 == 0 || self.wire.limits.revision_max == 0 {
            self.wire.speak_v20();
        }
        self.wire.reader.note(&banner);
        let State::Banner(opening) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(false);
        };
        let phase = match opening {
            Opening::Client(call) => Phase::ClientHello(client::Hello::enter(call, &mut self.wire)?),
            Opening::Server(call) => Phase::ServerHello(server::Hello::enter(call, &mut self.wire)?),
        };
        self.state = State::Handshake(phase);
        Ok(true)
    }

    fn handle_handshake(&mut self, frame: &Frame) -> Result<()> {
        self.wire.check_handshake()?;
        let State::Handshake(phase) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(());
        };
        let mut ctx = Context { wire: &mut self.wire, session: &mut self.session };
        let step = phase.step(frame, &mut ctx)?;
        self.settle(step)
    }

    fn settle(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Next(phase) => {
                if let Phase::ServerDeciding(deciding) = &phase {
                    let offer = Box::new(deciding.offer().clone());
                    self.events.push_back(Event::Offer { offer, policy: deciding.policy() });
                }
                self.state = State::Handshake(phase);
                Ok(())
            }
            Step::SessionReset(phase) => {
                self.events.push_back(Event::Reset);
                self.state = State::Handshake(phase);
                Ok(())
            }
            Step::Done(peer) => self.ready(peer),
        }
    }

    fn ready(&mut self, peer: Peer) -> Result<()> {
        self.lossy = peer.lossy;
        self.session.peer = Some(peer.clone());
        self.events.push_back(Event::Connected(Box::new(peer)));
        self.state = State::Ready;
        if self.lossy {
            self.session.sent.clear();
        }
        // What the peer has not acknowledged goes again, under its old numbers.
        for message in &self.session.sent {
            self.wire.send_message(message.clone(), self.session.in_seq)?;
        }
        self.flush_queue()
    }

    fn flush_queue(&mut self) -> Result<()> {
        if !self.is_ready() {
            return Ok(());
        }
        while let Some(message) = self.session.next_to_send(self.lossy) {
            self.session.unacked_in = 0;
            self.wire.send_message(message, self.session.in_seq)?;
        }
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<()> {
        match frame.tag {
            Tag::Message => self.handle_message(frame)?,
            Tag::Ack => {
                let ack: Ack = control::decode(frame.payload())?;
                self.session.handle_ack(ack.seq);
            }
            Tag::Keepalive2 => {
                let Keepalive2 { timestamp } = control::decode(frame.payload())?;
                self.wire.send(&Keepalive2Ack { timestamp })?;
            }
            Tag::Keepalive2Ack => {
                let ack: Keepalive2Ack = control::decode(frame.payload())?;
                self.events.push_back(Event::KeepaliveAck(ack.timestamp));
            }
            tag => return Err(Misbehaved::UnexpectedFrame { tag, expecting: "messages" }.into()),
        }
        Ok(())
    }

    fn handle_message(&mut self, frame: Frame) -> Result<()> {
        let (message, ack_seq) = message_from(frame)?;
        if !self.lossy {
            self.session.handle_ack(ack_seq);
        }
        if self.session.handle_seq(message.header.seq) {
            self.events.push_back(Event::Message(message));
        }
        Ok(())
    }
}
