//! What outlives a socket: sequence numbers, cookies and the messages that the peer has not acknowledged
//! (`out_seq`, `in_seq`, `sent`, `out_queue` of `ProtocolV2`).
//!
//! Invariants: a message gets its number when it is first sent and keeps it; on a lossless session it stays in `sent`
//! until acknowledged; a message whose number is not above `in_seq` was delivered before and is dropped.

use crate::Peer;
use axon_proto::RawMessage;
use std::collections::VecDeque;

/// The state of one session.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub(crate) client_cookie: u64,
    pub(crate) server_cookie: u64,
    pub(crate) global_seq: u64,
    pub(crate) connect_seq: u64,
    pub(crate) peer_global_seq: u64,
    pub(crate) in_seq: u64,
    pub(crate) out_seq: u64,
    /// Received since the last acknowledgement that we sent.
    pub(crate) unacked_in: u64,
    /// Sent, with their numbers, oldest first.
    pub(crate) sent: VecDeque<RawMessage>,
    /// Not sent yet.
    pub(crate) queue: VecDeque<RawMessage>,
    pub(crate) peer: Option<Peer>,
    /// v1: the peer has seen our answer that opened the session.
    pub(crate) confirmed: bool,
}

impl Session {
    /// Who the session is with, once it was established.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Numbers the oldest queued message and keeps it when the session is lossless.
    pub(crate) fn next_to_send(&mut self, lossy: bool) -> Option<RawMessage> {
        let mut message = self.queue.pop_front()?;
        self.out_seq += 1;
        message.header.seq = self.out_seq;
        if !lossy {
            self.sent.push_back(message.clone());
        }
        Some(message)
    }

    /// The peer has everything up to `seq`.
    pub(crate) fn handle_ack(&mut self, seq: u64) {
        while self.sent.front().is_some_and(|m| m.header.seq <= seq) {
            self.sent.pop_front();
        }
    }

    /// Whether a received message is new; notes it.
    pub(crate) fn handle_seq(&mut self, seq: u64) -> bool {
        if seq <= self.in_seq {
            return false;
        }
        self.in_seq = seq;
        self.unacked_in += 1;
        true
    }

    /// The peer has lost the session: all of it, or only what the server's ident would have told.
    pub(crate) fn handle_reset(&mut self, full: bool) {
        let global_seq = self.global_seq;
        if full {
            *self = Session { global_seq, ..Session::default() };
        } else {
            self.server_cookie = 0;
            self.connect_seq = 0;
            self.in_seq = 0;
            self.unacked_in = 0;
        }
    }
}
