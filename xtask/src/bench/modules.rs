//! `cargo xtask bench modules`: Python modules that spin, leak and die under upstream's manager and under Axon, and what a module's calls
//! cost by the size of the map. One cluster, one run; `axon-bench modules` measures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use axon_launcher::{Cluster, Managers, Options, Release};
use clap::Args;

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Modules {
    /// A release whose stock modules load under upstream's manager too: pacific or tentacle.
    #[arg(long, default_value = "tentacle")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-bench-modules")]
    dir: PathBuf,
    #[arg(long)]
    port: Option<u16>,
    /// The axon program; built (release) when not given.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-modules.json")]
    out: PathBuf,
    /// What `axon-bench modules` takes, after `--`.
    #[arg(last = true)]
    more: Vec<String>,
}

pub fn run(options: &Modules) -> Result<()> {
    let told = progress();
    let axon = match &options.axon {
        Some(given) => given.clone(),
        None => build::axon(Profile::Release)?,
    };
    // It only asks and waits.
    let bench = build::program("axon-bench", Profile::Dev)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    up.port_base = options.port.unwrap_or(up.port_base);
    up.axon = Some(axon);
    let cluster = Cluster::up(&up, &told)?;
    let mut measure = Command::new(bench);
    measure.args(["modules", "--cluster"]).arg(cluster.dir()).args(&options.more);
    let measured = measure.stderr(std::process::Stdio::inherit()).output().context("cannot run axon-bench");
    // The managers were started by the other program.
    Cluster::open(cluster.dir())?.down(false)?;
    let measured = measured?;
    ensure!(measured.status.success(), "axon-bench failed");
    std::fs::create_dir_all(options.out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&options.out, measured.stdout)?;
    told(&format!("figures are in {}", options.out.display()));
    Ok(())
}
