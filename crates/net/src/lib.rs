//! The runtime side of the wire: connections, the monitors' session, the clients of OSDs and MDSs. The only crate with
//! sockets.

pub mod auth;
pub mod connection;
mod error;
pub mod listener;
pub mod mon;

pub use error::{Error, Result};
