//! Flags of all OSDs and of single ones (`OsdFlagsController`).

use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use axon_core::Command;
use axon_proto::osd_map::{OSDMap, map_flag, state};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The flags that a single OSD can have.
const OF_ONE: [&str; 4] = ["nodown", "noin", "noout", "noup"];

pub fn list(call: &Call) -> Answer {
    let map = &call.state.osd_map;
    call.per_epoch([u64::from(map.epoch), 0], || Ok(flags(map)))
}

/// The map's flags; `pauserd` with `pausewr` is what an operator set as `pause`.
fn flags(map: &OSDMap) -> BTreeSet<&'static str> {
    let mut flags: BTreeSet<_> = map_flag::names(map.flags).into_iter().collect();
    if map.has_flag(map_flag::PAUSERD) && map.has_flag(map_flag::PAUSEWR) {
        flags.remove("pauserd");
        flags.remove("pausewr");
        flags.insert("pause");
    }
    flags
}

pub async fn bulk_set(call: Call) -> Answer {
    let wanted = call.opt_texts("flags")?.unwrap_or_default();
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let set = flags(&call.state.osd_map);
    for flag in wanted.difference(&set) {
        call.dash.cluster.mon(Command::json("osd set").arg("key", *flag)).await?;
    }
    for flag in set.difference(&wanted) {
        call.dash.cluster.mon(Command::json("osd unset").arg("key", *flag)).await?;
    }
    Ok(Reply::json(&wanted))
}

pub fn individual(call: &Call) -> Answer {
    let map = &call.state.osd_map;
    call.per_epoch([u64::from(map.epoch), 0], || {
        let one = |osd| json!({"osd": osd, "flags": state::names(map.state(osd))});
        Ok(map.osds().map(one).collect::<Vec<_>>())
    })
}

pub async fn set_individual(call: Call) -> Answer {
    let given = call.opt_object("flags")?.cloned().unwrap_or_default();
    let ids = call.opt_list("ids")?.unwrap_or_default().to_vec();
    if !ids.iter().all(Value::is_i64) {
        return Err(ApiError::bad_parameter("Parameter ids must be a list of whole numbers"));
    }
    let picked = |wanted: bool| -> Vec<&str> {
        let is = |flag: &&str| given.get(*flag).filter(|v| !v.is_null()).map(is_true) == Some(wanted);
        OF_ONE.into_iter().filter(is).collect()
    };
    let (added, removed) = (picked(true), picked(false));
    update(&call, "osd set-group", &added, &ids).await?;
    update(&call, "osd unset-group", &removed, &ids).await?;
    Ok(Reply::json(&json!({"added": added, "removed": removed, "ids": ids})))
}

async fn update(call: &Call, prefix: &str, flags: &[&str], ids: &[Value]) -> Result<(), ApiError> {
    if flags.is_empty() {
        return Ok(());
    }
    if ids.is_empty() {
        // Upstream sends a command that names no OSD; the monitors say what is wrong with it.
        let command = Command::json(prefix).arg("key", flags.first().copied().unwrap_or_default());
        call.dash.cluster.mon(command).await?;
        return Ok(());
    }
    let who: Vec<String> = ids.iter().map(ToString::to_string).collect();
    call.dash.cluster.mon(Command::json(prefix).arg("who", who).arg("flags", flags.join(","))).await?;
    Ok(())
}

/// As Python takes a value for true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}
