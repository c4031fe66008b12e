//! `soak`: an hour of everything on a cluster that runs; the account as JSON.

use anyhow::{Result, ensure};
use axon_launcher::{Cluster, Kind};
use axon_testkit::soak;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Options {
    /// The folder of a cluster.
    #[arg(long)]
    cluster: PathBuf,
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Python modules run: this is the port of the Prometheus exporter.
    #[arg(long)]
    prometheus: Option<u16>,
    /// What memory may grow in an hour, in KiB.
    #[arg(long, default_value_t = 2048.0)]
    growth: f64,
}

pub async fn run(options: Options) -> Result<()> {
    let mut cluster = Cluster::open(&options.cluster)?;
    if options.prometheus.is_some() {
        axon_testkit::host_python_modules(&cluster)?;
    }
    cluster.start_manager(Kind::Axon, "x")?;
    cluster.wait_manager("x", Duration::from_secs(90))?;
    cluster.wait_well(&["MGR_MODULE_DEPENDENCY"], Duration::from_secs(120))?;
    let cluster = Arc::new(cluster);
    let begun = Instant::now();
    let told = move |line: &str| eprintln!("[{:4} s] {line}", begun.elapsed().as_secs());
    let run = soak::Options {
        time: Duration::from_secs(options.minutes * 60),
        prometheus: options.prometheus,
        rss_kib_per_hour_max: options.growth,
    };
    let report = soak::run(&cluster, &run, &told).await?;
    println!("{}", serde_json::to_string_pretty(&report.to_json())?);
    ensure!(report.violations.is_empty(), "{:#?}", report.violations);
    Ok(())
}
