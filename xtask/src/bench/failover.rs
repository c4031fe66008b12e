//! `cargo xtask bench failover`: managers take over from each other again and again, with commands, REST requests and I/O in flight.
//! What is done, counted and judged: `axon_testkit::failover`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use axon_launcher::{Cluster, Managers, Options, Release};
use clap::Args;

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Failover {
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-failover")]
    dir: PathBuf,
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Names the order of managers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    port: Option<u16>,
    /// The axon program; built (release) when not given.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-failover.json")]
    out: PathBuf,
}

pub fn run(options: &Failover) -> Result<()> {
    let told = progress();
    told("building axon and axon-bench (release)");
    let axon = match &options.axon {
        Some(given) => given.clone(),
        None => build::axon(Profile::Release)?,
    };
    let bench = build::program("axon-bench", Profile::Release)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    up.port_base = options.port.unwrap_or(up.port_base);
    up.axon = Some(axon);
    let cluster = Cluster::up(&up, &told)?;
    let mut run = Command::new(bench);
    run.arg("failover").arg("--cluster").arg(cluster.dir());
    run.args(["--rounds", &options.rounds.to_string(), "--seed", &options.seed.to_string()]);
    if options.release.stock_modules_load() {
        run.arg("--stock");
    }
    let done = run.stderr(Stdio::inherit()).output().context("cannot run axon-bench");
    let failed = !done.as_ref().is_ok_and(|done| done.status.success());
    cluster.down(failed)?;
    let figures = String::from_utf8_lossy(&done?.stdout).into_owned();
    println!("{}", figures.trim());
    if let Some(folder) = options.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&options.out, figures)?;
    anyhow::ensure!(!failed, "not all was as it must be; logs are in {}", options.dir.display());
    Ok(())
}
