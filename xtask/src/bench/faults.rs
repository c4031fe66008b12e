//! `cargo xtask bench faults`: commands to every kind of daemon of a real cluster of three monitors, while daemons are killed, stopped
//! and continued, and links are cut, blocked and slowed down. What is counted and judged: `axon_testkit::faults`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use axon_launcher::{Cluster, Managers, Options, Release};
use clap::Args;

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Faults {
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-faults")]
    dir: PathBuf,
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
    #[arg(long)]
    port: Option<u16>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-faults.json")]
    out: PathBuf,
}

pub fn run(options: &Faults) -> Result<()> {
    let told = progress();
    let bench = build::program("axon-bench", Profile::Release)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    up.mons = 3;
    up.mds = 2;
    up.port_base = options.port.unwrap_or(up.port_base);
    let cluster = Cluster::up(&up, &told)?;
    let mut run = Command::new(bench);
    run.arg("faults").arg("--cluster").arg(cluster.dir());
    run.args([
        "--seconds",
        &(options.minutes * 60).to_string(),
        "--in-flight",
        &options.in_flight.to_string(),
    ]);
    run.args(["--seed", &options.seed.to_string(), "--ticket-ttl", &options.ticket_ttl.to_string()]);
    if options.cuts_only {
        run.arg("--cuts-only");
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
