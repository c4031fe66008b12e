//! Both sides tell their kind and the address at which they see the other.

use super::{Auth, Greeted};
use crate::frame::Frame;
use crate::frame::control::{self, Control};
use crate::handshake::{Context, Phase, Step, Wire, unexpected};
use crate::{Acceptor, Result};
use axon_proto::EntityType;

pub(crate) struct Hello {
    call: Box<Acceptor>,
}

impl Hello {
    pub fn enter(call: Box<Acceptor>, wire: &mut Wire) -> Result<Self> {
        wire.send(&control::Hello { entity_type: call.local.kind.0, peer_addr: call.peer_addr })?;
        Ok(Hello { call })
    }

    pub fn step(self, frame: &Frame, _: &mut Context<'_>) -> Result<Step> {
        if frame.tag != control::Hello::TAG {
            return unexpected(frame.tag, "HELLO");
        }
        let hello: control::Hello = control::decode(frame.payload())?;
        let kind = EntityType(hello.entity_type);
        let policy = (self.call.policies)(kind);
        let greeted = Greeted { call: self.call, kind, policy, our_addr: hello.peer_addr };
        Ok(Step::Next(Phase::ServerAuth(Auth::enter(greeted))))
    }
}
