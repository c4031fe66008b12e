//! `cargo xtask bench failover`: managers take over from each other again and again, with commands, REST requests and I/O in flight.
//! What is done, counted and judged: `axon_testkit::failover`.

use anyhow::Result;
use clap::Args;

use super::place::Place;

#[derive(Args)]
pub struct Failover {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Names the order of managers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(options: &Failover) -> Result<()> {
    let Failover { place, rounds, seed } = options;
    place.run(
        "failover",
        true,
        |up| up,
        |_, run| {
            run.args(["--rounds", &rounds.to_string(), "--seed", &seed.to_string()]);
            if place.release.stock_modules_load() {
                run.arg("--stock");
            }
        },
    )
}
