//! What a login yields and a session keeps up (`CephxClientHandler`, `RotatingKeyRing`): the global id, the tickets, and the
//! requests that renew them over the established session (payloads of `MAuth`, answered by `MAuthReply`).

use crate::authorizer::{self, ExpectAuthorizerReply};
use crate::login::{apply_session_key, session_key_request};
use crate::wire::{
    CephXRequestHeader, CephXResponseHeader, CephXServiceTicketRequest, RotatingSecrets, request,
};
use crate::{Error, KeyOwner, Principal, Random, Result, TicketTable, Usage, open_blob};
use axon_denc::{Encode, Features, Reader, Writer};
use axon_proto::{EntityType, UTime};
use bytes::Bytes;

/// The right to act as an identity: copy it into the next login to keep the global id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The number that the monitors gave this instance.
    pub global_id: u64,
    pub tickets: TicketTable,
    /// Of the session in use: a renewal of the auth ticket proves itself against it again.
    pub(crate) server_challenge: u64,
}

/// What an answer over the session brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// New tickets, for the services of this mask.
    Tickets(u32),
    /// The rotating keys of our own service.
    Rotating(RotatingSecrets),
}

impl Credentials {
    /// The request that renews what of the mask `want` is due at `now`; `None` when nothing is. A missing mgr ticket alone is
    /// no reason to ask: it may not exist yet.
    pub fn renewal_request(
        &self,
        principal: &Principal,
        want: u32,
        now: UTime,
        rng: &mut dyn Random,
    ) -> Result<Option<Bytes>> {
        let auth = u32::from(EntityType::AUTH.0);
        let need = self.tickets.due(want | auth, now);
        if need == 0 || need == u32::from(EntityType::MGR.0) {
            return Ok(None);
        }
        if need & auth != 0 {
            return session_key_request(principal, self, want | auth, rng).map(Some);
        }
        let mut w = Writer::new();
        w.value(&CephXRequestHeader { request_type: request::PRINCIPAL_SESSION_KEY }, Features::ALL);
        w.put(&self.authorizer(EntityType::AUTH, rng)?.0);
        w.value(&CephXServiceTicketRequest { keys: need }, Features::ALL);
        Ok(Some(w.into_bytes()))
    }

    /// The request for our service's rotating keys (OSD, MDS and manager have some).
    #[must_use]
    pub fn rotating_request() -> Bytes {
        CephXRequestHeader { request_type: request::ROTATING_KEY }.to_bytes(Features::ALL)
    }

    /// An answer to one of the requests above (`result_bl` of `MAuthReply`).
    pub fn handle_reply(&mut self, principal: &Principal, payload: &[u8], now: UTime) -> Result<Reply> {
        let mut r = Reader::named(payload, "CephXResponseHeader");
        let header: CephXResponseHeader = r.value()?;
        if header.status < 0 {
            return Err(Error::Status { status: header.status });
        }
        match header.request_type {
            request::AUTH_SESSION_KEY => {
                apply_session_key(principal, self, &mut r, now)?;
                Ok(Reply::Tickets(u32::from(EntityType::AUTH.0)))
            }
            request::PRINCIPAL_SESSION_KEY => {
                let Some(auth) = self.tickets.ticket(EntityType::AUTH) else {
                    return Err(Error::NoAuthTicket);
                };
                let (key, owner) = (auth.session_key.clone(), KeyOwner::Ticket(EntityType::AUTH));
                self.tickets.apply_reply(&mut r, &key, &owner, now).map(Reply::Tickets)
            }
            request::ROTATING_KEY => {
                let owner = KeyOwner::Principal(principal.name.clone());
                open_blob(&mut r, &principal.key, Usage::RotatingSecret, &owner).map(Reply::Rotating)
            }
            got => Err(Error::UnexpectedReply { got }),
        }
    }

    /// An authorizer for a service; see [`authorizer`].
    pub fn authorizer(
        &self,
        service: EntityType,
        rng: &mut dyn Random,
    ) -> Result<(Bytes, ExpectAuthorizerReply)> {
        let ticket = self.tickets.ticket(service).ok_or(Error::NoTicket(service))?;
        authorizer::start(self.global_id, service, ticket, rng)
    }
}
