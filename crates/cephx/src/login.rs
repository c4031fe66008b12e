//! A client logs in at the monitors (`CephxClientHandler`, `CEPHX_GET_AUTH_SESSION_KEY`): the monitor challenges, the client
//! proves that it holds its key, the monitor answers with the auth ticket, the connection secret and the tickets for the
//! services asked for.
//!
//! [`ExpectServerChallenge`] → [`ExpectSessionKey`] → [`LoggedIn`]. A wrong key shows at the monitor, which refuses with
//! EACCES; where a monitor lets it pass, it shows here as [`crate::Error::CannotOpen`].

use crate::wire::{
    CephXAuthenticate, CephXRequestHeader, CephXResponseHeader, CephXServerChallenge, request,
};
use crate::{
    Credentials, CryptoKey, Error, KeyOwner, Principal, Random, Result, Secret, Usage,
    client_server_challenge, open_blob, random,
};
use axon_denc::{Decode, Encode, Features, Reader, Writer};
use axon_proto::{EntityType, UTime};
use bytes::Bytes;
use std::sync::Arc;

/// The monitor's challenge is expected.
#[derive(Clone, Debug)]
pub struct ExpectServerChallenge {
    principal: Arc<Principal>,
    prior: Option<Credentials>,
    want: u32,
}

impl ExpectServerChallenge {
    /// Logs in as `principal` and asks for tickets of the services in the mask `want`. With `prior` the global id of an
    /// earlier login is reclaimed; its auth ticket proves the right to it.
    #[must_use]
    pub fn new(principal: Arc<Principal>, prior: Option<Credentials>, want: u32) -> Self {
        ExpectServerChallenge { principal, prior, want }
    }

    /// The global id that the opening request claims; 0 asks for a new one.
    #[must_use]
    pub fn global_id(&self) -> u64 {
        self.prior.as_ref().map_or(0, |p| p.global_id)
    }

    /// The challenge's answer.
    pub fn handle(self, payload: &[u8], rng: &mut dyn Random) -> Result<(Bytes, ExpectSessionKey)> {
        let challenge = CephXServerChallenge::decode(&mut Reader::named(payload, "CephXServerChallenge"))?;
        let mut credentials = self.prior.unwrap_or_default();
        credentials.server_challenge = challenge.server_challenge;
        credentials.tickets.invalidate(EntityType::AUTH);
        let want = self.want | u32::from(EntityType::AUTH.0);
        let answer = session_key_request(&self.principal, &credentials, want, rng)?;
        Ok((answer, ExpectSessionKey { principal: self.principal, credentials }))
    }
}

/// The request for an auth ticket: first at login, later over the session when that ticket is due.
pub(crate) fn session_key_request(
    principal: &Principal,
    credentials: &Credentials,
    want: u32,
    rng: &mut dyn Random,
) -> Result<Bytes> {
    let client_challenge = random::number(rng);
    let old = credentials.tickets.ticket(EntityType::AUTH);
    let proof = CephXAuthenticate {
        version: CephXAuthenticate::VERSION,
        client_challenge,
        key: client_server_challenge(&principal.key, credentials.server_challenge, client_challenge)?,
        old_ticket: old.map(|t| t.blob.clone()).unwrap_or_default(),
        other_keys: want,
    };
    let mut w = Writer::new();
    w.value(&CephXRequestHeader { request_type: request::AUTH_SESSION_KEY }, Features::ALL);
    proof.encode(&mut w, Features::ALL);
    Ok(w.into_bytes())
}

/// The proof was sent; the auth ticket is expected.
#[derive(Clone, Debug)]
pub struct ExpectSessionKey {
    principal: Arc<Principal>,
    credentials: Credentials,
}

impl ExpectSessionKey {
    /// The monitor's answer. `global_id` comes with it (`AUTH_DONE`, `MAuthReply`).
    pub fn handle(mut self, global_id: u64, payload: &[u8], now: UTime) -> Result<LoggedIn> {
        let mut r = Reader::named(payload, "CephXResponseHeader");
        let header: CephXResponseHeader = r.value()?;
        if header.request_type != request::AUTH_SESSION_KEY {
            return Err(Error::UnexpectedReply { got: header.request_type });
        }
        if header.status < 0 {
            return Err(Error::Status { status: header.status });
        }
        self.credentials.global_id = global_id;
        let connection_secret = apply_session_key(&self.principal, &mut self.credentials, &mut r, now)?;
        let session_key = match self.credentials.tickets.ticket(EntityType::AUTH) {
            Some(ticket) => ticket.session_key.clone(),
            None => return Err(Error::NoAuthTicket),
        };
        Ok(LoggedIn { credentials: self.credentials, session_key, connection_secret })
    }
}

/// Takes the body of an answer to [`session_key_request`] in; returns the connection secret (empty in CRC mode and over an
/// established session).
pub(crate) fn apply_session_key(
    principal: &Principal,
    credentials: &mut Credentials,
    r: &mut Reader<'_>,
    now: UTime,
) -> Result<Secret> {
    let owner = KeyOwner::Principal(principal.name.clone());
    credentials.tickets.apply_reply(r, &principal.key, &owner, now)?;
    let Some(auth) = credentials.tickets.ticket(EntityType::AUTH) else { return Err(Error::NoAuthTicket) };
    let session_key = auth.session_key.clone();
    let owner = KeyOwner::Ticket(EntityType::AUTH);
    let mut secret = Secret::default();
    if r.is_empty() {
        return Ok(secret);
    }
    let sealed = r.blob()?;
    let extra = r.blob()?;
    if !sealed.is_empty() {
        let mut r = Reader::named(sealed, "connection secret");
        secret = open_blob(&mut r, &session_key, Usage::AuthConnectionSecret, &owner)?;
    }
    if !extra.is_empty() {
        // A monitor that lacks one service's key cuts this list short without saying so, and upstream's client carries
        // on with what came; a missing ticket is asked for again when it is needed.
        let mut r = Reader::named(extra, "service tickets");
        let _ = credentials.tickets.apply_reply(&mut r, &session_key, &owner, now);
    }
    Ok(secret)
}

/// A login that succeeded.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    pub credentials: Credentials,
    pub session_key: CryptoKey,
    /// Empty in CRC mode.
    pub connection_secret: Secret,
}
