//! What any peer may send: one function per fuzz target, each total for any bytes. `fuzz/` runs them under libFuzzer; the tests
//! beside this crate replay its corpus, and mutate it with a generator of their own.
//!
//! A target may fail by a panic, by memory beyond the fuzzer's limit, or by time; results do not matter.

mod cephx;
mod decoders;
mod session;

pub use cephx::{authorizer, login, seeds as cephx_seeds};
pub use decoders::{maps, messages};
pub use session::{
    acceptor, frames, item, seeds as session_seeds, v1_accept, v1_connect, v2_accept, v2_connect,
};

/// A target and the inputs that it starts from.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames, seeds: || session_seeds(false, true) },
    Target { name: "v2_accept", run: v2_accept, seeds: || session_seeds(false, true) },
    Target { name: "v2_connect", run: v2_connect, seeds: || session_seeds(false, false) },
    Target { name: "v1_accept", run: v1_accept, seeds: || session_seeds(true, true) },
    Target { name: "v1_connect", run: v1_connect, seeds: || session_seeds(true, false) },
    Target { name: "authorizer", run: authorizer, seeds: cephx_seeds },
    Target { name: "login", run: login, seeds: cephx_seeds },
    Target { name: "messages", run: messages, seeds: decoders::seeds },
    Target { name: "maps", run: maps, seeds: decoders::seeds },
];
