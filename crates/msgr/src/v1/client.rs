//! The connecting side's phases: the acceptor's greeting, its replies to our connect message until one is READY or SEQ, and what
//! it has of an earlier session.

use super::wire::{self, Connect, ConnectReply, tag};
use super::{Context, Opened, Phase, Step, protocol_version};
use crate::auth::{AuthKeys, con_mode};
use crate::{Connector, Incompatible, Misbehaved, Peer, Result};
use axon_denc::{Features, Reader};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityName, EntityType, features};
use bytes::Bytes;

/// Replies that ask for another attempt; more is a loop.
const RETRIES_MAX: u32 = 64;
/// Upstream's bound on what an acceptor may prove itself with.
const AUTHORIZER_BYTES_MAX: u32 = 4096;
const EACCES: i32 = 13;

/// Banner and addresses are expected.
pub(super) struct Greeting {
    call: Box<Connector>,
}

impl Greeting {
    pub fn enter(call: Box<Connector>) -> Self {
        Greeting { call }
    }

    pub fn step(self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        let mut r = Reader::named(bytes, "msgr v1 greeting");
        r.skip(wire::BANNER.len())?;
        let (claimed, our_addr) = (wire::decode_addr(&mut r)?, wire::decode_addr(&mut r)?);
        let target = self.call.target;
        if !is_target(&claimed, &target) {
            return Err(Misbehaved::NotWhoWasCalled { target, claimed: EntityAddrVec(vec![claimed]) }.into());
        }
        ctx.out.put(&wire::encode(&own_addr(&self.call, our_addr)));
        Calling { call: self.call, our_addr, offered: None, keys: None, retries: 0 }.send(ctx)
    }
}

/// An acceptor that does not know its own IP address is believed by port and nonce.
fn is_target(claimed: &EntityAddr, target: &EntityAddr) -> bool {
    let port = |addr: &EntityAddr| addr.sock.map(|s| s.port());
    let blank = claimed.sock.is_none_or(|s| s.ip().is_unspecified());
    claimed.nonce == target.nonce
        && (claimed.sock == target.sock || blank && port(claimed).unwrap_or(0) == port(target).unwrap_or(0))
}

fn own_addr(call: &Connector, seen: EntityAddr) -> EntityAddr {
    if let Some(own) = call.local.addrs.legacy() {
        return *own;
    }
    let mut sock = seen.sock;
    if let Some(sock) = &mut sock {
        sock.set_port(0);
    }
    EntityAddr { kind: AddrType::LEGACY, nonce: call.local.nonce, sock }
}

/// What stays the same from attempt to attempt.
struct Calling {
    call: Box<Connector>,
    our_addr: EntityAddr,
    /// The method and its payload: the first authorizer, then the one that answers the challenge.
    offered: Option<(u32, Bytes)>,
    /// The acceptor has proved itself.
    keys: Option<AuthKeys>,
    retries: u32,
}

impl Calling {
    /// A monitor's login comes later, as messages.
    fn shows_authorizer(&self) -> bool {
        self.call.peer != EntityType::MON || self.call.local.kind == EntityType::MON
    }

    fn send(mut self, ctx: &mut Context<'_>) -> Result<Step> {
        self.retries += 1;
        if self.retries > RETRIES_MAX {
            return Err(Misbehaved::TooManyRetries(RETRIES_MAX).into());
        }
        if self.offered.is_none() && self.shows_authorizer() {
            let request = self.call.auth.request()?;
            if !request.preferred_modes.contains(&con_mode::CRC) {
                return Err(Incompatible::OnlySecure.into());
            }
            self.offered = Some((request.method, request.payload));
        }
        let (method, payload) = self.offered.clone().unwrap_or_default();
        let policy = &self.call.policy;
        ctx.out.put(&wire::encode(&Connect {
            features: policy.features_supported,
            host_type: u32::from(self.call.local.kind.0),
            global_seq: ctx.session.global_seq as u32,
            connect_seq: ctx.session.connect_seq as u32,
            protocol_version: protocol_version(self.call.peer, self.call.local.kind),
            authorizer_protocol: if payload.is_empty() { 0 } else { method },
            authorizer_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            flags: if policy.lossy { wire::FLAG_LOSSY } else { 0 },
        }));
        ctx.out.put(&payload);
        Ok(Step::Next(Phase::ClientReply(Reply(self))))
    }

    /// The reply and what came behind it.
    fn handle(mut self, reply: &ConnectReply, proof: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        if reply.tag == tag::CHALLENGE_AUTHORIZER {
            let answer = self.call.auth.reply_more(proof)?;
            self.offered = Some((self.offered.map_or(0, |(method, _)| method), answer));
            return self.send(ctx);
        }
        if !proof.is_empty() && self.shows_authorizer() && self.keys.is_none() {
            self.keys = Some(self.call.auth.done(0, con_mode::CRC, proof)?);
        }
        let session = &mut *ctx.session;
        let policy = &self.call.policy;
        match reply.tag {
            tag::FEATURES => {
                Err(Incompatible::WeLackFeatures(reply.features & !policy.features_supported).into())
            }
            tag::BADPROTOVER => Err(Incompatible::ProtocolVersion(reply.protocol_version).into()),
            tag::BADAUTHORIZER => {
                let method = self.offered.map_or(0, |(method, _)| method);
                self.call.auth.bad_method(method, EACCES, &[], &[])?;
                Err(Incompatible::Authorizer.into())
            }
            tag::RESETSESSION => {
                session.handle_reset(true);
                match self.send(ctx)? {
                    Step::Next(phase) => Ok(Step::SessionReset(phase)),
                    other => Ok(other),
                }
            }
            tag::RETRY_GLOBAL => {
                let known = session.global_seq.max(u64::from(reply.global_seq));
                session.global_seq = known.wrapping_add(1);
                self.send(ctx)
            }
            tag::RETRY_SESSION => {
                session.connect_seq = u64::from(reply.connect_seq);
                self.send(ctx)
            }
            tag::READY | tag::SEQ => {
                let missing = policy.features_required & !reply.features;
                if missing != 0 {
                    return Err(Incompatible::PeerLacksFeatures(missing).into());
                }
                let seq = Seq { calling: self, reply: *reply };
                if reply.tag == tag::SEQ { Ok(Step::Next(Phase::ClientSeq(seq))) } else { seq.open(ctx) }
            }
            tag::WAIT => Err(Misbehaved::ConnectReply(reply.tag).into()),
            other => Err(Misbehaved::ConnectReply(other).into()),
        }
    }

    /// An acceptor that took our authorizer must show that it could open it.
    fn check_proved(&self) -> Result<()> {
        match (&self.offered, &self.keys) {
            (Some((method, _)), None) if *method != crate::auth::method::NONE => {
                Err(Misbehaved::NotProved.into())
            }
            _ => Ok(()),
        }
    }
}

/// `ceph_msg_connect_reply` is expected.
pub(super) struct Reply(Calling);

impl Reply {
    pub fn step(self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        let reply: ConnectReply = Reader::named(bytes, "ceph_msg_connect_reply").value()?;
        match reply.authorizer_len {
            0 => self.0.handle(&reply, &[], ctx),
            len if len < AUTHORIZER_BYTES_MAX => {
                Ok(Step::Next(Phase::ClientReplyAuth(ReplyAuth { calling: self.0, reply })))
            }
            len => Err(Misbehaved::AuthorizerTooLarge { bytes: len, bytes_max: AUTHORIZER_BYTES_MAX }.into()),
        }
    }
}

/// The acceptor's challenge or proof is expected.
pub(super) struct ReplyAuth {
    calling: Calling,
    reply: ConnectReply,
}

impl ReplyAuth {
    pub fn wanted(&self) -> usize {
        self.reply.authorizer_len as usize
    }

    pub fn step(self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        self.calling.handle(&self.reply, bytes, ctx)
    }
}

/// The number of the last message that the acceptor has is expected.
pub(super) struct Seq {
    calling: Calling,
    reply: ConnectReply,
}

impl Seq {
    pub fn step(self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<Step> {
        ctx.session.handle_ack(Reader::named(bytes, "acked seq").u64()?);
        ctx.out.put(&ctx.session.in_seq.to_le_bytes());
        self.open(ctx)
    }

    fn open(self, ctx: &mut Context<'_>) -> Result<Step> {
        self.calling.check_proved()?;
        let (call, reply) = (self.calling.call, self.reply);
        let session = &mut *ctx.session;
        let resumed = session.connect_seq > 0;
        session.connect_seq = session.connect_seq.wrapping_add(1);
        if session.connect_seq != u64::from(reply.connect_seq) {
            return Err(
                Misbehaved::ConnectSeq { ours: session.connect_seq, theirs: reply.connect_seq }.into()
            );
        }
        session.peer_global_seq = u64::from(reply.global_seq);
        session.confirmed = true;
        let global_id = call.auth.global_id();
        let src = EntityName::new(
            call.local.kind,
            call.local.num.unwrap_or(match global_id {
                0 => EntityName::NEW,
                id => id.cast_signed(),
            }),
        );
        let peer = Peer {
            name: EntityName::new(call.peer, EntityName::NEW),
            addrs: EntityAddrVec(vec![call.target]),
            features: Features(reply.features & call.policy.features_supported),
            con_mode: con_mode::CRC,
            compression: None,
            identity: None,
            global_id,
            lossy: reply.flags & wire::FLAG_LOSSY != 0,
            rev1: false,
            our_addr: self.calling.our_addr,
            resumed,
        };
        let signer = self.calling.keys.and_then(|keys| keys.signer);
        if signer.is_some() && !peer.features.has(features::CEPHX_V2) {
            return Err(Incompatible::PeerLacksFeatures(features::CEPHX_V2).into());
        }
        Ok(Step::Open(Box::new(Opened { peer, signer, src }), None))
    }
}
