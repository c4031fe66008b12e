//! A cluster of a scenario's own, in a folder beside the one that all scenarios share and on ports of its block.

use std::path::PathBuf;

use anyhow::Result;
use axon_launcher::{Cluster, Options};

use crate::Bench;

/// Brings a cluster up with what `change` makes of the options, runs `check` on it, and takes it down. The folder stays only if the
/// check fails, for its logs; the next run clears it.
pub fn with_cluster(
    bench: &Bench,
    name: &str,
    change: impl FnOnce(Options) -> Options,
    check: impl FnOnce(&mut Bench) -> Result<()>,
) -> Result<()> {
    let dir = folder(bench, name);
    Cluster::clear(&dir)?;
    let options = change(Options {
        without_python: true,
        axon: bench.cluster.state().axon.clone(),
        port_base: bench.cluster.state().ports.base,
        ..Options::new(bench.release(), dir.clone())
    });
    let cluster = Cluster::up(&options, &|line: &str| println!("  {name}: {line}"))?;
    let mut own = Bench { cluster };
    let checked = check(&mut own);
    own.cluster.down(checked.is_err())?;
    if checked.is_ok() {
        Cluster::clear(&dir)?;
    }
    checked
}

fn folder(bench: &Bench, name: &str) -> PathBuf {
    let own = bench.cluster.dir();
    own.with_file_name(format!("{}-{name}", own.file_name().unwrap_or_default().to_string_lossy()))
}
