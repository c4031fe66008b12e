//! Between a client and a daemon: the authorizer's sealed part, the daemon's challenge and its proof.

use super::wire_struct;
use crate::Secret;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};

wire_struct! {
    /// The daemon's challenge, sealed with the ticket's session key.
    CephXAuthorizeChallenge(1) { server_challenge: u64 }
}

/// The client's nonce and, the second time, its answer to the challenge. Version 2; version 1 has the nonce only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CephXAuthorize {
    pub nonce: u64,
    pub have_challenge: bool,
    pub server_challenge_plus_one: u64,
}

impl Encode for CephXAuthorize {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(2);
        w.u64(self.nonce);
        w.bool(self.have_challenge);
        w.u64(self.server_challenge_plus_one);
    }
}
impl Decode for CephXAuthorize {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let version = r.u8()?;
        let nonce = r.u64()?;
        let (have_challenge, server_challenge_plus_one) =
            if version >= 2 { (r.bool()?, r.u64()?) } else { (false, 0) };
        Ok(CephXAuthorize { nonce, have_challenge, server_challenge_plus_one })
    }
}

/// The daemon's proof, and in SECURE mode the connection secret (then version 2, else 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CephXAuthorizeReply {
    pub nonce_plus_one: u64,
    pub connection_secret: Secret,
}

impl Encode for CephXAuthorizeReply {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u8(if self.connection_secret.is_empty() { 1 } else { 2 });
        w.u64(self.nonce_plus_one);
        if !self.connection_secret.is_empty() {
            w.value(&self.connection_secret, features);
        }
    }
}
impl Decode for CephXAuthorizeReply {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let version = r.u8()?;
        Ok(CephXAuthorizeReply {
            nonce_plus_one: r.u64()?,
            connection_secret: if version >= 2 { r.value()? } else { Secret::default() },
        })
    }
}
