//! Managers: Axon, upstream's, or both, each with a dashboard port of its own.
//!
//! Axon is `mgr.x`; beside it upstream's is `mgr.y`. Alone, upstream's is `mgr.x`. The program of Axon is copied into
//! the cluster's folder at each start: visible inside the release's root, and not changed by a build meanwhile.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::conf::Family;
use crate::process::Process;
use crate::{Cluster, Op, Progress};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Axon,
    Ceph,
}

/// Which managers a cluster starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managers {
    None,
    Axon,
    Ceph,
    Both,
}

impl Managers {
    pub fn has_axon(self) -> bool {
        matches!(self, Managers::Axon | Managers::Both)
    }

    fn list(self) -> &'static [(Kind, &'static str)] {
        match self {
            Managers::None => &[],
            Managers::Axon => &[(Kind::Axon, "x")],
            Managers::Ceph => &[(Kind::Ceph, "x")],
            Managers::Both => &[(Kind::Axon, "x"), (Kind::Ceph, "y")],
        }
    }
}

impl FromStr for Managers {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Managers> {
        Ok(match s {
            "none" => Managers::None,
            "axon" => Managers::Axon,
            "ceph" => Managers::Ceph,
            "both" => Managers::Both,
            _ => bail!("unknown manager {s:?}: use axon, ceph, both or none"),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerRecord {
    pub id: String,
    pub kind: Kind,
    /// Plain HTTP of its dashboard.
    pub http_port: u16,
    /// HTTPS of its dashboard, when `mgr/dashboard/ssl` is on.
    pub https_port: u16,
    #[serde(default)]
    pub family: Family,
}

impl ManagerRecord {
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.family.host(), self.http_port)
    }
}

impl Cluster {
    pub(crate) fn start_managers(&mut self, managers: Managers, progress: Progress) -> Result<()> {
        for (kind, id) in managers.list() {
            progress(&format!("starting manager mgr.{id} ({kind:?})"));
            self.start_manager(*kind, id)?;
            if managers == Managers::Both && *kind == Kind::Axon {
                self.wait_manager(id, Duration::from_secs(30))?;
            }
        }
        Ok(())
    }

    /// Starts a manager `mgr.<id>`, with its key and ports made on first use. A running one is left alone.
    pub fn start_manager(&mut self, kind: Kind, id: &str) -> Result<Process> {
        match self.manager(id) {
            Some(known) if known.kind == kind => {}
            Some(_) => bail!("mgr.{id} is the other kind of manager; use another id"),
            None => {
                let caps = ["mon", "profile mgr", "osd", "allow *", "mds", "allow *"];
                self.write_key("mgr", id, &caps)?;
                let n = u16::try_from(self.state.managers.len())?;
                let http_port = self.state.ports.dashboard(n);
                let family = self.state.family;
                let record =
                    ManagerRecord { id: id.into(), kind, http_port, https_port: http_port + 1, family };
                self.batch_ok(&port_options(&record), 30)?;
                self.state.managers.push(record);
                self.save()?;
            }
        }
        self.start(&format!("mgr.{id}"))
    }

    /// Uses another `axon` program from the next start of a manager on.
    pub fn set_axon(&mut self, program: &Path) -> Result<()> {
        let program = program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?;
        self.state.axon = Some(program);
        self.save()
    }

    pub fn manager(&self, id: &str) -> Option<&ManagerRecord> {
        self.state.managers.iter().find(|m| m.id == id)
    }

    pub(crate) fn start_recorded_manager(&self, id: &str) -> Result<Process> {
        let record = self.manager(id).with_context(|| format!("no mgr.{id} in this cluster"))?;
        let command = match record.kind {
            Kind::Ceph => self.daemon("ceph-mgr", id),
            Kind::Axon => {
                let mut command = self.root.command(self.place_axon()?);
                command.args(["mgr", "-i", id, "-f", "-c"]).arg(self.conf_path());
                command
            }
        };
        Process::spawn(&self.dir, &format!("mgr.{id}"), command)
    }

    fn place_axon(&self) -> Result<std::path::PathBuf> {
        let source = self.state.axon.as_deref().context("no axon program was given to this cluster")?;
        let placed = self.dir.join("bin/axon");
        let fresh = self.dir.join("bin/axon.new");
        std::fs::copy(source, &fresh).with_context(|| format!("cannot copy {}", source.display()))?;
        // Rename, not overwrite: a running program's file cannot be written to.
        std::fs::rename(&fresh, &placed)?;
        Ok(placed)
    }

    /// The dashboard listens on loopback without TLS, on ports set per manager below.
    pub(crate) fn settle_ports(&self) -> Result<()> {
        let host = self.state.family.host();
        let all = [("server_addr", host.trim_matches(['[', ']'])), ("ssl", "false")];
        let ops: Vec<Op> = all.iter().map(|(k, v)| set_option(&format!("mgr/dashboard/{k}"), v)).collect();
        self.batch_ok(&ops, 30).map(|_| ())
    }

    /// Waits until `mgr.<id>` is the active manager and available.
    pub fn wait_manager(&self, id: &str, at_most: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let dump: Value =
                serde_json::from_str(&self.mon_command(json!({"prefix": "mgr dump", "format": "json"}))?)?;
            let available = dump.get("available").and_then(Value::as_bool) == Some(true);
            if available && dump.get("active_name").and_then(Value::as_str) == Some(id) {
                return Ok(());
            }
            if !self.process(&format!("mgr.{id}"))?.is_alive() {
                bail!("mgr.{id} ended: {}", self.last_words(&format!("mgr.{id}")));
            }
            if begun.elapsed() > at_most {
                bail!("mgr.{id} is not active after {} s", at_most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

fn port_options(record: &ManagerRecord) -> Vec<Op> {
    let id = &record.id;
    vec![
        set_option(&format!("mgr/dashboard/{id}/server_port"), &record.http_port.to_string()),
        set_option(&format!("mgr/dashboard/{id}/ssl_server_port"), &record.https_port.to_string()),
    ]
}

/// `force`: the monitors know a module's options only once a manager has told them.
fn set_option(name: &str, value: &str) -> Op {
    Op::mon(json!({"prefix": "config set", "who": "mgr", "name": name, "value": value, "force": true}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_managers_have_ids_of_their_own_and_axon_comes_first() {
        let list = Managers::Both.list();
        assert_eq!(list, [(Kind::Axon, "x"), (Kind::Ceph, "y")]);
        assert!("upstream".parse::<Managers>().is_err());
    }
}
