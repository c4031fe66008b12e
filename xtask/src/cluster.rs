//! `cargo xtask cluster …`: real clusters, by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use axon_launcher::{Cluster, Family, Kind, Managers, Options, Release};
use clap::{Args, Subcommand};

use crate::build::{self, Profile};
use crate::progress;

#[derive(Subcommand)]
pub enum Task {
    /// Bring a cluster up in a folder.
    Up(Up),
    /// End its processes and remove its data.
    Down {
        #[arg(long)]
        dir: PathBuf,
        /// Leave data and logs in place; `resume` starts it again.
        #[arg(long)]
        keep: bool,
    },
    /// Start the ended processes of a kept cluster.
    Resume {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Show processes, ports and health.
    Status {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Run the release's own `ceph` with the arguments after `--`.
    Ceph {
        #[arg(long)]
        dir: PathBuf,
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run any program of the release in its root, with CEPH_CONF set.
    Exec {
        #[arg(long)]
        dir: PathBuf,
        #[arg(last = true, required = true)]
        args: Vec<String>,
    },
    /// Start one daemon (`osd.0`, `mgr.x`), or with --manager a new manager under that name.
    Start {
        #[arg(long)]
        dir: PathBuf,
        name: String,
        /// Kind of a manager that is new: axon or ceph.
        #[arg(long)]
        manager: Option<String>,
        /// The axon program from now on.
        #[arg(long)]
        axon: Option<PathBuf>,
    },
    /// End one daemon: SIGTERM, or SIGKILL with --kill.
    Stop {
        #[arg(long)]
        dir: PathBuf,
        name: String,
        #[arg(long)]
        kill: bool,
    },
    /// Wait for HEALTH_OK and PGs active+clean.
    Wait {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, default_value_t = 120)]
        secs: u64,
        /// Health codes that may stand.
        #[arg(long, value_delimiter = ',')]
        allow: Vec<String>,
    },
    /// Remove a release's root folder, safely; the next `up` makes it anew.
    RemoveRoot {
        #[arg(long)]
        release: Release,
    },
    /// Kill osd.1, mark osd.2 out, make OSDs near full, and hold recovery still; of a cluster made with --rich.
    HoldBroken {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Add OSDs that exist only in the maps.
    EmptyOsds {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        count: u32,
    },
}

#[derive(Args)]
pub struct Up {
    /// pacific, reef or tentacle; by default what this machine's packages give.
    #[arg(long)]
    release: Option<Release>,
    #[arg(long)]
    dir: PathBuf,
    #[arg(long, default_value_t = 1)]
    mons: u16,
    #[arg(long, default_value_t = 3)]
    osds: u32,
    #[arg(long, default_value_t = 1)]
    mds: u16,
    /// axon, ceph, both or none.
    #[arg(long, default_value = "axon")]
    manager: Managers,
    /// Ports are taken from here on.
    #[arg(long)]
    port: Option<u16>,
    /// The axon program; built (debug) when not given.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// No pools and no file system.
    #[arg(long)]
    bare: bool,
    /// Everybody speaks msgr v1 only
    #[arg(long)]
    legacy: bool,
    /// Addresses: v4, v6, or both (of the monitors).
    #[arg(long, default_value = "v4")]
    family: Family,
    /// Device classes, a second file system and an object gateway too; then --osds is at least 5 and --mds 2
    #[arg(long)]
    rich: bool,
}

pub fn run(task: Task) -> Result<()> {
    match task {
        Task::Up(up) => bring_up(&up),
        Task::Down { dir, keep } => Cluster::open(dir)?.down(keep),
        Task::Resume { dir } => Cluster::open(dir)?.start_all(),
        Task::Status { dir } => status(&Cluster::open(dir)?),
        Task::Ceph { dir, args } => ceph(&dir, &args),
        Task::Exec { dir, args } => exec(&dir, &args),
        Task::Start { dir, name, manager, axon } => start(&dir, &name, manager.as_deref(), axon.as_deref()),
        Task::Stop { dir, name, kill } => {
            let cluster = Cluster::open(dir)?;
            if kill { cluster.kill(&name) } else { cluster.stop(&name) }
        }
        Task::Wait { dir, secs, allow } => {
            let allowed: Vec<&str> = allow.iter().map(String::as_str).collect();
            let health = Cluster::open(dir)?.wait_well(&allowed, Duration::from_secs(secs))?;
            println!("{}: {} PGs active+clean", health.status, health.pgs_active_clean);
            Ok(())
        }
        Task::RemoveRoot { release } => axon_launcher::install::remove_root(release),
        Task::HoldBroken { dir } => Cluster::open(dir)?.hold_broken(),
        Task::EmptyOsds { dir, count } => Cluster::open(dir)?.add_empty_osds(count),
    }
}

fn bring_up(up: &Up) -> Result<()> {
    let release = up.release.unwrap_or_else(Release::default_for_host);
    let mut options = Options::new(release, &up.dir);
    options.mons = up.mons;
    options.osds = up.osds;
    options.mds = up.mds;
    options.managers = up.manager;
    options.data = !up.bare;
    options.legacy = up.legacy;
    options.family = up.family;
    if up.rich {
        (options.rich, options.osds, options.mds) = (true, up.osds.max(5), up.mds.max(2));
    }
    options.port_base = up.port.unwrap_or(options.port_base);
    options.axon = match &up.axon {
        None if up.manager.has_axon() => Some(build::axon(Profile::Dev)?),
        given => given.clone(),
    };
    let cluster = Cluster::up(&options, &progress())?;
    status(&cluster)
}

fn status(cluster: &Cluster) -> Result<()> {
    println!("Ceph {} in {}", cluster.release(), cluster.dir().display());
    for process in cluster.processes() {
        match process.rss_kib() {
            Some(kib) => println!("  {:8} pid {:7} {:5} MiB", process.name, process.pid, kib / 1024),
            None => println!("  {:8} ended", process.name),
        }
    }
    for manager in &cluster.state().managers {
        println!("  mgr.{} ({:?}) dashboard at {}", manager.id, manager.kind, manager.url());
    }
    let health = cluster.health()?;
    println!("  {}: {} of {} PGs active+clean", health.status, health.pgs_active_clean, health.pgs_wanted);
    for (code, summary) in &health.checks {
        println!("    {code}: {summary}");
    }
    Ok(())
}

/// Hands over the terminal, and the exit code of `ceph` is ours.
fn ceph(dir: &Path, args: &[String]) -> Result<()> {
    let status = Cluster::open(dir)?.ceph_command(args).status().context("cannot run ceph")?;
    std::process::exit(status.code().unwrap_or(1));
}

fn exec(dir: &Path, args: &[String]) -> Result<()> {
    let cluster = Cluster::open(dir)?;
    let (program, rest) = args.split_first().context("no program given")?;
    let mut command = cluster.root().command(program);
    command.args(rest).env("CEPH_CONF", cluster.conf_path());
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    std::process::exit(status.code().unwrap_or(1));
}

fn start(dir: &Path, name: &str, manager: Option<&str>, axon: Option<&Path>) -> Result<()> {
    let mut cluster = Cluster::open(dir)?;
    if let Some(axon) = axon {
        cluster.set_axon(axon)?;
    }
    let process = match (manager, name.strip_prefix("mgr.")) {
        (Some("axon"), Some(id)) => cluster.start_manager(Kind::Axon, id)?,
        (Some("ceph"), Some(id)) => cluster.start_manager(Kind::Ceph, id)?,
        _ => cluster.start(name)?,
    };
    println!("{name} runs as pid {}", process.pid);
    Ok(())
}
