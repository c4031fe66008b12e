//! One round of the hunt: logins at several monitors at once; the first that succeeds wins. A monitor that does not answer is
//! tried again while the round lasts; one that refuses us is not.

use super::hunt::Candidate;
use crate::auth::LoginSlot;
use crate::connection::Connected;
use crate::dialer::{Dialer, one_of};
use crate::redial::Redial;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

/// A successful login.
pub(super) struct Login {
    pub candidate: Candidate,
    pub connected: Connected,
    pub slot: LoginSlot,
}

/// The logins under way.
pub(super) struct Round {
    logins: JoinSet<(Candidate, Result<(Connected, LoginSlot)>)>,
    pub tried: Vec<Candidate>,
    /// When the next round may begin.
    pub until: Instant,
    /// The failure to show: a refusal rather than a silence.
    pub failure: Option<Error>,
}

impl Round {
    /// Starts logins at `candidates` that go on for `timeout`, each with the pauses of `redial`. `nth` round: says at which of
    /// several addresses a monitor is called first.
    pub fn start(
        dialer: &Arc<Dialer>,
        candidates: Vec<Candidate>,
        timeout: Duration,
        redial: Redial,
        nth: u32,
    ) -> Self {
        let until = Instant::now() + timeout;
        let mut logins = JoinSet::new();
        for candidate in &candidates {
            logins.spawn(login(dialer.clone(), candidate.clone(), until, redial, nth));
        }
        Round { logins, tried: candidates, until, failure: None }
    }

    /// The first success. Pends for ever when all have failed; [`Round::failure`] then says why.
    pub async fn success(&mut self) -> Login {
        while let Some(done) = self.logins.join_next().await {
            match done {
                Ok((candidate, Ok((connected, slot)))) => return Login { candidate, connected, slot },
                Ok((candidate, Err(e))) => {
                    debug!(mon = candidate.name, "login failed: {e}");
                    if self.failure.as_ref().is_none_or(|old| !is_refusal(old)) {
                        self.failure = Some(e);
                    }
                }
                Err(panicked) => debug!("a login ended: {panicked}"),
            }
            if self.logins.is_empty() {
                break;
            }
        }
        std::future::pending().await
    }

    /// The monitors of this round.
    pub fn tried(&self) -> String {
        let names: Vec<String> = self.tried.iter().map(|c| c.addrs.to_string()).collect();
        names.join(", ")
    }
}

/// Whether a monitor answered and said no.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Protocol { source: axon_msgr::Error::Auth(_), .. })
}

/// Longest pause between attempts at one monitor.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(1);

async fn login(
    dialer: Arc<Dialer>,
    candidate: Candidate,
    until: Instant,
    mut redial: Redial,
    nth: u32,
) -> (Candidate, Result<(Connected, LoginSlot)>) {
    loop {
        // A handshake that is under way when the round ends may still finish in the next one's time, not longer.
        let used = dialer.key();
        let addr = one_of(&candidate.addrs, nth.wrapping_add(redial.failures()));
        let result = dialer.monitor(&addr, false, dialer.config.connect_timeout).await;
        let e = match result {
            Err(e) if !is_refusal(&e) => e,
            Err(e) if dialer.reload_key(used.as_deref()).await => {
                info!(mon = candidate.name, "the key's file has changed, trying the new key: {e}");
                continue;
            }
            done => return (candidate, done),
        };
        let pause = redial.failed();
        if Instant::now() + pause >= until {
            return (candidate, Err(e));
        }
        debug!(mon = candidate.name, "not yet: {e}");
        sleep(pause).await;
    }
}
