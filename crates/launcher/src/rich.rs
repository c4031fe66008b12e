//! A cluster where much is the matter: device classes, a second file system, an object gateway, an erasure-coded pool, objects
//! that lie in the wrong place or are short of copies, an OSD down and one out, OSDs near full, and recovery held still, so that
//! two managers that are asked one after the other see the same.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::Process;
use crate::{Cluster, Op};

impl Cluster {
    /// Adds to a cluster with data and [`OSDS`] OSDs and [`MDSS`] MDSs what a rich one has. All PGs are still active and clean.
    pub(crate) fn make_rich(&mut self) -> Result<()> {
        let (ssd, created) = (["osd.3", "osd.4"], ["second.meta", "second.data", "fast"]);
        let mut ops = vec![
            Op::mon(json!({"prefix": "osd crush rm-device-class", "ids": ssd})),
            Op::mon(json!({"prefix": "osd crush set-device-class", "class": "ssd", "ids": ssd})),
            Op::mon(json!({
                "prefix": "osd crush rule create-replicated", "name": "on_ssd", "root": "default", "type": "osd",
                "class": "ssd",
            })),
        ];
        for pool in created {
            ops.push(Op::mon(json!({"prefix": "osd pool create", "pool": pool, "pg_num": 8})));
        }
        let set = |var: &str, val: &str| {
            Op::mon(json!({"prefix": "osd pool set", "pool": "fast", "var": var, "val": val}))
        };
        ops.extend([
            set("crush_rule", "on_ssd"),
            set("size", "2"),
            Op::mon(json!({"prefix": "osd pool application enable", "pool": "fast", "app": "rados"})),
            Op::mon(json!({
                "prefix": "fs flag set", "flag_name": "enable_multiple", "val": "true",
                "yes_i_really_mean_it": true,
            })),
            Op::mon(json!({
                "prefix": "fs new", "fs_name": "second", "metadata": "second.meta", "data": "second.data",
            })),
            Op::mon(json!({
                "prefix": "fs set", "fs_name": "second", "var": "standby_count_wanted", "val": "0",
            })),
            Op::Put { pool: "fast".into(), object: "quick".into(), count: 16, size: 64 << 10 },
        ]);
        self.batch_ok(&ops, 120)?;
        self.state.gateways = 1;
        self.save()?;
        self.start_gateway("a").map(|_| ())
    }

    /// Starts the object gateway of that name, and waits until it listens.
    pub fn start_gateway(&self, id: &str) -> Result<Process> {
        let entity = format!("client.rgw.{id}");
        let dir = self.dir.join("rgw").join(id);
        std::fs::create_dir_all(&dir)?;
        let caps = ["mon", "allow rw", "osd", "allow rwx", "mgr", "allow rw"];
        let keyring =
            self.mon_command(json!({"prefix": "auth get-or-create", "entity": entity, "caps": caps}))?;
        let path = dir.join("keyring");
        std::fs::write(&path, keyring)?;
        let port = self.state.ports.rgw(0);
        let mut command = self.root.command("radosgw");
        command.args(["-f", "-n", &entity, "-c"]).arg(self.conf_path()).arg("-k").arg(path);
        command.args(["--rgw_frontends", &format!("beast endpoint=127.0.0.1:{port}")]);
        command.arg(format!("--log_file={}/log/rgw.{id}.log", self.dir.display()));
        let process = Process::spawn(&self.dir, &format!("rgw.{id}"), command)?;
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if !process.is_alive() {
                bail!("the gateway ended: {}", self.last_words(&format!("rgw.{id}")));
            }
            if begun.elapsed() > GATEWAY_AT_MOST {
                bail!("the gateway does not listen after {} s", GATEWAY_AT_MOST.as_secs());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(process)
    }

    /// Breaks a rich cluster in all ways at once and holds it so. A manager must be active, and the PGs clean.
    pub fn hold_broken(&self) -> Result<()> {
        for flag in ["norecover", "nobackfill", "norebalance", "noscrub", "nodeep-scrub"] {
            self.mon_command(json!({"prefix": "osd set", "key": flag}))?;
        }
        self.kill("osd.1")?;
        let begun = Instant::now();
        while self.osds_up()? >= u64::from(self.state.osds) {
            if begun.elapsed() > DOWN_AT_MOST {
                bail!("osd.1 was killed, and is not down after {} s", DOWN_AT_MOST.as_secs());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        // What is written from now on lacks copies; then what there is lies in the wrong place.
        let put = |pool: &str, object: &str| Op::Put {
            pool: pool.into(),
            object: object.into(),
            count: 12,
            size: 32 << 10,
        };
        self.batch_ok(
            &[
                put("rep", "late"),
                put("ec", "late"),
                Op::mon(json!({"prefix": "osd out", "ids": ["2"]})),
                Op::mon(json!({"prefix": "osd reweight", "id": 0, "weight": 0.9})),
                Op::mon(json!({"prefix": "osd primary-affinity", "id": 3, "weight": 0.5})),
                Op::mon(json!({"prefix": "osd set-nearfull-ratio", "ratio": 0.0001})),
            ],
            120,
        )?;
        self.batch_ok(&[put("rep", "later")], 120)?;
        Ok(())
    }

    fn osds_up(&self) -> Result<u64> {
        let stat: Value =
            serde_json::from_str(&self.mon_command(json!({"prefix": "osd stat", "format": "json"}))?)?;
        stat.get("num_up_osds").and_then(Value::as_u64).context("osd stat tells no num_up_osds")
    }
}

/// What a rich cluster needs at least.
pub(crate) const OSDS: u32 = 5;
pub(crate) const MDSS: u16 = 2;
/// Its pools must be made first.
const GATEWAY_AT_MOST: Duration = Duration::from_secs(90);
const DOWN_AT_MOST: Duration = Duration::from_secs(60);
