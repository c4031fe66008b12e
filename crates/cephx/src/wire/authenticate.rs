//! Between a client and the monitors: challenge, proof, requests for tickets and rotating keys.

use super::{CephXTicketBlob, wire_struct};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};

/// `CEPHX_GET_*`: what a request to the monitors asks.
pub mod request {
    pub const AUTH_SESSION_KEY: u16 = 0x0100;
    pub const PRINCIPAL_SESSION_KEY: u16 = 0x0200;
    pub const ROTATING_KEY: u16 = 0x0400;
}

wire_struct! {
    /// What the monitors open with.
    CephXServerChallenge(1) { server_challenge: u64 }
}
wire_struct! {
    /// In front of every request to the monitors; see [`request`].
    CephXRequestHeader { request_type: u16 }
}
wire_struct! {
    /// In front of every answer of the monitors; `status` is a negative errno or 0.
    CephXResponseHeader { request_type: u16, status: i32 }
}
wire_struct! {
    /// What the proof is computed from; never sent.
    CephXChallengeBlob { server_challenge: u64, client_challenge: u64 }
}
wire_struct! {
    /// Which services' tickets are asked for, a bit each.
    CephXServiceTicketRequest(1) { keys: u32 }
}

/// The client's proof. Version 2 (14) asks for tickets in the same step; version 3 (16.2.2, 15.2.11) has the same bytes and
/// promises that `old_ticket` is there whenever a global id is reclaimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CephXAuthenticate {
    pub version: u8,
    pub client_challenge: u64,
    pub key: u64,
    pub old_ticket: CephXTicketBlob,
    /// Mask of services; absent in version 1.
    pub other_keys: u32,
}

impl CephXAuthenticate {
    /// What this crate sends.
    pub const VERSION: u8 = 3;
}

impl Encode for CephXAuthenticate {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u8(self.version);
        w.u64(self.client_challenge);
        w.u64(self.key);
        w.value(&self.old_ticket, features);
        if self.version >= 2 {
            w.u32(self.other_keys);
        }
    }
}
impl Decode for CephXAuthenticate {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let version = r.u8()?;
        Ok(CephXAuthenticate {
            version,
            client_challenge: r.u64()?,
            key: r.u64()?,
            old_ticket: r.value()?,
            other_keys: if version >= 2 { r.u32()? } else { 0 },
        })
    }
}
