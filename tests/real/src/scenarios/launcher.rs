//! The launcher itself, judged with upstream's own manager: if these fail, no verdict on Axon counts.

use std::time::Duration;

use anyhow::{Result, ensure};
use axon_launcher::Kind;

use crate::Bench;

pub fn stock_manager_is_well(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Ceph)?;
    let health = bench.cluster.wait_well(stock_warnings(bench), Duration::from_secs(120))?;
    ensure!(health.pgs > 0, "no PG was counted: {health:?}");
    if bench.release().stock_modules_load() {
        ensure!(health.status == "HEALTH_OK", "{health:?}");
    }
    Ok(())
}

pub fn killed_osd_comes_back(bench: &mut Bench) -> Result<()> {
    bench.pgs_follow_a_dying_osd("osd.0", stock_warnings(bench)).map(|_| ())
}

/// Where no stock module loads, the stock manager says so.
pub fn stock_warnings(bench: &Bench) -> &'static [&'static str] {
    if bench.release().stock_modules_load() { &[] } else { &["MGR_MODULE_DEPENDENCY", "MGR_MODULE_ERROR"] }
}
