//! Signatures are exchanged; then the session begins or goes on.

use super::{Authenticated, Ident, Reconnect};
use crate::Result;
use crate::auth::AuthKeys;
use crate::frame::Frame;
use crate::handshake::signature::Expected;
use crate::handshake::{Context, Step, Wire};

pub(crate) struct Signature {
    authenticated: Authenticated,
    expected: Expected,
}

impl Signature {
    pub fn enter(authenticated: Authenticated, keys: &AuthKeys, wire: &mut Wire) -> Result<Self> {
        Ok(Signature { authenticated, expected: Expected::enter(wire, keys)? })
    }

    pub fn step(self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        self.expected.check(frame, ctx)?;
        if ctx.session.server_cookie == 0 {
            Ident::enter(self.authenticated, ctx)
        } else {
            Reconnect::enter(self.authenticated, ctx)
        }
    }
}
