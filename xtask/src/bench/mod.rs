//! `cargo xtask bench …`: figures beside upstream's, in one run on one real cluster. Never part of the tests: the
//! machines are shared, so that only ratios within a run mean something.

mod command;
mod faults;
mod rest;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Bench {
    /// Commands over one connection: Axon's client and C librados.
    Command(command::Commands),
    /// Commands while daemons die and links are cut, on three monitors.
    Faults(faults::Faults),
    /// The REST API: the stock dashboard, Axon, and a bare HTTP server with the same body.
    Rest(rest::Rest),
}

pub fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Command(commands) => command::run(commands),
        Bench::Faults(faults) => faults::run(faults),
        Bench::Rest(rest) => rest::run(rest),
    }
}
