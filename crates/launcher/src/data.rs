//! Pools with data: replicated, erasure-coded, RBD, and a file system, each with its application set.

use anyhow::Result;
use serde_json::{Value, json};

use crate::{Cluster, Op};

impl Cluster {
    /// Makes the pools, puts objects into them and creates the file system `demo`.
    pub fn make_data(&self) -> Result<()> {
        let mut ops = vec![
            pool("rep", None),
            application("rep", "rados"),
            pool("rbd", None),
            application("rbd", "rbd"),
        ];
        let with_ec = self.state.osds >= 3;
        if with_ec {
            let profile = ["k=2", "m=1", "crush-failure-domain=osd"];
            ops.push(Op::mon(json!({
                "prefix": "osd erasure-code-profile set", "name": "ec21", "profile": profile,
            })));
            ops.push(pool("ec", Some("ec21")));
            ops.push(application("ec", "rados"));
        }
        let with_fs = self.state.mds > 0;
        if with_fs {
            ops.extend([pool("cephfs.demo.meta", None), pool("cephfs.demo.data", None)]);
            ops.push(Op::mon(json!({
                "prefix": "fs new", "fs_name": "demo", "metadata": "cephfs.demo.meta", "data": "cephfs.demo.data",
            })));
            // Without this a file system with a single MDS warns for want of a standby.
            ops.push(Op::mon(json!({
                "prefix": "fs set", "fs_name": "demo", "var": "standby_count_wanted", "val": "0",
            })));
        }
        ops.push(put("rep"));
        ops.push(Op::RbdImage { pool: "rbd".into(), image: "disk".into(), size: 64 << 20 });
        if with_ec {
            ops.push(put("ec"));
        }
        self.batch_ok(&ops, 120).map(|_| ())
    }
}

fn pool(name: &str, profile: Option<&str>) -> Op {
    let mut cmd = json!({"prefix": "osd pool create", "pool": name, "pg_num": 8});
    if let (Some(profile), Value::Object(fields)) = (profile, &mut cmd) {
        fields.insert("pool_type".into(), "erasure".into());
        fields.insert("erasure_code_profile".into(), profile.into());
    }
    Op::mon(cmd)
}

fn application(pool: &str, app: &str) -> Op {
    Op::mon(json!({"prefix": "osd pool application enable", "pool": pool, "app": app}))
}

fn put(pool: &str) -> Op {
    Op::Put { pool: pool.into(), object: "object".into(), count: 16, size: 64 << 10 }
}
