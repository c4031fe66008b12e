//! What the web UI asks at once: everything that its page of a file system shows, and which pools are taken.

use super::{clients, fs_id, status};
use crate::http::operation::Answer;
use crate::http::{Call, Reply};
use serde_json::{Value, json};

pub async fn tabs(call: Call) -> Answer {
    let id = fs_id(&call)?;
    let status = status::of(&call, id)?;
    let standbys: Vec<&str> = status.standbys.iter().map(|standby| standby.name.as_str()).collect();
    let pools: Vec<Value> = status
        .cephfs
        .pools
        .iter()
        .map(|pool| {
            let mut shown = json!(pool);
            shown["size"] = json!(pool.used.saturating_add(pool.avail));
            shown
        })
        .collect();
    let mut counters = status::counters_of(&call.state, id, None);
    for (name, counters) in &mut counters {
        counters["name"] = json!(name);
    }
    Ok(Reply::json(&json!({
        "pools": pools,
        "ranks": status.cephfs.ranks,
        "name": status.cephfs.name,
        "standbys": standbys.join(", "),
        "mds_counters": counters,
        "clients": clients::view(&call.dash, id.0, true).await?,
    })))
}

pub fn used_pools(call: &Call) -> Answer {
    let maps = call.state.fs_map.filesystems.values().map(|fs| &fs.mdsmap);
    let pools: Vec<i64> =
        maps.flat_map(|map| map.data_pools.iter().copied().chain([map.metadata_pool])).collect();
    Ok(Reply::json(&pools))
}
