//! A cluster in a folder: bring up, open again, run commands, end.
//!
//! The folder: `cluster.json` (what it is), `ceph.conf`, `keyring`, `mon|mgr|osd|mds|rgw/<id>` (data), `log/`, `run/`
//! (admin sockets), `proc/` (a record per process), `bin/axon` (the manager that runs).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conf::{Conf, Family, letter};
use crate::manager::{ManagerRecord, Managers};
use crate::ports::{MONS_MAX, Ports};
use crate::process::Process;
use crate::{Progress, Release, Root, ensure_installed, install, rich};

/// What to bring up.
#[derive(Clone, Debug)]
pub struct Options {
    pub release: Release,
    pub dir: PathBuf,
    pub mons: u16,
    pub osds: u32,
    pub mds: u16,
    pub managers: Managers,
    /// Ports are taken from here on.
    pub port_base: u16,
    /// The `axon` program; needed when `managers` has Axon.
    pub axon: Option<PathBuf>,
    /// Everybody speaks msgr v1 only.
    pub legacy: bool,
    /// Axon runs no Python modules.
    pub without_python: bool,
    pub family: Family,
    /// Make pools with data and a file system.
    pub data: bool,
    /// Device classes, a second file system and an object gateway too (`rich.rs`).
    pub rich: bool,
}

/// The last line of a file that has something in it.
fn last_line(path: &Path) -> Option<String> {
    let text = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|l| !l.trim().is_empty()).map(str::to_owned)
}

/// Refuses a folder that monitors would refuse: below 1% of free space they end at once, whatever the settings.
fn require_space(dir: &Path) -> Result<()> {
    let at = dir.ancestors().find(|d| d.exists()).unwrap_or(Path::new("/"));
    let fs = nix::sys::statvfs::statvfs(at).with_context(|| format!("cannot look at {}", at.display()))?;
    let (free, all) = (fs.blocks_available() * fs.fragment_size(), fs.blocks() * fs.fragment_size());
    if free < SPACE || free < all / 100 {
        bail!(
            "{} has {} MB free of {} MB: a cluster needs {} MB, and its monitors 1% of the file system",
            at.display(),
            free / 1_000_000,
            all / 1_000_000,
            SPACE / 1_000_000
        );
    }
    Ok(())
}

/// What a small cluster takes of a disk, with its logs.
const SPACE: u64 = 1_000_000_000;

impl Options {
    pub fn new(release: Release, dir: impl Into<PathBuf>) -> Options {
        Options {
            release,
            dir: dir.into(),
            mons: 1,
            osds: 3,
            mds: 1,
            managers: Managers::None,
            port_base: PORT_BASE,
            axon: None,
            legacy: false,
            without_python: false,
            family: Family::V4,
            data: true,
            rich: false,
        }
    }
}

/// What is written in `cluster.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub release: Release,
    pub fsid: String,
    pub mons: u16,
    pub osds: u32,
    pub mds: u16,
    #[serde(default)]
    pub gateways: u16,
    pub ports: Ports,
    #[serde(default)]
    pub legacy: bool,
    #[serde(default)]
    pub without_python: bool,
    #[serde(default)]
    pub family: Family,
    /// Monitors that were taken out of the map; `mons` still counts them.
    #[serde(default)]
    pub gone_mons: Vec<u16>,
    pub axon: Option<PathBuf>,
    pub managers: Vec<ManagerRecord>,
}

#[derive(Debug)]
pub struct Cluster {
    pub(crate) dir: PathBuf,
    pub(crate) root: Root,
    pub(crate) state: State,
}

impl Cluster {
    /// Installs the release if needed, makes the cluster and waits until its daemons are in.
    pub fn up(options: &Options, progress: Progress) -> Result<Cluster> {
        install::require_superuser()?;
        options.check()?;
        let root = ensure_installed(options.release, progress)?;
        require_space(&options.dir)?;
        let begun = Instant::now();
        let cluster = Cluster::lay_out(options, root)?;
        let made = cluster.populate(options, progress);
        match made {
            Ok(cluster) => {
                progress(&format!("cluster is up after {} s", begun.elapsed().as_secs()));
                Ok(cluster)
            }
            Err(e) => {
                let dir = options.dir.clone();
                if let Ok(half_made) = Cluster::open(&dir) {
                    half_made.stop_all()?;
                }
                Err(e.context(format!("the cluster did not come up; logs are in {}/log", dir.display())))
            }
        }
    }

    /// Opens a cluster that this or another program brought up.
    pub fn open(dir: impl AsRef<Path>) -> Result<Cluster> {
        let dir = absolute(dir.as_ref())?;
        let path = dir.join(STATE);
        let text = std::fs::read(&path).with_context(|| format!("no cluster in {}", dir.display()))?;
        let state: State =
            serde_json::from_slice(&text).with_context(|| format!("{} is odd", path.display()))?;
        let root = Root::of(state.release);
        root.mount_system()?;
        root.expose(&dir)?;
        Ok(Cluster { dir, root, state })
    }

    /// Ends what runs in `dir` and removes the folder, whatever an earlier run left there and however it ended.
    pub fn clear(dir: impl AsRef<Path>) -> Result<()> {
        let dir = dir.as_ref();
        if dir.join(STATE).exists() {
            Cluster::open(dir)?.down(false)?;
        }
        remove(dir, |p| std::fs::remove_dir_all(p))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn release(&self) -> Release {
        self.state.release
    }

    pub fn conf_path(&self) -> PathBuf {
        self.dir.join("ceph.conf")
    }

    /// The release's own `ceph` program with `args`.
    pub fn ceph_command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.root.command("ceph");
        command.arg("-c").arg(self.conf_path()).args(["--connect-timeout", "30"]).args(args);
        command
    }

    pub fn ceph<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Result<Output> {
        self.ceph_command(args).output().context("cannot run ceph")
    }

    /// Standard output of a `ceph` call that must succeed.
    pub fn ceph_ok<S: AsRef<std::ffi::OsStr> + std::fmt::Debug>(&self, args: &[S]) -> Result<String> {
        let out = self.ceph(args)?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            bail!("ceph {args:?} failed ({}): {}", out.status, said.trim());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// As [`Cluster::ceph_ok`] with `-f json`.
    pub fn ceph_json(&self, args: &[&str]) -> Result<Value> {
        let mut all = args.to_vec();
        all.extend(["-f", "json"]);
        serde_json::from_str(self.ceph_ok(&all)?.trim()).context("ceph's answer is not JSON")
    }

    /// How a daemon ended, the end of what it printed or logged, and where the rest is.
    pub(crate) fn last_words(&self, name: &str) -> String {
        let end = self.process(name).ok().and_then(|p| p.end());
        let mut words: Vec<String> = end.into_iter().collect();
        let log = self.dir.join("log");
        let printed = [log.join(format!("{name}.out")), log.join(format!("{name}.log"))];
        match printed.iter().find_map(|path| Some((last_line(path)?, path))) {
            Some((line, path)) => words.push(format!("{line} (see {})", path.display())),
            None => words.push(format!("it printed nothing (see {})", log.display())),
        }
        words.join("; ")
    }

    /// Every process on record, ended ones too.
    pub fn processes(&self) -> Vec<Process> {
        Process::all(&self.dir)
    }

    /// The process of a daemon such as `osd.0`.
    pub fn process(&self, name: &str) -> Result<Process> {
        Process::load(&self.dir, name).with_context(|| format!("{name} was never started here"))
    }

    /// Starts a daemon of this cluster again: `mon.a`, `osd.0`, `mds.a`, `mgr.x`.
    pub fn start(&self, name: &str) -> Result<Process> {
        if let Some(running) = Process::load(&self.dir, name).filter(Process::is_alive) {
            return Ok(running);
        }
        let (kind, id) = name.split_once('.').with_context(|| format!("{name} is not like osd.0"))?;
        if kind == "mgr" {
            return self.start_recorded_manager(id);
        }
        if kind == "rgw" {
            return self.start_gateway(id);
        }
        let program = match kind {
            "mon" => "ceph-mon",
            "osd" => "ceph-osd",
            "mds" => "ceph-mds",
            _ => bail!("{name} is no daemon of this cluster"),
        };
        let mut command = self.daemon(program, id);
        if kind == "mon" {
            let n = self.monitors().find(|n| letter(*n) == id).with_context(|| format!("no {name}"))?;
            command.args(["--public-addrv", &self.monitor_addrs(n)]);
        }
        Process::spawn(&self.dir, name, command)
    }

    /// SIGTERM, then SIGKILL after ten seconds.
    pub fn stop(&self, name: &str) -> Result<()> {
        self.process(name)?.stop(Duration::from_secs(10))
    }

    /// As `kill -9`.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.process(name)?.kill()
    }

    /// Ends every process, managers first and monitors last. The folder stays.
    pub fn stop_all(&self) -> Result<()> {
        let order = |p: &Process| match p.name.split('.').next() {
            Some("mgr") => 0,
            Some("client" | "rgw") => 1,
            Some("mds") => 2,
            Some("osd") => 3,
            _ => 4,
        };
        let mut all = self.processes();
        all.sort_by_key(order);
        for group in all.chunk_by(|a, b| order(a) == order(b)) {
            for process in group {
                process.signal(nix::sys::signal::Signal::SIGTERM)?;
            }
            for process in group {
                process.stop(Duration::from_secs(10))?;
            }
        }
        Ok(())
    }

    /// Starts what was stopped: monitors, OSDs, MDSs, managers.
    pub fn start_all(&self) -> Result<()> {
        for n in self.monitors() {
            self.start(&format!("mon.{}", letter(n)))?;
        }
        self.wait_quorum()?;
        for n in 0..self.state.osds {
            self.start(&format!("osd.{n}"))?;
        }
        for n in 0..self.state.mds {
            self.start(&format!("mds.{}", letter(n)))?;
        }
        for n in 0..self.state.gateways {
            self.start(&format!("rgw.{}", letter(n)))?;
        }
        for manager in &self.state.managers {
            self.start(&format!("mgr.{}", manager.id))?;
        }
        Ok(())
    }

    /// Ends every process and, unless `keep`, removes what the cluster wrote into its folder.
    pub fn down(self, keep: bool) -> Result<()> {
        self.stop_all()?;
        self.root.hide(&self.dir)?;
        if keep {
            return Ok(());
        }
        for sub in SUBFOLDERS {
            remove(&self.dir.join(sub), |p| std::fs::remove_dir_all(p))?;
        }
        for file in ["ceph.conf", "keyring", "monmap", STATE] {
            remove(&self.dir.join(file), |p| std::fs::remove_file(p))?;
        }
        // Anything the user put there keeps the folder in place.
        let _ = std::fs::remove_dir(&self.dir);
        Ok(())
    }

    pub(crate) fn save(&self) -> Result<()> {
        std::fs::write(self.dir.join(STATE), serde_json::to_vec_pretty(&self.state)?)?;
        Ok(())
    }

    /// A daemon's command line, in the foreground so that its pid is known.
    pub(crate) fn daemon(&self, program: &str, id: &str) -> Command {
        let mut command = self.root.command(program);
        command.args(["-f", "-i", id, "-c"]).arg(self.conf_path());
        command
    }

    /// Runs one of the release's tools that must succeed; its standard output.
    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> Result<String> {
        let out = self.root.command(program).args(args).output();
        let out = out.with_context(|| format!("cannot run {program}"))?;
        if !out.status.success() {
            bail!("{program} failed ({}): {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Folder, configuration, keys and the monitors' first data.
    fn lay_out(options: &Options, root: Root) -> Result<Cluster> {
        std::fs::create_dir_all(&options.dir)
            .with_context(|| format!("cannot create {}", options.dir.display()))?;
        let dir = absolute(&options.dir)?;
        if dir.join(STATE).exists() {
            bail!("{} already holds a cluster: end it with `cluster down` first", dir.display());
        }
        if dir.as_os_str().len() > DIR_BYTES_MAX {
            bail!("{} is too long a path for the sockets below it ({DIR_BYTES_MAX} bytes)", dir.display());
        }
        for sub in SUBFOLDERS {
            std::fs::create_dir_all(dir.join(sub))?;
        }
        let state = State {
            release: options.release,
            fsid: uuid::Uuid::new_v4().to_string(),
            mons: options.mons,
            osds: options.osds,
            mds: options.mds,
            gateways: 0,
            ports: Ports::free_from(options.port_base)?,
            legacy: options.legacy,
            without_python: options.without_python,
            family: options.family,
            gone_mons: Vec::new(),
            axon: options.axon.as_deref().map(absolute).transpose()?,
            managers: Vec::new(),
        };
        let cluster = Cluster { dir, root, state };
        cluster.save()?;
        std::fs::write(cluster.conf_path(), cluster.conf().text())?;
        cluster.root.expose(&cluster.dir)?;
        Ok(cluster)
    }

    pub(crate) fn conf(&self) -> Conf<'_> {
        let s = &self.state;
        let (fsid, gone) = (&s.fsid, &s.gone_mons);
        let State { mons, osds, ports, legacy, without_python, family, .. } = *s;
        Conf { dir: &self.dir, fsid, mons, osds, ports, legacy, without_python, family, gone }
    }

    fn populate(mut self, options: &Options, progress: Progress) -> Result<Cluster> {
        progress(&format!("starting {} monitor(s) of {}", self.state.mons, self.state.release));
        self.make_monitors()?;
        self.wait_quorum()?;
        self.settle_ports()?;
        // A manager early: it needs seconds to come up, and the OSDs report to it from the start.
        self.start_managers(options.managers, progress)?;
        progress(&format!("starting {} OSD(s)", self.state.osds));
        self.make_osds()?;
        self.make_mds()?;
        if options.data {
            progress("making pools, a file system and some data");
            self.make_data()?;
        }
        if options.rich {
            progress("adding device classes, a second file system and an object gateway");
            self.make_rich()?;
        }
        Ok(self)
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        if self.mons == 0 || self.mons > MONS_MAX {
            bail!("--mons must be 1 to {MONS_MAX}");
        }
        if self.osds == 0 || self.osds > OSDS_MAX {
            bail!("--osds must be 1 to {OSDS_MAX}: more run no faster here; add empty ones for a big map");
        }
        if self.rich && (!self.data || self.osds < rich::OSDS || self.mds < rich::MDSS) {
            bail!("a rich cluster has data, and at least {} OSDs and {} MDSs", rich::OSDS, rich::MDSS);
        }
        if self.managers.has_axon() && self.axon.is_none() {
            bail!("a cluster managed by Axon needs the axon program");
        }
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
}

fn remove(path: &Path, with: impl Fn(&Path) -> std::io::Result<()>) -> Result<()> {
    match with(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Default for [`Options::port_base`]: below the range that Linux hands out to outgoing connections.
pub const PORT_BASE: u16 = 24_000;
const OSDS_MAX: u32 = 32;
/// A Unix socket's path has 108 bytes; the longest name below the folder is about 40.
const DIR_BYTES_MAX: usize = 64;
const STATE: &str = "cluster.json";
const SUBFOLDERS: [&str; 10] = ["mon", "mgr", "osd", "mds", "rgw", "run", "log", "proc", "crash", "bin"];
