//! The handshake's signature: HMAC-SHA256 by the session key over all bytes until the authentication's end, in each
//! direction, so that nobody can have changed what was negotiated in the clear.

use crate::auth::AuthKeys;
use crate::frame::Frame;
use crate::frame::control::{self, AuthSignature, Control};
use crate::handshake::{Context, Wire, unexpected};
use crate::{Misbehaved, Result};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What the peer's signature must be.
pub struct Expected([u8; 32]);

impl Expected {
    /// Signs what was received, and notes what was sent.
    pub fn enter(wire: &mut Wire, keys: &AuthKeys) -> Result<Self> {
        let sent = wire.take_sent();
        let received = wire.reader.take_record();
        wire.send(&AuthSignature { signature: sign(keys, &received) })?;
        Ok(Expected(sign(keys, &sent)))
    }

    /// Checks the peer's signature.
    pub fn check(&self, frame: &Frame, _: &Context<'_>) -> Result<()> {
        if frame.tag != AuthSignature::TAG {
            return unexpected(frame.tag, "AUTH_SIGNATURE");
        }
        let theirs: AuthSignature = control::decode(frame.payload())?;
        if bool::from(theirs.signature.ct_eq(&self.0)) {
            Ok(())
        } else {
            Err(Misbehaved::SignatureMismatch.into())
        }
    }
}

/// All zero without a session key (method NONE), as upstream has it.
fn sign(keys: &AuthKeys, bytes: &[u8]) -> [u8; 32] {
    if keys.session_key.is_empty() {
        return [0; 32];
    }
    // HMAC takes keys of any length; the fallback can only be an unequal signature.
    Hmac::<Sha256>::new_from_slice(&keys.session_key).map_or([0xff; 32], |mut mac| {
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    })
}
