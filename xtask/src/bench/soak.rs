//! `cargo xtask bench soak`: an hour of I/O, scrapes, REST requests, commands and restarts of daemons, and what the manager holds
//! meanwhile. What is done, counted and judged: `axon_testkit::soak`.

use anyhow::Result;
use clap::Args;

use super::place::Place;

#[derive(Args)]
pub struct Soak {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

pub fn run(options: &Soak) -> Result<()> {
    options.place.run(
        "soak",
        true,
        |up| up,
        |cluster, run| {
            run.args(["--minutes", &options.minutes.to_string()]);
            run.args(["--prometheus", &cluster.state().ports.rgw(2).to_string()]);
        },
    )
}
