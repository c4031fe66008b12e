//! The stock `dashboard` module behind this server: what is not native is passed on to it, in a host process of its own. It shares
//! users, token secret and settings with us by the monitors' store, so a request goes there as it came. Why: docs/decisions/0005.
//!
//! - `table`: every operation of every release, and which of them are not native
//! - `forward`: one request on its way there and back
//! - `coverage`: `docs/api-coverage.md`
//!
//! Invariants: a native operation always wins; who calls, what for, and the audit line are judged and written here, by the same steps
//! as for native operations, before the module hears of a request. Not here: the process (`axon-pyhost`).

pub mod coverage;
mod forward;
pub mod table;

#[cfg(test)]
mod tests;

pub use forward::{Forwarder, Raw};

use futures::future::BoxFuture;
use serde_json::Value;
use std::path::PathBuf;

/// The host process of the stock dashboard; the binary gives one.
pub trait Stock: Send + Sync {
    /// The Unix socket on which it serves. Starts it when it does not run, and waits for it for a while; else why there is none.
    fn door(&self) -> BoxFuture<'_, Result<PathBuf, String>>;
    /// Asks the process itself; an error when it does not run, or says no.
    fn ask<'a>(&'a self, what: &'a str, argument: Value) -> BoxFuture<'a, Result<Value, String>>;
}
