//! Breaking the manager on purpose: `assert`, `abort`, `leak_some_memory` (`CephContext::_do_command`, `src/common/ceph_context.cc`), and
//! `raise` (`RaiseHook`, `src/common/admin_socket.cc`; since 18.2).
//!
//! Invariant: without `debug_asok_assert_abort` neither `assert` nor `abort` does anything but refuse. (Upstream's `assert` ends the
//! daemon then too, by an assertion about commands that are registered wrongly.)
//!
//! Not here: the signal's way to the process (`crates/mgr/src/raise.rs`), what a failed assertion leaves (`crates/axon/src/crash.rs`).

use super::{Action, Answer, Ask, EINVAL, EPERM, Row, row, since};
use crate::config::truth;
use axon_proto::Release;
use serde_json::{Value, json};

pub(super) const ROWS: &[Row] = &[
    row("assert", "", |ask| if_allowed(ask, Action::FailAssertion)),
    row("abort", "", |ask| if_allowed(ask, Action::Abort)),
    row("leak_some_memory", "", |_| Answer::silent().with(Action::Leak)),
    since(Release::Reef, row(RAISE, RAISE_HELP, raise)),
];

const RAISE: &str = "raise name=signal,type=CephString,req=false name=cancel,type=CephBool,req=false \
                     name=after,type=CephFloat,range=0.0,req=false";
const RAISE_HELP: &str = "deliver the <signal> to the daemon process, optionally delaying <after> seconds; when --after is \
     used, the program will fork before sleeping, which allows to schedule signal delivery to a stopped daemon; it's possible to \
     --cancel a pending signal delivery. <signal> can be in the forms '9', '-9', 'kill', '-KILL'. Use `raise -l` to list known \
     signal names.";

fn if_allowed(ask: &Ask<'_>, action: Action) -> Answer {
    let set = ask.state.settings.value("debug_asok_assert_abort");
    match set.and_then(|text| truth(text.trim())) {
        Some(true) => Answer::silent().with(action),
        _ => Answer::refuse(EPERM, ""),
    }
}

/// What `raise` was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raise {
    Now {
        signal: u8,
    },
    After {
        signal: u8,
        secs: f64,
    },
    /// The pending one, if it is this.
    Cancel {
        signal: Option<u8>,
    },
}

fn raise(ask: &Ask<'_>) -> Answer {
    let args = &ask.command.args;
    let cancel = match args.get("cancel") {
        Some(Value::Bool(cancel)) => *cancel,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    let named = match args.get("signal") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (known, signal) = match named.as_deref().map(signal) {
        None if !cancel => return Answer::refuse(EINVAL, "signal name or number is required\n"),
        None => (false, None),
        Some(Ok(Named::Signal(signal))) => (false, Some(signal)),
        Some(Ok(Named::List)) => (true, None),
        Some(Err(why)) => return Answer::refuse(EINVAL, why),
    };
    let answer = match known {
        true => {
            Answer::json(KNOWN.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect())
        }
        false => Answer::silent(),
    };
    let secs = match args.get("after") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    match (cancel, signal, secs) {
        (true, signal, _) => answer.with(Action::Raise(Raise::Cancel { signal })),
        (false, None, _) => answer,
        (false, Some(signal), None) => answer.with(Action::Raise(Raise::Now { signal })),
        (false, Some(signal), Some(secs)) => answer.with(Action::Raise(Raise::After { signal, secs })),
    }
}

enum Named {
    Signal(u8),
    /// `-l`: which there are.
    List,
}

/// A number, with anything behind it, or a name with or without `SIG`; a dash before it counts for nothing.
fn signal(text: &str) -> Result<Named, &'static str> {
    let text = text.to_ascii_uppercase();
    let text = text.strip_prefix('-').unwrap_or(&text);
    let text = text.strip_prefix("SIG").unwrap_or(text);
    if text == "L" {
        return Ok(Named::List);
    }
    let unsigned = text.trim_start().trim_start_matches(['+', '-']);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        let known = KNOWN.iter().find(|(name, _)| *name == text);
        return known
            .map(|(_, number)| Named::Signal(*number))
            .ok_or("unknown signal name; use -l to see recognized names\n");
    }
    let number = text.trim_start().split_at(text.trim_start().len() - unsigned.len() + digits).0;
    match number.parse::<u8>() {
        Ok(number @ 1..=64) => Ok(Named::Signal(number)),
        _ => Err("signal number should be an integer in the range [1..64]\n"),
    }
}

/// Names that `raise` knows, in their order.
const KNOWN: [(&str, u8); 21] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("KILL", 9),
    ("PIPE", 13),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STOP", 19),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("USR1", 10),
    ("USR2", 12),
];

/// `strsignal(3)`.
#[must_use]
pub fn strsignal(signal: u8) -> String {
    let known = usize::from(signal).checked_sub(1).and_then(|at| DESCRIBED.get(at));
    match (known, signal) {
        (Some(text), _) => (*text).to_owned(),
        (None, 34..=64) => format!("Real-time signal {}", signal - 34),
        (None, _) => format!("Unknown signal {signal}"),
    }
}

const DESCRIBED: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];
