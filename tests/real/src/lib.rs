//! Scenarios against real clusters: one cluster per release, shared by all scenarios, in the order of the list.
//!
//! Plain `cargo test` skips them; `cargo xtask test` sets `AXON_REAL` to the releases to run.
//! A new scenario is a function in a file of `scenarios` and one row in [`scenarios::ALL`].

pub mod bench;
pub mod compare;
pub mod http;
pub mod runner;
pub mod scenarios;
mod side;
mod systemd;
pub mod wire;
mod xml;

pub use bench::Bench;
