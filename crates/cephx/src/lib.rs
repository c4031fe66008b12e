//! Cephx, Ceph's shared-key authentication (`src/auth/cephx/*`, `src/auth/Crypto.cc`), sans-IO, as 16.2, 18.2 and 20.2
//! speak it: one struct per thing that is expected next, bytes in, bytes out.
//!
//! Reading order: [`CryptoKey`] and `seal` (what a key does), `wire` (what is sent), [`login`] (a client and the
//! monitors), [`Credentials`] (what a login yields: tickets, renewal, rotating keys), [`authorizer`] (a client and a
//! daemon), [`verifier`] (a daemon and its clients), [`KeyRing`] (files).
//!
//! Invariants:
//! - no clock and no random source here: `now` and `&mut dyn Random` are arguments;
//! - secrets are wiped when dropped and never shown by `Debug`, an error or a log line;
//! - every refusal says whose key or which side is at fault.
//!
//! Not here: the frames that carry these payloads (`axon-msgr`), the system's clock and random source (`axon-net`).

mod aes128;
pub mod authorizer;
mod blocks;
mod challenge;
mod credentials;
mod error;
mod key;
mod keyring;
mod krb5;
pub mod login;
#[cfg(test)]
mod pair_tests;
mod random;
mod seal;
mod secret;
mod signature;
mod tickets;
pub mod verifier;
pub mod wire;

pub use challenge::client_server_challenge;
pub use credentials::{Credentials, Reply};
pub use error::{Error, KeyOwner};
pub use key::{CryptoKey, KeyType};
pub use keyring::{KeyRing, KeyRingEntry, KeyRingError};
pub use random::Random;
pub use seal::{Usage, open, open_blob, seal, seal_blob};
pub use secret::Secret;
pub use signature::{SignedPart, message_signature};
pub use tickets::{Ticket, TicketTable};

/// Result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// An identity and its key: who we are to the monitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub name: axon_proto::AuthEntity,
    pub key: CryptoKey,
}
