//! Commands through deaths, hangs and broken links, on a cluster of three monitors of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axon_launcher::{Cluster, Managers, Options};
use axon_testkit::faults;

use crate::Bench;

/// Each command is accounted for inside its deadline, and nothing is left behind.
pub fn every_command_is_accounted_for(bench: &mut Bench) -> Result<()> {
    let dir = bench.cluster.dir().with_extension("faults");
    if let Ok(left_over) = Cluster::open(&dir) {
        left_over.down(false)?;
    }
    let mut options = Options::new(bench.release(), dir);
    options.port_base = bench.cluster.state().ports.base;
    options.mons = 3;
    options.managers = Managers::None;
    let cluster = Arc::new(Cluster::up(&options, &|_| {})?);
    faults::short_tickets(&cluster, TICKET_TTL_SECS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let run = faults::Options { time: TIME, in_flight: 64, seed: 1, cuts_only: false, allocated: None };
    let result = runtime.block_on(faults::run(&cluster, &run, &|_| {})).and_then(|report| {
        println!("{}", report.to_json());
        report.judge(RECOVERY_AT_MOST)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let cluster = Arc::into_inner(cluster).context("somebody still holds the cluster")?;
    cluster.down(result.is_err())?;
    result
}

/// Tickets expire and keys roll a few times.
const TICKET_TTL_SECS: u32 = 15;
/// Each fault has its turn.
const TIME: Duration = Duration::from_secs(45);
/// For half of the links; debug programs of three releases share the machine. `cargo xtask bench faults` asks for 50 ms.
const RECOVERY_AT_MOST: Duration = Duration::from_millis(250);
