//! Opening connections as the configured identity: a login at a monitor, or a ticket shown to another daemon. Policies are
//! those that upstream's clients set per kind of peer.

use crate::auth::{AuthContext, InSession, LoginSlot, MonClientAuth, ServiceClientAuth, log_in};
use crate::config::{Config, Wire};
use crate::connection::{Bounds, Connected, Dial, GlobalSeq, connect, nonce};
use crate::connections::Connections;
use crate::{Error, Result};
use axon_cephx::Principal;
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
    pub(crate) connections: Arc<Connections>,
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

    /// The key that the next login uses.
    pub(crate) fn key(&self) -> Option<Arc<Principal>> {
        self.auth.principal().ok()
    }

    /// The monitors refuse the key `used`: reads its file again; whether the next login uses another one.
    pub(crate) async fn reload_key(&self, used: Option<&Principal>) -> bool {
        let Some(file) = self.config.key_file.clone() else { return false };
        let name = self.config.name.clone();
        let read = tokio::task::spawn_blocking(move || file.key(&name)).await;
        if let Some(key) = read.ok().flatten() {
            self.auth.replace_key(key);
        }
        self.key().is_some_and(|now| used.is_none_or(|used| used.key != now.key))
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

/// The address to call at that attempt, alone: of several (IPv6 and IPv4) each has its turn. Upstream calls the first one only.
pub(crate) fn one_of(addrs: &EntityAddrVec, attempt: u32) -> EntityAddrVec {
    let kind = spoken_at(addrs).map(|addr| addr.kind);
    let same: Vec<&EntityAddr> = addrs.0.iter().filter(|addr| Some(addr.kind) == kind).collect();
    let turn = usize::try_from(attempt).unwrap_or_default().checked_rem(same.len()).unwrap_or_default();
    EntityAddrVec(same.get(turn).map(|addr| **addr).into_iter().collect())
}

/// The address to call: v2, unless there is only v1.
pub(crate) fn spoken_at(addrs: &EntityAddrVec) -> Option<&EntityAddr> {
    addrs.msgr2().or_else(|| addrs.legacy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_cephx::CryptoKey;

    const FIRST: &str = "AQBSdFFhAAAAABAAq83vASNFZ4mrze8BI0VniQ==";
    const SECOND: &str = "AQBSdFFhAAAAABAAAAAAAAAAAAAAAAAAAAAAAQ==";

    async fn dialer(option: &'static str, file: &str) -> Dialer {
        let options = |wanted: &str| match wanted {
            "mon_host" => Some("127.0.0.1".to_owned()),
            _ => (wanted == option).then(|| file.to_owned()),
        };
        let config = Config::load("mgr.x".parse().unwrap(), &options).await.unwrap();
        let principal = Principal { name: config.name.clone(), key: config.key.clone().unwrap() };
        Dialer::new(Arc::new(config), AuthContext::new(principal, 0)).unwrap()
    }

    fn key(dialer: &Dialer) -> CryptoKey {
        dialer.key().unwrap().key.clone()
    }

    /// The key that was rotated is in the file some time later; several logins may be refused at once.
    #[tokio::test]
    async fn a_refused_key_is_read_again_from_the_file_that_it_came_from() {
        let ring = |key: &str| format!("[mgr.x]\n\tkey = {key}\n");
        for (option, first, second) in
            [("keyring", ring(FIRST), ring(SECOND)), ("keyfile", FIRST.to_owned(), SECOND.to_owned())]
        {
            let path = std::env::temp_dir().join(format!("axon-dialer-{}-{option}", std::process::id()));
            std::fs::write(&path, first).unwrap();
            let dialer = dialer(option, path.to_str().unwrap()).await;
            let used = dialer.key();
            assert!(!dialer.reload_key(used.as_deref()).await, "{option}: nothing new");
            for unusable in ["", "[mgr.y]\n\tkey = nonsense\n"] {
                std::fs::write(&path, unusable).unwrap();
                assert!(!dialer.reload_key(used.as_deref()).await, "{option}: half written");
            }
            std::fs::write(&path, second).unwrap();
            assert!(dialer.reload_key(used.as_deref()).await, "{option}: a new key");
            assert!(dialer.reload_key(used.as_deref()).await, "{option}: for whoever used the old one");
            assert_eq!(key(&dialer), CryptoKey::from_base64(SECOND).unwrap());
            assert!(
                !dialer.reload_key(dialer.key().as_deref()).await,
                "{option}: the new one is refused too"
            );
            std::fs::remove_file(&path).unwrap();
            assert!(!dialer.reload_key(dialer.key().as_deref()).await, "{option}: no file");
            assert_eq!(key(&dialer), CryptoKey::from_base64(SECOND).unwrap());
        }
    }

    #[test]
    fn each_address_of_the_newest_protocol_has_its_turn() {
        let addr = |kind, sock: &str| EntityAddr::new(kind, sock.parse().unwrap(), 0);
        let turns = |kinds: &[AddrType]| {
            let hosts = ["[::1]:1", "127.0.0.1:1"];
            let all = hosts.iter().flat_map(|host| kinds.iter().map(|kind| addr(*kind, host)));
            let addrs = EntityAddrVec(all.collect());
            [0, 1, 2].map(|attempt| one_of(&addrs, attempt).to_string())
        };
        let both = turns(&[AddrType::MSGR2, AddrType::LEGACY]);
        assert_eq!(both, ["v2:[::1]:1/0", "v2:127.0.0.1:1/0", "v2:[::1]:1/0"]);
        assert_eq!(turns(&[AddrType::LEGACY]), ["v1:[::1]:1/0", "v1:127.0.0.1:1/0", "v1:[::1]:1/0"]);
        assert!(one_of(&EntityAddrVec::default(), 1).0.is_empty());
    }

    #[tokio::test]
    async fn a_key_that_came_from_no_file_stays() {
        let dialer = dialer("key", FIRST).await;
        assert!(!dialer.reload_key(dialer.key().as_deref()).await);
        assert_eq!(key(&dialer), CryptoKey::from_base64(FIRST).unwrap());
    }
}
