//! SMART data of devices (`services/ceph_service.py` `get_smart_data_by_host`, `_by_daemon`): which devices there are is
//! known here; one of the daemons that use a device is asked for its data.

use crate::http::{ApiError, Call};
use axon_core::{Command, CommandError, Target};
use serde_json::{Map, Value};

/// `device ls-by-host`.
pub async fn devices_of_host(call: &Call, hostname: &str) -> Result<Value, ApiError> {
    let command = Command::json("device ls-by-host").arg("host", hostname);
    Ok(call.dash.cluster.command(Target::Mgr, command).await?.json()?)
}

/// `device ls-by-daemon`.
#[allow(dead_code)] // For the operations of OSDs and monitors.
pub async fn devices_of_daemon(call: &Call, daemon: &str) -> Result<Value, ApiError> {
    let command = Command::json("device ls-by-daemon").arg("who", daemon);
    Ok(call.dash.cluster.command(Target::Mgr, command).await?.json()?)
}

/// The data of some devices, by device id.
pub async fn data_of(call: &Call, devices: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    for device in devices.as_array().map(Vec::as_slice).unwrap_or_default() {
        let Some(devid) = device.get("devid").and_then(Value::as_str) else { continue };
        if !found.contains_key(devid) {
            found.extend(data_of_device(call, devid, device).await);
        }
    }
    found
}

/// The first daemon that answers is enough: all on the host can read the device.
async fn data_of_device(call: &Call, devid: &str, device: &Value) -> Map<String, Value> {
    let daemons = device.get("daemons").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if daemons.is_empty() {
        tracing::warn!(devid, "no daemon is known to use this device, so nobody can read its SMART data");
    }
    for daemon in daemons.iter().filter_map(Value::as_str) {
        let (kind, id) = daemon.split_once('.').unwrap_or((daemon, ""));
        let answer = match kind {
            "osd" => {
                let Some(osd) = id.parse().ok().filter(|osd| call.state.osd_map.is_up(*osd)) else {
                    continue;
                };
                ask(call, Target::Osd(osd), Command::json("smart").arg("devid", devid)).await
            }
            "mon" => {
                let command = Command::json("device query-daemon-health-metrics").arg("who", daemon);
                ask(call, Target::Mgr, command).await
            }
            _ => return Map::new(),
        };
        match answer {
            Ok(data) => {
                for (devid, _) in data.iter().filter(|(_, data)| data.get("error").is_some()) {
                    tracing::warn!(devid, daemon, "smartctl could not read this device");
                }
                return data;
            }
            Err(why) => tracing::warn!(%why, devid, daemon, "no SMART data from this daemon"),
        }
    }
    Map::new()
}

async fn ask(call: &Call, target: Target, command: Command) -> Result<Map<String, Value>, CommandError> {
    match call.dash.cluster.command(target, command).await?.json()? {
        Value::Object(data) => Ok(data),
        _ => Err(CommandError::BadOutput("SMART data is not a JSON object".to_owned())),
    }
}
