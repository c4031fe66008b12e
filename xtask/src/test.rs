//! `cargo xtask test`: fast checks first, then real clusters.

use std::time::Instant;

use anyhow::Result;
use axon_launcher::Release;
use clap::Args;

use crate::build::{self, Profile, cargo};

#[derive(Args)]
pub struct Test {
    /// Only the checks that need no cluster.
    #[arg(long)]
    fast: bool,
    /// Only the real clusters.
    #[arg(long, conflicts_with = "fast")]
    real: bool,
    /// Real clusters of this release only.
    #[arg(long)]
    release: Option<Release>,
    /// Real scenarios whose name contains this, or one of several by commas.
    filter: Option<String>,
}

pub fn run(test: &Test) -> Result<()> {
    if !test.fast {
        // Now rather than after the minutes of the fast checks.
        axon_launcher::install::require_superuser()?;
    }
    if !test.real {
        for (what, args) in FAST {
            step(what, args)?;
        }
    }
    if !test.fast {
        real(test)?;
    }
    Ok(())
}

fn step(what: &str, args: &[&str]) -> Result<()> {
    println!("── {what}");
    let begun = Instant::now();
    let mut command = cargo();
    command.args(args).env("RUSTDOCFLAGS", "-D warnings");
    build::run(command)?;
    println!("── {what}: {} s", begun.elapsed().as_secs());
    Ok(())
}

fn real(test: &Test) -> Result<()> {
    println!("── real clusters");
    let axon = build::axon(Profile::Dev)?;
    let mut command = cargo();
    command.args(["test", "--package", "axon-real-tests", "--test", "real"]);
    command.env("AXON_BIN", axon).env("AXON_REAL", test.release.map_or("all", Release::name));
    if let Some(filter) = &test.filter {
        command.args(["--", filter]);
    }
    build::run(command)
}

const FAST: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("unit and golden tests", &["test", "--workspace"]),
    ("documentation", &["doc", "--workspace", "--no-deps", "--document-private-items"]),
];
