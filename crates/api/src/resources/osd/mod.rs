//! OSDs and their flags (`controllers/osd.py`). Here the table and the short reads; the list is in `list.rs`, what
//! changes one OSD in `change.rs`, making one in `create.rs`, flags in `flags.rs`.
//!
//! Not here: what only an orchestrator can do (removing OSDs, making them on devices); it is refused as upstream refuses
//! it on a cluster without one.

mod change;
mod create;
mod flags;
mod list;

#[cfg(test)]
mod tests;

use crate::access::Permission;
use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource, now, refuse};
use crate::http::{ApiError, Call, Operation, Reply};
use crate::release::Release;
use crate::{later, orchestrator, smart};
use axon_core::daemons::DaemonKey;
use axon_core::{Command, CommandError, Target};
use http::StatusCode;
use serde_json::{Map, Value, json};

const LIST: Operation = Operation::get("/api/osd", later!(list::list)).scope(Scope::Osd);

pub const RESOURCE: Resource = Resource {
    tag: "OSD",
    doc: "OSD management API",
    operations: &[
        LIST.until(Release::Reef),
        LIST.version(1, 1).since(Release::Reef).params(&[
            Param::query("offset", Kind::Int).default("0"),
            Param::query("limit", Kind::Int).default("10"),
            Param::query("search", Kind::Text).default("\"\""),
            Param::query("sort", Kind::Text).default("\"\""),
        ]),
        Operation::post("/api/osd", later!(create::create))
            .scope(Scope::Osd)
            .task("osd/create", 2000, &[("tracking_id", "tracking_id")])
            .params(&[
                Param::body("method", Kind::Text).required().doc("bare, drive_groups or predefined"),
                Param::body("data", Kind::Object).required(),
                Param::body("tracking_id", Kind::Text).required(),
            ]),
        Operation::get("/api/osd/flags", now(flags::list)).scope(Scope::Osd).summary("Display OSD Flags"),
        Operation::put("/api/osd/flags", later!(flags::bulk_set))
            .scope(Scope::Osd)
            .summary("Sets OSD flags for the entire cluster.")
            .params(&[Param::body("flags", Kind::List)
                .required()
                .doc("All flags that shall be set; the others are unset, which some of them do not allow")]),
        Operation::get("/api/osd/flags/individual", now(flags::individual))
            .scope(Scope::Osd)
            .summary("Displays individual OSD flags"),
        Operation::put("/api/osd/flags/individual", later!(flags::set_individual))
            .scope(Scope::Osd)
            .summary("Sets OSD flags for a subset of individual OSDs.")
            .params(&[
                Param::body("flags", Kind::Object).required().doc("noin, noout, noup, nodown: true or false"),
                Param::body("ids", Kind::List).required().doc("The OSDs"),
            ]),
        Operation::get("/api/osd/safe_to_delete", refuse(orchestrator::unavailable))
            .scope(Scope::Osd)
            .params(&[Param::query("svc_ids", Kind::Text).required()]),
        Operation::get("/api/osd/safe_to_destroy", later!(safe_to_destroy))
            .scope(Scope::Osd)
            .summary("Check If OSD is Safe to Destroy")
            .params(&[Param::query("ids", Kind::Text).required().doc("An OSD's id, or a JSON list of ids")]),
        Operation::get("/api/osd/settings", now(settings)).scope(Scope::Osd).version(0, 1),
        Operation::get("/api/osd/{svc_id}", now(get)).scope(Scope::Osd),
        Operation::put("/api/osd/{svc_id}", later!(change::device_class))
            .scope(Scope::Osd)
            .params(&[Param::body("device_class", Kind::Text).required()]),
        Operation::delete("/api/osd/{svc_id}", refuse(orchestrator::unavailable))
            .scope(Scope::Osd)
            .task("osd/delete", 2000, &[("svc_id", "svc_id")])
            .params(&[Param::query("preserve_id", Kind::Text), Param::query("force", Kind::Text)]),
        Operation::post("/api/osd/{svc_id}/destroy", later!(change::destroy))
            .scope(Scope::Osd)
            .status(200)
            .empty_body()
            .summary("Destroys an OSD that is down: keeps its id, removes its keys, so that its data cannot be read"),
        Operation::get("/api/osd/{svc_id}/devices", later!(devices)).scope(Scope::Osd),
        Operation::get("/api/osd/{svc_id}/histogram", later!(histogram)).scope(Scope::Osd),
        Operation::put("/api/osd/{svc_id}/mark", later!(change::mark))
            .scope(Scope::Osd)
            .summary("Mark OSD flags (out, in, down, lost, ...)")
            .params(&[Param::body("action", Kind::Text).required()]),
        Operation::post("/api/osd/{svc_id}/purge", later!(change::purge))
            .scope(Scope::Osd)
            .status(200)
            .empty_body()
            .summary("Removes an OSD that is down from all maps"),
        Operation::post("/api/osd/{svc_id}/reweight", later!(change::reweight))
            .scope(Scope::Osd)
            .status(200)
            .empty_body()
            .summary("Reweights an OSD until it is marked out")
            .params(&[Param::body("weight", Kind::Number).required()]),
        Operation::post("/api/osd/{svc_id}/scrub", later!(change::scrub))
            .may(Scope::Osd, Permission::Update)
            .status(200)
            .empty_body()
            .params(&[Param::query("deep", Kind::Bool).default("false")]),
        Operation::get("/api/osd/{svc_id}/smart", later!(smart_data)).scope(Scope::Osd),
    ],
};

pub const UI: Resource = Resource {
    tag: "OsdUI",
    doc: "Dashboard UI helper function; not part of the public API",
    operations: &[
        Operation::get("/ui-api/osd/deployment_options", refuse(orchestrator::unavailable)).scope(Scope::Osd)
    ],
};

/// Without an orchestrator nobody removes OSDs.
const OPERATIONAL_STATUS: &str = "unmanaged";

/// The OSD of the path.
fn id(call: &Call) -> Result<i32, ApiError> {
    let id = call.path_int("svc_id")?;
    i32::try_from(id).map_err(|_| ApiError::bad_parameter(format!("{id} is not an OSD's id")))
}

/// The OSD of the path, which must exist.
fn known(call: &Call) -> Result<i32, ApiError> {
    let id = id(call)?;
    match call.state.osd_map.exists(id) {
        true => Ok(id),
        false => Err(ApiError::http(StatusCode::NOT_FOUND, format!("osd.{id} does not exist"))),
    }
}

fn get(call: &Call) -> Answer {
    let osd = known(call)?;
    let metadata = call.state.daemons.named("osd", &osd.to_string()).map(|daemon| {
        let mut all = Map::new();
        all.insert("hostname".to_owned(), daemon.hostname.as_str().into());
        all.extend(daemon.metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())));
        all
    });
    Ok(Reply::json(&json!({
        "osd_map": list::in_map(&call.state.osd_map, osd),
        "osd_metadata": metadata,
        "operational_status": OPERATIONAL_STATUS,
    })))
}

fn settings(call: &Call) -> Answer {
    let map = &call.state.osd_map;
    call.per_epoch([u64::from(map.epoch), 0], || {
        Ok(json!({"nearfull_ratio": f64::from(map.nearfull_ratio), "full_ratio": f64::from(map.full_ratio)}))
    })
}

async fn histogram(call: Call) -> Answer {
    let osd = known(&call)?;
    let command = Command::json("perf histogram dump");
    let answer = call.dash.cluster.command(Target::Osd(osd), command).await.and_then(|output| output.json());
    match answer {
        Ok(histogram) => Ok(Reply::json(&histogram)),
        Err(CommandError::Daemon { errno, outs }) => {
            Err(ApiError::uncoded(format!("[errno -{}] {outs}", errno.abs()), "osd"))
        }
        Err(other) => Err(ApiError::command(&other, "osd")),
    }
}

async fn smart_data(call: Call) -> Answer {
    let key = DaemonKey::new("osd", call.path("svc_id"));
    let state = call.state.clone();
    if state.daemons.daemon(&key).is_none() {
        // In the words of `device ls-by-daemon`, which upstream asks.
        return Err(CommandError::Daemon { errno: 2, outs: format!("daemon {key} not found") }.into());
    }
    Ok(Reply::json(&smart::data_of(&call, state.daemons.devices_of_daemon(&key)).await))
}

async fn devices(call: Call) -> Answer {
    let command = Command::json("device ls-by-daemon").arg("who", format!("osd.{}", call.path("svc_id")));
    let mut devices = call.dash.cluster.command(Target::Mgr, command).await?.json()?;
    let modules = &call.state.mgr_map.available_modules;
    let predicted = modules.iter().any(|module| module.name.starts_with("diskprediction_"));
    for device in devices.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        device.insert("life_expectancy_enabled".to_owned(), predicted.into());
    }
    Ok(Reply::json(&devices))
}

async fn safe_to_destroy(call: Call) -> Answer {
    let wrong = || ApiError::bad_parameter("ids must be an OSD's id, or a JSON list of ids");
    let ids: Value = serde_json::from_str(call.text("ids")?).map_err(|_| wrong())?;
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let ids: Vec<String> = match &ids {
        Value::Array(ids) => ids.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let command = Command::json("osd safe-to-destroy").arg("ids", ids.clone());
    match call.dash.cluster.command(Target::Mgr, command).await.and_then(|output| output.json()) {
        Ok(mut result) => {
            let safe = result["safe_to_destroy"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut safe: Vec<i64> = safe.iter().filter_map(Value::as_i64).collect();
            let asked: Result<Vec<i64>, _> = ids.iter().map(|id| id.trim().parse()).collect();
            let mut asked = asked.map_err(|_| wrong())?;
            for list in [&mut safe, &mut asked] {
                list.sort_unstable();
                list.dedup();
            }
            result["is_safe_to_destroy"] = json!(safe == asked);
            Ok(Reply::json(&result))
        }
        Err(CommandError::Daemon { errno, outs }) => {
            let message = format!("[errno -{}] {outs}", errno.abs());
            Ok(Reply::json(&json!({"message": message, "is_safe_to_destroy": false})))
        }
        Err(other) => Err(other.into()),
    }
}
