//! What the UI asks for every few seconds: health, who manages, tasks (`controllers/summary.py`, `controllers/task.py`).
//!
//! Not here: events of the `progress` module, and warnings about pools that mirror without a daemon: those are in RBD's own
//! objects, which Axon does not read.

use crate::access::scope::{Permission, Scope};
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{Call, Operation, Reply};
use crate::later;
use axon_core::daemons::DaemonIndex;
use serde_json::{Value, json};

pub const TASK: Resource = Resource {
    tag: "Task",
    doc: "Task Management API",
    operations: &[Operation::get("/api/task", later!(tasks))
        .summary("Display Tasks")
        .params(&[Param::query("name", Kind::Text).doc("Task Name")])],
};

pub const RESOURCE: Resource = Resource {
    tag: "Summary",
    doc: "Get Ceph Summary Details",
    operations: &[Operation::get("/api/summary", later!(summary)).summary("Display Summary")],
};

async fn tasks(call: Call) -> Answer {
    let (executing, finished) = all_tasks(&call, call.opt_text("name")?).await;
    Ok(Reply::json(&json!({"executing_tasks": executing, "finished_tasks": finished})))
}

/// Our own tasks and those of the stock dashboard, newest first.
async fn all_tasks(call: &Call, glob: Option<&str>) -> (Vec<Value>, Vec<Value>) {
    let (mut executing, mut finished) = call.dash.tasks.to_json(glob, call.dash.release());
    if let Some(stock) = &call.dash.stock {
        let (theirs_executing, theirs_finished) = stock.tasks(glob).await;
        executing.extend(theirs_executing);
        finished.extend(theirs_finished);
        for (tasks, time) in [(&mut executing, "begin_time"), (&mut finished, "end_time")] {
            tasks.sort_by(|a, b| b[time].as_str().cmp(&a[time].as_str()));
        }
    }
    (executing, finished)
}

async fn summary(call: Call) -> Answer {
    let (mut executing, mut finished) = all_tasks(&call, None).await;
    for tasks in [&mut executing, &mut finished] {
        tasks.retain(|task| may_see(&call, task["name"].as_str().unwrap_or("")));
    }
    let state = &call.state;
    Ok(Reply::json(&json!({
        "health_status": state.health.get("status").unwrap_or(&Value::Null),
        "mgr_id": state.me.id,
        "mgr_host": state.mgr_map.services.get("dashboard").map_or("", String::as_str),
        "have_mon_connection": true,
        "executing_tasks": executing,
        "finished_tasks": finished,
        "version": state.me.ceph_version,
        "rbd_mirroring": rbd_mirroring(&state.daemons),
    })))
}

/// How many `rbd-mirror` daemons have callouts, by their worst level (`rbd_mirroring.py`, `get_daemon_health`).
fn rbd_mirroring(daemons: &DaemonIndex) -> Value {
    let (mut warnings, mut errors) = (0, 0);
    for (_, daemon) in daemons.of_kind("rbd-mirror") {
        let json = daemon.service_status.get("json");
        let status: Value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let pools = status.as_object().into_iter().flat_map(|pools| pools.values());
        let callouts = pools.filter_map(|pool| pool.get("callouts")?.as_object()).flat_map(|c| c.values());
        let levels: Vec<&str> = callouts.filter_map(|c| c.get("level")?.as_str()).collect();
        errors += u32::from(levels.contains(&"error"));
        warnings += u32::from(!levels.contains(&"error") && levels.contains(&"warning"));
    }
    json!({"warnings": warnings, "errors": errors})
}

/// Tasks on pools and images are for those who may do the like.
fn may_see(call: &Call, task: &str) -> bool {
    let scope = match task.split('/').next() {
        Some("pool") => Scope::Pool,
        Some("rbd") => Scope::RbdImage,
        _ => return true,
    };
    let permission = match task.split_once('/').map_or("", |(_, action)| action) {
        "create" | "copy" | "snap/create" | "clone" | "trash/restore" => Permission::Create,
        "edit" | "snap/edit" | "flatten" | "snap/rollback" => Permission::Update,
        "delete" | "snap/delete" | "trash/move" | "trash/remove" | "trash/purge" => Permission::Delete,
        _ => return true,
    };
    call.may(scope, permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::daemons::{DaemonKey, DaemonState};

    #[test]
    fn a_mirroring_daemon_counts_once_by_its_worst_callout() {
        let mut daemons = DaemonIndex::default();
        let pool = |levels: &[&str]| {
            let callouts: serde_json::Map<String, Value> =
                levels.iter().enumerate().map(|(i, l)| (i.to_string(), json!({"level": l}))).collect();
            json!({"1": {"name": "rbd", "callouts": callouts}}).to_string()
        };
        let statuses = [pool(&[]), pool(&["warning", "error"]), pool(&["warning"]), "no json".to_owned()];
        for (i, status) in statuses.into_iter().enumerate() {
            let daemon =
                DaemonState { service_status: [("json".into(), status)].into(), ..Default::default() };
            daemons.insert(DaemonKey::new("rbd-mirror", i.to_string()), daemon);
        }
        assert_eq!(rbd_mirroring(&daemons), json!({"warnings": 1, "errors": 1}));
    }
}
