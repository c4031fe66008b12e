//! The owner compares the peer's ident with the sessions it keeps, and answers with a [`Decision`]; see
//! `judge_ident` and `judge_reconnect`.

use super::{Authenticated, Ident};
use crate::frame::control::{
    ClientIdent, FEATURES_REQUIRED, FLAG_LOSSY, Reconnect, ReconnectOk, Reset, Retry, RetryGlobal,
    ServerIdent, Wait,
};
use crate::handshake::{Context, Peer, Phase, Step};
use crate::v1::wire::Connect;
use crate::{Misuse, Result, Session};
use axon_denc::Features;
use axon_proto::{EntityAddrVec, EntityName};

/// What the peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    Ident(ClientIdent),
    Reconnect(Reconnect),
    /// v1: the peer's address and its connect message.
    Connect(EntityAddrVec, Connect),
}

impl Offer {
    /// The addresses by which sessions are kept.
    #[must_use]
    pub fn addrs(&self) -> &EntityAddrVec {
        match self {
            Offer::Ident(ident) => &ident.addrs,
            Offer::Reconnect(reconnect) => &reconnect.addrs,
            Offer::Connect(addrs, _) => addrs,
        }
    }
}

/// What the owner makes of an offer.
#[derive(Debug)]
pub enum Decision {
    /// A new session.
    Begin,
    /// A new session in place of an earlier one whose unacknowledged messages go along.
    Replace(Box<Session>),
    /// The earlier session goes on.
    Resume(Box<Session>),
    /// The peer shall forget its session, fully or only what our ident had told.
    Reset { full: bool },
    /// The peer shall try again with a higher connection number.
    Retry { connect_seq: u64 },
    /// The peer shall try again with a higher global number.
    RetryGlobal { global_seq: u64 },
    /// The peer shall wait for another connection.
    Wait,
}

pub(crate) struct Deciding {
    authenticated: Authenticated,
    offer: Offer,
}

impl Deciding {
    pub fn enter(authenticated: Authenticated, offer: Offer) -> Self {
        Deciding { authenticated, offer }
    }

    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    pub fn policy(&self) -> crate::Policy {
        self.authenticated.greeted.policy
    }

    pub fn decide(self, decision: Decision, ctx: &mut Context<'_>) -> Result<Step> {
        match decision {
            Decision::Begin => return self.begin(ctx),
            Decision::Replace(session) => {
                *ctx.session = *session;
                return self.begin(ctx);
            }
            Decision::Resume(session) => {
                *ctx.session = *session;
                return self.resume(ctx);
            }
            Decision::Reset { full } => ctx.wire.send(&Reset { full })?,
            Decision::Retry { connect_seq } => ctx.wire.send(&Retry { connect_seq })?,
            Decision::RetryGlobal { global_seq } => ctx.wire.send(&RetryGlobal { global_seq })?,
            Decision::Wait => ctx.wire.send(&Wait {})?,
        }
        Ok(Step::Next(Phase::ServerIdent(Ident::enter(self.authenticated))))
    }

    /// Answers CLIENT_IDENT: the session starts over here.
    pub fn begin(self, ctx: &mut Context<'_>) -> Result<Step> {
        let Authenticated { greeted, identity, con_mode, compression } = self.authenticated;
        let Offer::Ident(ident) = self.offer else { return Err(Misuse::NothingToDecide.into()) };
        let policy = greeted.policy;
        let session = &mut *ctx.session;
        session.client_cookie = ident.cookie;
        session.server_cookie = if policy.lossy { 0 } else { greeted.call.cookie };
        session.peer_global_seq = ident.global_seq;
        session.global_seq = greeted.call.global_seq;
        session.in_seq = 0;
        session.unacked_in = 0;
        ctx.wire.send(&ServerIdent {
            addrs: greeted.call.local.addrs.clone(),
            gid: greeted.call.local.num.unwrap_or(EntityName::NEW),
            global_seq: session.global_seq,
            supported_features: policy.features_supported,
            required_features: policy.features_required | FEATURES_REQUIRED,
            flags: if policy.lossy { FLAG_LOSSY } else { 0 },
            cookie: session.server_cookie,
        })?;
        Ok(Step::Done(Peer {
            name: EntityName::new(greeted.kind, ident.gid),
            addrs: ident.addrs,
            features: Features(ident.supported_features & policy.features_supported),
            con_mode,
            rev1: ctx.wire.is_rev1(),
            compression,
            global_id: identity.global_id,
            identity: Some(identity),
            lossy: policy.lossy,
            our_addr: greeted.our_addr,
            resumed: false,
        }))
    }

    fn resume(self, ctx: &mut Context<'_>) -> Result<Step> {
        let Authenticated { greeted, identity, con_mode, compression } = self.authenticated;
        let Offer::Reconnect(reconnect) = self.offer else { return Err(Misuse::NothingToDecide.into()) };
        let session = &mut *ctx.session;
        let Some(peer) = session.peer.clone() else { return Err(Misuse::NothingToDecide.into()) };
        session.connect_seq = reconnect.connect_seq;
        session.peer_global_seq = reconnect.global_seq;
        session.handle_ack(reconnect.msg_seq);
        ctx.wire.send(&ReconnectOk { msg_seq: session.in_seq })?;
        Ok(Step::Done(Peer {
            con_mode,
            rev1: ctx.wire.is_rev1(),
            compression,
            global_id: identity.global_id,
            identity: Some(identity),
            our_addr: greeted.our_addr,
            resumed: true,
            ..peer
        }))
    }
}
