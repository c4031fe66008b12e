//! Both sides tell their kind and the address at which they see the other.

use super::Auth;
use crate::frame::Frame;
use crate::frame::control::{self, Control};
use crate::handshake::{Context, Phase, Step, Wire, unexpected};
use crate::{Connector, Misbehaved, Result};
use axon_proto::EntityType;

pub(crate) struct Hello {
    call: Box<Connector>,
}

impl Hello {
    pub fn enter(call: Box<Connector>, wire: &mut Wire) -> Result<Self> {
        wire.send(&control::Hello { entity_type: call.local.kind.0, peer_addr: call.target })?;
        Ok(Hello { call })
    }

    pub fn step(self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        if frame.tag != control::Hello::TAG {
            return unexpected(frame.tag, "HELLO");
        }
        let hello: control::Hello = control::decode(frame.payload())?;
        let claimed = EntityType(hello.entity_type);
        let expected = self.call.peer;
        if claimed != expected {
            return Err(Misbehaved::WrongEntityType { claimed, expected }.into());
        }
        Auth::enter(self.call, hello.peer_addr, ctx.wire).map(|auth| Step::Next(Phase::ClientAuth(auth)))
    }
}
