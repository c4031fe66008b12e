//! The connecting side's phases, in order: hello, auth, signature, compression (with peers that know it), then ident (a new session) or reconnect (an earlier one).

mod auth;
mod compression;
mod hello;
mod ident;
mod reconnect;
mod signature;

pub(crate) use auth::Auth;
pub(crate) use compression::Compression;
pub(crate) use hello::Hello;
pub(crate) use ident::Ident;
pub(crate) use reconnect::Reconnect;
pub(crate) use signature::Signature;

use crate::{Algorithm, Connector, Local};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec};

/// What the authentication has settled.
pub(crate) struct Authenticated {
    pub call: Box<Connector>,
    pub our_addr: EntityAddr,
    pub global_id: u64,
    pub con_mode: u32,
    pub compression: Option<Algorithm>,
}

/// The addresses for the ident frames: ours, or the one that the peer sees (`AsyncMessenger::learned_addr`).
fn addrs(local: &Local, seen: &EntityAddr) -> EntityAddrVec {
    if !local.addrs.0.is_empty() {
        return local.addrs.clone();
    }
    let mut sock = seen.sock;
    if let Some(sock) = &mut sock {
        sock.set_port(0);
    }
    EntityAddrVec(vec![EntityAddr { kind: AddrType::ANY, nonce: local.nonce, sock }])
}
