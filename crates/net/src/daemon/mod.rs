//! Commands to one daemon (`tell`): an OSD, an MDS, a monitor by name (`Objecter::osd_command`, `Client::mds_command`,
//! `MonClient`'s directed commands). A session per daemon, kept for a while, many commands in flight on it.
//!
//! `whereabouts` says where a daemon is, by the maps; `mds` what an operator's spec stands for; `repeat` which command may
//! run twice; `session` is the task; this file keeps the sessions.

mod mds;
mod repeat;
mod session;
#[cfg(test)]
mod tests;
mod whereabouts;

pub use mds::{MdsTargetError, resolve_mds};
pub(crate) use repeat::may_run_twice;
pub use whereabouts::{Maps, OsdDirectory, OsdWhere, PgWhere};

use crate::counts::Gauge;
use crate::dialer::Dialer;
use crate::mon::commands::Request as CommandRequest;
use crate::mon::session::Waiter;
use session::DaemonSession;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};

/// A daemon as a session knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Daemon {
    Mon(String),
    Osd(i32),
    /// By global id: a restarted MDS is another one.
    Mds(u64),
    /// The active manager, whichever it is.
    Mgr,
    /// The manager of that name.
    MgrNamed(String),
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Daemon::Mon(name) => write!(f, "mon.{name}"),
            Daemon::Osd(id) => write!(f, "osd.{id}"),
            Daemon::Mds(gid) => write!(f, "mds.{gid}"),
            Daemon::Mgr => f.write_str("mgr"),
            Daemon::MgrNamed(name) => write!(f, "mgr.{name}"),
        }
    }
}

/// A command and who waits for its answer.
pub(crate) type DaemonRequest = (CommandRequest, Waiter);

/// Commands that may wait to be taken by a session's task.
const QUEUE_MAX: usize = 64;

/// The sessions that are alive.
pub(crate) struct Daemons {
    dialer: Arc<Dialer>,
    maps: watch::Receiver<Maps>,
    sessions: Mutex<HashMap<Daemon, mpsc::Sender<DaemonRequest>>>,
    pub alive: Arc<Gauge>,
}

impl Daemons {
    pub fn new(dialer: Arc<Dialer>, maps: watch::Receiver<Maps>) -> Self {
        Daemons { dialer, maps, sessions: Mutex::default(), alive: Arc::default() }
    }

    /// Hands a command to the daemon's session, which is started if there is none.
    pub async fn send(&self, daemon: &Daemon, request: DaemonRequest) {
        let mut request = request;
        loop {
            // A session that has just ended for want of commands gives the request back.
            match self.session(daemon).send(request).await {
                Ok(()) => return,
                Err(mpsc::error::SendError(back)) => request = back,
            }
        }
    }

    fn session(&self, daemon: &Daemon) -> mpsc::Sender<DaemonRequest> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_closed());
        let start = || {
            let (requests_tx, requests) = mpsc::channel(QUEUE_MAX);
            let session =
                DaemonSession::new(daemon.clone(), self.dialer.clone(), self.maps.clone(), requests);
            let held = self.alive.hold();
            tokio::spawn(async move {
                session.run().await;
                drop(held);
            });
            requests_tx
        };
        sessions.entry(daemon.clone()).or_insert_with(start).clone()
    }
}
