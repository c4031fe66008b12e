//! Making, renaming and removing file systems with their pools, and clients' capabilities for them. Upstream calls the
//! `volumes` module (`volumes/fs/operations/volume.py`); where no orchestrator is set up, that module does nothing but the
//! monitor commands that are here. With an orchestrator it also starts and stops MDSs, which is refused here.

use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use crate::settings::repr;
use axon_core::{Command, CommandError};
use axon_proto::fs_map::Filesystem;
use http::StatusCode;
use serde_json::{Value, json};

pub async fn create(call: Call) -> Answer {
    let name = call.text("name")?;
    let spec = call.opt_object("service_spec")?;
    if !spec.is_some_and(|spec| spec.get("placement").is_some_and(Value::is_object)) {
        return Err(ApiError::bad_parameter("Parameter service_spec must have an object 'placement'"));
    }
    no_orchestrator(&call)?;
    let refused = |error: CommandError| {
        let spec = call.value("service_spec").map(repr).unwrap_or_default();
        refused(error, |outs| format!("Error creating volume {name} with placement {spec}: {outs}"))
    };
    // An empty name counts as none.
    let pool = |key: &str| call.opt_text(key).map(|name| name.filter(|name| !name.is_empty()));
    match (pool("metadata_pool")?, pool("data_pool")?) {
        (Some(metadata), Some(data)) => new_fs(&call, name, metadata, data).await.map_err(refused)?,
        (None, None) => create_with_pools(&call, name).await.map_err(refused)?,
        (None, Some(_)) => return Err(refused(einval("metadata pool name isn't passed"))),
        (Some(_), None) => return Err(refused(einval("data pool name isn't passed"))),
    }
    Ok(Reply::json(&format!("Volume {name} created successfully")))
}

/// What was made goes again when a later step fails.
async fn create_with_pools(call: &Call, name: &str) -> Result<(), CommandError> {
    let (metadata, data) = (metadata_pool(name), data_pool(name));
    mon(call, Command::plain("osd pool create").arg("pool", metadata.as_str())).await?;
    let bulk = Command::plain("osd pool create").arg("pool", data.as_str()).arg("bulk", true);
    if let Err(error) = mon(call, bulk).await {
        let _ = remove_pool(call, &metadata).await;
        return Err(error);
    }
    if let Err(error) = new_fs(call, name, &metadata, &data).await {
        let _ = remove_pool(call, &data).await;
        let _ = remove_pool(call, &metadata).await;
        return Err(error);
    }
    Ok(())
}

async fn new_fs(call: &Call, name: &str, metadata: &str, data: &str) -> Result<(), CommandError> {
    let command = Command::plain("fs new").arg("fs_name", name).arg("metadata", metadata).arg("data", data);
    mon(call, command).await
}

pub async fn remove(call: Call) -> Answer {
    let name = call.path("name");
    let refusal = |outs: &str| ApiError::uncoded(format!("Error deleting volume {name}: {outs}"), "cephfs");
    let refused = |error| refused(error, |outs| format!("Error deleting volume {name}: {outs}"));
    no_orchestrator(&call)?;
    let allowed = Command::json("config get").arg("who", "mon").arg("key", "mon_allow_pool_delete");
    let allowed: Value = call.dash.cluster.command(axon_core::Target::Mon, allowed).await?.json()?;
    if allowed != json!(true) {
        return Err(refusal(
            "pool deletion is disabled; you must first set the mon_allow_pool_delete config option to true before volumes \
             can be deleted",
        ));
    }
    let Some(fs) = call.state.fs_map.filesystem(name) else {
        return Err(refusal(&format!("volume {name} doesn't exist")));
    };
    let (metadata, data) = pools(&call, fs);
    mon(&call, Command::plain("fs fail").arg("fs_name", name)).await.map_err(refused)?;
    let command = Command::plain("fs rm").arg("fs_name", name).arg("yes_i_really_mean_it", true);
    mon(&call, command).await.map_err(refused)?;
    for pool in [metadata].iter().chain(&data) {
        remove_pool(&call, pool).await.map_err(refused)?;
    }
    Ok(Reply::json(&format!("Volume {name} removed successfully")))
}

pub async fn rename(call: Call) -> Answer {
    let (name, new_name) = (call.text("name")?, call.text("new_name")?);
    let refused = |error: CommandError, what: &str| {
        refused(error, |outs| {
            format!("Error renaming volume {name} to {new_name}: Failed to rename {what}; {outs}")
        })
    };
    no_orchestrator(&call)?;
    let command = Command::plain("fs rename").arg("fs_name", name).arg("new_fs_name", new_name);
    mon(&call, command.arg("yes_i_really_mean_it", true))
        .await
        .map_err(|e| refused(e, &format!("file system '{name}' to '{new_name}'")))?;
    // A repeated request finds the file system under its new name already.
    let map = &call.state.fs_map;
    if let Some(fs) = map.filesystem(name).or_else(|| map.filesystem(new_name)) {
        let (metadata, data) = pools(&call, fs);
        rename_pool(&call, &metadata, &metadata_pool(new_name)).await.map_err(|e| {
            refused(e, &format!("metadata pool '{metadata}' to '{}'", metadata_pool(new_name)))
        })?;
        // Of several data pools none is renamed.
        if let [data] = data.as_slice() {
            rename_pool(&call, data, &data_pool(new_name))
                .await
                .map_err(|e| refused(e, &format!("data pool '{data}' to '{}'", data_pool(new_name))))?;
        }
    }
    Ok(Reply::json(&format!("Volume {name} renamed successfully to {new_name}")))
}

pub async fn auth(call: Call) -> Answer {
    let (fs_name, client) = (call.text("fs_name")?, call.text("client_id")?);
    let mut caps = call.opt_texts("caps")?.unwrap_or_default();
    if call.opt_bool("root_squash")?.unwrap_or(false) {
        caps.insert(caps.len().min(2), "root_squash".to_owned());
    }
    let command = Command::plain("fs authorize").arg("filesystem", fs_name).arg("entity", client);
    let set = mon(&call, command.arg("caps", caps.as_slice())).await;
    set.map_err(|error| {
        refused(error, |outs| {
            format!("Error setting authorization for {client} with {}: {outs}", repr(&json!(caps)))
        })
    })?;
    Ok(Reply::json(&format!("Updated {client} authorization successfully")))
}

/// The MDSs of a cluster with an orchestrator are its own: what it would have to do for the file system is not done here.
fn no_orchestrator(call: &Call) -> Result<(), ApiError> {
    match call.state.module_option("orchestrator", "orchestrator").filter(|name| !name.is_empty()) {
        None => Ok(()),
        Some(name) => {
            let detail = format!(
                "The orchestrator {name} has to start and stop the file system's MDSs; use `ceph fs volume`"
            );
            let error = ApiError::dashboard(detail, "orchestrator_not_served", "cephfs");
            Err(error.with_status(StatusCode::NOT_IMPLEMENTED))
        }
    }
}

/// Names of a file system's metadata pool and data pools.
fn pools(call: &Call, fs: &Filesystem) -> (String, Vec<String>) {
    let name = |id: &i64| call.state.osd_map.pool_name.get(id).cloned().unwrap_or_default();
    (name(&fs.mdsmap.metadata_pool), fs.mdsmap.data_pools.iter().map(name).collect())
}

fn metadata_pool(volume: &str) -> String {
    format!("cephfs.{volume}.meta")
}

fn data_pool(volume: &str) -> String {
    format!("cephfs.{volume}.data")
}

async fn rename_pool(call: &Call, from: &str, to: &str) -> Result<(), CommandError> {
    if from == to {
        return Ok(());
    }
    mon(call, Command::plain("osd pool rename").arg("srcpool", from).arg("destpool", to)).await
}

async fn remove_pool(call: &Call, pool: &str) -> Result<(), CommandError> {
    let command = Command::plain("osd pool rm").arg("pool", pool).arg("pool2", pool);
    mon(call, command.arg("yes_i_really_really_mean_it", true)).await
}

async fn mon(call: &Call, command: Command) -> Result<(), CommandError> {
    call.dash.cluster.mon(command).await.map(drop)
}

fn einval(outs: &str) -> CommandError {
    CommandError::Daemon { errno: 22, outs: outs.to_owned() }
}

/// A monitor's refusal in a sentence; monitors that did not answer are another matter.
fn refused(error: CommandError, sentence: impl Fn(&str) -> String) -> ApiError {
    match error {
        CommandError::Daemon { outs, .. } => ApiError::uncoded(sentence(&outs), "cephfs"),
        other => other.into(),
    }
}
