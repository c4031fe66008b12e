//! Authentication as the protocol asks for it (`axon_msgr::auth`), done with `axon-cephx`. The random source of the
//! operating system, and the clock, come in here.
//!
//! [`AuthContext`] is what all connections of one identity share; [`MonClientAuth`] logs in at a monitor,
//! [`ServiceClientAuth`] shows a ticket to a daemon, [`CephxServerAuth`] verifies who connects to us. [`AuthPolicy`] says which
//! methods and connection modes are allowed (`AuthRegistry`).

mod context;
mod legacy;
mod mon;
mod none;
mod policy;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use legacy::{InSession, log_in};

pub use context::{AuthContext, Renewed};
pub use mon::{LoginSlot, MonClientAuth};
pub use policy::{AuthPolicy, parse_methods, parse_modes};
pub use server::CephxServerAuth;
pub use service::ServiceClientAuth;

use axon_cephx::{CryptoKey, Random, Secret};
use axon_msgr::auth::{AuthError, AuthKeys, con_mode};
use axon_proto::UTime;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// The operating system's random source.
struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, out: &mut [u8]) {
        // Without randomness there is no key to make; upstream throws here too.
        getrandom::fill(out).expect("the operating system's random source works");
    }
}

/// The time of day that tickets and keys are judged by: the system's, unless a test has another.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    #[must_use]
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub(crate) fn now(&self) -> UTime {
        (self.0)().into()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new(SystemTime::now)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// `AuthConnectionMeta::get_connection_secret_length`.
fn connection_secret_bytes(mode: u32) -> usize {
    if mode == con_mode::SECURE { 64 } else { 0 }
}

/// An error with its causes in one line, as the peer's refusal and the log show it.
fn denied(e: &dyn Error) -> AuthError {
    let mut why = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        let _ = write!(why, ": {e}");
        cause = e.source();
    }
    AuthError::denied(why)
}

/// The keys of a connection; refuses SECURE mode without a secret to derive its keys from.
fn keys(session_key: &CryptoKey, secret: Secret, mode: u32) -> Result<AuthKeys, AuthError> {
    if secret.len() < connection_secret_bytes(mode) {
        let len = secret.len();
        return Err(AuthError::denied(format!("SECURE mode was agreed, the peer's secret has {len} bytes")));
    }
    Ok(AuthKeys {
        session_key: Zeroizing::new(session_key.secret().to_vec()),
        connection_secret: secret.into_inner(),
        signer: Some(Arc::new(legacy::SessionSigner(session_key.clone()))),
    })
}
