//! What an acceptor makes of a peer's ident in view of the session it keeps for the same addresses
//! (`ProtocolV2::handle_existing_connection`, `handle_reconnect`, `ProtocolV1::handle_connect_message_2`). Our listeners never call out, so the two races of ends
//! that call each other are decided for the newer connection, as upstream does for a server.

use crate::frame::control::{ClientIdent, Reconnect};
use crate::v1::wire::Connect;
use crate::{Offer, Policy, Session};

/// What is known of the session that is kept for the peer's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    pub client_cookie: u64,
    pub server_cookie: u64,
    pub connect_seq: u64,
    pub peer_global_seq: u64,
    pub lossy: bool,
    /// v1: the peer has seen our answer that opened the session.
    pub confirmed: bool,
    /// Its socket is being replaced right now.
    pub replacing: bool,
}

impl Session {
    /// What the session table keeps of it.
    #[must_use]
    pub fn existing(&self, replacing: bool) -> Existing {
        Existing {
            client_cookie: self.client_cookie,
            server_cookie: self.server_cookie,
            connect_seq: self.connect_seq,
            peer_global_seq: self.peer_global_seq,
            confirmed: self.confirmed,
            lossy: self.peer.as_ref().is_some_and(|p| p.lossy),
            replacing,
        }
    }
}

/// What to do with the new connection and with the existing session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Begin a new session; close the existing one, if any.
    Begin,
    /// Begin over with the existing session's socket replaced; `forget`: its messages are dropped, its owner told.
    Replace {
        forget: bool,
    },
    /// The existing session goes on over the new socket.
    Resume,
    Reset {
        full: bool,
    },
    Retry {
        connect_seq: u64,
    },
    RetryGlobal {
        global_seq: u64,
    },
    Wait,
    /// The new connection is older than the existing session: close it.
    Stale,
}

/// What the peer asks for against the existing session.
#[must_use]
pub fn judge(existing: Option<&Existing>, offer: &Offer, policy: &Policy) -> Verdict {
    match offer {
        Offer::Ident(ident) => judge_ident(existing, ident, policy),
        Offer::Reconnect(reconnect) => judge_reconnect(existing, reconnect, policy),
        Offer::Connect(_, connect) => judge_connect(existing, connect, policy),
    }
}

/// CLIENT_IDENT against the existing session.
fn judge_ident(existing: Option<&Existing>, ident: &ClientIdent, policy: &Policy) -> Verdict {
    let Some(existing) = existing else { return Verdict::Begin };
    if existing.replacing {
        return Verdict::Wait;
    }
    if existing.peer_global_seq > ident.global_seq {
        // A peer that restarted counts from the beginning, and has another cookie; one with the same is late.
        let restarted =
            existing.client_cookie != 0 && ident.cookie != 0 && existing.client_cookie != ident.cookie;
        return if restarted { Verdict::Begin } else { Verdict::Stale };
    }
    if existing.lossy {
        return Verdict::Begin;
    }
    let peer_was_reset =
        existing.server_cookie != 0 && existing.client_cookie != 0 && existing.client_cookie != ident.cookie;
    Verdict::Replace { forget: peer_was_reset && policy.resetcheck }
}

/// SESSION_RECONNECT against the existing session.
fn judge_reconnect(existing: Option<&Existing>, reconnect: &Reconnect, policy: &Policy) -> Verdict {
    let Some(existing) = existing else { return Verdict::Reset { full: true } };
    if existing.replacing {
        return Verdict::RetryGlobal { global_seq: existing.peer_global_seq };
    }
    if existing.client_cookie != reconnect.client_cookie {
        return Verdict::Reset { full: policy.resetcheck };
    }
    if existing.server_cookie == 0 {
        return Verdict::Reset { full: false };
    }
    if existing.peer_global_seq > reconnect.global_seq {
        return Verdict::RetryGlobal { global_seq: existing.peer_global_seq };
    }
    if existing.connect_seq > reconnect.connect_seq {
        return Verdict::Retry { connect_seq: existing.connect_seq };
    }
    Verdict::Resume
}

/// v1: `ceph_msg_connect` against the existing session. One that the peer never saw open goes on where upstream would drop it.
fn judge_connect(existing: Option<&Existing>, connect: &Connect, policy: &Policy) -> Verdict {
    let seq = u64::from(connect.connect_seq);
    let Some(existing) = existing else {
        return if seq > 0 { Verdict::Reset { full: true } } else { Verdict::Begin };
    };
    if existing.replacing || u64::from(connect.global_seq) < existing.peer_global_seq {
        return Verdict::RetryGlobal { global_seq: existing.peer_global_seq };
    }
    if existing.lossy {
        return Verdict::Begin;
    }
    if seq == 0 && existing.connect_seq > 0 {
        return match existing.confirmed {
            true => Verdict::Replace { forget: policy.resetcheck },
            false => Verdict::Resume,
        };
    }
    if seq <= existing.connect_seq {
        return Verdict::Retry { connect_seq: existing.connect_seq.wrapping_add(1) };
    }
    if policy.resetcheck && existing.connect_seq == 0 {
        return Verdict::Reset { full: true };
    }
    Verdict::Resume
}
