//! Whether the cluster's installation is finished (`controllers/cluster.py`, `services/cluster.py`).

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use serde_json::json;

pub const RESOURCE: Resource = Resource {
    tag: "Cluster",
    doc: "Get Cluster Details",
    operations: &[
        Operation::get("/api/cluster", now(status))
            .scope(Scope::ConfigOpt)
            .version(0, 1)
            .summary("Get the cluster status"),
        Operation::put("/api/cluster", later!(set))
            .scope(Scope::ConfigOpt)
            .version(0, 1)
            .summary("Update the cluster status")
            .params(&[Param::body("status", Kind::Text).required().doc("Cluster Status")]),
    ],
};

/// Where it is stored.
pub const KEY: &str = "cluster/status";
/// What is assumed when nothing is stored.
pub const DEFAULT: &str = "POST_INSTALLED";

fn status(call: &Call) -> Answer {
    Ok(Reply::json(&json!({"status": call.dash.stored(KEY).unwrap_or_else(|| DEFAULT.to_owned())})))
}

async fn set(call: Call) -> Answer {
    let status = call.text("status")?;
    if !["INSTALLED", DEFAULT].contains(&status) {
        return Err(ApiError::bad_parameter("status must be INSTALLED or POST_INSTALLED"));
    }
    call.dash.store(KEY, Some(status)).await?;
    Ok(Reply::null())
}
