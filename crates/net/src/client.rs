//! The client of a cluster: one task for the monitors' session, and this handle to it.

use crate::Result;
use crate::auth::AuthContext;
use crate::config::Config;
use crate::dialer::Dialer;
use crate::event::Event;
use crate::mon::commands::Request as CommandRequest;
use crate::mon::repeat::may_run_twice;
use crate::mon::session::{Channels, Request, Session, Waiter};
use crate::mon::{MonError, OpenSession, SessionState};
use axon_cephx::Principal;
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, Fsid, Message, MonMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the cluster tells, in order. When it is not read for long the session stops reading too.
pub type EventReceiver = mpsc::Receiver<Event>;

/// Events that may wait for their reader.
const EVENTS_MAX: usize = 256;
/// Requests that may wait for the session's task.
const REQUESTS_MAX: usize = 1024;

/// A handle to the cluster. Clones share one session; it ends when the last one is dropped, or by [`Client::shutdown`].
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub dialer: Arc<Dialer>,
    requests: mpsc::Sender<Request>,
    pub state: watch::Receiver<SessionState>,
    pub monmap: watch::Receiver<Option<Arc<MonMap>>>,
    pub stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// Starts the client. It hunts for a monitor until it has one; [`Client::ready`] waits for that.
///
/// # Errors
/// When the system has no randomness to give.
pub fn connect(config: Config) -> Result<(Client, EventReceiver)> {
    let auth = match config.key.clone() {
        Some(key) => AuthContext::new(Principal { name: config.name.clone(), key }, config.want_keys),
        None => AuthContext::without_key(config.name.clone()),
    };
    let dialer = Arc::new(Dialer::new(Arc::new(config), auth)?);
    let (requests_tx, requests) = mpsc::channel(REQUESTS_MAX);
    let (events, events_rx) = mpsc::channel(EVENTS_MAX);
    let (state, state_rx) = watch::channel(SessionState::Hunting { why: None });
    let (monmap, monmap_rx) = watch::channel(None);
    let stop = CancellationToken::new();
    let channels = Channels { requests, events, state, monmap, stop: stop.clone() };
    tokio::spawn(Session::new(dialer.clone(), channels).run());
    let inner = Inner {
        dialer,
        requests: requests_tx,
        state: state_rx,
        monmap: monmap_rx,
        _stop_when_dropped: stop.clone().drop_guard(),
        stop,
    };
    Ok((Client(Arc::new(inner)), events_rx))
}

impl Client {
    /// Waits for a session whose monitor has sent the monmap.
    ///
    /// # Errors
    /// What the last round of the hunt failed with, as soon as a monitor refuses us or belongs to another cluster, or after
    /// `patience` for anything else. The hunt goes on in any case, so the call may be repeated.
    pub async fn ready(&self, patience: Duration) -> std::result::Result<OpenSession, MonError> {
        let mut state = self.0.state.clone();
        let is_final = |state: &SessionState| match state {
            SessionState::Open(open) => !open.mon.starts_with(UNNAMED) && self.monmap().is_some(),
            SessionState::Hunting { why: Some(MonError::Refused { .. } | MonError::WrongCluster { .. }) } => {
                true
            }
            SessionState::Hunting { .. } => false,
            SessionState::Closed => true,
        };
        let settled = timeout(patience, state.wait_for(is_final)).await.map(|r| r.map(|state| state.clone()));
        match settled.unwrap_or_else(|_| Ok(self.state())) {
            Ok(SessionState::Open(open)) => Ok(open),
            Ok(SessionState::Hunting { why: Some(why) }) => Err(why),
            Ok(SessionState::Hunting { why: None }) => Err(MonError::Timeout { secs: patience.as_secs() }),
            Ok(SessionState::Closed) | Err(_) => Err(MonError::Closed),
        }
    }

    /// How it stands with the monitors.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.0.state.borrow().clone()
    }

    /// The newest monmap; `None` before the first session.
    #[must_use]
    pub fn monmap(&self) -> Option<Arc<MonMap>> {
        self.0.monmap.borrow().clone()
    }

    /// The cluster's fsid, once a monitor has told it.
    #[must_use]
    pub fn fsid(&self) -> Option<Fsid> {
        self.monmap().map(|m| m.fsid).or(self.0.dialer.config.fsid)
    }

    /// The configuration that the client was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.dialer.config
    }

    /// Tickets and rotating keys, for a listener that verifies who connects.
    #[must_use]
    pub fn auth(&self) -> Arc<AuthContext> {
        self.0.dialer.auth.clone()
    }

    /// The global id that the monitors gave; 0 before the first session. A new session keeps it.
    #[must_use]
    pub fn my_global_id(&self) -> u64 {
        self.0.dialer.auth.global_id()
    }

    /// The addresses that monitors and OSDs know our connections by: for the beacon's client addresses, by which a failed
    /// manager is blocklisted. Empty before the first session.
    #[must_use]
    pub fn my_addrs(&self) -> EntityAddrVec {
        let SessionState::Open(open) = self.state() else { return EntityAddrVec::default() };
        let Some(mut sock) = open.our_addr.sock else { return EntityAddrVec::default() };
        sock.set_port(0);
        EntityAddrVec(vec![EntityAddr::new(AddrType::MSGR2, sock, self.0.dialer.nonce())])
    }

    /// Sends a message to the monitors: now, or with the next session.
    pub async fn send_mon(&self, message: impl Into<Message>) {
        self.request(Request::Send(message.into())).await;
    }

    /// Wants `what` pushed from version `start` on.
    pub async fn subscribe(&self, what: &str, start: u64) {
        self.request(Request::Subscribe { what: what.to_owned(), start, once: false }).await;
    }

    /// Wants one answer about `what` of version `start` or newer.
    pub async fn subscribe_once(&self, what: &str, start: u64) {
        self.request(Request::Subscribe { what: what.to_owned(), start, once: true }).await;
    }

    /// No longer wants `what`.
    pub async fn unsubscribe(&self, what: &str) {
        self.request(Request::Unsubscribe { what: what.to_owned() }).await;
    }

    /// The newest and the oldest version of a map (`osdmap`, `fsmap`, …) at the monitors, as of a moment after the call.
    pub async fn newest_version(&self, what: &str) -> std::result::Result<(u64, u64), MonError> {
        let (waiter, answer) = oneshot::channel();
        self.request(Request::Version { what: what.to_owned(), waiter }).await;
        answer.await.unwrap_or(Err(MonError::Closed))
    }

    /// Carries a command to `target`. Dropping the future frees everything that waits for the answer.
    pub async fn command(
        &self,
        target: Target,
        command: Command,
    ) -> std::result::Result<CommandOutput, CommandError> {
        match target {
            Target::Mon => self.mon_command(command).await,
            other => Err(CommandError::Unreachable {
                target: other.to_string(),
                errno: 95,
                why: "not yet".to_owned(),
            }),
        }
    }

    /// A command for the monitors' leader.
    pub(crate) async fn mon_command(
        &self,
        command: Command,
    ) -> std::result::Result<CommandOutput, CommandError> {
        let secs = command.deadline.as_secs();
        let request = CommandRequest {
            json: command.to_json(),
            repeatable: may_run_twice(&command.args),
            input: command.input,
            deadline: (Instant::now() + command.deadline).into_std(),
        };
        let (answer, answered) = oneshot::channel();
        self.request(Request::Command { request, waiter: Waiter { answer, secs } }).await;
        answered.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn closed(&self) -> CommandError {
        let why = MonError::Closed.to_string();
        CommandError::Unreachable { target: "the cluster".to_owned(), errno: ESHUTDOWN, why }
    }

    /// Ends the session and everything that waits.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
    }

    async fn request(&self, request: Request) {
        // Fails only when the task has ended; what waits in the request is dropped and so learns of it.
        let _ = self.0.requests.send(request).await;
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.config().name).finish_non_exhaustive()
    }
}

/// How monitors are called before the monmap names them.
const UNNAMED: &str = "noname-";

const ESHUTDOWN: i32 = 108;
