//! The tickets that a client holds, by service (`CephXTicketHandler`, `CephXTicketManager` in
//! `src/auth/cephx/CephxProtocol.*`).
//!
//! Invariant: a reply that cannot be opened changes nothing in the table but what it held before the fault.

use crate::wire::{CephXServiceTicket, CephXTicketBlob};
use crate::{CryptoKey, KeyOwner, Result, Usage, open_blob};
use axon_denc::{Decode, Reader};
use axon_proto::{EntityType, UTime};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// A ticket for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub session_key: CryptoKey,
    /// What the service opens; opaque here.
    pub blob: CephXTicketBlob,
    pub renew_after: UTime,
    pub expires: UTime,
    /// Set when the peer no longer takes it; kept for reclaiming the global id.
    pub invalid: bool,
}

impl Ticket {
    /// Whether it can be shown at `now` (`have_key`).
    #[must_use]
    pub fn usable(&self, now: UTime) -> bool {
        !self.invalid && now < self.expires
    }

    /// Whether it is time to ask for another (`need_key`).
    #[must_use]
    pub fn due(&self, now: UTime) -> bool {
        self.invalid || (!self.expires.is_zero() && now >= self.renew_after)
    }
}

/// All tickets of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketTable {
    tickets: BTreeMap<EntityType, Ticket>,
}

impl TicketTable {
    /// The ticket for a service, usable or not.
    #[must_use]
    pub fn ticket(&self, service: EntityType) -> Option<&Ticket> {
        self.tickets.get(&service)
    }

    /// Marks the ticket as no longer taken.
    pub fn invalidate(&mut self, service: EntityType) {
        if let Some(ticket) = self.tickets.get_mut(&service) {
            ticket.invalid = true;
        }
    }

    /// No ticket is taken any more, as when the cluster's keys were replaced (`invalidate_all_tickets`).
    pub fn invalidate_all(&mut self) {
        for ticket in self.tickets.values_mut() {
            ticket.invalid = true;
        }
    }

    /// The services of the mask `want` whose ticket is missing or due at `now`.
    #[must_use]
    pub fn due(&self, want: u32, now: UTime) -> u32 {
        (0..u8::BITS)
            .map(|bit| 1u8 << bit)
            .filter(|bit| want & u32::from(*bit) != 0)
            .filter(|bit| self.tickets.get(&EntityType(*bit)).is_none_or(|t| t.due(now)))
            .fold(0, |mask, bit| mask | u32::from(bit))
    }

    /// Takes the tickets of a monitor's reply in (`verify_service_ticket_reply`); `key` seals the session keys. Returns the
    /// mask of services that the reply had tickets for.
    pub(crate) fn apply_reply(
        &mut self,
        r: &mut Reader<'_>,
        key: &CryptoKey,
        owner: &KeyOwner,
        now: UTime,
    ) -> Result<u32> {
        let mut services = 0;
        r.u8()?;
        for _ in 0..r.length(TICKET_BYTES_MIN)? {
            let at = r.clone();
            let service = r.u32()?;
            let service =
                u8::try_from(service).map_err(|_| at.bad_value("service id", service)).map(EntityType)?;
            let ticket = self.decode_ticket(r, service, key, owner, now)?;
            self.tickets.insert(service, ticket);
            services |= u32::from(service.0);
        }
        Ok(services)
    }

    fn decode_ticket(
        &self,
        r: &mut Reader<'_>,
        service: EntityType,
        key: &CryptoKey,
        owner: &KeyOwner,
        now: UTime,
    ) -> Result<Ticket> {
        r.u8()?;
        let part: CephXServiceTicket = open_blob(r, key, Usage::TicketSessionKey, owner)?;
        let old = self.tickets.get(&service);
        let blob: Bytes = if r.bool()? {
            // A reclaimed global id: sealed with the session key of the ticket that was shown.
            let old_key = old.map(|t| t.session_key.clone()).unwrap_or_default();
            open_blob(r, &old_key, Usage::TicketBlob, &KeyOwner::Ticket(service))?
        } else {
            r.value()?
        };
        let blob = CephXTicketBlob::from_bytes(&blob)?;
        let (renew_after, expires) = if part.validity.is_zero() {
            old.map(|t| (t.renew_after, t.expires)).unwrap_or_default()
        } else {
            lifetime(now, part.validity)
        };
        Ok(Ticket { session_key: part.session_key, blob, renew_after, expires, invalid: false })
    }
}

/// Renewal is due when three quarters of the validity (in whole seconds) have passed.
fn lifetime(now: UTime, validity: UTime) -> (UTime, UTime) {
    let expires = now.to_duration() + validity.to_duration();
    let quarter = Duration::from_secs(u64::from(validity.sec)) / 4;
    (expires.saturating_sub(quarter).into(), expires.into())
}

/// Service, version, a sealed block's length, flag, the ticket's length.
const TICKET_BYTES_MIN: usize = 4 + 1 + 4 + 1 + 4;
