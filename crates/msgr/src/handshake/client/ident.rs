//! A new session: CLIENT_IDENT, answered by SERVER_IDENT.

use super::{Authenticated, addrs};
use crate::frame::control::{
    self, ClientIdent, FEATURES_REQUIRED, FLAG_LOSSY, IdentMissingFeatures, ServerIdent,
};
use crate::frame::{Frame, Tag};
use crate::handshake::{Context, Peer, Phase, Step, unexpected};
use crate::{Incompatible, Misbehaved, Result};
use axon_denc::Features;
use axon_proto::EntityName;

pub(crate) struct Ident(Authenticated);

impl Ident {
    pub fn enter(authenticated: Authenticated, ctx: &mut Context<'_>) -> Result<Step> {
        let Authenticated { call, our_addr, global_id, .. } = &authenticated;
        let lossy = call.policy.lossy;
        if !lossy && ctx.session.client_cookie == 0 {
            ctx.session.client_cookie = call.cookie;
        }
        ctx.wire.send(&ClientIdent {
            addrs: addrs(&call.local, our_addr),
            target_addr: call.target,
            gid: call.local.num.unwrap_or(global_id.cast_signed()),
            global_seq: ctx.session.global_seq,
            supported_features: call.policy.features_supported,
            required_features: call.policy.features_required | FEATURES_REQUIRED,
            flags: if lossy { FLAG_LOSSY } else { 0 },
            cookie: ctx.session.client_cookie,
        })?;
        Ok(Step::Next(Phase::ClientIdent(Ident(authenticated))))
    }

    pub fn step(self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        match frame.tag {
            Tag::ServerIdent => self.done(control::decode(frame.payload())?, ctx),
            Tag::IdentMissingFeatures => {
                let missing: IdentMissingFeatures = control::decode(frame.payload())?;
                Err(Incompatible::WeLackFeatures(missing.features).into())
            }
            // A connection race, which only two ends that call each other have: the other connection is to be used.
            other => unexpected(other, "SERVER_IDENT"),
        }
    }

    fn done(self, ident: ServerIdent, ctx: &mut Context<'_>) -> Result<Step> {
        let Authenticated { call, our_addr, global_id, con_mode, compression } = self.0;
        if !ident.addrs.0.contains(&call.target) {
            return Err(Misbehaved::NotWhoWasCalled { target: call.target, claimed: ident.addrs }.into());
        }
        ctx.session.server_cookie = ident.cookie;
        ctx.session.peer_global_seq = ident.global_seq;
        Ok(Step::Done(Peer {
            name: EntityName::new(call.peer, ident.gid),
            addrs: ident.addrs,
            features: Features(ident.supported_features & call.policy.features_supported),
            con_mode,
            rev1: ctx.wire.is_rev1(),
            compression,
            identity: None,
            global_id,
            // The server's word counts: a stateless one keeps no session for a client that wants one.
            lossy: ident.flags & FLAG_LOSSY != 0,
            our_addr,
            resumed: false,
        }))
    }
}
