//! The accepting side's phases: the connector's greeting, its connect messages, and, unless sessions of this peer are never kept,
//! the owner's decision about earlier sessions.
//!
//! Invariant: a peer authenticates once per socket; what it says in further connect messages cannot change who it is.

use super::wire::{self, Connect, ConnectReply, tag};
use super::{Context, Opened, Phase, Step, protocol_version};
use crate::auth::{AuthKeys, PeerIdentity, ServerStep, con_mode, method};
use crate::handshake::server::{Decision, Offer};
use crate::{Acceptor, Misbehaved, Misuse, Peer, Policy, Result, Session};
use axon_denc::{Features, Reader};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityName, EntityType, features};
use bytes::Bytes;

/// Banner and address are expected.
pub(super) struct Greeting {
    call: Box<Acceptor>,
}

impl Greeting {
    pub fn enter(call: Box<Acceptor>, out: &mut crate::transmit::Transmit) -> Self {
        let legacy = |addr: EntityAddr| wire::encode(&EntityAddr { kind: AddrType::LEGACY, ..addr });
        out.put(&legacy(call.local.addrs.legacy().copied().unwrap_or_default()));
        out.put(&legacy(call.peer_addr));
        Greeting { call }
    }

    pub fn step(self, bytes: &[u8]) -> Result<Step> {
        let mut r = Reader::named(bytes, "msgr v1 greeting");
        r.skip(wire::BANNER.len())?;
        let mut addr = wire::decode_addr(&mut r)?;
        // A peer that does not know its IP address has the one that we see.
        if addr.sock.is_none_or(|s| s.ip().is_unspecified()) {
            let port = addr.sock.map_or(0, |s| s.port());
            addr.sock = self.call.peer_addr.sock;
            if let Some(sock) = &mut addr.sock {
                sock.set_port(port);
            }
            addr.kind = AddrType::LEGACY;
        }
        Ok(Step::Next(Phase::ServerConnect(Connecting {
            call: self.call,
            addr,
            kind: None,
            auth: Auth::First,
        })))
    }
}

/// How far the authentication is.
enum Auth {
    First,
    Challenged(u32),
    Verified(Box<Verified>),
}

struct Verified {
    identity: PeerIdentity,
    /// Our proof, which goes with every reply.
    proof: Bytes,
    keys: AuthKeys,
}

/// `ceph_msg_connect` is expected.
pub(super) struct Connecting {
    call: Box<Acceptor>,
    addr: EntityAddr,
    /// What the peer called itself at first.
    kind: Option<EntityType>,
    auth: Auth,
}

impl Connecting {
    pub fn step(self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        let connect: Connect = Reader::named(bytes, "ceph_msg_connect").value()?;
        let (len, bytes_max) = (connect.authorizer_len, ctx.limits.control_frame_bytes_max);
        if len > bytes_max {
            return Err(Misbehaved::AuthorizerTooLarge { bytes: len, bytes_max }.into());
        }
        let next = ConnectAuth { connecting: self, connect };
        if len == 0 { next.step(Bytes::new(), ctx) } else { Ok(Step::Next(Phase::ServerConnectAuth(next))) }
    }

    fn reply(
        self,
        connect: &Connect,
        policy: &Policy,
        reply: ConnectReply,
        proof: &[u8],
        ctx: &mut Context<'_>,
    ) -> Step {
        let reply = ConnectReply {
            features: connect.features & policy.features_supported | policy.features_required,
            protocol_version: protocol_version(self.call.local.kind, self.kind.unwrap_or(EntityType::NONE)),
            authorizer_len: u32::try_from(proof.len()).unwrap_or(u32::MAX),
            ..reply
        };
        ctx.out.put(&wire::encode(&reply));
        ctx.out.put(proof);
        Step::Next(Phase::ServerConnect(self))
    }
}

/// The authorizer is expected.
pub(super) struct ConnectAuth {
    connecting: Connecting,
    connect: Connect,
}

impl ConnectAuth {
    pub fn wanted(&self) -> usize {
        self.connect.authorizer_len as usize
    }

    pub fn step(self, authorizer: Bytes, ctx: &mut Context<'_>) -> Result<Step> {
        let ConnectAuth { mut connecting, connect } = self;
        let kind = EntityType(u8::try_from(connect.host_type).unwrap_or(0));
        if let Some(expected) = connecting.kind.replace(kind).filter(|earlier| *earlier != kind) {
            return Err(Misbehaved::WrongEntityType { claimed: kind, expected }.into());
        }
        let mut policy = (connecting.call.policies)(kind);
        if connect.authorizer_protocol == method::CEPHX {
            // `cephx_require_version`; signatures have the form of such peers.
            policy.features_required |= features::CEPHX_V2;
        }
        let answer = |tag| ConnectReply { tag, ..ConnectReply::default() };
        if connect.protocol_version != protocol_version(connecting.call.local.kind, kind) {
            return Ok(connecting.reply(&connect, &policy, answer(tag::BADPROTOVER), &[], ctx));
        }
        if policy.features_required & !connect.features != 0 {
            return Ok(connecting.reply(&connect, &policy, answer(tag::FEATURES), &[], ctx));
        }
        let auth = &mut connecting.call.auth;
        let step = match &connecting.auth {
            Auth::Verified(_) => return connecting.verified(connect, policy, ctx),
            Auth::First => auth.request(kind, connect.authorizer_protocol, &[con_mode::CRC], &authorizer)?,
            Auth::Challenged(method) if *method == connect.authorizer_protocol => {
                auth.request_more(&authorizer)?
            }
            Auth::Challenged(_) => return Err(Misbehaved::NotProved.into()),
        };
        match step {
            ServerStep::More(challenge) => {
                connecting.auth = Auth::Challenged(connect.authorizer_protocol);
                Ok(connecting.reply(&connect, &policy, answer(tag::CHALLENGE_AUTHORIZER), &challenge, ctx))
            }
            ServerStep::BadMethod { .. } => {
                connecting.auth = Auth::First;
                Ok(connecting.reply(&connect, &policy, answer(tag::BADAUTHORIZER), &[], ctx))
            }
            ServerStep::Done { identity, con_mode: con_mode::CRC, payload: proof, keys } => {
                connecting.auth = Auth::Verified(Box::new(Verified { identity, proof, keys }));
                connecting.verified(connect, policy, ctx)
            }
            ServerStep::Done { con_mode, .. } => Err(Misbehaved::ConMode(con_mode).into()),
        }
    }
}

impl Connecting {
    fn verified(self, connect: Connect, policy: Policy, ctx: &mut Context<'_>) -> Result<Step> {
        let never_kept = policy.lossy && policy.server && !policy.register_lossy_clients;
        let offer = Offer::Connect(EntityAddrVec(vec![self.addr]), connect);
        let deciding = Deciding { connecting: self, connect, policy, offer };
        if never_kept {
            return deciding.decide(Decision::Begin, ctx);
        }
        Ok(Step::Next(Phase::ServerDeciding(deciding)))
    }
}

/// The owner's decision is expected.
pub(super) struct Deciding {
    connecting: Connecting,
    connect: Connect,
    policy: Policy,
    offer: Offer,
}

impl Deciding {
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    pub fn policy(&self) -> Policy {
        self.policy
    }

    pub fn decide(self, decision: Decision, ctx: &mut Context<'_>) -> Result<Step> {
        let reply = |tag| ConnectReply { tag, ..ConnectReply::default() };
        let answer = match decision {
            Decision::Begin => return self.open(Session::default(), false, ctx),
            Decision::Replace(session) => return self.open(*session, true, ctx),
            Decision::Resume(session) => return self.open(*session, false, ctx),
            Decision::Reset { .. } => reply(tag::RESETSESSION),
            Decision::Retry { connect_seq } => {
                ConnectReply { connect_seq: connect_seq as u32, ..reply(tag::RETRY_SESSION) }
            }
            Decision::RetryGlobal { global_seq } => {
                ConnectReply { global_seq: global_seq as u32, ..reply(tag::RETRY_GLOBAL) }
            }
            Decision::Wait => reply(tag::WAIT),
        };
        let Deciding { connecting, connect, policy, .. } = self;
        let proof = match &connecting.auth {
            Auth::Verified(verified) => verified.proof.clone(),
            _ => Bytes::new(),
        };
        Ok(connecting.reply(&connect, &policy, answer, &proof, ctx))
    }

    /// `hard_reset`: the peer has begun anew, so there is nothing to compare.
    fn open(self, session: Session, hard_reset: bool, ctx: &mut Context<'_>) -> Result<Step> {
        let Deciding { connecting: Connecting { call, addr, kind, auth }, connect, policy, .. } = self;
        let Auth::Verified(verified) = auth else { return Err(Misuse::NothingToDecide.into()) };
        let Verified { identity, proof, keys } = *verified;
        *ctx.session = session;
        let session = &mut *ctx.session;
        let resumed = session.peer.is_some() && !hard_reset;
        if hard_reset {
            session.in_seq = 0;
        }
        session.unacked_in = 0;
        session.connect_seq = u64::from(connect.connect_seq).wrapping_add(1);
        session.peer_global_seq = u64::from(connect.global_seq);
        session.global_seq = call.global_seq;
        let compares = connect.features & features::RECONNECT_SEQ != 0 && !hard_reset;
        session.confirmed |= !compares;
        ctx.out.put(&wire::encode(&ConnectReply {
            tag: if compares { tag::SEQ } else { tag::READY },
            features: policy.features_supported,
            global_seq: session.global_seq as u32,
            connect_seq: session.connect_seq as u32,
            protocol_version: connect.protocol_version,
            authorizer_len: u32::try_from(proof.len()).unwrap_or(u32::MAX),
            flags: if policy.lossy { wire::FLAG_LOSSY } else { 0 },
        }));
        ctx.out.put(&proof);
        if compares {
            ctx.out.put(&session.in_seq.to_le_bytes());
        }
        let kind = kind.unwrap_or(EntityType::NONE);
        // An OSD is numbered by its name; others have no number but their global id.
        let num = match (kind, identity.name.id.parse()) {
            (EntityType::OSD, Ok(num)) => num,
            _ => identity.global_id.cast_signed(),
        };
        let peer = Peer {
            name: EntityName::new(kind, num),
            addrs: EntityAddrVec(vec![addr]),
            features: Features(connect.features & policy.features_supported),
            con_mode: con_mode::CRC,
            compression: None,
            global_id: identity.global_id,
            identity: Some(identity),
            lossy: policy.lossy,
            rev1: false,
            our_addr: call.local.addrs.legacy().copied().unwrap_or_default(),
            resumed,
        };
        let src = EntityName::new(call.local.kind, call.local.num.unwrap_or(EntityName::NEW));
        let opened = Box::new(Opened { peer, signer: keys.signer, src });
        Ok(Step::Open(opened, compares.then_some(Phase::ServerSeq)))
    }
}
