//! `cargo xtask bench faults`: commands to every kind of daemon of a real cluster of three monitors, while daemons are killed, stopped
//! and continued, and links are cut, blocked and slowed down. What is counted and judged: `axon_testkit::faults`.

use anyhow::Result;
use axon_launcher::Options;
use clap::Args;

use super::place::Place;

#[derive(Args)]
pub struct Faults {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Names the order of faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds that tickets and rotating keys live.
    #[arg(long, default_value_t = 30)]
    ticket_ttl: u32,
    /// Only links are cut.
    #[arg(long)]
    cuts_only: bool,
}

pub fn run(options: &Faults) -> Result<()> {
    let Faults { place, minutes, in_flight, seed, ticket_ttl, cuts_only } = options;
    place.run(
        "faults",
        false,
        |up| Options { mons: 3, mds: 2, ..up },
        |_, run| {
            run.args(["--seconds", &(minutes * 60).to_string(), "--in-flight", &in_flight.to_string()]);
            run.args(["--seed", &seed.to_string(), "--ticket-ttl", &ticket_ttl.to_string()]);
            if *cuts_only {
                run.arg("--cuts-only");
            }
        },
    )
}
