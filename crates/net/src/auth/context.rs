//! What all connections of one identity share (`MonClient::auth`, `rotating_secrets`): who we are, the tickets and global id of the
//! current session, our service's rotating keys.
//!
//! Invariant: the lock is held for a computation only, never across a wait.

use super::{Clock, OsRandom, denied};
use axon_cephx::verifier::ServiceKeys;
use axon_cephx::wire::RotatingSecrets;
use axon_cephx::{Credentials, CryptoKey, Principal, Reply};
use axon_msgr::auth::AuthError;
use axon_proto::{AuthEntity, EntityType, UTime};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One identity towards the cluster.
#[derive(Debug)]
pub struct AuthContext {
    name: AuthEntity,
    /// Services whose tickets we want, a bit each.
    want: u32,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` where the cluster uses method `none` and we have no key.
    principal: Option<Arc<Principal>>,
    credentials: Option<Credentials>,
    /// The last login that asked to keep the global id was refused: the next one asks for a new id.
    id_refused: bool,
    rotating: RotatingSecrets,
    rotating_asked: UTime,
    /// A client showed a ticket of a key that we lack.
    rotating_missed: bool,
}

/// What a reply over the session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    Tickets,
    RotatingKeys,
}

impl AuthContext {
    /// `want` is a mask of services; a manager wants mon, mds, osd and mgr.
    #[must_use]
    pub fn new(principal: Principal, want: u32) -> Arc<Self> {
        Self::with_clock(principal, want, Clock::default())
    }

    /// As [`AuthContext::new`], by another clock than the system's.
    #[must_use]
    pub fn with_clock(principal: Principal, want: u32, clock: Clock) -> Arc<Self> {
        let name = principal.name.clone();
        let state = State { principal: Some(Arc::new(principal)), ..State::default() };
        Arc::new(AuthContext { name, want, clock, state: Mutex::new(state) })
    }

    /// An identity without a key, for clusters that use method `none`.
    #[must_use]
    pub fn without_key(name: AuthEntity) -> Arc<Self> {
        Arc::new(AuthContext { name, want: 0, clock: Clock::default(), state: Mutex::default() })
    }

    #[must_use]
    pub fn name(&self) -> &AuthEntity {
        &self.name
    }

    pub(crate) fn principal(&self) -> Result<Arc<Principal>, AuthError> {
        let name = &self.name;
        let principal = self.state().principal.clone();
        principal
            .ok_or_else(|| AuthError::denied(format!("the cluster asks for a key, {name} has no keyring")))
    }

    /// The next login uses this key, unless there was none.
    pub(crate) fn replace_key(&self, key: CryptoKey) {
        let mut state = self.state();
        if let Some(old) = &state.principal
            && old.key != key
        {
            state.principal = Some(Arc::new(Principal { name: old.name.clone(), key }));
            state.id_refused = false;
        }
    }

    /// A new key, in base64, from the next login on (`rotate-key` of `MonClient::call`).
    pub fn rotate_key(&self, base64: &str) -> Result<(), String> {
        let key = CryptoKey::from_base64(base64).map_err(|why| format!("error decoding key: {why}"))?;
        if self.state().principal.is_none() {
            return Err("cephx not enabled; no key to rotate".to_owned());
        }
        self.replace_key(key);
        Ok(())
    }

    pub(super) fn now(&self) -> UTime {
        self.clock.now()
    }

    pub(super) fn want(&self) -> u32 {
        self.want
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The global id of the session in use; 0 before the first login.
    #[must_use]
    pub fn global_id(&self) -> u64 {
        self.state().credentials.as_ref().map_or(0, |c| c.global_id)
    }

    /// The session in use is now the one that this login opened.
    pub fn adopt(&self, credentials: Credentials) {
        let mut state = self.state();
        state.credentials = Some(credentials);
        state.id_refused = false;
    }

    /// A login was refused. With a global id to keep, a new id may help; without one it does not, so the old one is asked for again:
    /// it is given up only once a login without it has succeeded.
    pub(super) fn refused(&self, kept_id: bool) {
        self.state().id_refused = kept_id;
    }

    /// What the next login proves its right to the global id with.
    pub(super) fn prior(&self) -> Option<Credentials> {
        let state = self.state();
        state.credentials.clone().filter(|_| !state.id_refused)
    }

    /// The cluster replaced its keys: rotating keys are dropped and every ticket is to be renewed
    /// (`MonClient::_wipe_secrets_and_tickets`).
    pub fn wipe(&self) {
        let mut state = self.state();
        state.rotating = RotatingSecrets::default();
        state.rotating_asked = UTime::ZERO;
        if let Some(credentials) = &mut state.credentials {
            credentials.tickets.invalidate_all();
        }
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.state().credentials.clone()
    }

    /// The service did not take our ticket: the next renewal asks for another.
    pub(super) fn invalidate(&self, service: EntityType) {
        if let Some(credentials) = &mut self.state().credentials {
            credentials.tickets.invalidate(service);
        }
    }

    /// The `MAuth` payload that renews our tickets, when some are due. To be asked every few seconds.
    pub fn renewal_request(&self) -> Result<Option<Bytes>, AuthError> {
        let (Ok(principal), Some(credentials)) = (self.principal(), self.credentials()) else {
            return Ok(None);
        };
        credentials.renewal_request(&principal, self.want, self.now(), &mut OsRandom).map_err(|e| denied(&e))
    }

    /// The `MAuth` payload that asks for our service's rotating keys, when they are due (`_check_auth_rotating`): at most once
    /// a second.
    #[must_use]
    pub fn rotating_request(&self) -> Option<Bytes> {
        let has_keys = matches!(self.name.kind, EntityType::MGR | EntityType::OSD | EntityType::MDS);
        let now = self.now();
        let mut state = self.state();
        let asked = state.rotating_asked;
        let wait = asked <= now && now.to_duration() < asked.to_duration() + Duration::from_secs(1);
        let due = state.rotating.stale(rotating_cutoff(now)) || state.rotating_missed;
        if state.principal.is_none() || !has_keys || state.credentials.is_none() || wait || !due {
            return None;
        }
        state.rotating_asked = now;
        Some(Credentials::rotating_request())
    }

    /// Whether clients can be verified: rotating keys are there and in force.
    #[must_use]
    pub fn has_rotating_keys(&self) -> bool {
        !self.state().rotating.stale(rotating_cutoff(self.now()))
    }

    /// The answer to one of the requests above: `result` and `result_bl` of `MAuthReply`.
    pub fn handle_reply(&self, result: i32, payload: &[u8]) -> Result<Renewed, AuthError> {
        if result < 0 {
            let (name, errno) = (&self.name, result.saturating_neg());
            return Err(AuthError { errno, why: format!("the monitor refuses new tickets for {name}") });
        }
        let principal = self.principal()?;
        let mut state = self.state();
        let Some(credentials) = &mut state.credentials else {
            return Err(AuthError::denied("an answer about tickets came before the login"));
        };
        match credentials.handle_reply(&principal, payload, self.now()).map_err(|e| denied(&e))? {
            Reply::Tickets(_) => Ok(Renewed::Tickets),
            Reply::Rotating(keys) => {
                state.rotating = keys;
                state.rotating_missed = false;
                Ok(Renewed::RotatingKeys)
            }
        }
    }

    /// Runs `verify` with the keys that open tickets for us.
    pub(super) fn with_service_keys<T>(
        &self,
        verify: impl FnOnce(ServiceKeys<'_>) -> axon_cephx::Result<T>,
    ) -> axon_cephx::Result<T> {
        let mut state = self.state();
        let result = verify(ServiceKeys { service: self.name.kind, rotating: &state.rotating });
        if let Err(axon_cephx::Error::UnknownServiceKey { .. }) = result {
            state.rotating_missed = true;
        }
        result
    }
}

/// Keys count as stale half a minute after the current one has expired, as upstream with its default lifetime of tickets.
fn rotating_cutoff(now: UTime) -> UTime {
    now.to_duration().saturating_sub(Duration::from_secs(30)).into()
}
