//! A client proves itself to a daemon (`CephXAuthorizer`): it shows a ticket and a sealed nonce, answers the daemon's
//! challenge, and checks that the daemon could open the ticket: only then does it know the nonce plus one.

use crate::wire::{CephXAuthorize, CephXAuthorizeChallenge, CephXAuthorizeReply, auth_mode};
use crate::{
    CryptoKey, Error, KeyOwner, Random, Result, Secret, Ticket, Usage, open, open_blob, random, seal_blob,
};
use axon_denc::{Features, Reader, Writer};
use axon_proto::EntityType;
use bytes::Bytes;

/// The authorizer was sent; a challenge or the daemon's proof is expected.
#[derive(Clone, Debug)]
pub struct ExpectAuthorizerReply {
    service: EntityType,
    session_key: CryptoKey,
    nonce: u64,
    /// The authorizer without its sealed part, which is made anew for the challenge.
    base: Bytes,
}

/// A daemon that proved itself.
#[derive(Clone, Debug)]
pub struct Authorized {
    pub session_key: CryptoKey,
    /// Empty in CRC mode.
    pub connection_secret: Secret,
}

pub(crate) fn start(
    global_id: u64,
    service: EntityType,
    ticket: &Ticket,
    rng: &mut dyn Random,
) -> Result<(Bytes, ExpectAuthorizerReply)> {
    let mut w = Writer::new();
    w.u8(auth_mode::AUTHORIZER);
    w.u64(global_id);
    w.u32(u32::from(service.0));
    w.value(&ticket.blob, Features::ALL);
    let next = ExpectAuthorizerReply {
        service,
        session_key: ticket.session_key.clone(),
        nonce: random::number(rng),
        base: w.into_bytes(),
    };
    let bytes = next.authorizer(None, rng)?;
    Ok((bytes, next))
}

impl ExpectAuthorizerReply {
    fn authorizer(&self, challenge: Option<u64>, rng: &mut dyn Random) -> Result<Bytes> {
        let sealed = CephXAuthorize {
            nonce: self.nonce,
            have_challenge: challenge.is_some(),
            server_challenge_plus_one: challenge.map_or(0, |c| c.wrapping_add(1)),
        };
        let mut w = Writer::new();
        w.put(&self.base);
        seal_blob(&mut w, &sealed, &self.session_key, Usage::Authorize, rng)?;
        Ok(w.into_bytes())
    }

    /// The daemon's challenge; gives the authorizer that answers it.
    pub fn handle_challenge(&self, payload: &[u8], rng: &mut dyn Random) -> Result<Bytes> {
        let owner = KeyOwner::Ticket(self.service);
        let challenge: CephXAuthorizeChallenge =
            open(payload, &self.session_key, Usage::AuthorizeChallenge, &owner)?;
        self.authorizer(Some(challenge.server_challenge), rng)
    }

    /// The daemon's proof.
    pub fn handle_reply(self, payload: &[u8]) -> Result<Authorized> {
        let owner = KeyOwner::Ticket(self.service);
        let mut r = Reader::named(payload, "CephXAuthorizeReply");
        let reply: CephXAuthorizeReply = open_blob(&mut r, &self.session_key, Usage::AuthorizeReply, &owner)?;
        if reply.nonce_plus_one != self.nonce.wrapping_add(1) {
            return Err(Error::BadNonce);
        }
        Ok(Authorized { session_key: self.session_key, connection_secret: reply.connection_secret })
    }
}
