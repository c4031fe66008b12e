//! The peer asks for a new session (CLIENT_IDENT) or for an earlier one (SESSION_RECONNECT).

use super::{Authenticated, Deciding, Offer};
use crate::frame::control::{self, ClientIdent, FEATURES_REQUIRED, IdentMissingFeatures, Reconnect};
use crate::frame::{Frame, Tag};
use crate::handshake::{Context, Phase, Step, unexpected};
use crate::{Misbehaved, Result};
use axon_proto::EntityAddr;

pub(crate) struct Ident(Authenticated);

impl Ident {
    pub fn enter(authenticated: Authenticated) -> Self {
        Ident(authenticated)
    }

    pub fn step(self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        match frame.tag {
            Tag::ClientIdent => self.ident(control::decode(frame.payload())?, ctx),
            Tag::SessionReconnect => {
                let reconnect: Reconnect = control::decode(frame.payload())?;
                let deciding = Deciding::enter(self.0, Offer::Reconnect(reconnect));
                Ok(Step::Next(Phase::ServerDeciding(deciding)))
            }
            other => unexpected(other, "CLIENT_IDENT or SESSION_RECONNECT"),
        }
    }

    fn ident(self, ident: ClientIdent, ctx: &mut Context<'_>) -> Result<Step> {
        let call = &self.0.greeted.call;
        match ident.addrs.0.first() {
            None => return Err(Misbehaved::NoAddress.into()),
            Some(first) if *first == EntityAddr::default() => return Err(Misbehaved::NoAddress.into()),
            Some(_) => {}
        }
        let target = ident.target_addr;
        if !call.local.addrs.0.contains(&target) {
            return Err(Misbehaved::WrongTarget { target, ours: call.local.addrs.clone() }.into());
        }
        let policy = self.0.greeted.policy;
        let missing = (policy.features_required | FEATURES_REQUIRED) & !ident.supported_features;
        if missing != 0 {
            ctx.wire.send(&IdentMissingFeatures { features: missing })?;
            return Ok(Step::Next(Phase::ServerIdent(self)));
        }
        let never_kept = policy.lossy && policy.server && !policy.register_lossy_clients;
        let deciding = Deciding::enter(self.0, Offer::Ident(ident));
        if never_kept {
            return deciding.begin(ctx);
        }
        Ok(Step::Next(Phase::ServerDeciding(deciding)))
    }
}
