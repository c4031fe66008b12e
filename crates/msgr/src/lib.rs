//! Sans-IO messenger: msgr v2.1 (`src/msg/async/ProtocolV2.cc`, `doc/dev/msgr2.rst`) and msgr v1 (`ProtocolV1.cc`), for peers
//! of 16.2, 18.2 and 20.2, as state machines: bytes and events in, bytes and events out.
//!
//! Invariants:
//! - no socket, clock or random number inside; time and cookies come in as arguments;
//! - nothing is allocated from a length that a peer claims: memory grows with the bytes that arrived, at most
//!   [`UNKNOWN_PEER_BYTES`] ahead of them before a session is open, where a frame is bounded by
//!   [`Limits::control_frame_bytes_max`] and the handshake by [`Limits::handshake_bytes_max`];
//! - on a lossless session no message is lost or delivered twice, whatever happens to the sockets.
//!
//! Not here: msgr v2.0 (16.2 and later all speak 2.1).

pub mod auth;
mod banner;
pub mod compression;
mod config;
mod connection;
mod crypto;
mod error;
pub mod frame;
mod handshake;
mod policy;
mod session;
mod session_table;
mod transmit;
pub mod v1;
mod v2;

pub use compression::{Algorithm, Compression};
pub use config::{Acceptor, Connector, Limits, Local};
pub use connection::{Connection, Event, UNKNOWN_PEER_BYTES};
pub use error::{Error, Incompatible, Malformed, Misbehaved, Misuse, Result};
pub use handshake::Peer;
pub use handshake::server::{Decision, Offer};
pub use policy::Policy;
pub use session::Session;
pub use session_table::{Existing, Verdict, judge};

#[cfg(test)]
mod tests;
