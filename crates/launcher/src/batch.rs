//! Many commands on one librados connection of the release's own Python binding.
//!
//! The `ceph` program pays half a second and a full authentication per call; bringing a cluster up takes dozens.
//! The script beside this file runs a list of operations in order and answers each.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Cluster;

/// One operation of a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Op {
    /// A monitor command as its JSON object, with input bytes.
    Mon { cmd: Value, input: String },
    /// A command for the active manager.
    Mgr { cmd: Value },
    /// A command for the active manager, or for the one that `target` names itself (`ceph tell`), from an entity with that key.
    MgrAs { entity: String, key: String, target: String, cmd: Value },
    /// `count` objects of `size` bytes in a pool.
    Put { pool: String, object: String, count: u32, size: u32 },
    /// Initialises a pool for RBD and makes one image of `size` bytes.
    RbdImage { pool: String, image: String, size: u64 },
    /// `count` OSDs that exist only in the maps, placed below the CRUSH root `root`.
    EmptyOsds { count: u32, root: String, per_host: u32, threads: u32 },
}

impl Op {
    pub fn mon(cmd: Value) -> Op {
        Op::Mon { cmd, input: String::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reply {
    /// Zero or a negative errno.
    pub ret: i32,
    pub out: String,
    pub err: String,
}

impl Reply {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).context("a command's answer is not JSON")
    }
}

impl Cluster {
    /// Runs all operations and gives all replies, whatever they are.
    pub fn batch(&self, ops: &[Op], timeout_secs: u32) -> Result<Vec<Reply>> {
        let mut command = self.root().command("/usr/bin/python3");
        command.arg("-c").arg(SCRIPT).arg(self.conf_path()).arg(timeout_secs.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run python3 of the release")?;
        let mut stdin = child.stdin.take().context("python3 has no stdin")?;
        // A child that ended early breaks the pipe; its own message, read below, says more than that.
        let _ = stdin.write_all(&serde_json::to_vec(ops)?);
        drop(stdin);
        let out = child.wait_with_output()?;
        if !out.status.success() {
            bail!("monitor commands failed: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
        let text = String::from_utf8_lossy(&out.stdout);
        text.lines().map(|l| serde_json::from_str(l).with_context(|| format!("odd reply {l:?}"))).collect()
    }

    /// Runs all operations and fails on the first that failed.
    pub fn batch_ok(&self, ops: &[Op], timeout_secs: u32) -> Result<Vec<Reply>> {
        let replies = self.batch(ops, timeout_secs)?;
        for (op, reply) in ops.iter().zip(&replies) {
            if reply.ret != 0 {
                bail!("{} failed with {}: {}", describe(op), reply.ret, reply.err);
            }
        }
        Ok(replies)
    }

    /// One monitor command that must succeed; the answer's text.
    pub fn mon_command(&self, cmd: Value) -> Result<String> {
        let mut replies = self.batch_ok(&[Op::mon(cmd)], 30)?;
        Ok(replies.pop().context("no reply")?.out)
    }
}

/// Names an operation in an error without its input, which may be a key.
fn describe(op: &Op) -> String {
    match op {
        Op::Mon { cmd, .. } | Op::Mgr { cmd } | Op::MgrAs { cmd, .. } => {
            format!("command {}", cmd.get("prefix").and_then(Value::as_str).unwrap_or("?"))
        }
        Op::Put { pool, .. } => format!("writing objects to pool {pool}"),
        Op::RbdImage { pool, image, .. } => format!("making image {pool}/{image}"),
        Op::EmptyOsds { count, .. } => format!("making {count} empty OSDs"),
    }
}

const SCRIPT: &str = include_str!("batch.py");
