//! A daemon verifies its clients (`cephx_verify_authorizer`): it opens the ticket with its service's rotating key, challenges,
//! and proves itself with the nonce plus one.
//!
//! [`ExpectAuthorizer`] → [`ExpectChallengeAnswer`] → [`Accepted`]. A ticket's expiry is not looked at, as upstream: clocks
//! differ, and the rotating keys end its life.

use crate::wire::{
    AuthTicket, CephXAuthorize, CephXAuthorizeChallenge, CephXAuthorizeReply, CephXServiceTicketInfo,
    CephXTicketBlob, RotatingSecrets,
};
use crate::{
    CryptoKey, Error, KeyOwner, Random, Result, Secret, Usage, open, open_blob, random, seal, seal_blob,
};
use axon_denc::{Reader, Writer};
use axon_proto::EntityType;
use bytes::Bytes;
use zeroize::Zeroizing;

/// The keys that open tickets for us.
#[derive(Clone, Copy, Debug)]
pub struct ServiceKeys<'a> {
    pub service: EntityType,
    pub rotating: &'a RotatingSecrets,
}

/// A client that proved itself.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Who it is and what it may do here.
    pub ticket: AuthTicket,
    pub session_key: CryptoKey,
    /// As long as was asked for; empty in CRC mode.
    pub connection_secret: Secret,
    /// Our proof, for the client.
    pub reply: Bytes,
}

/// An authorizer whose ticket and sealed part could be opened.
struct Opened {
    info: CephXServiceTicketInfo,
    authorize: CephXAuthorize,
}

fn open_authorizer(payload: &[u8], keys: ServiceKeys<'_>) -> Result<Opened> {
    let mut r = Reader::named(payload, "CephXAuthorizer");
    r.u8()?;
    let claimed = r.u64()?;
    let service = r.u32()?;
    let service = EntityType(u8::try_from(service).map_err(|_| r.bad_value("service id", service))?);
    let ticket: CephXTicketBlob = r.value()?;
    if service != keys.service {
        return Err(Error::WrongService { got: service, ours: keys.service });
    }
    let secret_id = ticket.secret_id;
    let key = keys.rotating.key(secret_id).ok_or(Error::UnknownServiceKey { service, secret_id })?;
    let owner = KeyOwner::Service(service, secret_id);
    let info: CephXServiceTicketInfo = open(&ticket.blob, key, Usage::TicketInfo, &owner)?;
    if info.ticket.global_id != claimed {
        return Err(Error::GlobalIdMismatch { claimed, ticket: info.ticket.global_id });
    }
    let owner = KeyOwner::Ticket(service);
    let authorize = open_blob(&mut r, &info.session_key, Usage::Authorize, &owner)?;
    Ok(Opened { info, authorize })
}

/// A client's first authorizer is expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectAuthorizer;

impl ExpectAuthorizer {
    /// The challenge to send. An answer to a challenge that was never sent is taken for a first authorizer, as upstream.
    pub fn handle(
        self,
        payload: &[u8],
        keys: ServiceKeys<'_>,
        rng: &mut dyn Random,
    ) -> Result<(Bytes, ExpectChallengeAnswer)> {
        let opened = open_authorizer(payload, keys)?;
        let server_challenge = random::number(rng);
        let challenge = CephXAuthorizeChallenge { server_challenge };
        let sealed = seal(&challenge, &opened.info.session_key, Usage::AuthorizeChallenge, rng)?;
        Ok((sealed.into(), ExpectChallengeAnswer { server_challenge }))
    }
}

/// The authorizer that answers our challenge is expected.
#[derive(Clone, Debug)]
pub struct ExpectChallengeAnswer {
    server_challenge: u64,
}

impl ExpectChallengeAnswer {
    /// The client's identity and our proof. `connection_secret_bytes` is 0 in CRC mode.
    pub fn handle(
        self,
        payload: &[u8],
        keys: ServiceKeys<'_>,
        connection_secret_bytes: usize,
        rng: &mut dyn Random,
    ) -> Result<Accepted> {
        let Opened { info, authorize } = open_authorizer(payload, keys)?;
        if !authorize.have_challenge {
            return Err(Error::ChallengeIgnored);
        }
        if authorize.server_challenge_plus_one != self.server_challenge.wrapping_add(1) {
            return Err(Error::BadChallenge);
        }
        let mut connection_secret = Zeroizing::new(vec![0; connection_secret_bytes]);
        rng.fill(&mut connection_secret);
        let connection_secret = Secret::new(connection_secret);
        let reply =
            CephXAuthorizeReply { nonce_plus_one: authorize.nonce.wrapping_add(1), connection_secret };
        let mut w = Writer::new();
        seal_blob(&mut w, &reply, &info.session_key, Usage::AuthorizeReply, rng)?;
        Ok(Accepted {
            ticket: info.ticket,
            session_key: info.session_key,
            connection_secret: reply.connection_secret,
            reply: w.into_bytes(),
        })
    }
}
