//! What can go wrong, and at whose side. `Display` names what to check and holds no secret.

use axon_denc::DecodeError;
use axon_proto::{AuthEntity, EntityType};
use std::fmt;

/// Whose key a sealed block was to be opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// An identity's own key, from its keyring.
    Principal(AuthEntity),
    /// The session key of our ticket for this service.
    Ticket(EntityType),
    /// A rotating key of this service.
    Service(EntityType, u64),
}

impl fmt::Display for KeyOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOwner::Principal(name) => {
                write!(f, "wrong key for {name}: compare the keyring with what `ceph auth get {name}` prints")
            }
            KeyOwner::Ticket(service) => {
                write!(f, "it was not made with the session key of the {} ticket", service.name())
            }
            KeyOwner::Service(service, id) => {
                write!(f, "it was not made with rotating {} key {id}", service.name())
            }
        }
    }
}

/// A refusal of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the peer sent a malformed cephx payload")]
    Malformed(#[from] DecodeError),
    #[error("the key has {have_bytes} bytes, its type {kind} needs {need_bytes}")]
    ShortKey { kind: u16, have_bytes: usize, need_bytes: usize },
    #[error("key type {0} is unknown here (known: 1 aes, 2 aes256k)")]
    UnknownKeyType(u16),
    #[error("the key is empty")]
    EmptyKey,
    #[error("not base64")]
    NotBase64,
    #[error("cannot open {what}: {with}")]
    CannotOpen { what: &'static str, with: KeyOwner },
    #[error("the peer answered with status {status}")]
    Status { status: i32 },
    #[error("the peer answered request {got:#x}, which was not asked")]
    UnexpectedReply { got: u16 },
    #[error("the monitors' answer holds no auth ticket")]
    NoAuthTicket,
    #[error("there is no {} ticket; the monitors give one only when the caps of this identity allow", .0.name())]
    NoTicket(EntityType),
    #[error("the peer did not prove that it holds the service's key (nonce does not match)")]
    BadNonce,
    #[error("the peer answered another challenge than ours")]
    BadChallenge,
    #[error("the peer sent no answer to our challenge")]
    ChallengeIgnored,
    #[error("the peer's ticket is for {}, this is {}", .got.name(), .ours.name())]
    WrongService { got: EntityType, ours: EntityType },
    #[error(
        "rotating {} key {secret_id} is unknown here: either the peer's ticket is old, or ours are; clocks may differ",
        .service.name()
    )]
    UnknownServiceKey { service: EntityType, secret_id: u64 },
    #[error("the peer claims global id {claimed}, its ticket says {ticket}")]
    GlobalIdMismatch { claimed: u64, ticket: u64 },
}
