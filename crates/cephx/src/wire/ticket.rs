//! Tickets: what the monitors give a client (`CephXServiceTicket`), and the sealed part that only the service can open
//! (`CephXServiceTicketInfo` in a `CephXTicketBlob`).

use super::{AUID_DEFAULT, wire_struct};
use crate::CryptoKey;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use axon_proto::{AuthEntity, UTime};
use bytes::Bytes;

wire_struct! {
    /// A ticket as its holder sees it: sealed with the service's rotating key `secret_id`.
    CephXTicketBlob(1) { secret_id: u64, blob: Bytes }
}
wire_struct! {
    /// The holder's part: the session key, and for how long.
    CephXServiceTicket(1) { session_key: CryptoKey, validity: UTime }
}
wire_struct! {
    /// The service's part: who the holder is, and the same session key.
    CephXServiceTicketInfo(1) { ticket: AuthTicket, session_key: CryptoKey }
}
wire_struct! {
    /// The caps of one identity for one service. `caps` holds an encoded string.
    AuthCapsInfo(1) { allow_all: bool, caps: Bytes }
}

impl AuthCapsInfo {
    /// The caps string (`allow profile osd`); `None` when there is none.
    pub fn text(&self) -> Result<Option<String>> {
        if self.caps.is_empty() {
            return Ok(None);
        }
        Reader::named(&self.caps, "caps").string_lossy().map(Some)
    }

    /// Caps of this string.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        AuthCapsInfo { allow_all: false, caps: text.to_bytes(Features::ALL) }
    }
}

/// Who holds a ticket, since and until when, and what it may do. Version 2; version 1 lacks a number that is ignored since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthTicket {
    pub name: AuthEntity,
    pub global_id: u64,
    pub created: UTime,
    pub expires: UTime,
    pub caps: AuthCapsInfo,
    pub flags: u32,
}

impl Encode for AuthTicket {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u8(2);
        w.value(&self.name, features);
        w.u64(self.global_id);
        w.u64(AUID_DEFAULT);
        w.value(&self.created, features);
        w.value(&self.expires, features);
        w.value(&self.caps, features);
        w.u32(self.flags);
    }
}
impl Decode for AuthTicket {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let version = r.u8()?;
        let name = r.value()?;
        let global_id = r.u64()?;
        if version >= 2 {
            r.u64()?;
        }
        Ok(AuthTicket {
            name,
            global_id,
            created: r.value()?,
            expires: r.value()?,
            caps: r.value()?,
            flags: r.u32()?,
        })
    }
}
