//! Axon as the cluster's manager.

use anyhow::{Result, ensure};
use axon_launcher::Kind;

use crate::Bench;

/// HEALTH_OK alone would not do: the monitors still hold what the last manager reported.
pub fn alone_is_well(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    let health = bench.pgs_follow_a_dying_osd("osd.1", &[])?;
    ensure!(health.status == "HEALTH_OK" && health.pgs > 0, "{health:?}");
    Ok(())
}
