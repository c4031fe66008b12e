//! Commands to the cluster's daemons: where one goes, what it carries, what comes back. Upstream: `CommandResult`,
//! `MonClient::start_mon_command`, `Objecter::osd_command`, `Client::mds_command`.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Which daemon a command is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Any monitor (the leader executes it).
    Mon,
    /// The monitor of that name (`tell mon.a`).
    MonNamed(String),
    /// `osd.N`.
    Osd(i32),
    /// An MDS by what an operator types: gid, rank, `fs:rank` or name.
    Mds(String),
    /// The primary OSD of a placement group, `pool.seed` with the seed in hexadecimal.
    Pg(String),
    /// The active manager: this process, where it is one.
    Mgr,
    /// The manager of that name itself (`tell mgr.x`).
    MgrNamed(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Mon => f.write_str("mon"),
            Target::MonNamed(name) => write!(f, "mon.{name}"),
            Target::Osd(id) => write!(f, "osd.{id}"),
            Target::Mds(spec) => write!(f, "mds.{spec}"),
            Target::Pg(pgid) => write!(f, "pg.{pgid}"),
            Target::Mgr => f.write_str("mgr"),
            Target::MgrNamed(name) => write!(f, "mgr.{name}"),
        }
    }
}

/// As behind `ceph tell`, and `mon` and `mgr` for any monitor and the active manager.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let (kind, id) = text.split_once('.').unwrap_or((text, ""));
        let given = || {
            if id.is_empty() {
                Err(format!("{kind}. needs a name behind the dot"))
            } else {
                Ok(id.to_owned())
            }
        };
        match kind {
            "mon" if id.is_empty() => Ok(Target::Mon),
            "mon" => Ok(Target::MonNamed(id.to_owned())),
            "mgr" if id.is_empty() => Ok(Target::Mgr),
            "mgr" => Ok(Target::MgrNamed(id.to_owned())),
            "osd" => id.parse().map(Target::Osd).map_err(|_| format!("{text:?}: osd.N was expected")),
            "mds" => given().map(Target::Mds),
            "pg" => given().map(Target::Pg),
            _ => Err(format!("{text:?} is no mon, osd.N, mds.NAME, pg.POOL.SEED or mgr")),
        }
    }
}

/// A command: its JSON object (`prefix` and arguments), input data, and how long the caller waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub args: Map<String, Value>,
    pub input: Bytes,
    pub deadline: Duration,
}

impl Command {
    /// How long a caller waits when nothing else is said.
    pub const DEADLINE: Duration = Duration::from_secs(30);

    /// `{"prefix": prefix, "format": "json"}`.
    #[must_use]
    pub fn json(prefix: &str) -> Self {
        Self::plain(prefix).arg("format", "json")
    }

    /// `{"prefix": prefix}`.
    #[must_use]
    pub fn plain(prefix: &str) -> Self {
        let mut args = Map::new();
        args.insert("prefix".to_owned(), Value::from(prefix));
        Command { args, input: Bytes::new(), deadline: Self::DEADLINE }
    }

    /// With another argument.
    #[must_use]
    pub fn arg(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.args.insert(key.to_owned(), value.into());
        self
    }

    /// With input data (`-i` of the CLI).
    #[must_use]
    pub fn input(mut self, input: impl Into<Bytes>) -> Self {
        self.input = input.into();
        self
    }

    /// The command's prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.args.get("prefix").and_then(Value::as_str).unwrap_or_default()
    }

    /// The JSON text that travels.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A map with text keys always has a text.
        serde_json::to_string(&self.args).unwrap_or_default()
    }
}

/// A daemon's answer to a command that it ran: return code (0, or a negative errno), status text, output data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutput {
    pub retval: i32,
    pub outs: String,
    pub outbl: Bytes,
}

impl CommandOutput {
    /// Success with output data.
    #[must_use]
    pub fn ok(outbl: impl Into<Bytes>) -> Self {
        CommandOutput { retval: 0, outs: String::new(), outbl: outbl.into() }
    }

    /// A failure; `errno` positive.
    #[must_use]
    pub fn failed(errno: i32, outs: impl Into<String>) -> Self {
        CommandOutput { retval: -errno.abs(), outs: outs.into(), outbl: Bytes::new() }
    }

    /// The output when the daemon succeeded, its error otherwise.
    pub fn success(self) -> Result<Bytes, CommandError> {
        if self.retval < 0 {
            return Err(CommandError::Daemon { errno: -self.retval, outs: self.outs });
        }
        Ok(self.outbl)
    }

    /// The output as JSON when the daemon succeeded.
    pub fn json(self) -> Result<Value, CommandError> {
        let bytes = self.success()?;
        serde_json::from_slice(&bytes).map_err(|e| CommandError::BadOutput(e.to_string()))
    }
}

/// Why a command has no answer, or a bad one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The daemon ran it and said no.
    #[error("[errno {errno}] {outs}")]
    Daemon { errno: i32, outs: String },
    /// It never reached a daemon.
    #[error("{target} cannot be reached: {why}")]
    Unreachable { target: String, errno: i32, why: String },
    /// The deadline passed; whether it ran is not known when `sent`.
    #[error("no answer within {secs} s{}", if *.sent { "; whether it ran is not known" } else { "" })]
    Deadline { secs: u64, sent: bool },
    /// The session ended after the command was sent, and sending it again could run it twice.
    #[error("the session to {target} was lost; whether the command ran is not known")]
    Lost { target: String },
    /// The daemon's output is not what the caller needs.
    #[error("unexpected output: {0}")]
    BadOutput(String),
}

impl CommandError {
    /// Upstream's errno (positive) for it.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            CommandError::Daemon { errno, .. } | CommandError::Unreachable { errno, .. } => *errno,
            CommandError::Deadline { .. } => 110,
            CommandError::Lost { .. } => 104,
            CommandError::BadOutput(_) => 22,
        }
    }
}

/// Carries commands to daemons. `axon-net` implements it for the real cluster, a test by a table.
/// Dropping the future frees everything that waits for the answer.
pub trait CommandSink: Send + Sync {
    fn command(&self, target: Target, command: Command)
    -> BoxFuture<'_, Result<CommandOutput, CommandError>>;
}

/// A shared sink.
pub type Commands = Arc<dyn CommandSink>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_as_behind_ceph_tell() {
        let target = |text: &str| text.parse::<Target>();
        assert_eq!(target("mon"), Ok(Target::Mon));
        assert_eq!(target("mon.a.b"), Ok(Target::MonNamed("a.b".into())));
        assert_eq!(target("osd.12"), Ok(Target::Osd(12)));
        assert_eq!(target("mds.demo:0"), Ok(Target::Mds("demo:0".into())));
        assert_eq!(target("pg.1.a"), Ok(Target::Pg("1.a".into())));
        assert_eq!(target("mgr.x"), Ok(Target::MgrNamed("x".into())));
        assert!(target("osd.x").is_err() && target("mds").is_err() && target("rgw.a").is_err());
    }
}
