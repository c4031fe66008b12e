//! Signatures are exchanged; then compression is agreed, with peers that know it.

use super::{Authenticated, Compression};
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
        Compression::enter(self.authenticated, ctx)
    }
}
