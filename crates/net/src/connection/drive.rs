//! The loop between a socket and a state machine.

use super::{Bounds, Command, Step};
use crate::connections::Registered;
use crate::{Error, Result};
use axon_msgr::{Connection, Event, Peer};
use axon_proto::{EntityAddr, UTime};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::SystemTime;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, trace};

/// Most slices of one vectored write.
const SLICES: usize = 16;

/// A socket and the state machine that speaks over it.
pub(crate) struct Link {
    pub socket: TcpStream,
    pub conn: Connection,
    pub peer: EntityAddr,
    /// How the connection came about.
    pub steps: Vec<Step>,
    pub place: Registered,
}

impl Link {
    pub fn new(socket: TcpStream, conn: Connection, peer: EntityAddr, place: Registered) -> Self {
        place.socket(&socket);
        // Small messages are answered at once; without the option each would wait for the previous one's ACK.
        if let Err(e) = socket.set_nodelay(true) {
            debug!(%peer, "TCP_NODELAY: {e}");
        }
        Link { socket, conn, peer, steps: Vec::new(), place }
    }

    /// Reads what has come. `Ok(false)`: nothing was there after all.
    fn read(&mut self, bounds: &Bounds, during: &'static str) -> Result<bool> {
        match self.socket.try_read_buf(self.conn.input_buffer(bounds.read_bytes_max)) {
            Ok(0) => Err(Error::Eof { peer: self.peer, during }),
            Ok(bytes) => {
                trace!(peer = %self.peer, bytes, "read");
                let peer = self.peer;
                self.conn.handle_input().map_err(|source| Error::Protocol { peer, source })?;
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(Error::io(self.peer, during, e)),
        }
    }

    /// Writes what the socket takes. `Ok(false)`: nothing.
    fn write(&mut self, during: &'static str) -> Result<bool> {
        let (slices, used) = self.conn.transmit_slices::<SLICES>();
        match self.socket.try_write_vectored(slices.get(..used).unwrap_or_default()) {
            Ok(bytes) => {
                trace!(peer = %self.peer, bytes, "wrote");
                self.conn.transmitted(bytes);
                Ok(bytes > 0)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(Error::io(self.peer, during, e)),
        }
    }

    /// Notes the part of the handshake that is under way.
    fn watch(&mut self) {
        let what = self.conn.phase();
        if self.steps.last().is_some_and(|step| step.what == what) {
            return;
        }
        self.place.phase(what);
        let now = std::time::Instant::now();
        if let Some(step) = self.steps.last_mut() {
            step.ended = now;
        }
        self.steps.push(Step { what, begun: now, ended: now });
    }

    /// Goes on until the state machine has an event, which is not taken.
    pub async fn handshake(&mut self, bounds: &Bounds) -> Result<Event> {
        const DURING: &str = "the handshake";
        loop {
            self.watch();
            if let Some(event) = self.conn.poll_event() {
                return Ok(event);
            }
            let has_transmit = self.conn.has_transmit();
            tokio::select! {
                ready = self.socket.writable(), if has_transmit => {
                    ready.map_err(|e| Error::io(self.peer, DURING, e))?;
                    self.write(DURING)?;
                }
                ready = self.socket.readable() => {
                    ready.map_err(|e| Error::io(self.peer, DURING, e))?;
                    // The error is the event's; it has the reason why.
                    match self.read(bounds, DURING) {
                        Err(Error::Protocol { .. }) | Ok(_) => {}
                        Err(other) => return Err(other),
                    }
                }
            }
        }
    }

    /// Writes what still waits, for a moment, and closes the socket.
    pub async fn drain(mut self, bounds: &Bounds) {
        let flush = async {
            while self.conn.has_transmit() {
                if self.socket.writable().await.is_err() || self.write("closing").is_err() {
                    return;
                }
            }
            let _ = self.socket.shutdown().await;
        };
        if timeout(bounds.drain_max, flush).await.is_err() {
            debug!(peer = %self.peer, "closed with bytes unwritten");
        }
    }
}

/// Why a loop ended.
pub(crate) enum Ended {
    /// By our own side.
    Closed,
    Lost(Error),
    /// Another task wants what the first field says; see `listener`.
    Interrupted,
}

/// What one loop works on beside the link.
pub(crate) struct Driver<'a, E> {
    pub bounds: &'a Bounds,
    pub commands: &'a mut mpsc::Receiver<Command>,
    pub close: &'a CancellationToken,
    pub events: &'a mpsc::Sender<E>,
    /// What was received but not yet taken by the owner; kept across sockets.
    pub pending: &'a mut VecDeque<E>,
}

impl<E> Driver<'_, E> {
    /// Runs until the connection ends or `interrupt` is ready. `event` makes the owner's events of the connection's.
    pub async fn run(
        &mut self,
        link: &mut Link,
        event: impl Fn(Event) -> Option<E>,
        interrupt: impl Future<Output = ()>,
    ) -> Ended {
        let close = self.close;
        let (mut interrupt, mut closed) = (pin!(interrupt), pin!(close.cancelled()));
        let (mut wrote_at, mut moved_at) = (Instant::now(), Instant::now());
        // Moved only when it must ring earlier; when it rings too early it is set anew.
        let mut alarm = pin!(sleep_until(moved_at + self.bounds.idle_max));
        let mut waiting_to_write = false;
        loop {
            if let Err(e) = self.take_events(link, &event) {
                return Ended::Lost(e);
            }
            if self.hand_over().is_err() {
                return Ended::Closed;
            }
            let has_transmit = link.conn.has_transmit();
            if has_transmit && !waiting_to_write {
                wrote_at = Instant::now();
            }
            waiting_to_write = has_transmit;
            let give_up = match has_transmit {
                true => (wrote_at + self.bounds.stalled_max).min(moved_at + self.bounds.idle_max),
                false => moved_at + self.bounds.idle_max,
            };
            if give_up < alarm.deadline() {
                alarm.as_mut().reset(give_up);
            }
            let step = tokio::select! {
                () = &mut closed => return self.take_last_commands(link),
                () = &mut interrupt => return Ended::Interrupted,
                () = &mut alarm => {
                    if Instant::now() >= give_up {
                        return Ended::Lost(self.silence(link, has_transmit));
                    }
                    alarm.as_mut().reset(give_up);
                    Ok(false)
                }
                permit = self.events.reserve(), if !self.pending.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.pending.pop_front() {
                            permit.send(event);
                        }
                        Ok(false)
                    }
                    // Nobody listens any more.
                    Err(_) => return Ended::Closed,
                },
                ready = link.socket.writable(), if has_transmit => match ready {
                    Ok(()) => link.write("writing").inspect(|moved| if *moved { wrote_at = Instant::now() }),
                    Err(e) => Err(Error::io(link.peer, "writing", e)),
                },
                ready = link.socket.readable(), if self.pending.is_empty() => match ready {
                    Ok(()) => link.read(self.bounds, "reading"),
                    Err(e) => Err(Error::io(link.peer, "reading", e)),
                },
                command = self.commands.recv(), if link.conn.wants_messages(self.bounds.transmit_bytes_max) => {
                    match command {
                        Some(command) => self.queued_commands(link, command).map(|()| false),
                        None => return Ended::Closed,
                    }
                }
            };
            match step {
                Ok(true) => {
                    moved_at = Instant::now();
                    link.place.moved();
                }
                Ok(false) => {}
                Err(e) => {
                    // What came before the end is still the owner's.
                    let _ = self.take_events(link, &event);
                    return Ended::Lost(e);
                }
            }
        }
    }

    /// Gives the owner what its queue has room for. An error: nobody listens any more.
    fn hand_over(&mut self) -> std::result::Result<(), ()> {
        while !self.pending.is_empty() {
            match self.events.try_reserve() {
                Ok(permit) => {
                    if let Some(event) = self.pending.pop_front() {
                        permit.send(event);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => break,
                Err(mpsc::error::TrySendError::Closed(())) => return Err(()),
            }
        }
        Ok(())
    }

    /// Takes all that is queued, so that one write carries it.
    fn queued_commands(&mut self, link: &mut Link, first: Command) -> Result<()> {
        self.command(link, first)?;
        while link.conn.wants_messages(self.bounds.transmit_bytes_max)
            && let Ok(next) = self.commands.try_recv()
        {
            self.command(link, next)?;
        }
        Ok(())
    }

    fn take_events(&mut self, link: &mut Link, event: &impl Fn(Event) -> Option<E>) -> Result<()> {
        while let Some(e) = link.conn.poll_event() {
            match e {
                Event::Closed(Some(source)) => return Err(Error::Protocol { peer: link.peer, source }),
                Event::Closed(None) => return Err(Error::Closed { peer: link.peer }),
                Event::Message(m) => {
                    let (kind, seq, tid) = (m.header.kind, m.header.seq, m.header.tid);
                    let (front, middle, data) = (m.front.len(), m.middle.len(), m.data.len());
                    trace!(peer = %link.peer, kind, seq, tid, front, middle, data, "message in");
                    self.pending.extend(event(Event::Message(m)));
                }
                other => self.pending.extend(event(other)),
            }
        }
        Ok(())
    }

    fn command(&self, link: &mut Link, command: Command) -> Result<()> {
        let peer = link.peer;
        let done = match command {
            Command::Keepalive => link.conn.keepalive(UTime::from(SystemTime::now())),
            Command::Send(outgoing) => {
                let features = link.conn.peer().map(|p: &Peer| p.features).unwrap_or_default();
                let m = outgoing.into_raw(features);
                let (kind, tid) = (m.header.kind, m.header.tid);
                let (front, middle, data) = (m.front.len(), m.middle.len(), m.data.len());
                trace!(%peer, kind, tid, front, middle, data, "message out");
                link.conn.send(m)
            }
        };
        done.map_err(|source| Error::Protocol { peer, source })
    }

    /// What was queued before the close still goes out.
    fn take_last_commands(&mut self, link: &mut Link) -> Ended {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Err(e) = self.command(link, command) {
                return Ended::Lost(e);
            }
        }
        Ended::Closed
    }

    fn silence(&self, link: &Link, has_transmit: bool) -> Error {
        let (during, after) = match has_transmit {
            true => ("the peer takes nothing", self.bounds.stalled_max),
            false => ("nothing is said", self.bounds.idle_max),
        };
        Error::Timeout { peer: link.peer, during, after }
    }
}
