//! `cargo xtask bench …`: figures beside upstream's, in one run on one real cluster. Never part of the tests: the
//! machines are shared, so that only ratios within a run mean something.

mod command;
mod commands_big;
mod failover;
mod faults;
mod modules;
mod place;
mod rest;
mod soak;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Bench {
    /// Commands over one connection: Axon's client and C librados.
    Command(command::Commands),
    /// The manager's commands with thousands of OSDs in the maps: upstream's manager and Axon.
    CommandsBig(commands_big::CommandsBig),
    /// Commands while daemons die and links are cut, on three monitors.
    Faults(faults::Faults),
    /// Managers that take over from each other again and again.
    Failover(failover::Failover),
    /// Python modules that do harm, and what their calls cost: upstream's manager and Axon.
    Modules(modules::Modules),
    /// The REST API: the stock dashboard, Axon, and a bare HTTP server with the same body.
    Rest(rest::Rest),
    /// An hour of everything, and what the manager holds meanwhile.
    Soak(soak::Soak),
}

pub fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Command(commands) => command::run(commands),
        Bench::CommandsBig(big) => commands_big::run(big),
        Bench::Faults(faults) => faults::run(faults),
        Bench::Failover(failover) => failover::run(failover),
        Bench::Modules(modules) => modules::run(modules),
        Bench::Rest(rest) => rest::run(rest),
        Bench::Soak(soak) => soak::run(soak),
    }
}
