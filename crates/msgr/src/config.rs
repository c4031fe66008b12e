//! What a connection is told at its start: who we are, whom we call, and the limits.

use crate::auth::{ClientAuth, ServerAuth};
use crate::{Compression, Policy};
use axon_proto::{EntityAddr, EntityAddrVec, EntityType};

/// Our own identity as the ident frames carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    pub kind: EntityType,
    /// The number behind `mgr.`; `None`: the global id that the authentication yields (a connecting side's only).
    pub num: Option<i64>,
    /// Our addresses. Empty: the address that the peer sees, with port 0 and `nonce`, as an unbound messenger does.
    pub addrs: EntityAddrVec,
    pub nonce: u32,
}

/// Bounds on what a peer can make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame that is not a message, and so the largest before the authentication.
    pub control_frame_bytes_max: u32,
    /// Largest sum of the sections of a message that comes; of a compressed one also after it is unpacked.
    pub message_bytes_max: u32,
    /// Largest sum of the sections of a message that goes. What we send is our own, and answers about a large cluster are large.
    pub sent_bytes_max: u32,
    /// Most bytes of one direction that a handshake may take until its signature.
    pub handshake_bytes_max: usize,
    /// Most messages that a lossless session holds unacknowledged; further ones are still sent, but see
    /// [`crate::Connection::wants_messages`].
    pub unacked_messages_max: usize,
    /// The newest revision of v2 to offer: 1, or 0 for v2.0 with everybody.
    pub revision_max: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            control_frame_bytes_max: 32 << 10,
            message_bytes_max: 2 << 30,
            // A section's length has 32 bits on the wire; padding and tags need some.
            sent_bytes_max: u32::MAX - (64 << 10),
            handshake_bytes_max: 128 << 10,
            unacked_messages_max: 4096,
            revision_max: 1,
        }
    }
}

/// Everything that the connecting side needs.
pub struct Connector {
    pub local: Local,
    /// Kind of daemon that was called.
    pub peer: EntityType,
    /// The address that was called; the peer must have it among its own.
    pub target: EntityAddr,
    pub policy: Policy,
    pub limits: Limits,
    pub compression: Compression,
    pub auth: Box<dyn ClientAuth>,
    /// From the process-wide counter of connection attempts.
    pub global_seq: u64,
    /// A random number that is not zero; names a lossless session.
    pub cookie: u64,
}

/// Everything that the accepting side needs.
pub struct Acceptor {
    pub local: Local,
    /// The peer's address as the socket has it.
    pub peer_addr: EntityAddr,
    /// Policy by the kind that the peer claims.
    pub policies: fn(EntityType) -> Policy,
    pub limits: Limits,
    pub compression: Compression,
    pub auth: Box<dyn ServerAuth>,
    pub global_seq: u64,
    /// A random number that is not zero; names a lossless session.
    pub cookie: u64,
}
