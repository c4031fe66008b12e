//! How it stands with the monitors, for those who wait or show it, and why it does not stand well.

use crate::Error;
use crate::connection::Step;
use axon_denc::Features;
use axon_proto::{AuthEntity, EntityAddr, Fsid};

/// How it stands with the monitors.
#[derive(Clone, Debug)]
pub enum SessionState {
    /// Looking for a monitor; what the last round failed with, if one did.
    Hunting { why: Option<MonError> },
    /// A monitor has let us in.
    Open(OpenSession),
    /// Shut down by us.
    Closed,
}

/// The session in use.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The monitor's name; empty until the first monmap.
    pub mon: String,
    pub addr: EntityAddr,
    pub global_id: u64,
    /// What both sides support.
    pub features: Features,
    /// `axon_msgr::auth::con_mode`.
    pub con_mode: u32,
    /// Our own address as the monitor sees it.
    pub our_addr: EntityAddr,
    /// How the connection came about.
    pub steps: Vec<Step>,
}

/// Why there is no session. Each case says what to check.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MonError {
    /// A monitor answered and does not let us in.
    #[error("the monitors refuse {name} (key from {key_source}): {source}")]
    Refused { name: AuthEntity, key_source: String, source: Error },
    #[error(
        "no monitor can be reached (tried {tried}, from {monitors_source}): {source}; check the addresses and that a \
         monitor runs"
    )]
    Unreachable { tried: String, monitors_source: String, source: Error },
    #[error(
        "the monitor at {addr} belongs to cluster {found}, the configured fsid is {expected}; check mon_host and fsid"
    )]
    WrongCluster { addr: EntityAddr, found: Fsid, expected: Fsid },
    #[error("the session with mon.{mon} ended: {why}")]
    Lost { mon: String, why: String },
    #[error("no session with a monitor within {secs} s")]
    Timeout { secs: u64 },
    #[error("the client is shut down")]
    Closed,
}
