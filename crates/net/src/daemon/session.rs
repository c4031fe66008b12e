//! The task of one daemon's session: connects when there is a command, follows the maps, resends, closes when idle.
//!
//! Invariants: one connection at a time; a command is sent once per connection; when the map moves the daemon, or it owes an
//! answer and is silent also to keepalives, the connection is given up; a daemon that is gone fails what waits at once; the task
//! never waits for a connection that takes nothing, so deadlines pass in time.

use super::whereabouts::{Located, Maps};
use super::{Daemon, DaemonRequest};
use crate::connection::{Connected, ConnectionEvent, ConnectionHandle, Outgoing};
use crate::dialer::{Dialer, one_of};
use crate::mon::commands::{CommandTable, Ended, Unsent};
use crate::mon::hops::{answered_hop, connect_hop, sent_hop};
use crate::mon::session::Waiter;
use crate::redial::Redial;
use crate::{Error, Result};
use axon_core::{CommandError, CommandOutput};
use axon_proto::msgs::command::MCommand;
use axon_proto::msgs::command_reply::MCommandReply;
use axon_proto::msgs::mgr_command::MMgrCommand;
use axon_proto::msgs::mgr_command_reply::MMgrCommandReply;
use axon_proto::{EntityAddrVec, EntityType, Message, Payload, RawMessage};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

/// Commands without an answer beyond which no further one is taken from the queue.
const IN_FLIGHT_MAX: usize = 256;
/// Longest pause between attempts to connect.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a monitor asked by name is tried at least: the first attempts follow each other within milliseconds.
const DIRECTED_PATIENCE: Duration = Duration::from_secs(1);
/// Before a command is sent again to an OSD whose map differs from ours.
const MAP_PAUSE: Duration = Duration::from_millis(200);
/// How often callers that left are looked for.
const SWEEP: Duration = Duration::from_secs(1);

struct Link {
    handle: ConnectionHandle,
    events: mpsc::Receiver<ConnectionEvent>,
    addrs: EntityAddrVec,
    since: Instant,
    /// When the daemon last said something, or had nothing to say.
    heard: Instant,
    pinged: Instant,
    /// It has answered a command.
    answered: bool,
    con_mode: u32,
}

impl Link {
    /// Whether a new one may follow at once when it ends: one that was of no use is no reason to hurry.
    fn was_useful(&self) -> bool {
        self.answered || self.since.elapsed() > BACKOFF_MAX
    }
}

pub(super) struct DaemonSession {
    daemon: Daemon,
    dialer: Arc<Dialer>,
    maps: watch::Receiver<Maps>,
    requests: mpsc::Receiver<DaemonRequest>,
    commands: CommandTable<Waiter>,
    link: Option<Link>,
    connecting: Option<(EntityAddrVec, AbortOnDropHandle<Result<Connected>>)>,
    redial: Redial,
    /// When the first of the failures in a row was.
    failing_since: Option<Instant>,
    failure: Option<Error>,
    /// Where it was when the last attempt failed.
    failed_at: Option<EntityAddrVec>,
    retry_at: Instant,
    sweep_at: Instant,
    idle_since: Instant,
    /// Rings when something is due, or before; it is moved only when it must ring earlier.
    alarm: Pin<Box<Sleep>>,
}

enum Wake {
    Request(Option<DaemonRequest>),
    Maps(bool),
    Connected(Result<Connected>),
    Event(Option<ConnectionEvent>),
    Room,
    Alarm,
}

impl DaemonSession {
    pub fn new(
        daemon: Daemon,
        dialer: Arc<Dialer>,
        maps: watch::Receiver<Maps>,
        requests: mpsc::Receiver<DaemonRequest>,
    ) -> Self {
        let now = Instant::now();
        DaemonSession {
            daemon,
            dialer,
            maps,
            requests,
            commands: CommandTable::default(),
            link: None,
            connecting: None,
            redial: Redial::new(BACKOFF_MAX),
            failing_since: None,
            failure: None,
            failed_at: None,
            retry_at: now,
            sweep_at: now + SWEEP,
            idle_since: now,
            alarm: Box::pin(sleep_until(now + SWEEP)),
        }
    }

    pub async fn run(mut self) {
        let mut open = true;
        while open || !self.commands.is_empty() {
            self.settle();
            match self.wake(open).await {
                Wake::Request(Some((request, waiter))) => {
                    self.commands.insert(request, waiter);
                    // What waits behind it goes out with it.
                    while self.commands.len() < IN_FLIGHT_MAX
                        && let Ok((request, waiter)) = self.requests.try_recv()
                    {
                        self.commands.insert(request, waiter);
                    }
                }
                Wake::Request(None) => open = false,
                // The client is gone, and with it everybody who waits.
                Wake::Maps(false) => return self.fail_all(ESHUTDOWN, "the client is shut down"),
                Wake::Maps(true) | Wake::Room => {}
                Wake::Connected(result) => self.handle_connected(result),
                Wake::Event(Some(event)) => self.handle_event(event),
                Wake::Event(None) => self.unlink("the connection is gone"),
                Wake::Alarm => self.ring(),
            }
            if !self.commands.is_empty() {
                self.idle_since = Instant::now();
            }
        }
        debug!(daemon = %self.daemon, "session closed: idle");
    }

    async fn wake(&mut self, open: bool) -> Wake {
        let now = Instant::now();
        let due = self.due(now);
        if due < self.alarm.deadline() {
            self.alarm.as_mut().reset(due);
        }
        let full = self.link.as_ref().filter(|_| self.commands.has_unsent() && now >= self.retry_at);
        let full = full.map(|link| link.handle.clone());
        tokio::select! {
            request = self.requests.recv(), if open && self.commands.len() < IN_FLIGHT_MAX => Wake::Request(request),
            changed = self.maps.changed() => Wake::Maps(changed.is_ok()),
            done = connected(&mut self.connecting) => Wake::Connected(done),
            event = next_event(&mut self.link) => Wake::Event(event),
            () = room(full) => Wake::Room,
            () = &mut self.alarm => Wake::Alarm,
        }
    }

    /// When the next deadline, attempt or sweep is due.
    fn due(&self, now: Instant) -> Instant {
        let deadline = self.commands.next_deadline().map(Instant::from_std);
        let retry = Some(self.retry_at).filter(|at| *at > now);
        deadline.into_iter().chain(retry).fold(self.sweep_at, Instant::min)
    }

    fn ring(&mut self) {
        let now = Instant::now();
        self.expire();
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP;
            self.commands.retain(|waiter| !waiter.answer.is_closed());
            self.listen_for_life();
            if self.commands.is_empty() && self.idle_since.elapsed() > self.dialer.config.daemon_idle {
                self.requests.close();
            }
        }
        let due = self.due(now);
        self.alarm.as_mut().reset(due);
    }

    /// Brings connection and commands in line with the maps.
    fn settle(&mut self) {
        let (located, fsid) = {
            let maps = self.maps.borrow_and_update();
            (maps.locate(&self.daemon), maps.fsid())
        };
        let addrs = match located {
            Located::At(addrs) => addrs,
            Located::Gone { errno, why } => return self.fail_all(errno, why),
            Located::NotYet => return,
        };
        if self.link.as_ref().is_some_and(|link| link.addrs != addrs) {
            self.unlink("the map gives it another address");
        }
        if self.connecting.as_ref().is_some_and(|(to, _)| *to != addrs) {
            self.connecting = None;
        }
        if self.failed_at.as_ref().is_some_and(|old| *old != addrs) {
            (self.failed_at, self.redial, self.retry_at) = (None, Redial::new(BACKOFF_MAX), Instant::now());
        }
        let idle = self.link.is_none() && self.connecting.is_none();
        if idle && !self.commands.is_empty() && Instant::now() >= self.retry_at {
            self.connect(addrs);
        }
        let (Some(link), Some(fsid)) = (&mut self.link, fsid) else { return };
        let now = Instant::now();
        if now < self.retry_at {
            return;
        }
        if !self.commands.is_awaiting() {
            link.heard = now;
        }
        while link.handle.has_room() {
            let next = self.commands.next_unsent(|waiter| !waiter.answer.is_closed());
            let Some(Unsent { tid, request, waiter, again }) = next else { return };
            self.dialer.resent.fetch_add(u64::from(again), Ordering::Relaxed);
            debug!(tid, daemon = %self.daemon, "command sent");
            let data = request.input.clone();
            let message = match self.daemon {
                // By its own message type, or it would be taken for a `tell`.
                Daemon::Mgr => {
                    Message::from(MMgrCommand { tid, fsid, cmd: vec![request.json.clone()], data }).into()
                }
                _ => {
                    let message = MCommand::raw(tid, &fsid, &request.json, data);
                    sent_hop(waiter, &self.daemon, &message, link.con_mode, again);
                    Outgoing::Raw(message)
                }
            };
            // There is room; an end comes as an event.
            let _ = link.handle.try_send(message);
        }
    }

    fn connect(&mut self, addrs: EntityAddrVec) {
        let (dialer, daemon) = (self.dialer.clone(), self.daemon.clone());
        let to = one_of(&addrs, self.redial.failures());
        let task = tokio::spawn(async move {
            let deadline = dialer.config.connect_timeout;
            match daemon {
                // With a global id of its own, so that the main session is not taken for replaced.
                Daemon::Mon(_) => dialer.monitor(&to, true, deadline).await.map(|(connected, _)| connected),
                Daemon::Osd(_) => dialer.service(EntityType::OSD, &to, deadline).await,
                Daemon::Mds(_) => dialer.service(EntityType::MDS, &to, deadline).await,
                Daemon::Mgr | Daemon::MgrNamed(_) => dialer.service(EntityType::MGR, &to, deadline).await,
            }
        });
        self.connecting = Some((addrs, AbortOnDropHandle::new(task)));
    }

    fn handle_connected(&mut self, result: Result<Connected>) {
        let Some((addrs, _)) = self.connecting.take() else { return };
        match result {
            Ok(Connected { handle, events, peer, steps }) => {
                let name = self.daemon.to_string();
                self.commands.each_unsent(|waiter| connect_hop(waiter, &name, &steps));
                debug!(daemon = %self.daemon, con_mode = peer.con_mode, "connected");
                let now = Instant::now();
                (self.failure, self.failed_at, self.failing_since, self.retry_at) = (None, None, None, now);
                let con_mode = peer.con_mode;
                let (since, heard, pinged) = (now, now, now);
                self.link =
                    Some(Link { handle, events, addrs, since, heard, pinged, answered: false, con_mode });
            }
            Err(e) => {
                warn!(daemon = %self.daemon, "cannot connect: {e}");
                self.back_off();
                let why = e.to_string();
                self.failure = Some(e);
                self.failed_at = Some(addrs);
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                // As upstream, a monitor asked by name is tried a few times only; an OSD until the deadline or the map says.
                let directed = matches!(self.daemon, Daemon::Mon(_)) && since.elapsed() > DIRECTED_PATIENCE;
                if directed && self.redial.failures() > self.dialer.config.directed_command_retry {
                    self.fail_all(ETIMEDOUT, &why);
                }
            }
        }
    }

    fn handle_event(&mut self, event: ConnectionEvent) {
        if let Some(link) = &mut self.link {
            link.heard = Instant::now();
        }
        match event {
            ConnectionEvent::Message(raw) => self.handle_message(raw),
            ConnectionEvent::KeepaliveAck(_) => {}
            ConnectionEvent::Reset | ConnectionEvent::Reconnected(_) => self.unlink("the daemon reset it"),
            ConnectionEvent::Closed(Some(e)) => self.unlink(&e.to_string()),
            ConnectionEvent::Closed(None) => self.unlink("closed"),
        }
    }

    fn handle_message(&mut self, raw: RawMessage) {
        // Daemons also share maps on these connections; the monitors' session has them already.
        if ![MCommandReply::TYPE, MMgrCommandReply::TYPE].contains(&raw.header.kind) {
            return;
        }
        let frame = raw.clone();
        match Message::decode(raw) {
            Ok(Message::MCommandReply(reply))
                if reply.r == -EAGAIN && matches!(self.daemon, Daemon::Osd(_)) =>
            {
                // It did not run: one side's map is behind.
                self.commands.unsend(reply.tid);
                self.retry_at = Instant::now() + MAP_PAUSE;
            }
            Ok(Message::MCommandReply(reply)) => {
                self.answer(&frame, CommandOutput { retval: reply.r, outs: reply.rs, outbl: reply.data });
            }
            Ok(Message::MMgrCommandReply(reply)) => {
                self.answer(&frame, CommandOutput { retval: reply.r, outs: reply.rs, outbl: reply.data });
            }
            Ok(_) => {}
            Err(e) => warn!(daemon = %self.daemon, "an answer cannot be read: {e}"),
        }
    }

    /// A daemon's messenger answers keepalives whatever the daemon is busy with, so one that is silent is gone, or the link is.
    fn listen_for_life(&mut self) {
        let silence_max = self.dialer.config.daemon_silence_max;
        let Some(link) = &mut self.link else { return };
        let now = Instant::now();
        if !self.commands.is_awaiting() {
            link.heard = now;
        } else if now > link.heard + silence_max {
            self.unlink("no sign of life");
        } else if now > link.pinged + silence_max / 5 {
            link.pinged = now;
            link.handle.try_keepalive();
        }
    }

    fn answer(&mut self, frame: &RawMessage, output: CommandOutput) {
        if let Some(link) = &mut self.link {
            link.answered = true;
            self.redial.was_useful();
        }
        if let Some(waiter) = self.commands.answer(frame.header.tid) {
            answered_hop(&waiter, frame, self.link.as_ref().map_or(0, |link| link.con_mode));
            let _ = waiter.answer.send(Ok(output));
        }
    }

    fn unlink(&mut self, why: &str) {
        self.connecting = None;
        let Some(link) = self.link.take() else { return };
        debug!(daemon = %self.daemon, "session ended: {why}");
        match link.was_useful() {
            true => self.retry_at = Instant::now(),
            false => self.back_off(),
        }
        for waiter in self.commands.session_ended() {
            let _ = waiter.answer.send(Err(CommandError::Lost { target: self.daemon.to_string() }));
        }
    }

    fn back_off(&mut self) {
        self.retry_at = Instant::now() + self.redial.failed();
    }

    fn expire(&mut self) {
        for (waiter, ended) in self.commands.expire(std::time::Instant::now()) {
            let error = match (ended, &self.failure) {
                (Ended::Deadline { sent: false }, Some(e)) => self.unreachable(ETIMEDOUT, &e.to_string()),
                (Ended::Deadline { sent }, _) => CommandError::Deadline { secs: waiter.secs, sent },
                (Ended::Unknown, _) => CommandError::Deadline { secs: waiter.secs, sent: true },
            };
            let _ = waiter.answer.send(Err(error));
        }
    }

    fn fail_all(&mut self, errno: i32, why: &str) {
        self.unlink(why);
        for (waiter, _) in self.commands.drain() {
            let _ = waiter.answer.send(Err(self.unreachable(errno, why)));
        }
    }

    fn unreachable(&self, errno: i32, why: &str) -> CommandError {
        CommandError::Unreachable { target: self.daemon.to_string(), errno, why: why.to_owned() }
    }
}

async fn connected(
    connecting: &mut Option<(EntityAddrVec, AbortOnDropHandle<Result<Connected>>)>,
) -> Result<Connected> {
    match connecting {
        Some((addrs, task)) => match task.await {
            Ok(result) => result,
            Err(_) => Err(Error::Closed { peer: addrs.legacy_or_front() }),
        },
        None => std::future::pending().await,
    }
}

async fn room(full: Option<ConnectionHandle>) {
    match full {
        Some(handle) => handle.room().await,
        None => std::future::pending().await,
    }
}

async fn next_event(link: &mut Option<Link>) -> Option<ConnectionEvent> {
    match link {
        Some(link) => link.events.recv().await,
        None => std::future::pending().await,
    }
}

const EAGAIN: i32 = 11;
const ESHUTDOWN: i32 = 108;
const ETIMEDOUT: i32 = 110;
