//! What the owner wants done.

use super::SessionId;
use axon_core::Command;
use axon_core::daemons::DaemonKey;
use axon_proto::Message;
use bytes::Bytes;

/// One thing to do, carried out by `run`.
#[derive(Debug)]
pub enum Effect {
    /// Send to the monitors.
    ToMon(Message),
    /// Send on a daemon's or client's session.
    ToDaemon(SessionId, Message),
    /// Close a session; the peer connects again when it wants to.
    Close(SessionId),
    /// Bind the daemons' address, load all metadata, start the REST server.
    Activate,
    /// Close all sessions and stop serving.
    Deactivate,
    /// Ask the monitors for a daemon's metadata; the answer comes back by `handle_metadata`.
    FetchMetadata { key: DaemonKey, command: Command, addr: Option<String> },
    /// Send a command to the monitors; only the log hears how it went.
    MonCommand(Command),
    /// A line for the machine's syslog; facility with level.
    Syslog { priority: u8, text: String },
    /// Ask for a full OSD map: an increment did not fit.
    FullOsdMap,
    /// Subscribe to the monitors' digests anew: the subscription that stands may have fallen silent.
    AskDigest,
    /// Tell the stock modules that something has changed (`ActivePyModules::notify_all`).
    Notify(&'static str),
    /// Tell them that options may have changed.
    ConfigNotify,
    /// Run a command that came on a session and answer it there.
    Run(Request),
}

/// A command that a client or daemon sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub session: SessionId,
    pub tid: u64,
    /// `MCommand` (answered by `MCommandReply`) rather than `MMgrCommand`.
    pub tell: bool,
    /// `tell` with the cluster's id: for the daemon itself, not for the manager's command table.
    pub admin_socket: bool,
    pub cmd: Vec<String>,
    pub input: Bytes,
}
