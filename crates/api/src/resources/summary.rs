//! What the UI asks for every few seconds: health, who manages, tasks (`controllers/summary.py`, `controllers/task.py`).
//!
//! Not here yet: events of the `progress` module, and counts of RBD mirroring warnings: they need those modules.

use crate::access::scope::{Permission, Scope};
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{Call, Operation, Reply, now};
use serde_json::{Value, json};

pub const TASK: Resource =
    Resource {
        tag: "Task",
        doc: "Task Management API",
        operations: &[Operation::get("/api/task", now(tasks))
            .summary("Display Tasks")
            .params(&[Param::query("name", Kind::Text).doc("Task Name")])],
    };

pub const RESOURCE: Resource = Resource {
    tag: "Summary",
    doc: "Get Ceph Summary Details",
    operations: &[Operation::get("/api/summary", now(summary)).summary("Display Summary")],
};

fn tasks(call: &Call) -> Answer {
    let (executing, finished) = call.dash.tasks.to_json(call.opt_text("name")?, call.dash.release());
    Ok(Reply::json(&json!({"executing_tasks": executing, "finished_tasks": finished})))
}

fn summary(call: &Call) -> Answer {
    let (mut executing, mut finished) = call.dash.tasks.to_json(None, call.dash.release());
    for tasks in [&mut executing, &mut finished] {
        tasks.retain(|task| may_see(call, task["name"].as_str().unwrap_or("")));
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
    })))
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
