//! The cluster's `ceph.conf`: everything below one folder, small memory, and no warning that only a toy can have.

use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ports::Ports;

/// What the file depends on.
pub(crate) struct Conf<'a> {
    pub dir: &'a Path,
    pub fsid: &'a str,
    pub mons: u16,
    pub osds: u32,
    pub ports: Ports,
    pub legacy: bool,
    pub without_python: bool,
    pub family: Family,
    /// Monitors that were taken out of the map.
    pub gone: &'a [u16],
}

/// Which addresses the daemons have on the loopback interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    #[default]
    V4,
    V6,
    /// Monitors have both, IPv6 first; the others IPv4.
    Both,
}

impl Family {
    fn hosts(self) -> &'static [&'static str] {
        match self {
            Family::V4 => &["127.0.0.1"],
            Family::V6 => &["[::1]"],
            Family::Both => &["[::1]", "127.0.0.1"],
        }
    }
}

impl Family {
    /// Where managers serve REST, as in a URL.
    pub(crate) fn host(self) -> &'static str {
        if self == Family::V6 { "[::1]" } else { "127.0.0.1" }
    }
}

impl FromStr for Family {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> anyhow::Result<Family> {
        Ok(match s {
            "v4" => Family::V4,
            "v6" => Family::V6,
            "both" => Family::Both,
            _ => anyhow::bail!("unknown family {s:?}: use v4, v6 or both"),
        })
    }
}

impl Conf<'_> {
    pub fn text(&self) -> String {
        let dir = self.dir.display();
        let mut text = String::from("[global]\n");
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        };
        let (first, last) = self.ports.daemons();
        line("fsid", self.fsid);
        line("mon host", &self.mon_host());
        line("keyring", &format!("{dir}/keyring"));
        line("run dir", &format!("{dir}/run"));
        line("admin socket", &format!("{dir}/run/$cluster-$name.asok"));
        line("log file", &format!("{dir}/log/$name.log"));
        line("pid file", "");
        line("crash dir", &format!("{dir}/crash"));
        line("ms bind port min", &first.to_string());
        line("ms bind port max", &last.to_string());
        if self.legacy {
            line("ms bind msgr2", "false");
        }
        let own = self.family.host().trim_matches(['[', ']']);
        line("public addr", own);
        line("cluster addr", own);
        if self.family != Family::V4 {
            line("ms bind ipv6", "true");
            line("ms bind ipv4", if self.family == Family::V6 { "false" } else { "true" });
        }
        line("osd pool default size", &self.replicas().to_string());
        text.push_str(GLOBAL);
        let _ = write!(text, "[mon]\nmon data = {dir}/mon/$id\n{MON}");
        let _ = write!(text, "[mgr]\nmgr data = {dir}/mgr/$id\nkeyring = {dir}/mgr/$id/keyring\n{MGR}");
        if self.without_python {
            text.push_str(WITHOUT_PYTHON);
            text.push('\n');
        }
        let _ = write!(text, "[osd]\nosd data = {dir}/osd/$id\nkeyring = {dir}/osd/$id/keyring\n{OSD}");
        let _ = write!(text, "[mds]\nkeyring = {dir}/mds/$id/keyring\n{MDS}");
        // A client's own socket per process: two `ceph` calls at once would fight over one name.
        let _ = write!(text, "[client]\nadmin socket =\nlog file =\n");
        text
    }

    pub fn replicas(&self) -> u32 {
        self.osds.clamp(1, 3)
    }

    fn mon_host(&self) -> String {
        let here = (0..self.mons).filter(|n| !self.gone.contains(n));
        here.map(|n| mon_addrs(self.ports, n, self.legacy, self.family)).collect::<Vec<_>>().join(" ")
    }
}

/// The addresses of the nth monitor, as `monmaptool --addv` takes them.
pub(crate) fn mon_addrs(ports: Ports, n: u16, legacy: bool, family: Family) -> String {
    let port = ports.mon(n);
    let of = |host: &&str| match legacy {
        true => format!("v1:{host}:{}", port + 1),
        false => format!("v2:{host}:{port},v1:{host}:{}", port + 1),
    };
    format!("[{}]", family.hosts().iter().map(of).collect::<Vec<_>>().join(","))
}

/// `a`, `b`, `c`, …
pub(crate) fn letter(n: u16) -> String {
    let offset = u8::try_from(n).unwrap_or(u8::MAX).min(25);
    char::from(b'a' + offset).to_string()
}

/// Axon's own; upstream's daemons pass over it.
pub const WITHOUT_PYTHON: &str = "axon python modules = false";

/// On a machine that is loaded a heartbeat takes a second at times, which says nothing about the network: hence the slow ping time.
const GLOBAL: &str = "\
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool delete = true
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 0
mon data avail crit = 0
mon osd down out interval = 86400
mon warn on slow ping time = 60000
ms async op threads = 2
";

/// A shorter tick lets health follow a change in seconds; a shorter proposal interval makes a cluster of many small
/// commits come up in half the time.
const MON: &str = "\
mgr initial modules = dashboard iostat
mon tick interval = 2
paxos propose interval = 0.2
mon lease = 10
mon memory autotune = false
rocksdb cache size = 33554432
mon cluster log to file = false
";

const MGR: &str = "mgr module path = /usr/share/ceph/mgr\n";

/// Small caches and few threads: three clusters share a machine of 24 GiB and two cores, so a slow heartbeat is
/// load, not death. A killed OSD is still noticed at once, by its refused connection.
const OSD: &str = "\
osd objectstore = bluestore
bluestore block size = 4294967296
bluestore block wal size = 0
bluestore block db size = 0
bluestore cache autotune = false
bluestore cache size = 33554432
bluestore fsck on mount = false
osd memory target = 939524096
osd op num shards = 2
osd op num threads per shard = 1
osd heartbeat grace = 40
osd mclock skip benchmark = true
osd max object name len = 256
osd max object namespace len = 64
";

const MDS: &str = "\
mds beacon grace = 60
mds cache memory limit = 67108864
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_monitor_is_in_mon_host() {
        let conf = Conf {
            dir: Path::new("/c"),
            fsid: "f",
            mons: 2,
            osds: 1,
            ports: Ports { base: 100 },
            legacy: false,
            without_python: false,
            family: Family::V4,
            gone: &[],
        };
        let text = conf.text();
        assert!(
            text.contains(
                "mon host = [v2:127.0.0.1:100,v1:127.0.0.1:101] [v2:127.0.0.1:102,v1:127.0.0.1:103]"
            )
        );
        assert!(text.contains("osd pool default size = 1\n"));
    }

    #[test]
    fn daemons_are_named_by_letters() {
        assert_eq!((letter(0), letter(2)), ("a".to_owned(), "c".to_owned()));
    }
}
