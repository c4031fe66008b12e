//! The accepting side's phases, in order: hello, auth, signature, compression (with peers that know it), ident; then, unless sessions of this peer are never
//! kept, the owner's decision about earlier sessions.

mod auth;
mod compression;
mod deciding;
mod hello;
mod ident;
mod signature;

pub(crate) use auth::Auth;
pub(crate) use compression::Compression;
pub(crate) use deciding::Deciding;
pub use deciding::{Decision, Offer};
pub(crate) use hello::Hello;
pub(crate) use ident::Ident;
pub(crate) use signature::Signature;

use crate::auth::PeerIdentity;
use crate::{Acceptor, Algorithm, Policy};
use axon_proto::{EntityAddr, EntityType};

/// What the hello has told.
pub(crate) struct Greeted {
    pub call: Box<Acceptor>,
    pub kind: EntityType,
    pub policy: Policy,
    pub our_addr: EntityAddr,
}

/// What the authentication has settled.
pub(crate) struct Authenticated {
    pub greeted: Greeted,
    pub identity: PeerIdentity,
    pub con_mode: u32,
    pub compression: Option<Algorithm>,
}
