//! `status` (`pybind/mgr/status/module.py`, 16.2 to 20.2): `ceph osd status` and `ceph fs status`.

mod fs;
mod osd;

use crate::{Module, Row};
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_proto::Release;

pub const MODULE: Module = Module { name: "status", options: |_| Vec::new(), commands: ROWS, tick: None };

const FS_HELP: &str = "Show the status of a CephFS filesystem";
const OSD_HELP: &str = "Show the status of OSDs within a bucket, or all";

const ROWS: &[Row] = &[
    Row::new("fs status name=fs,type=CephString,req=false", FS_HELP, "r", fs::status).until(Release::Reef),
    Row::new(
        "fs status name=fs,req=false,type=CephString name=format,positional=False,req=false,type=CephString",
        FS_HELP,
        "r",
        fs::status,
    )
    .since(Release::Reef),
    Row::new("osd status name=bucket,type=CephString,req=false", OSD_HELP, "r", osd::status).until(Release::Reef),
    Row::new(
        "osd status name=bucket,req=false,type=CephString name=format,positional=False,req=false,type=CephString",
        OSD_HELP,
        "r",
        osd::status,
    )
    .since(Release::Reef),
];

/// A counter's newest value.
fn latest(state: &State, daemon: &DaemonKey, path: &str) -> u64 {
    state.perf.daemon(daemon).and_then(|perf| perf.latest(path)).map_or(0, |point| point.value)
}

/// A counter's whole change per whole second between its last two values; 0 within the same second.
fn rate(state: &State, daemon: &DaemonKey, path: &str) -> i64 {
    let Some(perf) = state.perf.daemon(daemon) else { return 0 };
    let points: Vec<_> = perf.history(path).collect();
    let [.., before, last] = points.as_slice() else { return 0 };
    let secs = last.t.as_secs_f64() - before.t.as_secs_f64();
    let change = i64::try_from(i128::from(last.value) - i128::from(before.value)).unwrap_or(0);
    change.checked_div_euclid(secs as i64).unwrap_or(0)
}
