//! Builds programs of this workspace with the cargo that runs us.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

/// Builds the `axon` program and returns where it is.
pub fn axon(profile: Profile) -> Result<PathBuf> {
    program("axon", profile)
}

/// Builds a program that has its package's name and returns where it is.
pub fn program(name: &str, profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--package", name, "--bin", name]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    run(command)?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    Ok(target_dir().join(folder).join(name))
}

pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    // What `cargo run` tells us of our own package would have build scripts that look at it run again, and their crates be built anew.
    let ours = |name: &str| {
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME"
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| ours(name)).for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// Runs to the end; a failure names the command.
pub fn run(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).unwrap_or_else(|| workspace().join("target"))
}
