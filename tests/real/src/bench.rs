//! What a scenario holds: the release's cluster, and which manager is to be active on it.
//!
//! Axon is always `mgr.x`, upstream's manager `mgr.y`; both keep their ports for the cluster's life.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Cluster, Health, Kind, Release};
use serde_json::json;

pub struct Bench {
    pub cluster: Cluster,
}

impl Bench {
    pub fn release(&self) -> Release {
        self.cluster.release()
    }

    /// The id of the manager of that kind.
    pub fn id(kind: Kind) -> &'static str {
        match kind {
            Kind::Axon => "x",
            Kind::Ceph => "y",
        }
    }

    /// Makes the manager of that kind active; the other one, if it runs, becomes its standby.
    pub fn activate(&mut self, kind: Kind) -> Result<()> {
        let id = Bench::id(kind);
        self.cluster.start_manager(kind, id)?;
        if self.active()?.as_deref() != Some(id) {
            self.wait_known(id)?;
            self.cluster.mon_command(json!({"prefix": "mgr fail"}))?;
        }
        self.cluster.wait_manager(id, ACTIVE_AT_MOST)
    }

    /// Makes the manager of that kind active and ends the other one.
    pub fn only(&mut self, kind: Kind) -> Result<()> {
        let other = Bench::id(if kind == Kind::Axon { Kind::Ceph } else { Kind::Axon });
        if self.cluster.manager(other).is_some() {
            self.cluster.stop(&format!("mgr.{other}"))?;
            if self.active()?.as_deref() == Some(other) {
                // Upstream's says nothing when it ends, and the monitors would wait for its beacon for 30 s.
                self.cluster.mon_command(json!({"prefix": "mgr fail"}))?;
            }
        }
        self.cluster.start_manager(kind, Bench::id(kind))?;
        self.cluster.wait_manager(Bench::id(kind), ACTIVE_AT_MOST)
    }

    /// Starts the manager of that kind beside the active one, and waits until the monitors list it.
    pub fn stand_by(&mut self, kind: Kind) -> Result<()> {
        self.cluster.start_manager(kind, Bench::id(kind))?;
        self.wait_known(Bench::id(kind))
    }

    /// The dashboard's URL of the manager of that kind; it must have been started once.
    pub fn url(&self, kind: Kind) -> Option<String> {
        Some(self.cluster.manager(Bench::id(kind))?.url())
    }

    /// Enables a module. The monitors take it once each manager that they know has it, and one that ended or has just started may
    /// be in their map, as it was, for a while.
    pub fn enable_module(&self, module: &str) -> Result<()> {
        let begun = std::time::Instant::now();
        loop {
            match self.mon(json!({"prefix": "mgr module enable", "module": module})) {
                Ok(_) => return Ok(()),
                Err(e) if begun.elapsed() > ACTIVE_AT_MOST => return Err(e),
                Err(_) => std::thread::sleep(Duration::from_millis(300)),
            }
        }
    }

    /// Kills an OSD, waits until the manager reports PGs that are not clean, brings the OSD back, and waits for
    /// health. The monitors keep a gone manager's last report, so that only a change shows who reports now.
    pub fn pgs_follow_a_dying_osd(&self, osd: &str, allowed: &[&str]) -> Result<Health> {
        let before = self.cluster.wait_well(allowed, HEALTH_AT_MOST)?;
        self.cluster.kill(osd)?;
        let begun = std::time::Instant::now();
        loop {
            let now = self.cluster.health()?;
            let down = now.checks.iter().any(|(code, _)| code == "OSD_DOWN");
            if down && now.pgs_active_clean < before.pgs_active_clean {
                break;
            }
            if begun.elapsed() > HEALTH_AT_MOST {
                bail!("{osd} was killed, but no change was reported: {now:?}");
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        self.cluster.start(osd)?;
        self.cluster.wait_well(allowed, HEALTH_AT_MOST)
    }

    /// What a daemon has written into its log.
    pub fn log_of(&self, daemon: &str) -> Result<String> {
        let path = self.cluster.dir().join("log").join(format!("{daemon}.log"));
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A command to the monitors.
    pub fn mon(&self, command: serde_json::Value) -> Result<String> {
        self.cluster.mon_command(command)
    }

    /// The active manager's name, if one is active.
    pub fn active(&self) -> Result<Option<String>> {
        let dump: serde_json::Value = serde_json::from_str(
            &self.cluster.mon_command(json!({"prefix": "mgr dump", "format": "json"}))?,
        )?;
        let name = dump.get("active_name").and_then(|n| n.as_str()).unwrap_or_default();
        Ok((!name.is_empty()).then(|| name.to_owned()))
    }

    /// Waits until the monitors list `mgr.<id>` as active or standby.
    fn wait_known(&self, id: &str) -> Result<()> {
        let begun = std::time::Instant::now();
        loop {
            let dump = self.cluster.mon_command(json!({"prefix": "mgr dump", "format": "json"}))?;
            let dump: serde_json::Value = serde_json::from_str(&dump)?;
            let standbys = dump.get("standbys").and_then(|s| s.as_array()).into_iter().flatten();
            let mut names = standbys.chain([&dump]).filter_map(|m| m.get("name").or(m.get("active_name")));
            if names.any(|n| n == id) {
                return Ok(());
            }
            if begun.elapsed() > ACTIVE_AT_MOST {
                bail!("the monitors have not seen mgr.{id} after {} s", ACTIVE_AT_MOST.as_secs());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

/// What `axon command` prints of a command that must succeed, by that configuration.
pub fn axon_command(cluster: &Cluster, conf: &Path, target: &str, words: &[&str]) -> Result<String> {
    let axon = cluster.state().axon.as_ref().context("the cluster's manager is Axon")?;
    let mut command = std::process::Command::new(axon);
    command.args(["command", "-n", "client.admin", "-c"]).arg(conf).args(["--target", target]).args(words);
    let out = command.output()?;
    ensure!(out.status.success(), "{target}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A killed manager is replaced after the monitors' beacon grace of 30 s; the rest is a loaded machine.
const ACTIVE_AT_MOST: Duration = Duration::from_secs(90);
/// For PGs to become clean and health to follow.
const HEALTH_AT_MOST: Duration = Duration::from_secs(120);
