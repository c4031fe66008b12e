//! File systems: what they are and do, their clients, and making, renaming and removing them (`controllers/cephfs.py`).
//!
//! `status.rs` answers from the snapshot, `clients.rs` by the MDS, `volume.rs` by the monitors, `ui.rs` for the web UI.
//! Not here: what needs a mounted file system (directories, quotas, snapshots, subvolumes).

mod clients;
mod status;
mod ui;
mod volume;

use crate::access::scope::Scope;
use crate::http::operation::{Kind, Param, Resource, now};
use crate::http::{ApiError, Call, Operation};
use crate::later;
use crate::release::Release;

pub use clients::Clients;

const NAME: Param = Param::body("name", Kind::Text).required();

pub const RESOURCE: Resource = Resource {
    tag: "Cephfs",
    doc: "Cephfs Management API",
    operations: &[
        Operation::get("/api/cephfs", now(status::list)).scope(Scope::Cephfs),
        Operation::post("/api/cephfs", later!(volume::create))
            .scope(Scope::Cephfs)
            .since(Release::Reef)
            .params(&[
                NAME,
                Param::body("service_spec", Kind::Object).required(),
                Param::body("data_pool", Kind::Text).since(Release::Tentacle),
                Param::body("metadata_pool", Kind::Text).since(Release::Tentacle),
            ]),
        Operation::put("/api/cephfs/auth", later!(volume::auth))
            .scope(Scope::Cephfs)
            .since(Release::Reef)
            .summary("Set Ceph authentication capabilities for the specified user ID in the given path")
            .params(&[
                Param::body("fs_name", Kind::Text).required().doc("File system name"),
                Param::body("client_id", Kind::Text).required().doc("Cephx user ID"),
                Param::body("caps", Kind::List).required().doc("Path and given capabilities"),
                Param::body("root_squash", Kind::Bool).required().doc("Whether root is squashed"),
            ]),
        Operation::delete("/api/cephfs/remove/{name}", later!(volume::remove))
            .scope(Scope::Cephfs)
            .since(Release::Reef)
            .status(200)
            .summary("Remove CephFS Volume"),
        Operation::put("/api/cephfs/rename", later!(volume::rename))
            .scope(Scope::Cephfs)
            .since(Release::Reef)
            .empty_body()
            .summary("Rename CephFS Volume")
            .params(&[
                NAME.doc("Existing FS Name"),
                Param::body("new_name", Kind::Text).required().doc("New FS Name"),
            ]),
        Operation::get("/api/cephfs/{fs_id}", now(status::get)).scope(Scope::Cephfs),
        Operation::delete("/api/cephfs/{fs_id}/client/{client_id}", later!(clients::evict))
            .scope(Scope::Cephfs)
            .status(200),
        Operation::get("/api/cephfs/{fs_id}/clients", later!(clients::list))
            .scope(Scope::Cephfs)
            .until(Release::Reef),
        // Takes `suppress_client_ls_errors`, which upstream does not document, and whatever else is sent.
        Operation::get("/api/cephfs/{fs_id}/clients", later!(clients::list))
            .scope(Scope::Cephfs)
            .since(Release::Reef)
            .open(),
        Operation::get("/api/cephfs/{fs_id}/mds_counters", now(status::mds_counters))
            .scope(Scope::Cephfs)
            .params(&[Param::query("counters", Kind::List)]),
    ],
};

pub const UI: Resource = Resource {
    tag: "CephFSUi",
    doc: "Dashboard UI helper function; not part of the public API",
    operations: &[
        Operation::get("/ui-api/cephfs/used-pools", now(ui::used_pools))
            .scope(Scope::Cephfs)
            .since(Release::Tentacle),
        Operation::get("/ui-api/cephfs/{fs_id}/tabs", later!(ui::tabs)).scope(Scope::Cephfs),
    ],
};

/// A file system's id as a client may write it: any whole number, whether there is such a file system or not.
fn fs_id(call: &Call) -> Result<FsId, ApiError> {
    let text = call.path("fs_id");
    let number = text.trim().parse().map_err(|_| {
        ApiError::dashboard(format!("Invalid cephfs ID {text}"), "invalid_cephfs_id", "cephfs")
    })?;
    Ok(FsId(number))
}

#[derive(Clone, Copy)]
struct FsId(i128);

impl FsId {
    /// As the map has it; no file system has the number -1.
    fn fscid(self) -> i32 {
        i32::try_from(self.0).unwrap_or(-1)
    }
}

impl std::fmt::Display for FsId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
