//! One accepted session (`MgrSession`): who is at the other end and what it may do.

use axon_core::caps::MgrCap;
use axon_proto::{AuthEntity, EntityAddrVec, EntityName, EntityType};

/// The listener's name of a session; never used twice.
pub type SessionId = axon_net::listener::SessionId;

/// What the owner knows of a session.
#[derive(Clone, Debug)]
pub struct Session {
    /// `osd.0`, `client.admin`: the identity that authenticated.
    pub entity: AuthEntity,
    /// The name that the peer goes by: a client's number is its global id.
    pub name: EntityName,
    pub addrs: EntityAddrVec,
    pub caps: MgrCap,
    /// A daemon that must hear when the configuration of reports changes.
    pub configured: bool,
}

impl Session {
    /// The peer's kind.
    #[must_use]
    pub fn kind(&self) -> EntityType {
        self.entity.kind
    }

    /// The number of the OSD at the other end.
    #[must_use]
    pub fn osd(&self) -> Option<i32> {
        if self.kind() == EntityType::OSD { self.entity.id.parse().ok() } else { None }
    }

    /// A client that is not a daemon of a service.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.kind() == EntityType::CLIENT
    }

    /// Upstream's `entity_inst_t` in log lines: `client.4117 v1:10.0.0.1:0/123`.
    #[must_use]
    pub fn inst(&self) -> String {
        format!("{} {}", self.name, self.addrs.legacy_or_front())
    }
}
