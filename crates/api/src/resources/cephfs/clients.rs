//! The clients of a file system, as its MDS of rank 0 lists them, and sending one away.

use super::fs_id;
use crate::Dashboard;
use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use crate::release::Release;
use crate::view_cache::{View, ViewCache, ViewError};
use axon_core::{Cluster, Command, CommandError, Target};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lists of clients by file system, kept for a moment as upstream does.
pub type Clients = ViewCache<i128, Arc<Vec<Value>>, CommandError>;

pub async fn list(call: Call) -> Answer {
    let suppress = suppresses_errors(&call)?;
    Ok(Reply::json(&view(&call.dash, fs_id(&call)?.0, suppress).await?))
}

pub async fn evict(call: Call) -> Answer {
    let id = fs_id(&call)?;
    let text = call.path("client_id");
    let client: i128 = text.trim().parse().map_err(|_| {
        ApiError::dashboard(format!("Invalid cephfs client ID {text}"), "invalid_cephfs_client_id", "cephfs")
    })?;
    let clients = view(&call.dash, id.0, true).await?;
    let known = |listed: &Value| listed["id"].as_i64().map(i128::from) == Some(client);
    if !clients["data"].as_array().is_some_and(|clients| clients.iter().any(known)) {
        let detail = format!("Client {client} does not exist in cephfs {id}");
        return Err(ApiError::http(StatusCode::NOT_FOUND, detail));
    }
    let command = Command::json("client evict").arg("filters", vec![format!("id={client}")]);
    call.dash.cluster.command(rank_0(id.0), command).await?.success()?;
    Ok(Reply::null())
}

/// `{"status", "data"}`.
pub async fn view(dash: &Dashboard, id: i128, suppress: bool) -> Result<Value, ApiError> {
    let cluster = dash.cluster.clone();
    let answer = match dash.clients.view(id, || fetch(cluster, id)).await {
        Err(ViewError::Failed(CommandError::Unreachable { .. })) if silent(dash, id) => {
            if !suppress {
                return Err(ApiError::internal(format!(
                    "Could not fetch client(s), maybe there is no active MDS on CephFS {id} or the FS is in failed state."
                )));
            }
            View { value: Arc::default(), stale: false }
        }
        Err(ViewError::Failed(CommandError::Unreachable { .. })) if !exists(dash, id) => {
            return Err(ApiError::http(StatusCode::NOT_FOUND, format!("No cephfs with id {id}")));
        }
        Err(ViewError::Failed(error)) => return Err(error.into()),
        Err(ViewError::NoDataYet) => return Err(ApiError::NoDataYet),
        Ok(view) => view,
    };
    Ok(json!({"status": answer.status(), "data": answer.value.as_slice()}))
}

async fn fetch(cluster: Cluster, id: i128) -> Result<Arc<Vec<Value>>, CommandError> {
    let listed = cluster.command(rank_0(id), Command::json("session ls")).await?.json()?;
    let Value::Array(mut clients) = listed else {
        return Err(CommandError::BadOutput("session ls is not a list".to_owned()));
    };
    clients.iter_mut().for_each(describe);
    Ok(Arc::new(clients))
}

/// Adds what kernel and library clients tell by different names.
fn describe(client: &mut Value) {
    let metadata = client["client_metadata"].take();
    let (kind, version) = match (metadata.get("ceph_version"), metadata.get("kernel_version")) {
        (Some(version), _) => ("userspace", version),
        (None, Some(version)) => ("kernel", version),
        (None, None) => ("unknown", &json!("")),
    };
    let told = |key: &str| metadata.get(key).filter(|_| kind != "unknown").cloned();
    if let Some(client) = client.as_object_mut() {
        client.insert("type".to_owned(), json!(kind));
        client.insert("version".to_owned(), version.clone());
        client.insert("hostname".to_owned(), told("hostname").unwrap_or_else(|| json!("")));
        if let Some(root) = told("root") {
            client.insert("root".to_owned(), root);
        }
    }
    client["client_metadata"] = metadata;
}

fn suppresses_errors(call: &Call) -> Result<bool, ApiError> {
    match call.value("suppress_client_ls_errors") {
        None => Ok(true),
        Some(Value::String(flag)) if flag == "True" => Ok(true),
        Some(Value::String(flag)) if flag == "False" => Ok(false),
        Some(flag) => Err(ApiError::uncoded(
            format!(
                "suppress_client_ls_errors value needs to be either True or False but provided \"{}\"",
                crate::settings::repr(flag)
            ),
            "cephfs",
        )),
    }
}

fn rank_0(id: i128) -> Target {
    Target::Mds(format!("{id}:0"))
}

/// Since Reef an MDS that cannot be asked has no clients, unless the errors are wanted; on Reef, neither has a file system that
/// does not exist.
fn silent(dash: &Dashboard, id: i128) -> bool {
    match dash.release() {
        Release::Pacific => false,
        Release::Reef => true,
        Release::Tentacle => exists(dash, id),
    }
}

fn exists(dash: &Dashboard, id: i128) -> bool {
    i32::try_from(id).is_ok_and(|id| dash.state().fs_map.filesystems.contains_key(&id))
}
