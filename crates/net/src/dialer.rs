//! Opening connections as the configured identity: a login at a monitor, or a ticket shown to another daemon. Policies are
//! those that upstream's clients set per kind of peer.

use crate::auth::{AuthContext, InSession, LoginSlot, MonClientAuth, ServiceClientAuth, log_in};
use crate::config::{Config, Wire};
use crate::connection::{Bounds, Connected, Dial, GlobalSeq, connect, nonce};
use crate::counts::Gauge;
use crate::{Error, Result};
use axon_msgr::{Local, Policy};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityType, features};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// What every connection of one identity starts from.
#[derive(Debug)]
pub struct Dialer {
    pub(crate) config: Arc<Config>,
    pub(crate) auth: Arc<AuthContext>,
    local: Local,
    global_seq: Arc<GlobalSeq>,
    pub(crate) connections: Arc<Gauge>,
    /// What new connections may use.
    wire: Mutex<Arc<Wire>>,
    /// Commands that were sent again.
    pub(crate) resent: AtomicU64,
}

impl Dialer {
    pub(crate) fn new(config: Arc<Config>, auth: Arc<AuthContext>) -> Result<Self> {
        let local =
            Local { kind: config.name.kind, num: None, addrs: EntityAddrVec::default(), nonce: nonce()? };
        let wire = Wire { policy: config.policy.clone(), compression: config.compression.clone() };
        Ok(Dialer {
            wire: Mutex::new(Arc::new(wire)),
            config,
            auth,
            local,
            global_seq: Arc::default(),
            connections: Arc::default(),
            resent: AtomicU64::default(),
        })
    }

    /// What new connections may use.
    pub(crate) fn wire(&self) -> Arc<Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What connections from now on may use.
    pub(crate) fn set_wire(&self, wire: Wire) {
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(wire);
    }

    /// The nonce in our addresses.
    pub(crate) fn nonce(&self) -> u32 {
        self.local.nonce
    }

    /// Logs in at a monitor. `separate`: with a global id of its own, beside the session in use.
    pub(crate) async fn monitor(
        &self,
        addrs: &EntityAddrVec,
        separate: bool,
        deadline: Duration,
    ) -> Result<(Connected, LoginSlot)> {
        let (auth, policy) = (self.auth.clone(), self.wire().policy.clone());
        let (login, slot) = match separate {
            true => MonClientAuth::separate(auth, policy),
            false => MonClientAuth::new(auth, policy),
        };
        let dial = self.dial(EntityType::MON, addrs, deadline)?;
        if dial.target.kind != AddrType::LEGACY {
            return Ok((connect(dial, Box::new(login)).await?, slot));
        }
        let target = dial.target;
        let timed_out = |_| Error::Timeout { peer: target, during: "logging in", after: deadline };
        let over_messages = async {
            let mut connected = connect(dial, Box::new(InSession)).await?;
            let mut login = login;
            log_in(&mut connected, &mut login).await.map(|()| connected)
        };
        Ok((timeout(deadline, over_messages).await.map_err(timed_out)??, slot))
    }

    /// Shows our ticket to a daemon that is no monitor.
    pub(crate) async fn service(
        &self,
        kind: EntityType,
        addrs: &EntityAddrVec,
        deadline: Duration,
    ) -> Result<Connected> {
        let auth = ServiceClientAuth::new(self.auth.clone(), self.wire().policy.clone(), kind);
        connect(self.dial(kind, addrs, deadline)?, Box::new(auth)).await
    }

    fn dial(&self, peer: EntityType, addrs: &EntityAddrVec, deadline: Duration) -> Result<Dial> {
        let target =
            *spoken_at(addrs).ok_or_else(|| Error::NoSocketAddress { peer: addrs.legacy_or_front() })?;
        let policy = match peer {
            EntityType::MON => Policy::lossy_client(features::UID | features::PGID64),
            EntityType::MDS => Policy::lossless_client(0),
            _ => Policy::lossy_client(0),
        };
        Ok(Dial {
            local: self.local.clone(),
            peer,
            target,
            policy,
            limits: self.config.limits,
            compression: self.wire().compression.clone(),
            bounds: Bounds::default(),
            deadline,
            global_seq: self.global_seq.clone(),
            connections: self.connections.clone(),
            detour: self.config.detour.clone(),
        })
    }
}

/// The address to call: v2, unless there is only v1.
pub(crate) fn spoken_at(addrs: &EntityAddrVec) -> Option<&EntityAddr> {
    addrs.msgr2().or_else(|| addrs.legacy())
}
