//! The handshake, a small value per phase: each owns just what its moment needs, is made by `enter`, which sends what opens
//! it, and is consumed by `step` with the frame that answers (`ProtocolV2`'s states `HELLO_*` to `SESSION_*`).

pub mod client;
pub mod server;
pub(crate) mod signature;
mod wire;

pub(crate) use wire::Wire;

use crate::auth::PeerIdentity;
use crate::frame::{Frame, Tag};
use crate::{Algorithm, Misbehaved, Result, Session};
use axon_denc::Features;
use axon_proto::{EntityAddr, EntityAddrVec, EntityName};

/// What a finished handshake has learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub name: EntityName,
    pub addrs: EntityAddrVec,
    /// What both sides support: messages are encoded for these.
    pub features: Features,
    /// `auth::con_mode`.
    pub con_mode: u32,
    /// Frames are those of v2.1; over v1 there are none.
    pub rev1: bool,
    /// What frames may be compressed with.
    pub compression: Option<Algorithm>,
    /// The peer of an accepting side as it proved itself; `None` on the connecting side.
    pub identity: Option<PeerIdentity>,
    /// The connecting side's global id, as the authentication yielded it.
    pub global_id: u64,
    /// The session ends with its socket.
    pub lossy: bool,
    /// Our own address as the peer sees it.
    pub our_addr: EntityAddr,
    /// An earlier session goes on.
    pub resumed: bool,
}

/// What the phases work on.
pub(crate) struct Context<'a> {
    pub wire: &'a mut Wire,
    pub session: &'a mut Session,
}

/// Where the handshake stands.
pub(crate) enum Phase {
    ClientHello(client::Hello),
    ClientAuth(client::Auth),
    ClientSignature(client::Signature),
    ClientCompression(client::Compression),
    ClientIdent(client::Ident),
    ClientReconnect(client::Reconnect),
    ServerHello(server::Hello),
    ServerAuth(server::Auth),
    ServerSignature(server::Signature),
    ServerCompression(server::Compression),
    ServerIdent(server::Ident),
    /// The owner is asked what to do with the peer's ident.
    ServerDeciding(server::Deciding),
}

/// What a phase made of a frame. Aborting is the error of the result.
pub(crate) enum Step {
    Next(Phase),
    /// The peer knows nothing of our session: tell the owner, go on.
    SessionReset(Phase),
    Done(Peer),
}

impl Phase {
    /// What is under way, for those who watch.
    pub fn name(&self) -> &'static str {
        match self {
            Phase::ClientHello(_) | Phase::ServerHello(_) => "hello",
            Phase::ClientAuth(_) | Phase::ServerAuth(_) => "auth",
            Phase::ClientSignature(_) | Phase::ServerSignature(_) => "signature",
            Phase::ClientCompression(_) | Phase::ServerCompression(_) => "compression",
            Phase::ClientReconnect(_) => "reconnect",
            Phase::ClientIdent(_) | Phase::ServerIdent(_) | Phase::ServerDeciding(_) => "ident",
        }
    }

    pub fn step(self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        match self {
            Phase::ClientHello(phase) => phase.step(frame, ctx),
            Phase::ClientAuth(phase) => phase.step(frame, ctx),
            Phase::ClientSignature(phase) => phase.step(frame, ctx),
            Phase::ClientCompression(phase) => phase.step(frame, ctx),
            Phase::ClientIdent(phase) => phase.step(frame, ctx),
            Phase::ClientReconnect(phase) => phase.step(frame, ctx),
            Phase::ServerHello(phase) => phase.step(frame, ctx),
            Phase::ServerAuth(phase) => phase.step(frame, ctx),
            Phase::ServerSignature(phase) => phase.step(frame, ctx),
            Phase::ServerCompression(phase) => phase.step(frame, ctx),
            Phase::ServerIdent(phase) => phase.step(frame, ctx),
            Phase::ServerDeciding(_) => unexpected(frame.tag, "our decision"),
        }
    }
}

fn unexpected<T>(tag: Tag, expecting: &'static str) -> Result<T> {
    Err(Misbehaved::UnexpectedFrame { tag, expecting }.into())
}
