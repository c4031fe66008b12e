//! msgr v1, the legacy protocol (`src/msg/async/ProtocolV1.cc`, `src/include/msgr.h`; 16.2 to 20.2): for monitors and daemons
//! that have v1 addresses only.
//!
//! Banner and addresses, then the connector's `ceph_msg_connect` with its authorizer, the acceptor's replies until one is READY
//! or SEQ, then messages, each signed by the session key where cephx made one. A monitor is an exception: it takes no
//! authorizer, the login goes as `MAuth` messages over the open session (`axon-net`).
//!
//! Invariants as in v2; nothing is encrypted, so the owner decides whether it may be used. `wire.rs` has the structs,
//! `client.rs` and `server.rs` the handshake, `frame.rs` what is said on an open session, `connection.rs` the whole.

mod client;
mod connection;
mod frame;
mod server;
pub mod wire;

pub use connection::Connection;

use crate::auth::MessageSigner;
use crate::transmit::Transmit;
use crate::{Limits, Peer, Result, Session};
use axon_proto::{EntityName, EntityType};
use bytes::Bytes;
use std::sync::Arc;

/// What the phases work on.
struct Context<'a> {
    out: &'a mut Transmit,
    session: &'a mut Session,
    limits: &'a Limits,
}

/// Where the handshake stands; each phase waits for a number of bytes.
enum Phase {
    ClientGreeting(client::Greeting),
    ClientReply(client::Reply),
    ClientReplyAuth(client::ReplyAuth),
    ClientSeq(client::Seq),
    ServerGreeting(server::Greeting),
    ServerConnect(server::Connecting),
    ServerConnectAuth(server::ConnectAuth),
    /// The owner is asked what to do with the peer's connect message.
    ServerDeciding(server::Deciding),
    /// The session is open; what the peer has of it is expected before we send.
    ServerSeq,
}

enum Step {
    Next(Phase),
    /// The peer knows nothing of our session: tell the owner, go on.
    SessionReset(Phase),
    /// The session is open; the phase, if any, comes before the first message of ours.
    Open(Box<Opened>, Option<Phase>),
    /// The acceptor's last phase is over.
    Confirmed,
}

struct Opened {
    peer: Peer,
    signer: Option<Arc<dyn MessageSigner>>,
    /// Our name in messages.
    src: EntityName,
}

impl Phase {
    /// How many bytes its step takes.
    fn wanted(&self) -> usize {
        match self {
            Phase::ClientGreeting(_) => wire::BANNER.len() + 2 * wire::ADDR_BYTES,
            Phase::ClientReply(_) => wire::REPLY_BYTES,
            Phase::ClientReplyAuth(phase) => phase.wanted(),
            Phase::ClientSeq(_) | Phase::ServerSeq => 8,
            Phase::ServerGreeting(_) => wire::BANNER.len() + wire::ADDR_BYTES,
            Phase::ServerConnect(_) => wire::CONNECT_BYTES,
            Phase::ServerConnectAuth(phase) => phase.wanted(),
            Phase::ServerDeciding(_) => usize::MAX,
        }
    }

    fn step(self, bytes: Bytes, ctx: &mut Context<'_>) -> Result<Step> {
        match self {
            Phase::ClientGreeting(phase) => phase.step(&bytes, ctx),
            Phase::ClientReply(phase) => phase.step(&bytes, ctx),
            Phase::ClientReplyAuth(phase) => phase.step(&bytes, ctx),
            Phase::ClientSeq(phase) => phase.step(&bytes, ctx),
            Phase::ServerGreeting(phase) => phase.step(&bytes),
            Phase::ServerConnect(phase) => phase.step(&bytes, ctx),
            Phase::ServerConnectAuth(phase) => phase.step(bytes, ctx),
            Phase::ServerDeciding(phase) => Ok(Step::Next(Phase::ServerDeciding(phase))),
            Phase::ServerSeq => {
                ctx.session.handle_ack(axon_denc::Reader::named(&bytes, "acked seq").u64()?);
                Ok(Step::Confirmed)
            }
        }
    }
}

/// `AsyncMessenger::get_proto_version`: by the kind that is called, zero between equals and for managers.
fn protocol_version(called: EntityType, caller: EntityType) -> u32 {
    match called {
        _ if called == caller => 0,
        EntityType::OSD => 24,
        EntityType::MDS => 32,
        EntityType::MON => 15,
        _ => 0,
    }
}
