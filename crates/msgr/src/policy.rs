//! How a connection behaves when its socket fails (`Policy` in `src/msg/Policy.h`), and which features it asks for.

use axon_proto::{EntityType, features};

/// The connection policy towards one kind of peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A failed socket ends the session and drops what was queued.
    pub lossy: bool,
    /// This end never reconnects by itself.
    pub server: bool,
    /// A peer that comes back without its session makes us drop ours.
    pub resetcheck: bool,
    /// Whether lossy clients are looked up among the existing sessions.
    pub register_lossy_clients: bool,
    pub features_supported: u64,
    pub features_required: u64,
}

impl Policy {
    const fn new(lossy: bool, server: bool, resetcheck: bool, register: bool, required: u64) -> Self {
        Policy {
            lossy,
            server,
            resetcheck,
            register_lossy_clients: register,
            features_supported: features::SUPPORTED,
            features_required: required,
        }
    }

    /// The manager's listener towards everybody.
    #[must_use]
    pub const fn stateless_server(features_required: u64) -> Self {
        Self::new(true, true, false, false, features_required)
    }

    /// One open connection per lossy client.
    #[must_use]
    pub const fn stateless_registered_server(features_required: u64) -> Self {
        Self::new(true, true, false, true, features_required)
    }

    /// A server that keeps sessions across sockets.
    #[must_use]
    pub const fn stateful_server(features_required: u64) -> Self {
        Self::new(false, true, true, true, features_required)
    }

    #[must_use]
    pub const fn lossy_client(features_required: u64) -> Self {
        Self::new(true, false, false, true, features_required)
    }

    #[must_use]
    pub const fn lossless_client(features_required: u64) -> Self {
        Self::new(false, false, true, true, features_required)
    }

    /// What the manager's listener sets (`DaemonServer::init`): daemons must be Luminous or newer.
    #[must_use]
    pub fn of_manager_towards(peer: EntityType) -> Self {
        match peer {
            EntityType::OSD | EntityType::MDS => Self::stateless_server(features::SERVER_LUMINOUS),
            EntityType::MON => Self::lossy_client(features::UID | features::PGID64),
            _ => Self::stateless_server(0),
        }
    }
}
