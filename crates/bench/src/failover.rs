//! `failover`: managers take over from each other on a cluster that runs, again and again; the account as JSON.

use anyhow::{Result, ensure};
use axon_launcher::Cluster;
use axon_testkit::failover::{self, Deed};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args)]
pub struct Options {
    /// The folder of a cluster.
    #[arg(long)]
    cluster: PathBuf,
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A module's command in Python is asked too.
    #[arg(long)]
    stock: bool,
}

pub async fn run(options: Options) -> Result<()> {
    let mut cluster = Cluster::open(&options.cluster)?;
    if options.stock {
        axon_testkit::host_python_modules(&cluster)?;
    }
    failover::prepare(&mut cluster)?;
    let cluster = Arc::new(cluster);
    let begun = Instant::now();
    let told = move |line: &str| eprintln!("[{:4} s] {line}", begun.elapsed().as_secs());
    let run = failover::Options {
        rounds: options.rounds,
        seed: options.seed,
        stock: options.stock,
        deeds: Deed::ALL.to_vec(),
    };
    let report = failover::run(&cluster, &run, &told).await?;
    println!("{}", serde_json::to_string_pretty(&report.to_json())?);
    ensure!(report.violations.is_empty(), "{:#?}", report.violations);
    failover::tidy(&cluster)
}
