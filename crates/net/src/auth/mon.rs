//! Logging in at a monitor (`MonConnection` in `src/mon/MonClient.cc`): `AUTH_REQUEST` with our name and global id, the
//! monitor's challenge, our proof, the tickets in `AUTH_DONE`.
//!
//! Several of these may run at once while hunting; each leaves its result in its own [`LoginSlot`], and the session that wins is
//! taken over with [`AuthContext::adopt`].

use super::{AuthContext, AuthPolicy, OsRandom, denied, keys};
use axon_cephx::login::{ExpectServerChallenge, ExpectSessionKey};
use axon_cephx::wire::auth_mode;
use axon_cephx::{Credentials, Error};
use axon_denc::{Features, Writer};
use axon_msgr::auth::{AuthError, AuthKeys, AuthRequest, ClientAuth, con_mode, method};
use axon_proto::EntityType;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a login leaves its credentials.
#[derive(Clone, Debug, Default)]
pub struct LoginSlot(Arc<Mutex<Option<Credentials>>>);

impl LoginSlot {
    /// The credentials, once the handshake is done.
    #[must_use]
    pub fn take(&self) -> Option<Credentials> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, credentials: Credentials) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
    }
}

/// What is expected next of the monitor.
enum Step {
    Challenge(ExpectServerChallenge),
    SessionKey(ExpectSessionKey),
    /// Method `none`: the monitor's consent.
    Consent,
    Over,
}

/// One login at one monitor.
pub struct MonClientAuth {
    context: Arc<AuthContext>,
    policy: Arc<AuthPolicy>,
    prior: Option<Credentials>,
    /// Beside the session in use.
    separate: bool,
    method: Option<u32>,
    step: Step,
    slot: LoginSlot,
}

impl MonClientAuth {
    /// A login that keeps the global id of the session in use, if there is one.
    #[must_use]
    pub fn new(context: Arc<AuthContext>, policy: Arc<AuthPolicy>) -> (Self, LoginSlot) {
        let prior = context.prior();
        Self::with_prior(context, policy, prior, false)
    }

    /// A login with a global id of its own, beside the session in use: for commands to a named monitor.
    #[must_use]
    pub fn separate(context: Arc<AuthContext>, policy: Arc<AuthPolicy>) -> (Self, LoginSlot) {
        Self::with_prior(context, policy, None, true)
    }

    fn with_prior(
        context: Arc<AuthContext>,
        policy: Arc<AuthPolicy>,
        prior: Option<Credentials>,
        separate: bool,
    ) -> (Self, LoginSlot) {
        let slot = LoginSlot::default();
        let (method, step) = (None, Step::Over);
        let auth = MonClientAuth { context, policy, prior, separate, method, step, slot: slot.clone() };
        (auth, slot)
    }

    /// v1: the opening `MAuth`, with all methods that we would use.
    pub(super) fn negotiate(&mut self) -> Result<Bytes, AuthError> {
        let methods = self.policy.methods(EntityType::MON);
        if !methods.iter().any(|m| self.policy.modes(EntityType::MON, *m).contains(&con_mode::CRC)) {
            return Err(AuthError::denied(
                "only encrypted connections with monitors are allowed (ms_mon_*_mode), msgr v1 has none",
            ));
        }
        let mut w = Writer::new();
        w.u8(1);
        w.value(&methods.to_vec(), Features::ALL);
        w.value(self.context.name(), Features::ALL);
        w.u64(self.prior.as_ref().map_or(0, |p| p.global_id));
        Ok(w.into_bytes())
    }

    /// The method is chosen.
    pub(super) fn negotiated(&mut self, used: u32) -> Result<(), AuthError> {
        self.step = match used {
            method::NONE => Step::Consent,
            method::CEPHX => {
                let principal = self.context.principal()?;
                let start = ExpectServerChallenge::new(principal, self.prior.clone(), self.context.want());
                Step::Challenge(start)
            }
            _ => return Err(AuthError::denied(format!("the monitor wants method {used}, which is unknown"))),
        };
        self.method = Some(used);
        if !self.policy.methods(EntityType::MON).contains(&used) {
            return Err(AuthError::denied(format!(
                "the monitor wants method {used}, which is not allowed here"
            )));
        }
        Ok(())
    }

    /// Whether the monitor's challenge comes next.
    pub(super) fn expects_challenge(&self) -> bool {
        matches!(self.step, Step::Challenge(_))
    }

    fn start(&mut self, used: u32) -> Result<AuthRequest, AuthError> {
        let preferred_modes = self.policy.modes(EntityType::MON, used);
        if preferred_modes.is_empty() {
            return Err(AuthError::denied(
                "no connection mode is allowed with monitors: check ms_mon_*_mode",
            ));
        }
        self.negotiated(used)?;
        let mut w = Writer::new();
        w.u8(auth_mode::MON);
        w.value(self.context.name(), Features::ALL);
        w.u64(self.prior.as_ref().map_or(0, |p| p.global_id));
        Ok(AuthRequest { method: used, preferred_modes, payload: w.into_bytes() })
    }
}

impl ClientAuth for MonClientAuth {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        let first = self.policy.methods(EntityType::MON).first().copied();
        let Some(used) = first else {
            return Err(AuthError::denied("no method is allowed with monitors: check auth_cluster_required"));
        };
        self.start(used)
    }

    fn bad_method(
        &mut self,
        refused: u32,
        errno: i32,
        allowed_methods: &[u32],
        allowed_modes: &[u32],
    ) -> Result<AuthRequest, AuthError> {
        let errno = errno.saturating_abs();
        let methods = self.policy.methods(EntityType::MON);
        let others = methods.iter().copied().skip_while(|m| Some(*m) != self.method).skip(1);
        if let Some(next) = others.into_iter().find(|m| allowed_methods.contains(m)) {
            return self.start(next);
        }
        if errno == EACCES && !self.separate {
            // The ticket that proves our right to the global id may be too old; then only a new id helps.
            self.context.refused(self.prior.is_some());
        }
        let name = self.context.name();
        let why = if errno == EACCES && self.prior.is_some() {
            format!(
                "the monitor does not let {name} keep its global id, or its key is wrong; the next attempt asks for a new id"
            )
        } else if errno == EACCES && refused == method::CEPHX {
            format!(
                "the monitor refuses {name}: wrong key for {name}, or the cluster does not know it, or it has no mon caps; \
                 compare the keyring with what `ceph auth get {name}` prints"
            )
        } else {
            format!(
                "the monitor refuses method {refused} for {name}; it allows methods {allowed_methods:?} and modes \
                 {allowed_modes:?}, allowed here are methods {methods:?} and modes {:?} (auth_*_required, ms_mon_*_mode)",
                self.policy.modes(EntityType::MON, refused)
            )
        };
        Err(AuthError { errno, why })
    }

    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Challenge(step) => {
                let (answer, next) = step.handle(payload, &mut OsRandom).map_err(|e| denied(&e))?;
                self.step = Step::SessionKey(next);
                Ok(answer)
            }
            _ => Err(AuthError::denied("the monitor challenges twice")),
        }
    }

    fn done(&mut self, global_id: u64, con_mode: u32, payload: &[u8]) -> Result<AuthKeys, AuthError> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::SessionKey(step) => {
                let got =
                    step.handle(global_id, payload, self.context.now()).map_err(|e: Error| denied(&e))?;
                let keys = keys(&got.session_key, got.connection_secret, con_mode)?;
                self.slot.put(got.credentials);
                Ok(keys)
            }
            Step::Consent => {
                let mut credentials = self.prior.take().unwrap_or_default();
                credentials.global_id = global_id;
                self.slot.put(credentials);
                Ok(AuthKeys::default())
            }
            _ => Err(AuthError::denied("the monitor ends the login before it challenged us")),
        }
    }
}

/// The errno that monitors give for a wrong key, an unknown name and a global id that may not be reclaimed.
const EACCES: i32 = 13;
