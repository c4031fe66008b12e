//! A seeded simulation: a client and a server with a lossless session, over a network on a virtual clock that delays, drops,
//! duplicates and reorders packets (which the receiving socket puts in order again, as TCP does), resets connections at any
//! byte, leaves half-open ones behind, and delivers to sockets that were given up long ago. Nothing may be lost, doubled or out of
//! order, and nobody may be told that the session was lost.
//!
//! `AXON_SIM_RUNS`: how many seeds (default 60), `AXON_SIM_SEED`: the first one. The same seed is the same run.

use super::legacy::{LegacyClient, legacy, legacy_client};
use super::*;
use crate::{Decision, Session, Verdict, judge};
use std::collections::{BTreeMap, BinaryHeap};

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Client,
    Server,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A packet reaches a side of a socket.
    Packet {
        socket: usize,
        to: Side,
        offset: u64,
        bytes: Vec<u8>,
    },
    /// A side learns that its socket is gone.
    Gone {
        socket: usize,
        at: Side,
    },
    Redial,
    ClientSends,
    ServerSends,
    /// The client loses patience with a socket on which nothing happens.
    Patience {
        socket: usize,
        heard: u64,
    },
}

/// What a side of a socket has received.
#[derive(Default)]
struct Half {
    sent: u64,
    received: u64,
    early: BTreeMap<u64, Vec<u8>>,
    gone: bool,
}

#[derive(Default)]
struct Socket {
    client: Half,
    server: Half,
    /// Nothing comes through any more, and nobody is told.
    silent: bool,
}

impl Socket {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wire {
    V1,
    Crc,
    Secure,
}

struct World {
    seed: u64,
    wire: Wire,
    dice: Dice,
    now: u64,
    order: u64,
    events: BinaryHeap<std::cmp::Reverse<(u64, u64, What)>>,
    sockets: Vec<Socket>,
    client: Connection,
    client_socket: usize,
    global_seq: u64,
    heard: u64,
    /// Acceptors by socket; those that were replaced or failed are gone.
    acceptors: BTreeMap<usize, Connection>,
    /// Which acceptor has the session, or the session itself while it has no socket.
    registered: Option<usize>,
    kept: Option<Session>,
    sent: [u64; 2],
    got: [Vec<u64>; 2],
    resets: usize,
    opened: usize,
}

const MESSAGES: u64 = 12;
/// From then on the network is sound.
const HEALED_AT: u64 = 4000;
const GIVEN_UP_AT: u64 = 200_000;

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let wire = [Wire::V1, Wire::Crc, Wire::V1, Wire::Secure][dice.roll(4) as usize];
        let client = match wire {
            Wire::V1 => legacy_client(Policy::lossless_client(0), b"sesame"),
            Wire::Crc => client(con_mode::CRC, Policy::lossless_client(0), b"sesame"),
            Wire::Secure => client(con_mode::SECURE, Policy::lossless_client(0), b"sesame"),
        };
        let mut world = World {
            seed,
            wire,
            dice,
            now: 0,
            order: 0,
            events: BinaryHeap::new(),
            sockets: Vec::new(),
            client,
            client_socket: 0,
            global_seq: 1,
            heard: 0,
            acceptors: BTreeMap::new(),
            registered: None,
            kept: None,
            sent: [0; 2],
            got: [Vec::new(), Vec::new()],
            resets: 0,
            opened: 0,
        };
        world.dial();
        for what in [What::ClientSends, What::ServerSends] {
            world.after(1, what);
        }
        world
    }

    fn healed(&self) -> bool {
        self.now >= HEALED_AT
    }

    /// One in `sides`, while the network is unsound.
    fn fault(&mut self, sides: u64) -> bool {
        !self.healed() && self.dice.roll(sides) == 0
    }

    fn after(&mut self, delay: u64, what: What) {
        self.order += 1;
        self.events.push(std::cmp::Reverse((self.now + delay, self.order, what)));
    }

    /// A new socket, the client's from now on.
    fn dial(&mut self) {
        let socket = self.sockets.len();
        self.sockets.push(Socket::default());
        self.client_socket = socket;
        let mut call = acceptor(stateful, 100 + socket as u64);
        if self.wire == Wire::V1 {
            call.peer_addr = legacy(call.peer_addr);
            call.local.addrs.0.push(legacy(server_addr()));
        }
        self.acceptors.insert(socket, Connection::accept(call).unwrap());
        self.after(1000, What::Patience { socket, heard: self.heard });
        self.flush();
    }

    fn redial(&mut self) {
        self.client.handle_disconnect();
        while self.client.poll_event().is_some() {}
        self.global_seq = self.global_seq.max(self.client.global_seq()) + 1;
        let auth: Box<dyn ClientAuth> = match self.wire {
            Wire::V1 => Box::new(LegacyClient(b"sesame")),
            Wire::Crc => Box::new(FakeClient { mode: con_mode::CRC, password: b"sesame" }),
            Wire::Secure => Box::new(FakeClient { mode: con_mode::SECURE, password: b"sesame" }),
        };
        self.client.reconnect(auth, self.global_seq).unwrap();
        self.dial();
    }

    /// The client gives its socket up; the server may learn of it late, or never.
    fn hang_up(&mut self) {
        let socket = self.client_socket;
        if std::mem::replace(&mut self.sockets[socket].client.gone, true) {
            return;
        }
        let (late, never) = (self.dice.roll(400), self.fault(4));
        if !never {
            self.after(late, What::Gone { socket, at: Side::Server });
        }
        let backoff = 1 + self.dice.roll(100);
        self.after(backoff, What::Redial);
    }

    /// Puts on the network what both sides have to say.
    fn flush(&mut self) {
        if let Some(bytes) = self.client.poll_transmit() {
            self.packets(self.client_socket, Side::Server, &bytes);
        }
        let said: Vec<_> =
            self.acceptors.iter_mut().filter_map(|(socket, c)| Some((*socket, c.poll_transmit()?))).collect();
        for (socket, bytes) in said {
            self.packets(socket, Side::Client, &bytes);
        }
    }

    fn packets(&mut self, socket: usize, to: Side, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len =
                if self.healed() { rest.len() } else { rest.len().min(1 + self.dice.roll(400) as usize) };
            let (packet, behind) = rest.split_at(len);
            rest = behind;
            let half = self.sockets[socket].half(to);
            let offset = half.sent;
            half.sent += packet.len() as u64;
            let again = if self.fault(6) { 2 } else { 1 };
            for _ in 0..again {
                // A packet that is dropped comes when it is sent again.
                let dropped = if self.fault(5) { 200 } else { 0 };
                let delay = 1 + self.dice.roll(20) + dropped;
                let bytes = packet.to_vec();
                self.after(delay, What::Packet { socket, to, offset, bytes });
            }
            if self.fault(60) {
                self.sockets[socket].silent = true;
            }
            if self.fault(40) {
                let first = self.dice.roll(30);
                let second = self.dice.roll(300);
                self.after(first, What::Gone { socket, at: Side::Client });
                self.after(second, What::Gone { socket, at: Side::Server });
            }
        }
    }

    /// What a socket hands to its owner, in order and once.
    fn packet(&mut self, socket: usize, to: Side, offset: u64, bytes: Vec<u8>) {
        if self.sockets[socket].silent {
            return;
        }
        let half = self.sockets[socket].half(to);
        if half.gone || offset < half.received {
            return;
        }
        half.early.insert(offset, bytes);
        let mut ready = Vec::new();
        while let Some(bytes) = half.early.remove(&half.received) {
            half.received += bytes.len() as u64;
            ready.extend(bytes);
        }
        if ready.is_empty() {
            return;
        }
        match to {
            Side::Client if socket == self.client_socket => {
                self.heard += 1;
                let _ = self.client.handle_bytes(&ready);
            }
            Side::Client => {}
            Side::Server => {
                if let Some(acceptor) = self.acceptors.get_mut(&socket) {
                    let _ = acceptor.handle_bytes(&ready);
                }
            }
        }
    }

    fn server_lost(&mut self, socket: usize) {
        self.sockets[socket].server.gone = true;
        self.server_events(socket);
        if let Some(acceptor) = self.acceptors.remove(&socket)
            && self.registered == Some(socket)
        {
            self.registered = None;
            self.kept = Some(acceptor.into_session());
        }
        // Its socket is closed too.
        self.after(5, What::Gone { socket, at: Side::Client });
    }

    fn client_events(&mut self) {
        for event in events(&mut self.client) {
            match event {
                Event::Message(m) => self.got[0].push(m.header.tid),
                Event::Reset => self.resets += 1,
                Event::Connected(_) => self.opened += 1,
                Event::Closed(_) => return self.hang_up(),
                Event::Offer { .. } | Event::KeepaliveAck(_) => {}
            }
        }
    }

    fn server_events(&mut self, socket: usize) {
        while let Some(event) = self.acceptors.get_mut(&socket).and_then(Connection::poll_event) {
            match event {
                Event::Message(m) => {
                    assert_eq!(
                        self.registered,
                        Some(socket),
                        "seed {}: a message without a session",
                        self.seed
                    );
                    self.got[1].push(m.header.tid);
                }
                Event::Connected(_) => self.registered = Some(socket),
                Event::Offer { offer, policy } => {
                    let existing = match self.registered {
                        Some(of) => self.acceptors.get(&of).map(|c| c.session().existing(false)),
                        None => self.kept.as_ref().map(|s| s.existing(false)),
                    };
                    let verdict = judge(existing.as_ref(), &offer, &policy);
                    let Some(decision) = self.decision(verdict) else { return self.server_lost(socket) };
                    if let Some(acceptor) = self.acceptors.get_mut(&socket) {
                        let _ = acceptor.decide(decision);
                    }
                }
                Event::Closed(_) => return self.server_lost(socket),
                Event::Reset | Event::KeepaliveAck(_) => {}
            }
        }
    }

    /// The session, taken from where it is; its messages that are received already count first.
    fn take(&mut self) -> Option<Session> {
        if let Some(of) = self.registered {
            self.server_lost(of);
        }
        self.kept.take()
    }

    fn decision(&mut self, verdict: Verdict) -> Option<Decision> {
        Some(match verdict {
            Verdict::Begin => {
                if self.take().is_some() {
                    self.resets += 1;
                }
                Decision::Begin
            }
            Verdict::Replace { forget: true } => {
                self.resets += 1;
                self.take();
                Decision::Begin
            }
            Verdict::Replace { forget: false } => Decision::Replace(Box::new(self.take()?)),
            Verdict::Resume => Decision::Resume(Box::new(self.take()?)),
            Verdict::Reset { full } => Decision::Reset { full },
            Verdict::Retry { connect_seq } => Decision::Retry { connect_seq },
            Verdict::RetryGlobal { global_seq } => Decision::RetryGlobal { global_seq },
            Verdict::Wait => Decision::Wait,
            Verdict::Stale => return None,
        })
    }

    fn server_sends(&mut self) {
        let tid = self.sent[1] + 1;
        let text = message(tid, self.dice.roll(100) as usize, 3, 0);
        match (self.registered, &mut self.kept) {
            (Some(of), _) => self.acceptors.get_mut(&of).unwrap().send(text).unwrap(),
            (None, Some(session)) => session.queue.push_back(text),
            // There is no session to send on yet.
            (None, None) => return self.after(50, What::ServerSends),
        }
        self.sent[1] = tid;
        if tid < MESSAGES {
            let pause = self.dice.roll(400);
            self.after(pause, What::ServerSends);
        }
    }

    fn client_sends(&mut self) {
        self.sent[0] += 1;
        let text = message(self.sent[0], self.dice.roll(2000) as usize, 0, self.dice.roll(200) as usize);
        self.client.send(text).unwrap();
        if self.sent[0] < MESSAGES {
            let pause = self.dice.roll(400);
            self.after(pause, What::ClientSends);
        }
    }

    fn step(&mut self) -> bool {
        let Some(std::cmp::Reverse((at, _, what))) = self.events.pop() else { return false };
        self.now = at;
        match what {
            What::Packet { socket, to, offset, bytes } => self.packet(socket, to, offset, bytes),
            What::Gone { socket, at: Side::Client } => {
                if socket == self.client_socket {
                    self.hang_up();
                }
            }
            What::Gone { socket, at: Side::Server } => {
                if self.acceptors.contains_key(&socket) {
                    self.server_lost(socket);
                }
            }
            What::Redial => self.redial(),
            What::ClientSends => self.client_sends(),
            What::ServerSends => self.server_sends(),
            What::Patience { socket, heard } => {
                if socket == self.client_socket && !self.sockets[socket].client.gone && !self.done() {
                    if heard == self.heard {
                        self.hang_up();
                    } else {
                        self.after(1000, What::Patience { socket, heard: self.heard });
                    }
                }
            }
        }
        self.client_events();
        let sockets: Vec<usize> = self.acceptors.keys().copied().collect();
        for socket in sockets {
            self.server_events(socket);
        }
        self.flush();
        true
    }

    fn done(&self) -> bool {
        let idle = |session: &Session| session.sent.is_empty() && session.queue.is_empty();
        let server = self.registered.and_then(|of| self.acceptors.get(&of));
        self.sent == [MESSAGES; 2] && idle(self.client.session()) && server.is_some_and(|s| idle(s.session()))
    }

    fn run(mut self) -> usize {
        while !self.done() {
            let (seed, wire) = (self.seed, self.wire);
            assert!(self.step(), "seed {seed}, {wire:?}: nothing more happens: {:?}", self.got);
            assert!(self.now < GIVEN_UP_AT, "seed {seed}, {wire:?}: no end: {:?}", self.got);
        }
        let all: Vec<u64> = (1..=MESSAGES).collect();
        assert_eq!(self.got[0], all, "seed {}, {:?}: to the client", self.seed, self.wire);
        assert_eq!(self.got[1], all, "seed {}, {:?}: to the server", self.seed, self.wire);
        assert_eq!(self.resets, 0, "seed {}, {:?}: sessions lost", self.seed, self.wire);
        self.opened
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_is_lost_doubled_or_reordered_whatever_the_network_does() {
    let (runs, first) = (number("AXON_SIM_RUNS", 60), number("AXON_SIM_SEED", 0));
    let mut opened = 0;
    for seed in first..first + runs {
        opened += World::new(seed).run();
    }
    println!("{runs} runs, {opened} times a session was opened or resumed");
    // The faults are real: sessions go over several sockets.
    assert!(runs < 20 || opened as u64 > 2 * runs, "{opened} in {runs} runs");
}
