//! The runtime side of the wire: connections, the monitors' session, the clients of OSDs and MDSs. The only crate with
//! sockets.

pub mod auth;
mod client;
pub mod config;
pub mod connection;
mod connections;
mod counts;
pub mod daemon;
mod dialer;
mod error;
mod event;
mod host;
mod in_flight;
pub mod listener;
pub mod mon;
mod redial;

pub use client::{Client, EventReceiver, connect};
pub use config::{Config, ConfigError};
pub use connections::Connections;
pub use counts::Counts;
pub use error::{Error, Result};
pub use event::Event;
