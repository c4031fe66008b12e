//! A systemd that runs: the release's own, as PID 1 of namespaces over the release's root, beside the machine's own init.
//!
//! Needs root, overlayfs and cgroup2; [`impossible`] says whether the machine allows it. Invariants: nothing outside of the cluster's
//! folder and one cgroup is written; no mount is made in the caller's namespace; when the value is dropped, or the test dies, PID 1
//! is killed by its pid, and with it everything inside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Cluster, Root};

const BOOT: &str = include_str!("systemd/boot.sh");
const TARGET: &str = "axon-test.target";
const CGROUP: &str = "axon-systemd-";
const UP_AT_MOST: Duration = Duration::from_secs(60);
const NAMESPACES: [&str; 6] = ["--fork", "--pid", "--mount", "--uts", "--ipc", "--cgroup"];

pub struct Systemd {
    /// `unshare`, which waits for PID 1 and takes it along when it ends.
    outer: Child,
    /// PID 1, as this machine counts.
    pid: i32,
    folder: PathBuf,
    cgroup: PathBuf,
}

/// Why this machine runs no systemd in namespaces; empty if it does.
pub fn impossible(root: &Root) -> Result<Option<String>> {
    if !root.host_path(Path::new("/lib/systemd/systemd")).exists() {
        return Ok(Some("there is no systemd in the release's root".to_owned()));
    }
    let Some(_) = cgroups() else { return Ok(Some("no cgroup2 is mounted".to_owned())) };
    let script = "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir up work root cgroup && \
        mount -t cgroup2 cgroup2 cgroup && mount -t overlay -o lowerdir=/usr,upperdir=up,workdir=work overlay root";
    let mut command = Command::new("unshare");
    let done = command.args(NAMESPACES).args(["sh", "-c", script]).output().context("cannot run unshare")?;
    let said = String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; ");
    Ok((!done.status.success()).then_some(said))
}

impl Systemd {
    /// Boots it over the root of the cluster's release; the cluster's `bin` is to be seen inside.
    pub fn boot(cluster: &Cluster) -> Result<Systemd> {
        let folder = cluster.dir().join("systemd");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("upper"))?;
        let cgroups = cgroups().context("no cgroup2 is mounted")?;
        sweep(&cgroups);
        let cgroup = cgroups.join(format!("{CGROUP}{}", std::process::id()));
        fs::create_dir_all(&cgroup).with_context(|| format!("cannot make {}", cgroup.display()))?;

        let said = File::create(folder.join("said"))?;
        let root = cluster.root().host_path(Path::new("/"));
        let mut command = Command::new("sh");
        // The namespace's own root of cgroups is where a process is when it makes it.
        command.args(["-c", "echo $$ >\"$0/cgroup.procs\"; exec \"$@\""]).arg(&cgroup);
        command.args(["setpriv", "--pdeathsig", "KILL", "unshare", "--kill-child"]).args(NAMESPACES);
        command.args(["sh", "-c", BOOT, "boot"]).arg(&folder).arg(root).arg(cluster.dir().join("bin"));
        command.arg(TARGET).stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        let outer = command.spawn().context("cannot run sh")?;
        let mut booted = Systemd { outer, pid: 0, folder, cgroup };
        booted.wait_up()?;
        Ok(booted)
    }

    fn wait_up(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.pid == 0 {
                let text = fs::read_to_string(self.folder.join("pid")).unwrap_or_default();
                self.pid = text.trim().parse().unwrap_or(0);
            }
            if self.pid != 0 && self.path("/run/systemd/private").exists() {
                let out = self.command("systemctl").arg("is-system-running").output()?;
                if out.stdout.starts_with(b"running") {
                    return Ok(());
                }
            }
            let ended = self.outer.try_wait()?;
            if ended.is_some() || begun.elapsed() > UP_AT_MOST {
                bail!("systemd does not come up: {ended:?}; {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What PID 1 has said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap_or_default()
    }

    /// A command inside, as root.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--target"])
            .arg(self.pid.to_string());
        command
            .args(["--wdns=/root", "--", program])
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/root");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("SYSTEMD_PAGER", "").stdin(Stdio::null());
        command
    }

    /// Standard output of a shell's command that must succeed.
    pub fn sh(&self, text: &str) -> Result<String> {
        succeeded(self.command("sh").args(["-ec", text]).output()?).with_context(|| text.to_owned())
    }

    /// `systemctl`, which must succeed.
    pub fn systemctl(&self, words: &[&str]) -> Result<String> {
        succeeded(self.command("systemctl").args(words).output()?)
            .with_context(|| format!("systemctl {}", words.join(" ")))
    }

    /// What `systemctl show` says of a unit.
    pub fn show(&self, unit: &str) -> Result<Shown> {
        let text = self.systemctl(&["show", unit])?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(Shown(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
    }

    /// The journal's lines of a unit, and PID 1's about it.
    pub fn journal(&self, unit: &str) -> Result<String> {
        self.command("journalctl").arg("--sync").status()?;
        succeeded(self.command("journalctl").args(["--no-pager", "-o", "cat", "-u", unit]).output()?)
    }

    /// This machine's path of one inside.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }

    /// The processes of a unit, as this machine counts, by the number that they have inside.
    pub fn processes(&self, unit: &str) -> Result<BTreeMap<i32, i32>> {
        let shown = self.show(unit)?;
        let group = shown.of("ControlGroup").trim_start_matches('/');
        let mut out = BTreeMap::new();
        if !group.is_empty() {
            processes_below(&self.cgroup.join(group), &mut out)?;
        }
        Ok(out)
    }
}

/// A unit's properties by their names.
#[derive(Debug)]
pub struct Shown(BTreeMap<String, String>);

impl Shown {
    /// Empty where systemd says nothing.
    pub fn of(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }
}

/// A unit's cgroup goes with its last process.
fn processes_below(group: &Path, out: &mut BTreeMap<i32, i32>) -> Result<()> {
    let text = match fs::read_to_string(group.join("cgroup.procs")) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    for pid in text.lines().filter_map(|line| line.parse().ok()) {
        // One that has ended meanwhile has none.
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        if let Some(inside) = line.and_then(|line| line.split_whitespace().last()?.parse().ok()) {
            out.insert(inside, pid);
        }
    }
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            processes_below(&entry.path(), out)?;
        }
    }
    Ok(())
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // Its child, PID 1, is told to end with it.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        let begun = Instant::now();
        while !removed(&self.cgroup) && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
        // The mounts are gone with the namespace.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes a cgroup and those below, which works once no process is in them.
fn removed(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            removed(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
    !group.exists()
}

/// Takes away what tests left that were killed: their names have the test's pid.
fn sweep(cgroups: &Path) {
    for entry in fs::read_dir(cgroups).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let test = name.to_str().and_then(|name| name.strip_prefix(CGROUP)?.parse::<u32>().ok());
        if test.is_some_and(|test| !Path::new(&format!("/proc/{test}")).exists()) {
            removed(&entry.path());
        }
    }
}

/// Where cgroup2 is mounted.
fn cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
    line.split(' ').nth(1).map(PathBuf::from)
}

pub(crate) fn succeeded(out: Output) -> Result<String> {
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{}: {}", out.status, said.trim());
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
