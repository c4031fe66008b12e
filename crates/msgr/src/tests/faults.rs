//! Lossless sessions over a wire that breaks: nothing is lost, nothing comes twice.

use super::*;
use crate::handshake::server::{Decision, Offer};
use crate::{Session, Verdict, judge};

/// A small generator, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// An acceptor with the sessions it keeps (here: one peer's).
struct Table {
    live: Connection,
    kept: Option<Session>,
    cookie: u64,
    got: Vec<u64>,
    resets: usize,
}

impl Table {
    fn new() -> Self {
        Table { live: server(stateful, 100), kept: None, cookie: 100, got: Vec::new(), resets: 0 }
    }

    fn replace_socket(&mut self) {
        self.cookie += 1;
        let old = std::mem::replace(&mut self.live, server(stateful, self.cookie));
        if old.peer().is_some() {
            self.kept = Some(old.into_session());
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.live.poll_event() {
            match event {
                Event::Message(m) => self.got.push(m.header.tid),
                Event::Offer { offer, policy } => self.answer(&offer, &policy),
                _ => {}
            }
        }
    }

    fn answer(&mut self, offer: &Offer, policy: &Policy) {
        let existing = self.kept.as_ref().map(|s| s.existing(false));
        let verdict = judge(existing.as_ref(), offer, policy);
        let mut kept = || Box::new(self.kept.take().unwrap());
        let decision = match verdict {
            Verdict::Begin => Decision::Begin,
            Verdict::Replace { forget: true } => {
                self.resets += 1;
                self.kept = None;
                Decision::Begin
            }
            Verdict::Replace { forget: false } => Decision::Replace(kept()),
            Verdict::Resume => Decision::Resume(kept()),
            Verdict::Reset { full } => Decision::Reset { full },
            Verdict::Retry { connect_seq } => Decision::Retry { connect_seq },
            Verdict::RetryGlobal { global_seq } => Decision::RetryGlobal { global_seq },
            Verdict::Wait | Verdict::Stale => Decision::Wait,
        };
        let _ = self.live.decide(decision);
    }
}

/// Carries bytes; with `breaks`, cuts both directions somewhere and returns `false`.
fn carry(a: &mut Connection, table: &mut Table, dice: &mut Dice, breaks: bool) -> bool {
    loop {
        let (from_a, from_b) = (a.poll_transmit(), table.live.poll_transmit());
        if from_a.is_none() && from_b.is_none() {
            return true;
        }
        let (from_a, from_b) = (from_a.unwrap_or_default(), from_b.unwrap_or_default());
        let cut = breaks && dice.roll(8) == 0;
        let len = |bytes: &Bytes, dice: &mut Dice| {
            if cut { dice.roll(bytes.len() as u64 + 1) as usize } else { bytes.len() }
        };
        let _ = table.live.handle_bytes(&from_a[..len(&from_a, dice)]);
        table.handle_events();
        let _ = a.handle_bytes(&from_b[..len(&from_b, dice)]);
        if cut {
            return false;
        }
    }
}

fn run(seed: u64, mode: u32) {
    let mut dice = Dice(seed);
    let mut a = client(mode, Policy::lossless_client(0), b"sesame");
    let mut table = Table::new();
    let (mut sent_a, mut sent_b, mut got_a) = (0u64, 0u64, Vec::new());
    let mut global_seq = 1;
    for round in 0..200 {
        for _ in 0..dice.roll(3) {
            sent_a += 1;
            a.send(message(sent_a, dice.roll(6000) as usize, 0, dice.roll(200) as usize)).unwrap();
        }
        if table.live.is_ready() {
            for _ in 0..dice.roll(3) {
                sent_b += 1;
                table.live.send(message(sent_b, dice.roll(100) as usize, 3, 0)).unwrap();
            }
        }
        let whole = carry(&mut a, &mut table, &mut dice, round < 190);
        got_a.extend(messages(&mut a).iter().map(|m| m.header.tid));
        if !whole || a.is_closed() || table.live.is_closed() {
            table.replace_socket();
            a.handle_disconnect();
            global_seq = a.global_seq().max(global_seq) + 1;
            a.reconnect(Box::new(FakeClient { mode, password: b"sesame" }), global_seq).unwrap();
        }
    }
    assert_eq!(table.resets, 0, "seed {seed}");
    assert_eq!(table.got, (1..=sent_a).collect::<Vec<_>>(), "seed {seed}: client to server");
    assert_eq!(got_a, (1..=sent_b).collect::<Vec<_>>(), "seed {seed}: server to client");
    assert!(a.session().sent.is_empty() && table.live.session().sent.is_empty(), "all acknowledged");
}

#[test]
fn nothing_is_lost_or_doubled_over_sockets_that_break() {
    for seed in 0..40 {
        run(seed, con_mode::CRC);
        run(seed + 1000, con_mode::SECURE);
    }
}

#[test]
fn a_client_whose_session_is_unknown_is_reset_and_begins_anew() {
    let mut dice = Dice(1);
    let mut a = client(con_mode::CRC, Policy::lossless_client(0), b"sesame");
    let mut table = Table::new();
    carry(&mut a, &mut table, &mut dice, false);
    a.handle_disconnect();
    a.send(message(1, 1, 0, 0)).unwrap();
    let mut other = Table::new();
    a.reconnect(Box::new(FakeClient { mode: con_mode::CRC, password: b"sesame" }), 2).unwrap();
    carry(&mut a, &mut other, &mut dice, false);
    let seen = events(&mut a);
    assert!(
        matches!(&seen[..], [Event::Connected(_), Event::Reset, Event::Connected(p)] if !p.resumed),
        "{seen:?}"
    );
    assert!(other.got.is_empty(), "what was queued for the lost session is dropped with it");
    a.send(message(2, 1, 0, 0)).unwrap();
    carry(&mut a, &mut other, &mut dice, false);
    assert_eq!(other.got, [2]);
}
