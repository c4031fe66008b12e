//! One v1 connection: the methods are those of [`crate::Connection`], which chooses the protocol.

use super::frame::{Form, MessageReader, Said, check_banner, put_ack, put_time};
use super::wire::{self, tag};
use super::{Context, Opened, Phase, Step, client, server};
use crate::auth::ClientAuth;
use crate::handshake::server::Decision;
use crate::transmit::Transmit;
use crate::{
    Acceptor, Compression, Connector, Error, Event, Limits, Local, Misbehaved, Misuse, Policy, Result,
    Session,
};
use axon_proto::{EntityAddr, EntityName, EntityType, RawMessage, UTime, features};
use bytes::BytesMut;
use std::collections::VecDeque;

#[expect(clippy::large_enum_variant, reason = "one per connection; a phase replaces itself with each step")]
enum State {
    Handshake(Phase),
    Ready,
    Closed,
}

/// What a connecting side needs again to reconnect.
struct Redial {
    local: Local,
    peer: EntityType,
    target: EntityAddr,
    policy: Policy,
    cookie: u64,
}

/// The state machine of one v1 connection.
pub struct Connection {
    state: State,
    out: Transmit,
    input: BytesMut,
    reader: MessageReader,
    form: Form,
    src: EntityName,
    limits: Limits,
    /// Bytes that the handshake has taken.
    shaken_bytes: usize,
    session: Session,
    events: VecDeque<Event>,
    redial: Option<Redial>,
    lossy: bool,
    /// The connecting side has been open since it was dialled last.
    opened: bool,
}

impl Connection {
    /// The connecting side.
    #[must_use]
    pub fn connect(call: Connector) -> Self {
        let session = Session { global_seq: call.global_seq, ..Session::default() };
        let redial = Redial {
            local: call.local.clone(),
            peer: call.peer,
            target: call.target,
            policy: call.policy,
            cookie: call.cookie,
        };
        let mut out = Transmit::default();
        out.put(wire::BANNER);
        let (limits, lossy) = (call.limits, call.policy.lossy);
        let phase = Phase::ClientGreeting(client::Greeting::enter(Box::new(call)));
        Self::open(phase, out, limits, session, Some(redial), lossy)
    }

    /// The accepting side.
    #[must_use]
    pub fn accept(call: Acceptor) -> Self {
        let limits = call.limits;
        let mut out = Transmit::default();
        out.put(wire::BANNER);
        let phase = Phase::ServerGreeting(server::Greeting::enter(Box::new(call), &mut out));
        Self::open(phase, out, limits, Session::default(), None, true)
    }

    fn open(
        phase: Phase,
        out: Transmit,
        limits: Limits,
        session: Session,
        redial: Option<Redial>,
        lossy: bool,
    ) -> Self {
        Connection {
            state: State::Handshake(phase),
            out,
            input: BytesMut::new(),
            reader: MessageReader::default(),
            form: Form::default(),
            src: EntityName::default(),
            limits,
            shaken_bytes: 0,
            session,
            events: VecDeque::new(),
            redial,
            lossy,
            opened: false,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    pub(crate) fn phase(&self) -> &'static str {
        match &self.state {
            State::Handshake(_) => "negotiation",
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
        &self.limits
    }

    pub(crate) fn out(&mut self) -> &mut Transmit {
        &mut self.out
    }

    pub(crate) fn transmit_bytes(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// How many bytes must have come before anything can be done with them.
    pub(crate) fn wanted(&self) -> usize {
        match &self.state {
            State::Handshake(Phase::ServerDeciding(_)) | State::Closed => 0,
            State::Handshake(phase) => phase.wanted(),
            State::Ready => self.reader.wanted(&self.form),
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn handle_input(&mut self) -> Result<()> {
        let result = self.advance();
        self.failed(result)
    }

    pub(crate) fn handle_disconnect(&mut self) {
        self.state = State::Closed;
        self.input.clear();
        self.out.clear();
    }

    pub(crate) fn send(&mut self, message: RawMessage) -> Result<()> {
        self.session.queue.push_back(message);
        self.flush_queue()
    }

    pub(crate) fn keepalive(&mut self, now: UTime) -> Result<()> {
        if !self.is_ready() {
            return Err(Misuse::Closed.into());
        }
        put_time(tag::KEEPALIVE2, now, &mut self.out);
        Ok(())
    }

    pub(crate) fn decide(&mut self, decision: Decision) -> Result<()> {
        let State::Handshake(Phase::ServerDeciding(deciding)) =
            std::mem::replace(&mut self.state, State::Closed)
        else {
            return Err(Misuse::NothingToDecide.into());
        };
        let mut ctx = Context { out: &mut self.out, session: &mut self.session, limits: &self.limits };
        let step = deciding.decide(decision, &mut ctx);
        let result = step.and_then(|step| self.settle(step)).and_then(|()| self.advance());
        self.failed(result)
    }

    pub(crate) fn reconnect(&mut self, auth: Box<dyn ClientAuth>, global_seq: u64) -> Result<()> {
        let Some(redial) = &self.redial else { return Err(Misuse::Closed.into()) };
        if std::mem::take(&mut self.opened) {
            self.session.connect_seq += 1;
        }
        self.session.global_seq = self.session.global_seq.max(global_seq);
        self.session.unacked_in = 0;
        self.lossy = redial.policy.lossy;
        let call = Connector {
            local: redial.local.clone(),
            peer: redial.peer,
            target: redial.target,
            policy: redial.policy,
            limits: self.limits,
            compression: Compression::default(),
            auth,
            global_seq,
            cookie: redial.cookie,
        };
        self.out.clear();
        self.out.put(wire::BANNER);
        self.input.clear();
        self.reader = MessageReader::default();
        self.shaken_bytes = 0;
        self.state = State::Handshake(Phase::ClientGreeting(client::Greeting::enter(Box::new(call))));
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        if self.is_closed() {
            return;
        }
        // Not by the tag CLOSE: upstream's daemons stop then without telling their owner, and never come back.
        self.state = State::Closed;
        self.events.push_back(Event::Closed(None));
    }

    /// An acknowledgement goes out when there is something to acknowledge.
    pub(crate) fn prepare_transmit(&mut self) {
        if self.is_ready() && !self.lossy && self.session.unacked_in > 0 {
            self.session.unacked_in = 0;
            put_ack(self.session.in_seq, &mut self.out);
        }
    }

    fn failed(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            if !self.is_closed() || self.events.is_empty() {
                self.events.push_back(Event::Closed(Some(error.clone())));
            }
            self.handle_disconnect();
        }
        result
    }

    /// Takes what is complete from the input.
    fn advance(&mut self) -> Result<()> {
        loop {
            match &self.state {
                State::Closed => {
                    self.input.clear();
                    return Ok(());
                }
                // The peer must wait for our answer, so nothing more is taken until it is decided.
                State::Handshake(Phase::ServerDeciding(_)) => return Ok(()),
                State::Handshake(_) => {
                    if !self.take_phase()? {
                        return Ok(());
                    }
                }
                State::Ready => {
                    let bytes_max = self.limits.message_bytes_max;
                    let Some(said) = self.reader.poll(&mut self.input, &self.form, bytes_max)? else {
                        return Ok(());
                    };
                    self.handle(said)?;
                }
            }
        }
    }

    fn take_phase(&mut self) -> Result<bool> {
        let State::Handshake(phase) = &self.state else { return Ok(false) };
        if matches!(phase, Phase::ClientGreeting(_) | Phase::ServerGreeting(_)) {
            check_banner(&self.input)?;
        }
        let wanted = phase.wanted();
        if self.input.len() < wanted {
            return Ok(false);
        }
        self.shaken_bytes = self.shaken_bytes.saturating_add(wanted);
        let bytes_max = self.limits.handshake_bytes_max;
        if self.shaken_bytes > bytes_max {
            return Err(Misbehaved::HandshakeTooLarge { bytes_max }.into());
        }
        let bytes = self.input.split_to(wanted).freeze();
        let State::Handshake(phase) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(false);
        };
        let mut ctx = Context { out: &mut self.out, session: &mut self.session, limits: &self.limits };
        let step = phase.step(bytes, &mut ctx)?;
        self.settle(step)?;
        Ok(true)
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
            Step::Open(opened, next) => {
                let Opened { peer, signer, src } = *opened;
                self.lossy = peer.lossy;
                self.form = Form { has_sig: peer.features.has(features::MSG_AUTH), signer };
                self.src = src;
                self.session.peer = Some(peer.clone());
                self.events.push_back(Event::Connected(Box::new(peer)));
                match next {
                    Some(phase) => {
                        self.state = State::Handshake(phase);
                        Ok(())
                    }
                    None => self.ready(),
                }
            }
            Step::Confirmed => {
                self.session.confirmed = true;
                self.ready()
            }
        }
    }

    fn ready(&mut self) -> Result<()> {
        self.state = State::Ready;
        self.opened = true;
        if self.lossy {
            self.session.sent.clear();
        }
        // What the peer has not acknowledged goes again, under its old numbers.
        for message in &self.session.sent {
            self.form.put(message, self.src, &mut self.out)?;
        }
        self.flush_queue()
    }

    fn flush_queue(&mut self) -> Result<()> {
        if !self.is_ready() {
            return Ok(());
        }
        while let Some(message) = self.session.next_to_send(self.lossy) {
            self.form.put(&message, self.src, &mut self.out)?;
        }
        Ok(())
    }

    fn handle(&mut self, said: Said) -> Result<()> {
        match said {
            Said::Message(message) => {
                if self.session.handle_seq(message.header.seq) {
                    self.events.push_back(Event::Message(message));
                }
            }
            Said::Ack(seq) => self.session.handle_ack(seq),
            Said::Keepalive => {}
            Said::Keepalive2(time) => put_time(tag::KEEPALIVE2_ACK, time, &mut self.out),
            Said::Keepalive2Ack(time) => self.events.push_back(Event::KeepaliveAck(time)),
            Said::Close => return Err(Error::from(Misbehaved::HungUp)),
        }
        Ok(())
    }
}
