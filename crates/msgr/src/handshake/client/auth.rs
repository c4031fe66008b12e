//! The authentication: requests and replies whose payloads only the method understands.

use super::{Authenticated, Signature};
use crate::auth::AuthRequest;
use crate::frame::control::{self, AuthBadMethod, AuthDone, AuthReplyMore, AuthRequestMore, Control};
use crate::frame::{Frame, Tag};
use crate::handshake::{Context, Phase, Step, Wire, unexpected};
use crate::{Connector, Misbehaved, Result};
use axon_proto::EntityAddr;

pub(crate) struct Auth {
    call: Box<Connector>,
    our_addr: EntityAddr,
    offered_modes: Vec<u32>,
}

impl Auth {
    pub fn enter(mut call: Box<Connector>, our_addr: EntityAddr, wire: &mut Wire) -> Result<Self> {
        let mut request = call.auth.request()?;
        request.preferred_modes = wire.modes(request.preferred_modes)?;
        let offered_modes = request.preferred_modes.clone();
        send(request, wire)?;
        Ok(Auth { call, our_addr, offered_modes })
    }

    pub fn step(mut self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        match frame.tag {
            Tag::AuthReplyMore => {
                let more: AuthReplyMore = control::decode(frame.payload())?;
                let payload = self.call.auth.reply_more(&more.payload)?;
                ctx.wire.send(&AuthRequestMore { payload })?;
            }
            Tag::AuthBadMethod => {
                let bad: AuthBadMethod = control::decode(frame.payload())?;
                // Upstream sends the errno negated.
                let errno = bad.result.wrapping_neg();
                let mut request =
                    self.call.auth.bad_method(bad.method, errno, &bad.allowed_methods, &bad.allowed_modes)?;
                request.preferred_modes = ctx.wire.modes(request.preferred_modes)?;
                self.offered_modes.clone_from(&request.preferred_modes);
                send(request, ctx.wire)?;
            }
            AuthDone::TAG => return self.done(&control::decode(frame.payload())?, ctx),
            other => return unexpected(other, "an answer to AUTH_REQUEST"),
        }
        Ok(Step::Next(Phase::ClientAuth(self)))
    }

    fn done(mut self, done: &AuthDone, ctx: &mut Context<'_>) -> Result<Step> {
        if !self.offered_modes.contains(&done.con_mode) {
            return Err(Misbehaved::ConMode(done.con_mode).into());
        }
        let keys = self.call.auth.done(done.global_id, done.con_mode, &done.payload)?;
        ctx.wire.protect(done.con_mode, &keys, false)?;
        let authenticated = Authenticated {
            call: self.call,
            our_addr: self.our_addr,
            global_id: done.global_id,
            con_mode: done.con_mode,
            compression: None,
        };
        Signature::enter(authenticated, &keys, ctx.wire).map(|s| Step::Next(Phase::ClientSignature(s)))
    }
}

fn send(request: AuthRequest, wire: &mut Wire) -> Result<()> {
    let AuthRequest { method, preferred_modes, payload } = request;
    wire.send(&control::AuthRequest { method, preferred_modes, payload })
}
