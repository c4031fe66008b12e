//! What the unit forbids is forbidden to the manager and to its Python modules, and what they need is allowed.
//!
//! Each thing is tried without the unit too, where it must go: only so does a refusal say something.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{CHECKOUT, Service, UNIT};
use crate::systemd::{Systemd, succeeded};

/// A manager module that tries things.
pub const MODULE: &str = "sandbox";
const FOLDER: &str = "/usr/share/ceph/mgr/sandbox";
/// Capabilities that the unit's Private… and Protect… take away, with their numbers: CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_MKNOD,
/// CAP_SYSLOG.
const TAKEN: [u64; 4] = [16, 17, 27, 34];
/// What `probe.py` must say of a module of the service, and of a process without the unit.
const TRIED: [(&str, &str, &str); 10] = [
    ("personality", "EPERM", "done"),
    ("set-user-id", "EPERM", "done"),
    ("home", "EACCES", "done"),
    ("device", "ENOENT", "done"),
    // The unit allows it, as modules of the distribution need it.
    ("writable code", "done", "done"),
    ("callback", "done", "done"),
    ("temporary", "done", "done"),
    ("crash", "done", "done"),
    ("log", "done", "done"),
    ("run", "done", "done"),
];
/// A shell's commands, as root, that go without the unit and not where the manager is.
const REFUSED: [&str; 7] = [
    "echo >/usr/axon-probe",
    "echo >/etc/axon-probe",
    "mkdir /sys/fs/cgroup/axon-probe && rmdir /sys/fs/cgroup/axon-probe",
    "test -e /root/axon",
    "test -e /home/axon-probe",
    "test -e /tmp/axon-probe",
    "test -e /dev/fuse",
];

pub fn install(host: &Systemd) -> Result<()> {
    fs::create_dir(host.path(FOLDER))?;
    for (name, text) in [
        ("__init__.py", "from .module import Module\n"),
        ("module.py", include_str!("module.py")),
        ("probe.py", include_str!("probe.py")),
    ] {
        fs::write(host.path(&format!("{FOLDER}/{name}")), text)?;
    }
    host.sh("touch /tmp/axon-probe /home/axon-probe")?;
    Ok(())
}

pub fn holds(service: &Service) -> Result<()> {
    let host = service.host;
    let pids = host.processes(UNIT)?;
    let id = |what: &str| host.sh(&format!("id {what} ceph"));
    let owner = [id("-u")?, id("-g")?].map(|text| text.trim().to_owned());
    // The modules' processes too.
    ensure!(pids.len() > 1, "{pids:?}");
    for pid in pids.values() {
        confined(*pid, &owner)?;
    }

    let main = service.main()?;
    for text in REFUSED {
        host.sh(text).context("without the unit")?;
        let mut inside = Command::new("nsenter");
        inside.args(["--mount", "--target"]).arg(main.to_string()).args(["--wdns=/", "--", "sh", "-c", text]);
        ensure!(!inside.output()?.status.success(), "allowed to the manager: {text}");
    }

    // Upstream's standby does not have it.
    service.bench.cluster.ceph_ok(&["mgr", "module", "enable", MODULE, "--force"])?;
    let said = service.wait_ok(|| service.bench.cluster.ceph_json(&["sandbox", "probe"]))?;
    let module: BTreeMap<String, String> = serde_json::from_value(said)?;
    let text = format!(
        "import json, sys; sys.path.insert(0, '{FOLDER}'); import probe; print(json.dumps(probe.probe()))"
    );
    let mut free = host.command("setpriv");
    free.args(["--reuid=ceph", "--regid=ceph", "--clear-groups", "python3", "-B", "-c", &text]);
    let free: BTreeMap<String, String> = serde_json::from_str(&succeeded(free.output()?)?)?;
    for (name, inside, outside) in TRIED {
        let got = (module.get(name).map(String::as_str), free.get(name).map(String::as_str));
        ensure!(got == (Some(inside), Some(outside)), "{name}: {got:?}");
    }
    ensure!(host.path(CHECKOUT).exists(), "the folder that must not be seen is not there");
    Ok(())
}

/// User, capabilities, system calls and limits of a process.
fn confined(pid: i32, owner: &[String; 2]) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let [uid, gid] = owner;
    ensure!(field("Uid:") == vec![uid.clone(); 4] && field("Gid:") == vec![gid.clone(); 4], "{status}");
    ensure!(field("Groups:").iter().all(|group| group == gid), "{status}");
    ensure!(field("NoNewPrivs:") == ["1"] && field("Seccomp:") == ["2"], "{status}");
    ensure!(field("CapEff:") == ["0000000000000000"], "{status}");
    let bound =
        field("CapBnd:").first().and_then(|hex| u64::from_str_radix(hex, 16).ok()).context("no CapBnd")?;
    ensure!(TAKEN.iter().all(|cap| bound & (1 << cap) == 0), "{status}");
    for (name, wanted) in [("Max open files", 1_048_576), ("Max processes", 1_048_576)] {
        // Without CAP_SYS_RESOURCE systemd cannot raise the machine's own.
        let (_, most) = limits("self", name)?;
        let got = limits(&pid.to_string(), name)?;
        ensure!(got == (most.min(wanted), most.min(wanted)), "{name}: {got:?}, {most} here");
    }
    Ok(())
}

/// Soft and hard.
fn limits(pid: &str, name: &str) -> Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let mut values = line.split_whitespace().map(|value| value.parse().unwrap_or(u64::MAX));
    values.next().zip(values.next()).with_context(|| format!("{name}: {line}"))
}
