//! Monitors: the first ones, one more, one less.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::Cluster;
use crate::conf::{letter, mon_addrs};
use crate::ports::MONS_MAX;

impl Cluster {
    /// The monitors of the map, by number: 0 is `mon.a`.
    pub(crate) fn monitors(&self) -> impl Iterator<Item = u16> {
        (0..self.state.mons).filter(|n| !self.state.gone_mons.contains(n))
    }

    pub(crate) fn monitor_addrs(&self, n: u16) -> String {
        mon_addrs(self.state.ports, n, self.state.legacy, self.state.family)
    }

    /// Starts one more monitor, which joins the others; its name. `ceph.conf` names it too.
    pub fn add_monitor(&mut self) -> Result<String> {
        let n = self.state.mons;
        ensure!(n < MONS_MAX, "there is room for {MONS_MAX} monitors");
        let monmap = self.dir.join("monmap").display().to_string();
        self.ceph_ok(&["mon", "getmap", "-o", &monmap])?;
        self.state.mons += 1;
        self.make_monitor(&letter(n))?;
        self.wait_quorum()?;
        self.monitors_changed()?;
        Ok(letter(n))
    }

    /// Takes a monitor out of the map and ends it. `ceph.conf` does not name it any more.
    pub fn remove_monitor(&mut self, name: &str) -> Result<()> {
        let n = self.monitors().find(|n| letter(*n) == name).with_context(|| format!("no mon.{name}"))?;
        self.ceph_ok(&["mon", "rm", name])?;
        self.state.gone_mons.push(n);
        self.monitors_changed()?;
        self.stop(&format!("mon.{name}"))?;
        self.wait_quorum()
    }

    fn monitors_changed(&self) -> Result<()> {
        self.save()?;
        // Others may have added to the file.
        let path = self.conf_path();
        let (old, fresh) = (std::fs::read_to_string(&path)?, self.conf().text());
        let is_host = |line: &&str| line.starts_with("mon host");
        let (was, now) = (old.lines().find(is_host), fresh.lines().find(is_host));
        let (was, now) = was.zip(now).context("ceph.conf has no mon host")?;
        std::fs::write(&path, old.replacen(was, now, 1)).with_context(|| format!("{}", path.display()))
    }

    fn make_monitor(&self, name: &str) -> Result<()> {
        let file = |name: &str| self.dir.join(name).display().to_string();
        let (conf, monmap, keyring) = (file("ceph.conf"), file("monmap"), file("keyring"));
        let files = ["-c", &conf, "--monmap", &monmap, "--keyring", &keyring];
        self.tool("ceph-mon", &[&["--mkfs", "-i", name], &files[..]].concat())?;
        self.start(&format!("mon.{name}")).map(drop)
    }

    pub(crate) fn make_monitors(&self) -> Result<()> {
        let keyring = self.dir.join("keyring").display().to_string();
        let monmap = self.dir.join("monmap").display().to_string();
        self.tool(
            "ceph-authtool",
            &["--create-keyring", &keyring, "--gen-key", "-n", "mon.", "--cap", "mon", ALL],
        )?;
        let admin = ["--gen-key", "-n", "client.admin"];
        let caps = ["--cap", "mon", ALL, "--cap", "osd", ALL, "--cap", "mds", ALL, "--cap", "mgr", ALL];
        self.tool("ceph-authtool", &[&[keyring.as_str()], &admin[..], &caps[..]].concat())?;
        let names: Vec<(String, String)> =
            self.monitors().map(|n| (letter(n), self.monitor_addrs(n))).collect();
        let mut args = vec!["--create", "--fsid", &self.state.fsid];
        for (name, addrs) in &names {
            args.extend(["--addv", name, addrs]);
        }
        args.push(&monmap);
        self.tool("monmaptool", &args)?;
        names.iter().try_for_each(|(name, _)| self.make_monitor(name))
    }

    /// Waits until the monitors answer and all are in the quorum.
    pub fn wait_quorum(&self) -> Result<()> {
        let begun = Instant::now();
        let ask = json!({"prefix": "quorum_status", "format": "json"});
        loop {
            let asked = self.batch(&[crate::Op::mon(ask.clone())], 10);
            let names = asked.ok().and_then(|r| r.first()?.json().ok()).map(|v| quorum_size(&v));
            if names >= Some(self.monitors().count()) {
                return Ok(());
            }
            for n in self.monitors() {
                let name = format!("mon.{}", letter(n));
                if !self.process(&name)?.is_alive() {
                    bail!("{name} ended: {}", self.last_words(&name));
                }
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("the monitors form no quorum in 60 s; see {}/log", self.dir.display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn quorum_size(status: &Value) -> usize {
    status.get("quorum").and_then(Value::as_array).map_or(0, Vec::len)
}

const ALL: &str = "allow *";
