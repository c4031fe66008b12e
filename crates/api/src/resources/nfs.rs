//! NFS exports: for now the web UI's list of file systems alone (`controllers/nfs.py`).

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Resource, now};
use crate::http::{Call, Operation, Reply};
use serde_json::{Value, json};

pub const UI: Resource = Resource {
    tag: "NFS-Ganesha UI",
    doc: "What the web UI asks about NFS",
    operations: &[
        Operation::get("/ui-api/nfs-ganesha/cephfs/filesystems", now(filesystems)).scope(Scope::NfsGanesha)
    ],
};

fn filesystems(call: &Call) -> Answer {
    let all = call.state.fs_map.filesystems.values();
    let names: Vec<Value> = all.map(|fs| json!({"id": fs.id, "name": fs.mdsmap.fs_name})).collect();
    Ok(Reply::json(&names))
}
