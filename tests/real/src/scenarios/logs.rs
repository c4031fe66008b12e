//! The process's log follows the options while the manager runs.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use axon_launcher::Kind;

use crate::Bench;

const LOG: &str = "mgr.x";

pub fn follows_the_options(bench: &mut Bench) -> Result<()> {
    bench.only(Kind::Axon)?;
    let lines = |bench: &Bench, from: usize, priority: &str, target: &str| -> Result<usize> {
        let log = bench.log_of(LOG)?;
        let new = log.get(from..).unwrap_or_default();
        Ok(new.lines().filter(|line| line.contains(&format!(" {priority} {target}"))).count())
    };
    // A detail of the manager's own: each beacon.
    let detail = ("10", "axon_mgr");
    ensure!(lines(bench, 0, detail.0, detail.1)? == 0, "details are logged though nobody asked");
    bench.cluster.ceph_ok(&["config", "set", "mgr", "debug_mgr", "20"])?;
    until(|| Ok(lines(bench, 0, detail.0, detail.1)? > 0), "debug_mgr of the central configuration")?;
    bench.cluster.ceph_ok(&["config", "rm", "mgr", "debug_mgr"])?;
    std::thread::sleep(Duration::from_secs(1));
    let at = bench.log_of(LOG)?.len();
    std::thread::sleep(Duration::from_secs(3));
    ensure!(lines(bench, at, detail.0, detail.1)? == 0, "details are logged after debug_mgr was removed");
    ensure!(
        lines(bench, 0, " 1", "axon_mgr::owner: log_channel(cluster) log [DBG] : pgmap")? > 0,
        "no pgmap line"
    );

    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "set", "debug_ms", "1"])?;
    bench.cluster.ceph_ok(&["tell", "mgr.x", "version"])?;
    until(|| Ok(lines(bench, at, "10", "axon_net")? > 0), "debug_ms by tell")?;
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "unset", "debug_ms"])?;

    // What is kept and not said comes with `log dump`.
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "set", "debug_mgr", "2/20"])?;
    std::thread::sleep(Duration::from_secs(3));
    let at = bench.log_of(LOG)?.len();
    std::thread::sleep(Duration::from_secs(3));
    ensure!(lines(bench, at, detail.0, detail.1)? == 0, "details are logged that are to be kept only");
    bench.cluster.ceph_ok(&["tell", "mgr.x", "log", "dump"])?;
    until(|| Ok(lines(bench, at, detail.0, detail.1)? > 0), "log dump")?;
    ensure!(bench.log_of(LOG)?.contains("--- end dump of recent events ---"), "no frame");
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "unset", "debug_mgr"])?;

    let moved = bench.cluster.dir().join("log").join("moved.log");
    let path = moved.display().to_string();
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "set", "log_to_file", "false"])?;
    std::thread::sleep(Duration::from_millis(200));
    let at = bench.log_of(LOG)?.len();
    std::thread::sleep(Duration::from_secs(3));
    ensure!(bench.log_of(LOG)?.len() == at, "lines go to the file though log_to_file is off");
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "unset", "log_to_file"])?;
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "set", "log_file", &path])?;
    until(|| Ok(moved.exists() && !bench.log_of("moved")?.is_empty()), "log_file by tell")?;
    bench.cluster.ceph_ok(&["tell", "mgr.x", "config", "unset", "log_file"])?;
    Ok(())
}

fn until(mut holds: impl FnMut() -> Result<bool>, what: &str) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > Duration::from_secs(15) {
            bail!("{what} has no effect on the log");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
