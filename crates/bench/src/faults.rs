//! `faults`: commands through every kind of fault on a cluster that runs, for as long as asked; the account as JSON.

use anyhow::Result;
use axon_launcher::Cluster;
use axon_testkit::faults;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Options {
    /// The folder of a cluster of three monitors.
    #[arg(long)]
    cluster: PathBuf,
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long tickets and rotating keys live; everything is started again for it. 0: as it is.
    #[arg(long, default_value_t = 0)]
    ticket_ttl: u32,
    /// Only links are cut.
    #[arg(long)]
    cuts_only: bool,
}

pub async fn run(options: Options) -> Result<()> {
    let cluster = Arc::new(Cluster::open(&options.cluster)?);
    if options.ticket_ttl > 0 {
        faults::short_tickets(&cluster, options.ticket_ttl)?;
    }
    let begun = Instant::now();
    let told = move |line: &str| eprintln!("[{:4} s] {line}", begun.elapsed().as_secs());
    let options = faults::Options {
        time: Duration::from_secs(options.seconds),
        in_flight: options.in_flight,
        seed: options.seed,
        cuts_only: options.cuts_only,
        allocated: Some(crate::allocated),
    };
    let report = faults::run(&cluster, &options, &told).await?;
    println!("{}", serde_json::to_string_pretty(&report.to_json())?);
    report.judge(Duration::from_millis(50))
}
