//! SMART data of devices (`services/ceph_service.py` `get_smart_data_by_host`, `_by_daemon`): which devices there are is
//! known here; one of the daemons that use a device is asked for its data.

use crate::http::Call;
use axon_core::daemons::Device;
use axon_core::{Command, CommandError, Target};
use serde_json::{Map, Value};

/// The data of some devices, by device id.
pub async fn data_of(call: &Call, devices: Vec<(&str, &Device)>) -> Map<String, Value> {
    let mut found = Map::new();
    for (devid, device) in devices {
        if !found.contains_key(devid) {
            found.extend(data_of_device(call, devid, device).await);
        }
    }
    found
}

/// The first daemon that answers is enough: all on the host can read the device.
async fn data_of_device(call: &Call, devid: &str, device: &Device) -> Map<String, Value> {
    if device.daemons.is_empty() {
        tracing::warn!(devid, "no daemon is known to use this device, so nobody can read its SMART data");
    }
    for daemon in &device.daemons {
        let answer = match daemon.kind.as_str() {
            "osd" => {
                let osd = daemon.name.parse().ok();
                let Some(osd) = osd.filter(|osd| call.state.osd_map.is_up(*osd)) else { continue };
                ask(call, Target::Osd(osd), Command::json("smart").arg("devid", devid)).await
            }
            "mon" => {
                let command = Command::json("device query-daemon-health-metrics");
                ask(call, Target::Mgr, command.arg("who", daemon.to_string())).await
            }
            _ => return Map::new(),
        };
        match answer {
            Ok(data) => {
                for (devid, _) in data.iter().filter(|(_, data)| data.get("error").is_some()) {
                    tracing::warn!(devid, %daemon, "smartctl could not read this device");
                }
                return data;
            }
            Err(why) => tracing::warn!(%why, devid, %daemon, "no SMART data from this daemon"),
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
