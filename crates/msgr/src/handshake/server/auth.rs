//! The authentication: requests and replies whose payloads only the method understands.

use super::{Authenticated, Greeted, Signature};
use crate::Result;
use crate::auth::ServerStep;
use crate::frame::control::{self, AuthBadMethod, AuthDone, AuthReplyMore, AuthRequest, AuthRequestMore};
use crate::frame::{Frame, Tag};
use crate::handshake::{Context, Phase, Step, unexpected};

pub(crate) struct Auth {
    greeted: Greeted,
    /// The method that is under way, once there is one.
    method: Option<u32>,
}

impl Auth {
    pub fn enter(greeted: Greeted) -> Self {
        Auth { greeted, method: None }
    }

    pub fn step(mut self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        let auth = &mut self.greeted.call.auth;
        let (method, answer) = match (frame.tag, self.method) {
            (Tag::AuthRequest, None) => {
                let request: AuthRequest = control::decode(frame.payload())?;
                let AuthRequest { method, preferred_modes, payload } = &request;
                let modes = ctx.wire.modes(preferred_modes.clone())?;
                (*method, auth.request(self.greeted.kind, *method, &modes, payload)?)
            }
            (Tag::AuthRequestMore, Some(method)) => {
                let more: AuthRequestMore = control::decode(frame.payload())?;
                (method, auth.request_more(&more.payload)?)
            }
            (other, None) => return unexpected(other, "AUTH_REQUEST"),
            (other, Some(_)) => return unexpected(other, "AUTH_REQUEST_MORE"),
        };
        self.answer(method, answer, ctx)
    }

    fn answer(mut self, method: u32, answer: ServerStep, ctx: &mut Context<'_>) -> Result<Step> {
        match answer {
            ServerStep::More(payload) => {
                self.method = Some(method);
                ctx.wire.send(&AuthReplyMore { payload })?;
            }
            ServerStep::BadMethod { errno, allowed_methods, allowed_modes } => {
                self.method = None;
                let result = errno.wrapping_neg();
                ctx.wire.send(&AuthBadMethod { method, result, allowed_methods, allowed_modes })?;
            }
            ServerStep::Done { identity, con_mode, payload, keys } => {
                ctx.wire.send(&AuthDone { global_id: identity.global_id, con_mode, payload })?;
                ctx.wire.protect(con_mode, &keys, true)?;
                let authenticated =
                    Authenticated { greeted: self.greeted, identity, con_mode, compression: None };
                let next = Signature::enter(authenticated, &keys, ctx.wire)?;
                return Ok(Step::Next(Phase::ServerSignature(next)));
            }
        }
        Ok(Step::Next(Phase::ServerAuth(self)))
    }
}
