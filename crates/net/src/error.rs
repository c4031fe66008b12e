//! What went wrong with a peer: the protocol's own error, the socket's, or silence. Every case names the peer's address.

use axon_proto::EntityAddr;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{peer}: {source}")]
    Protocol { peer: EntityAddr, source: axon_msgr::Error },
    #[error("{peer}: {doing}: {source}")]
    Io { peer: EntityAddr, doing: &'static str, source: std::sync::Arc<std::io::Error> },
    /// The peer closed the socket.
    #[error("{peer}: the peer closed the connection while {during}")]
    Eof { peer: EntityAddr, during: &'static str },
    #[error(
        "{peer}: no answer within {after:?} while {during}; check that the daemon runs and the network lets it through"
    )]
    Timeout { peer: EntityAddr, during: &'static str, after: Duration },
    /// The connection has ended, or was closed by us.
    #[error("{peer}: the connection is closed")]
    Closed { peer: EntityAddr },
    #[error("{peer}: the address has no IP address and port to connect to")]
    NoSocketAddress { peer: EntityAddr },
    #[error("cannot listen on {ip}, ports {first} to {last}: {source}")]
    Bind { ip: std::net::IpAddr, first: u16, last: u16, source: std::sync::Arc<std::io::Error> },
    #[error("the system's random number generator failed")]
    Random,
}

impl Error {
    pub(crate) fn io(peer: EntityAddr, doing: &'static str, source: std::io::Error) -> Self {
        Error::Io { peer, doing, source: std::sync::Arc::new(source) }
    }
}
