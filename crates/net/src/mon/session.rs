//! The session with the monitors (`MonClient`): one task owns the hunt, the subscriptions and the commands without an answer.
//!
//! Invariants:
//! - while no session is open a hunt is under way;
//! - every new session is told all subscriptions and sent every command that it has not been sent;
//! - events reach the owner in the order in which the monitor sent them; when the owner does not take them the task keeps
//!   up to [`EVENTS_HELD_MAX`] and then stops reading, but goes on answering requests.

use super::commands::{CommandTable, Ended, Request as CommandRequest, Unsent};
use super::hops::{connect_hop, sent_hop};
use super::hunt::Hunt;
use super::login::{BACKOFF_MAX, Login, Round, is_refusal};
use super::status::{MonError, OpenSession, SessionState};
use super::subs::Subs;
use crate::connection::{ConnectionEvent, ConnectionHandle};
use crate::counts::Held;
use crate::daemon::Maps;
use crate::dialer::Dialer;
use crate::event::Event;
use crate::redial::Redial;
use axon_core::trace::Trace;
use axon_core::{CommandError, CommandOutput};
use axon_proto::mgr_map::MgrMap;
use axon_proto::msgs::auth::MAuth;
use axon_proto::msgs::mon_command::MMonCommand;
use axon_proto::msgs::mon_get_map::MMonGetMap;
use axon_proto::msgs::mon_get_version::MMonGetVersion;
use axon_proto::msgs::mon_subscribe::{MMonSubscribe, SubscribeItem};
use axon_proto::{FsMap, Message, MonMap};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Who waits for a command's answer, and how long.
pub(crate) struct Waiter {
    pub answer: oneshot::Sender<Result<CommandOutput, CommandError>>,
    pub secs: u64,
    /// Where its hops go.
    pub trace: Option<Trace>,
    pub _held: Held,
}

/// Who waits for the versions of a map: newest and oldest.
pub(crate) type VersionWaiter = oneshot::Sender<Result<(u64, u64), MonError>>;

/// What the session is asked to do.
pub(crate) enum Request {
    Command {
        request: CommandRequest,
        waiter: Waiter,
    },
    Send(Message),
    Subscribe {
        what: String,
        start: u64,
        once: bool,
    },
    Unsubscribe {
        what: String,
    },
    /// Wants `what` pushed from version 0 on, unless it is pushed already.
    Follow {
        what: String,
    },
    Version {
        what: String,
        waiter: VersionWaiter,
    },
}

/// Most events that wait for the owner inside the task.
const EVENTS_HELD_MAX: usize = 4096;

/// When nothing is due.
const FAR: Duration = Duration::from_secs(3600);

/// Messages and requests that are taken at once, before what else may be due is looked at.
const BATCH_MAX: usize = 64;

/// Longest pause behind sessions that end before the monitor has answered anything.
const STILLBORN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Upstream's `tick` while connected (`mon_client_log_interval`).
const TICK: Duration = Duration::from_secs(1);

/// The open session.
pub(super) struct Active {
    pub handle: ConnectionHandle,
    events: mpsc::Receiver<ConnectionEvent>,
    pub open: OpenSession,
    /// The monitor has answered a subscription: see [`Session::prove`].
    proven: bool,
    /// It kept the global id of the session before.
    reclaimed: bool,
    opened: Instant,
    pinged: Instant,
    /// When the last ping that was answered was sent.
    pub heard: Instant,
}

impl Active {
    /// Commands may be sent: see [`Session::prove`].
    fn takes_commands(&self) -> bool {
        self.proven || self.reclaimed
    }
}

/// The task.
pub(crate) struct Session {
    pub(super) dialer: Arc<Dialer>,
    pub(super) hunt: Hunt,
    pub(super) subs: Subs,
    pub(super) commands: CommandTable<Waiter>,
    pub(super) versions: BTreeMap<u64, VersionWaiter>,
    last_handle: u64,
    /// Messages that wait for a session, or for room in its queue.
    queued: VecDeque<Message>,
    pub(super) monmap: Option<Arc<MonMap>>,
    pub(super) active: Option<Active>,
    round: Option<Round>,
    /// Rounds since the last session.
    rounds: u32,
    /// Sessions in a row that ended before the monitor answered a subscription.
    stillborn: Redial,
    pub(super) outbox: VecDeque<Event>,
    /// Rings at the next deadline or end of a round, or before; it is moved only when it must ring earlier.
    alarm: Pin<Box<Sleep>>,
    channels: Channels,
}

/// How the task is reached and what it tells.
pub(crate) struct Channels {
    pub requests: mpsc::Receiver<Request>,
    pub events: mpsc::Sender<Event>,
    pub state: watch::Sender<SessionState>,
    pub maps: watch::Sender<Maps>,
    pub stop: CancellationToken,
}

/// What woke the task.
enum Wake {
    Stop,
    Request(Option<Request>),
    Connection(Option<ConnectionEvent>),
    Login(Box<Login>),
    Alarm,
    Tick,
    Room,
    Delivered,
    OwnerGone,
}

impl Session {
    pub(crate) fn new(dialer: Arc<Dialer>, channels: Channels) -> Self {
        let hunt = Hunt::new(dialer.config.hunt, dialer.config.monitors.clone());
        let mut subs = Subs::default();
        subs.want("monmap", 0, false);
        subs.want("config", 0, false);
        Session {
            dialer,
            hunt,
            subs,
            commands: CommandTable::default(),
            versions: BTreeMap::new(),
            last_handle: 0,
            queued: VecDeque::new(),
            monmap: None,
            active: None,
            round: None,
            rounds: 0,
            stillborn: Redial::hurried(STILLBORN_PAUSE_MAX),
            outbox: VecDeque::new(),
            alarm: Box::pin(sleep_until(Instant::now() + FAR)),
            channels,
        }
    }

    /// Runs until it is stopped or nobody holds the other ends any more.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.start_round(Redial::new(BACKOFF_MAX));
        loop {
            match self.wake(&mut ticks).await {
                Wake::Stop | Wake::Request(None) | Wake::OwnerGone => break,
                Wake::Request(Some(request)) => self.handle_requests(request),
                Wake::Connection(Some(event)) => self.handle_events(event),
                Wake::Connection(None) => self.reopen("the connection is gone".to_owned()),
                Wake::Login(login) => self.handle_login(*login),
                Wake::Alarm => self.ring(),
                Wake::Tick => self.tick(),
                Wake::Room => self.flush(),
                Wake::Delivered => {}
            }
        }
        self.finish();
    }

    async fn wake(&mut self, ticks: &mut tokio::time::Interval) -> Wake {
        if let Some(due) = self.due().filter(|due| *due < self.alarm.deadline()) {
            self.alarm.as_mut().reset(due);
        }
        let full = self.active.as_ref().filter(|active| self.is_behind(active));
        let full = full.map(|active| active.handle.clone());
        let reading = self.outbox.len() < EVENTS_HELD_MAX;
        tokio::select! {
            () = self.channels.stop.cancelled() => Wake::Stop,
            permit = self.channels.events.reserve(), if !self.outbox.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(event) = self.outbox.pop_front() {
                        permit.send(event);
                    }
                    Wake::Delivered
                }
                Err(_) => Wake::OwnerGone,
            },
            event = next_event(&mut self.active), if reading => Wake::Connection(event),
            login = next_login(&mut self.round) => Wake::Login(Box::new(login)),
            () = &mut self.alarm => Wake::Alarm,
            _ = ticks.tick() => Wake::Tick,
            () = room(full) => Wake::Room,
            request = self.channels.requests.recv() => Wake::Request(request),
        }
    }

    /// A request, and what waits behind it.
    fn handle_requests(&mut self, first: Request) {
        self.handle_request(first);
        for _ in 1..BATCH_MAX {
            let Ok(next) = self.channels.requests.try_recv() else { break };
            self.handle_request(next);
        }
        self.flush();
    }

    /// An event of the connection, and what waits behind it.
    fn handle_events(&mut self, first: ConnectionEvent) {
        self.handle_connection(first);
        for _ in 1..BATCH_MAX {
            let full = self.outbox.len() >= EVENTS_HELD_MAX;
            let Some(active) = self.active.as_mut().filter(|_| !full) else { break };
            let Ok(next) = active.events.try_recv() else { break };
            self.handle_connection(next);
        }
    }

    /// When the next command's deadline or the round under way ends.
    fn due(&self) -> Option<Instant> {
        let deadline = self.commands.next_deadline().map(Instant::from_std);
        deadline.into_iter().chain(self.round.as_ref().map(|round| round.until)).min()
    }

    fn ring(&mut self) {
        let now = Instant::now();
        self.expire();
        if self.round.as_ref().is_some_and(|round| round.until <= now) {
            self.next_round();
        }
        let next = self.due().unwrap_or(now + FAR);
        self.alarm.as_mut().reset(next);
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Command { request, waiter } => {
                self.commands.insert(request, waiter);
            }
            Request::Send(message) => self.send(message),
            Request::Subscribe { what, start, once } => {
                if self.subs.want(&what, start, once) {
                    self.send_subs();
                }
            }
            Request::Follow { what } => {
                if self.subs.follow(&what) {
                    self.send_subs();
                }
            }
            Request::Unsubscribe { what } => self.subs.unwant(&what),
            Request::Version { what, waiter } => {
                self.last_handle += 1;
                self.versions.insert(self.last_handle, waiter);
                self.send(MMonGetVersion { handle: self.last_handle, what }.into());
            }
        }
    }

    /// Sends as soon as there is a session with room in its queue.
    pub(super) fn send(&mut self, message: Message) {
        self.queued.push_back(message);
        self.flush();
    }

    /// Something could be sent if only there were room.
    fn is_behind(&self, active: &Active) -> bool {
        let commands = active.takes_commands() && self.monmap.is_some() && self.commands.has_unsent();
        commands || !self.queued.is_empty()
    }

    /// Sends what waits, as far as there is room: messages, then every command that this session has not been sent. Commands name
    /// the cluster, so they wait for the monmap.
    pub(super) fn flush(&mut self) {
        let Some(active) = &self.active else { return };
        // There is room; a session that ends meanwhile says so by its own event.
        while active.handle.has_room()
            && let Some(message) = self.queued.pop_front()
        {
            let _ = active.handle.try_send(message);
        }
        let Some(monmap) = self.monmap.as_ref().filter(|_| active.takes_commands() && self.queued.is_empty())
        else {
            return;
        };
        while active.handle.has_room() {
            let next = self.commands.next_unsent(|waiter| !waiter.answer.is_closed());
            let Some(Unsent { tid, request, waiter, again }) = next else { return };
            self.dialer.resent.fetch_add(u64::from(again), Ordering::Relaxed);
            debug!(tid, mon = active.open.mon, "command sent");
            let message = MMonCommand::raw(tid, &monmap.fsid, &request.json, request.input.clone());
            sent_hop(waiter, &format_args!("mon.{}", active.open.mon), &message, active.open.con_mode, again);
            let _ = active.handle.try_send(message);
        }
    }

    /// The monitor has answered a subscription. One that exposes insecure reclaiming of global ids ends a client's first
    /// session at its first message (`Monitor::_ms_dispatch`), and a command in it would be lost without having run. It never ends
    /// one that reclaimed its id, so there commands need not wait for an answer.
    pub(super) fn prove(&mut self) {
        if let Some(active) = self.active.as_mut().filter(|active| !active.proven) {
            active.proven = true;
            self.flush();
        }
    }

    pub(super) fn send_subs(&mut self) {
        if self.active.is_none() {
            return;
        }
        let Some(asked) = self.subs.take_new() else { return };
        let flags = |once| if once { SubscribeItem::ONETIME } else { 0 };
        let what = asked
            .into_iter()
            .map(|(what, sub)| (what, SubscribeItem { start: sub.start, flags: flags(sub.once) }));
        let message = MMonSubscribe { what: what.collect(), hostname: crate::host::short_name() };
        // Before what waits already: a session lives by its subscriptions.
        self.queued.push_front(message.into());
        self.flush();
    }

    fn handle_login(&mut self, login: Login) {
        let Login { candidate, connected, slot } = login;
        let Some(credentials) = slot.take() else { return };
        (self.round, self.rounds) = (None, 0);
        let prior = self.dialer.auth.global_id();
        let reclaimed = prior != 0 && prior == connected.peer.global_id;
        self.dialer.auth.adopt(credentials);
        self.hunt.round_finished();
        let open = OpenSession {
            mon: candidate.name,
            addr: connected.handle.peer_addr(),
            global_id: connected.peer.global_id,
            features: connected.peer.features,
            con_mode: connected.peer.con_mode,
            our_addr: connected.peer.our_addr,
            steps: connected.steps,
        };
        info!(mon = open.mon, addr = %open.addr, global_id = open.global_id, con_mode = open.con_mode, "monitor session");
        let now = Instant::now();
        self.active = Some(Active {
            handle: connected.handle,
            events: connected.events,
            open: open.clone(),
            proven: false,
            reclaimed,
            opened: now,
            pinged: now,
            heard: now,
        });
        self.channels.state.send_replace(SessionState::Open(open.clone()));
        self.commands.each_unsent(|waiter| connect_hop(waiter, &open.mon, &open.steps));
        self.outbox.push_back(Event::Connected(open));
        self.queued.push_front(MMonGetMap.into());
        self.send_subs();
        self.renew_tickets();
        self.flush();
    }

    /// Ends the session, or the round, and hunts again.
    pub(super) fn reopen(&mut self, why: String) {
        let mut pause = Duration::ZERO;
        if let Some(active) = self.active.take() {
            if active.proven {
                self.stillborn.was_useful();
            } else {
                pause = self.stillborn.failed();
            }
            warn!(mon = active.open.mon, addr = %active.open.addr, "monitor session ended: {why}");
            let error = MonError::Lost { mon: active.open.mon.clone(), why: why.clone() };
            self.channels.state.send_replace(SessionState::Hunting { why: Some(error.clone()) });
            for (_, waiter) in std::mem::take(&mut self.versions) {
                let _ = waiter.send(Err(error.clone()));
            }
            for waiter in self.commands.session_ended() {
                let target = format!("mon.{}", active.open.mon);
                let _ = waiter.answer.send(Err(CommandError::Lost { target }));
            }
            self.outbox.push_back(Event::Disconnected { why });
        }
        self.subs.reload();
        // One may end at once for a good reason, see `prove`, or because what cut it cuts the next one too; many would be a storm
        // of logins.
        match pause {
            Duration::ZERO => self.start_round(Redial::hurried(BACKOFF_MAX)),
            _ => {
                self.round = Some(Round::start(&self.dialer, Vec::new(), pause, Redial::new(BACKOFF_MAX), 0))
            }
        }
    }

    fn start_round(&mut self, redial: Redial) {
        self.hunt.round_started();
        let candidates = self.hunt.next_round(random_below);
        let timeout = self.hunt.round_timeout();
        self.round = Some(Round::start(&self.dialer, candidates, timeout, redial, self.rounds));
        self.rounds = self.rounds.wrapping_add(1);
    }

    fn next_round(&mut self) {
        let Some(round) = self.round.take() else { return };
        let config = &self.dialer.config;
        let error = match round.failure.clone() {
            Some(source) if is_refusal(&source) => {
                // As upstream: a refusal ends the hunt, and the next one waits longer.
                self.hunt.round_finished();
                Some(MonError::Refused {
                    name: config.name.clone(),
                    key_source: config.key_source.clone(),
                    source,
                })
            }
            Some(source) => Some(MonError::Unreachable {
                tried: round.tried(),
                monitors_source: config.monitors_source.clone(),
                source,
            }),
            None => None,
        };
        if let Some(error) = error {
            warn!("{error}; trying again");
            self.channels.state.send_replace(SessionState::Hunting { why: Some(error) });
        }
        self.start_round(Redial::new(BACKOFF_MAX));
    }

    fn tick(&mut self) {
        self.commands.retain(|waiter| !waiter.answer.is_closed());
        self.versions.retain(|_, waiter| !waiter.is_closed());
        let config = self.dialer.config.clone();
        let Some(active) = &mut self.active else { return };
        let now = Instant::now();
        // A monitor that has nothing to say about subscriptions is trusted after a moment.
        active.proven |= now >= active.opened + 2 * TICK;
        if now >= active.pinged + config.ping_interval {
            active.pinged = now;
            let silent = now - active.heard;
            if !config.ping_timeout.is_zero() && silent > config.ping_timeout {
                return self.reopen(format!("no sign of life for {} s", silent.as_secs()));
            }
            active.handle.try_keepalive();
            self.hunt.unback();
        }
        self.renew_tickets();
        self.flush();
    }

    /// Asks for tickets and rotating keys that are due.
    pub(super) fn renew_tickets(&mut self) {
        let auth = self.dialer.auth.clone();
        let renewal = auth.renewal_request().unwrap_or_else(|e| {
            warn!("tickets cannot be renewed: {e}");
            None
        });
        for payload in [renewal, auth.rotating_request()].into_iter().flatten() {
            let protocol = axon_msgr::auth::method::CEPHX;
            self.send(MAuth { version: 0, protocol, auth_payload: payload, monmap_epoch: 0 }.into());
        }
    }

    fn expire(&mut self) {
        for (waiter, ended) in self.commands.expire(std::time::Instant::now()) {
            let error = match ended {
                Ended::Deadline { sent: false } => self.unreachable(),
                Ended::Deadline { sent: true } | Ended::Unknown => {
                    CommandError::Deadline { secs: waiter.secs, sent: true }
                }
            };
            let _ = waiter.answer.send(Err(error));
        }
    }

    fn unreachable(&self) -> CommandError {
        let why = match &*self.channels.state.borrow() {
            SessionState::Hunting { why: Some(why) } => why.to_string(),
            _ => "no monitor session".to_owned(),
        };
        CommandError::Unreachable { target: "the cluster".to_owned(), errno: ETIMEDOUT, why }
    }

    fn finish(self) {
        for event in self.outbox {
            let _ = self.channels.events.try_send(event);
        }
        self.channels.state.send_replace(SessionState::Closed);
    }

    /// Publishes the monmap.
    pub(super) fn publish_monmap(&mut self, monmap: Arc<MonMap>) {
        self.monmap = Some(monmap.clone());
        self.channels.maps.send_modify(|maps| maps.monmap = Some(monmap));
        if let Some(active) = &self.active {
            self.channels.state.send_replace(SessionState::Open(active.open.clone()));
        }
    }

    /// Publishes the map of file systems.
    pub(super) fn publish_fsmap(&self, fsmap: Arc<FsMap>) {
        self.channels.maps.send_modify(|maps| maps.fsmap = Some(fsmap));
    }

    pub(super) fn publish_mgrmap(&self, mgrmap: Arc<MgrMap>) {
        self.channels.maps.send_modify(|maps| maps.mgrmap = Some(mgrmap));
    }

    /// Tells those who wait for a session why there is none.
    pub(super) fn publish_error(&self, error: MonError) {
        self.channels.state.send_replace(SessionState::Hunting { why: Some(error) });
    }
}

async fn room(full: Option<ConnectionHandle>) {
    match full {
        Some(handle) => handle.room().await,
        None => std::future::pending().await,
    }
}

async fn next_event(active: &mut Option<Active>) -> Option<ConnectionEvent> {
    match active {
        Some(active) => active.events.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_login(round: &mut Option<Round>) -> Login {
    match round {
        Some(round) => round.success().await,
        None => std::future::pending().await,
    }
}

/// A random number below `bound`; 0 when the system has none to give, which only makes the choice less even.
fn random_below(bound: u64) -> u64 {
    getrandom::u64().unwrap_or_default() % bound.max(1)
}

const ETIMEDOUT: i32 = 110;
