//! What the sessions say about a command that is traced: how long it waited, how the connection came about, how many bytes went
//! and came, and how long the daemon took.

use super::session::Waiter;
use crate::connection::Step;
use axon_core::trace::Trace;
use axon_msgr::auth::con_mode;
use axon_msgr::frame::message_frame_bytes;
use axon_proto::RawMessage;
use std::fmt::Display;
use std::time::Instant;

/// A connection that the command waited for has come about.
pub(crate) fn connect_hop(waiter: &Waiter, to: &str, steps: &[Step]) {
    let (Some(trace), Some(first), Some(last)) = (&waiter.trace, steps.first(), steps.last()) else { return };
    record_steps(trace, to, steps, first.begun, last.ended);
}

/// The steps of a connection as a hop.
pub fn record_steps(trace: &Trace, to: &str, steps: &[Step], begun: Instant, ended: Instant) {
    let hop = trace.past(format!("connect to {to}"), begun, ended);
    for step in steps {
        hop.past(step.what, step.begun, step.ended);
    }
}

/// The command goes out.
pub(crate) fn sent_hop(waiter: &Waiter, to: &dyn Display, message: &RawMessage, mode: u32, again: bool) {
    let Some(trace) = &waiter.trace else { return };
    let now = Instant::now();
    if let Some(lost) = trace.open_child() {
        lost.note("lost", "with its connection");
        lost.end(now);
    } else if let Some(begun) = trace.begun() {
        trace.past("queue", begun, now);
    }
    let hop = trace.child(format!("{to} answers"), now);
    if again {
        hop.note("sent", "again");
    }
    hop.note("mode", con_mode::name(mode));
    hop.note("frame out", format!("{} bytes", frame_bytes(message, mode)));
}

/// The answer has come.
pub(crate) fn answered_hop(waiter: &Waiter, message: &RawMessage, mode: u32) {
    let Some(hop) = waiter.trace.as_ref().and_then(Trace::open_child) else { return };
    hop.note("frame in", format!("{} bytes", frame_bytes(message, mode)));
    hop.end(Instant::now());
}

fn frame_bytes(message: &RawMessage, mode: u32) -> usize {
    let sections = [message.front.len(), message.middle.len(), message.data.len()];
    message_frame_bytes(sections, mode == con_mode::SECURE)
}
