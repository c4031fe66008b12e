//! OSDs on sparse files, MDSs, and empty OSDs for big maps.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::conf::letter;
use crate::{Cluster, Op};

impl Cluster {
    /// Registers, formats and starts every OSD, and waits until all are up.
    pub(crate) fn make_osds(&self) -> Result<()> {
        let mut news = Vec::new();
        let mut uuids = Vec::new();
        for id in 0..self.state.osds {
            let dir = self.dir.join("osd").join(id.to_string());
            std::fs::create_dir_all(&dir)?;
            let key = self.tool("ceph-authtool", &["--gen-print-key"])?;
            let key = key.trim();
            std::fs::write(dir.join("keyring"), format!("[osd.{id}]\n\tkey = {key}\n"))?;
            let uuid = uuid::Uuid::new_v4().to_string();
            let input = json!({"cephx_secret": key}).to_string();
            news.push(Op::Mon { cmd: json!({"prefix": "osd new", "uuid": uuid, "id": id}), input });
            uuids.push(uuid);
        }
        self.batch_ok(&news, 30)?;
        let mut formats = Vec::new();
        for (id, uuid) in (0..self.state.osds).zip(&uuids) {
            formats.push((id, self.format_osd(id, uuid)?));
        }
        for (id, mut child) in formats {
            let status = child.wait()?;
            if !status.success() {
                bail!("formatting osd.{id} failed ({status}); see log/osd.{id}.mkfs");
            }
            self.start(&format!("osd.{id}"))?;
        }
        self.wait_osds_up(Duration::from_secs(120))
    }

    fn format_osd(&self, id: u32, uuid: &str) -> Result<Child> {
        let log = std::fs::File::create(self.dir.join(format!("log/osd.{id}.mkfs")))?;
        let mut command = self.daemon("ceph-osd", &id.to_string());
        command.args(["--mkfs", "--osd-uuid", uuid]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().context("cannot run ceph-osd")
    }

    /// Waits until every OSD with a process is up.
    pub fn wait_osds_up(&self, at_most: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let stat: Value =
                serde_json::from_str(&self.mon_command(json!({"prefix": "osd stat", "format": "json"}))?)?;
            let up = stat.get("num_up_osds").and_then(Value::as_u64).unwrap_or(0);
            if up >= u64::from(self.state.osds) {
                return Ok(());
            }
            if begun.elapsed() > at_most {
                bail!("{up} of {} OSDs are up after {} s", self.state.osds, at_most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub(crate) fn make_mds(&self) -> Result<()> {
        for n in 0..self.state.mds {
            let id = letter(n);
            let caps = ["mon", "profile mds", "osd", "allow *", "mds", "allow", "mgr", "profile mds"];
            self.write_key("mds", &id, &caps)?;
            self.start(&format!("mds.{id}"))?;
        }
        Ok(())
    }

    /// Makes the key of `kind.id` with `caps` and writes its keyring where the daemon looks.
    pub(crate) fn write_key(&self, kind: &str, id: &str, caps: &[&str]) -> Result<()> {
        let dir = self.dir.join(kind).join(id);
        std::fs::create_dir_all(&dir)?;
        let entity = format!("{kind}.{id}");
        let keyring =
            self.mon_command(json!({"prefix": "auth get-or-create", "entity": entity, "caps": caps}))?;
        std::fs::write(dir.join("keyring"), keyring)?;
        Ok(())
    }

    /// Adds `count` OSDs that exist only in the maps, below a CRUSH root of their own (`empty`).
    pub fn add_empty_osds(&self, count: u32) -> Result<()> {
        let timeout_secs = 120 + count / 10;
        let op = Op::EmptyOsds { count, root: "empty".into(), per_host: 20, threads: 512 };
        self.batch_ok(&[op], timeout_secs).map(|_| ())
    }
}
