//! Where a bench takes place: options that benches share, and the run of `axon-bench` on a cluster that is made for it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use axon_launcher::{Cluster, Managers, Options, Release};
use clap::Args;

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Place {
    #[arg(long, default_value = "pacific")]
    pub release: Release,
    /// The cluster's folder; /var/tmp/axon-BENCH when not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    #[arg(long)]
    port: Option<u16>,
    /// The axon program; built (release) when not given and needed.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// Where the figures go as JSON; target/bench-BENCH.json when not given.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Place {
    /// Runs `axon-bench <name>` with what `arguments` adds, on a cluster that is as `change` says, and prints and keeps its figures.
    /// The folder stays if the bench says by its exit code that not all was as it must be.
    pub fn run(
        &self,
        name: &str,
        with_axon: bool,
        change: impl FnOnce(Options) -> Options,
        arguments: impl FnOnce(&Cluster, &mut Command),
    ) -> Result<()> {
        let told = progress();
        told("building for release");
        let axon = match &self.axon {
            Some(given) => Some(given.clone()),
            None => with_axon.then(|| build::axon(Profile::Release)).transpose()?,
        };
        let bench = build::program("axon-bench", Profile::Release)?;
        let dir = self.dir.clone().unwrap_or_else(|| format!("/var/tmp/axon-{name}").into());
        let up = Options { managers: Managers::None, axon, ..Options::new(self.release, &dir) };
        let port_base = self.port.unwrap_or(up.port_base);
        let cluster = Cluster::up(&change(Options { port_base, ..up }), &told)?;
        let mut run = Command::new(bench);
        run.arg(name).arg("--cluster").arg(cluster.dir());
        arguments(&cluster, &mut run);
        let done = run.stderr(Stdio::inherit()).output().context("cannot run axon-bench");
        let failed = !done.as_ref().is_ok_and(|done| done.status.success());
        cluster.down(failed)?;
        let figures = String::from_utf8_lossy(&done?.stdout).into_owned();
        println!("{}", figures.trim());
        let out = self.out.clone().unwrap_or_else(|| format!("target/bench-{name}.json").into());
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&out, figures)?;
        anyhow::ensure!(!failed, "not all was as it must be; logs are in {}", dir.display());
        Ok(())
    }
}
