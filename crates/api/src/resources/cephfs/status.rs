//! What the snapshot tells about file systems: the map's dump, the status, the MDSs' counters over time.

use super::{FsId, fs_id};
use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_core::fs_status::FsStatus;
use axon_core::perf::DaemonPerf;
use axon_proto::release::Dump;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// The counters that the web UI shows.
const COUNTERS: [&str; 11] = [
    "mds_server.handle_client_request",
    "mds_log.ev",
    "mds_cache.num_strays",
    "mds.exported",
    "mds.exported_inodes",
    "mds.imported",
    "mds.imported_inodes",
    "mds.inodes",
    "mds.caps",
    "mds.subtrees",
    "mds_mem.ino",
];

pub fn list(call: &Call) -> Answer {
    let (map, release) = (&call.state.fs_map, call.state.release);
    call.per_epoch([u64::from(map.epoch), 0], || {
        Ok(map.filesystems.values().map(|fs| fs.dumped(release)).collect::<Vec<_>>())
    })
}

pub fn get(call: &Call) -> Answer {
    Ok(Reply::json(&of(call, fs_id(call)?)?))
}

/// The status, or 404.
pub fn of(call: &Call, id: FsId) -> Result<FsStatus, ApiError> {
    let missing = || ApiError::http(StatusCode::NOT_FOUND, format!("CephFS id {id} not found"));
    FsStatus::of(&call.state, id.fscid()).ok_or_else(missing)
}

pub fn mds_counters(call: &Call) -> Answer {
    let id = fs_id(call)?;
    let asked = match call.value("counters") {
        None => None,
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(_) => call.opt_texts("counters")?,
    };
    Ok(Reply::json(&counters_of(&call.state, id, asked.as_deref())))
}

/// By daemon and counter: the kept values, oldest first.
pub fn counters_of(state: &State, id: FsId, asked: Option<&[String]>) -> Map<String, Value> {
    let Some(fs) = state.fs_map.filesystems.get(&id.fscid()) else { return Map::new() };
    let asked: Vec<&str> =
        asked.map_or(COUNTERS.to_vec(), |asked| asked.iter().map(String::as_str).collect());
    let of_daemon = |name: &String| {
        let perf = state.perf.daemon(&DaemonKey::new("mds", name.as_str()));
        let series =
            asked.iter().map(|path| ((*path).to_owned(), perf.map_or(json!([]), |p| series(p, path))));
        (name.clone(), Value::Object(series.collect()))
    };
    fs.mdsmap.info.values().map(|info| of_daemon(&info.name)).collect()
}

/// `[[time, value]]`; of an average `[[time, sum, count]]`.
fn series(perf: &DaemonPerf, path: &str) -> Value {
    let average = perf.schema().counter(path).is_some_and(axon_core::perf::is_average);
    let point = |p: axon_core::perf::Point| match average {
        true => json!([p.t.as_secs_f64(), p.value, p.count]),
        false => json!([p.t.as_secs_f64(), p.value]),
    };
    perf.history(path).map(point).collect()
}
