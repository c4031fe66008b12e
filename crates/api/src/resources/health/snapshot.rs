//! `health/snapshot`: what `ceph status` says in numbers. Upstream asks a monitor each time; the manager has all of it.

use super::{Parts, gateways, picked, rgw_count};
use crate::access::scope::Scope;
use crate::http::Call;
use crate::http::operation::Answer;
use crate::kept::json;
use axon_proto::fs_map::{FsMap, MdsState};
use serde_json::{Value, json};

pub async fn snapshot(call: Call) -> Answer {
    let iscsi = gateways::iscsi(&call).await;
    let mut parts = Parts::new(&call);
    let now = &call.state;
    parts.put("fsid", &now.fsid);
    parts.put("health", &health(&now.health));
    parts.part(Scope::Monitor, "monmap", || {
        let quorum = now.mon_status.get("quorum").cloned().unwrap_or_else(|| json!({}));
        json(&json!({"num_mons": now.mon_map.mon_info.len(), "quorum": quorum}))
    });
    parts.part(Scope::Osd, "osdmap", || {
        let (num_osds, up, r#in) = now.osd_map.counts();
        json(&json!({"in": r#in, "up": up, "num_osds": num_osds}))
    });
    parts.part(Scope::Osd, "pgmap", || {
        let keys = ["pgs_by_state", "num_pools", "write_bytes_sec", "read_bytes_sec"];
        let more = ["bytes_used", "bytes_total", "num_pgs", "recovering_bytes_per_sec"];
        json(&picked(&now.pg_map.summary_json(), &[keys, more].concat()))
    });
    parts.part(Scope::Manager, "mgrmap", || {
        let map = &now.mgr_map;
        json(&json!({"num_active": u8::from(map.available), "num_standbys": map.standbys.len()}))
    });
    parts.part(Scope::Cephfs, "fsmap", || json(&fsmap(&now.fs_map)));
    parts.part(Scope::Rgw, "num_rgw_gateways", || json(&rgw_count(&call)));
    parts.part(Scope::Iscsi, "num_iscsi_gateways", || json(&iscsi));
    // Without an orchestrator no host has a status, and a host without one counts as available.
    parts.part(Scope::Hosts, "num_hosts", || json(&now.daemons.num_servers()));
    parts.part(Scope::Hosts, "num_hosts_available", || json(&now.daemons.num_servers()));
    Ok(parts.reply())
}

/// As `ceph status` has it: without the details.
fn health(health: &Value) -> Value {
    let mut checks = health.get("checks").cloned().unwrap_or_else(|| json!({}));
    for check in checks.as_object_mut().into_iter().flat_map(|checks| checks.values_mut()) {
        if let Some(check) = check.as_object_mut() {
            check.shift_remove("detail");
        }
    }
    let mutes = health.get("mutes").cloned().unwrap_or_else(|| json!([]));
    json!({"status": health.get("status"), "checks": checks, "mutes": mutes})
}

/// Daemons that serve a rank, and those that wait for one, replaying or not.
fn fsmap(map: &FsMap) -> Value {
    let (mut active, mut replaying) = (0, 0);
    for info in map.filesystems.values().flat_map(|fs| fs.mdsmap.info.values()) {
        if info.state == MdsState::STANDBY_REPLAY && info.laggy_since.is_zero() {
            replaying += 1;
        } else if info.state.name().starts_with("up:") {
            active += 1;
        }
    }
    json!({"num_active": active, "num_standbys": map.standbys.len() + replaying})
}
