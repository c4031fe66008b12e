//! What the manager answers as a client: `objecter_requests` (`Objecter::dump_requests`, `src/osdc/Objecter.cc`), and `mds_requests`,
//! `mds_sessions`, `dump_cache`, `kick_stale_sessions` (`Client::CommandHook`, `src/client/Client.cc`).
//!
//! Invariants: of `objecter_requests` only commands to OSDs and placement groups exist, a manager reads and writes no objects. The
//! process mounts no file system: commands to MDSs need no session of a mount, with upstream neither, so there is none to show or to
//! kick. What a module mounts, it mounts in its own process.

use super::{Answer, Ask, Row, active, row, since, until};
use axon_proto::pg::Pg;
use axon_proto::{AddrType, EntityAddr, EntityName, EntityType, Release};
use serde_json::{Value, json};

pub(super) const ROWS: &[Row] = &[
    row("objecter_requests", "show in-progress osd requests", objecter_requests),
    until(Release::Tentacle, row("mds_requests", MDS_REQUESTS, |_| Answer::json(json!({})))),
    until(Release::Tentacle, row(MDS_SESSIONS, MDS_SESSIONS_HELP, mds_sessions)),
    until(Release::Tentacle, row("dump_cache", DUMP_CACHE, dump_cache)),
    until(Release::Tentacle, row("kick_stale_sessions", KICK, |_| Answer::json(json!({})))),
    // Since then they are there once a module has mounted a file system, as `volumes` does soon after the start.
    of_mounts(row("mds_requests", MDS_REQUESTS, |_| Answer::json(json!({ "requests": [] })))),
    of_mounts(row(MDS_SESSIONS, MDS_SESSIONS_HELP, mds_sessions)),
    of_mounts(row("dump_cache", DUMP_CACHE, dump_cache)),
    of_mounts(row("kick_stale_sessions", KICK, |_| Answer::json(json!({})))),
];

const MDS_REQUESTS: &str = "show in-progress mds requests";
const MDS_SESSIONS: &str = "mds_sessions name=cap_dump,type=CephBool,req=false";
const MDS_SESSIONS_HELP: &str = "show mds session state";
const DUMP_CACHE: &str = "show in-memory metadata cache contents";
const KICK: &str = "kick sessions that were remote reset";

const fn of_mounts(row: Row) -> Row {
    active(since(Release::Tentacle, row))
}

/// A command that an OSD has not answered yet (`CommandOp`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOp {
    /// Counted over all commands to OSDs of the process.
    pub command_id: u64,
    /// Whose session it is on; `None` while the map is awaited.
    pub osd: Option<i32>,
    /// As it is sent: JSON.
    pub command: String,
    pub target: CommandOpTarget,
}

/// Whom a command to OSDs is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOpTarget {
    Osd(i32),
    /// As the caller named it.
    Pg(String),
}

impl CommandOp {
    fn json(&self) -> Value {
        let mut op = json!({
            "command_id": self.command_id, "osd": self.osd.unwrap_or(-1), "command": [self.command],
        });
        let (key, value) = match &self.target {
            CommandOpTarget::Osd(id) => ("target_osd", Value::from(*id)),
            CommandOpTarget::Pg(named) => {
                ("target_pg", named.parse::<Pg>().map_or_else(|_| named.clone(), |pg| pg.to_string()).into())
            }
        };
        if let Some(op) = op.as_object_mut() {
            op.insert(key.to_owned(), value);
        }
        op
    }
}

fn objecter_requests(ask: &Ask<'_>) -> Answer {
    let ops: Vec<Value> = ask.own.command_ops.iter().map(CommandOp::json).collect();
    Answer::json(json!({
        "ops": [], "linger_ops": [], "pool_ops": [], "pool_stat_ops": [], "statfs_ops": [], "command_ops": ops,
    }))
}

/// The client's own name and address; without a mount it has no id and no map.
fn mds_sessions(ask: &Ask<'_>) -> Answer {
    let name = EntityName::new(EntityType::MGR, ask.state.me.gid.cast_signed());
    let addr =
        ask.own.addr.map_or_else(EntityAddr::default, |addr| EntityAddr { kind: AddrType::LEGACY, ..addr });
    Answer::json(json!({
        "id": 0,
        "inst": { "name": { "type": name.kind.name(), "num": name.num }, "addr": addr },
        "inst_str": format!("{name} {addr}"),
        "addr_str": addr.to_string(),
        "sessions": [],
        "mdsmap_epoch": 0,
    }))
}

fn dump_cache(_: &Ask<'_>) -> Answer {
    Answer::json(json!({ "cache": [] }))
}
