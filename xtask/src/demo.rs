//! `cargo xtask demo`: from a fresh machine to a real cluster managed by Axon, with a user to log in as.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axon_launcher::{Cluster, Managers, Options, Process, Release};
use clap::{Args, Subcommand};
use nix::sys::signal::{SigSet, Signal};

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct Demo {
    #[command(subcommand)]
    action: Option<Action>,
    /// pacific, reef or tentacle; by default what this machine's packages give.
    #[arg(long)]
    release: Option<Release>,
    #[arg(long, default_value = DIR, global = true)]
    dir: PathBuf,
    #[arg(long, default_value_t = 3)]
    osds: u32,
    #[arg(long, default_value_t = 1)]
    mons: u16,
    /// Ports are taken from here on.
    #[arg(long)]
    port: Option<u16>,
    /// Leave the cluster running and return; `demo stop` ends it.
    #[arg(long)]
    detach: bool,
}

#[derive(Subcommand)]
enum Action {
    /// End the demo and remove its data.
    Stop,
}

pub fn run(demo: &Demo) -> Result<()> {
    match demo.action {
        Some(Action::Stop) => {
            if !is_demo(&demo.dir) {
                bail!("no demo is in {}: there is nothing to stop", demo.dir.display());
            }
            Cluster::open(&demo.dir)?.down(false)?;
            println!("the demo in {} is gone", demo.dir.display());
            Ok(())
        }
        None => {
            let started = start(demo);
            if INTERRUPTED.load(Ordering::Acquire) {
                park();
            }
            started
        }
    }
}

fn is_demo(dir: &Path) -> bool {
    dir.join("cluster.json").exists()
}

/// For ever: the thread of `clean_up_on_interrupt` ends the program.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}

fn start(demo: &Demo) -> Result<()> {
    // Before the build, which takes minutes.
    axon_launcher::install::require_superuser()?;
    if is_demo(&demo.dir) {
        bail!("a demo is in {} already: `cargo xtask demo stop` ends it", demo.dir.display());
    }
    let told = progress();
    told("building axon (release; the first time takes minutes)");
    let axon = build::axon(Profile::Release)?;
    if !demo.detach {
        clean_up_on_interrupt(&demo.dir)?;
    }
    let release = demo.release.unwrap_or_else(Release::default_for_host);
    let mut options = Options::new(release, &demo.dir);
    options.mons = demo.mons;
    options.osds = demo.osds;
    options.managers = Managers::Axon;
    options.port_base = demo.port.unwrap_or(options.port_base);
    options.axon = Some(axon);
    let cluster = Cluster::up(&options, &told)?;
    told("waiting for Axon to be the active manager");
    cluster.wait_manager("x", Duration::from_secs(60))?;
    told("waiting for the cluster's health");
    let health = cluster.wait_health_ok(Duration::from_secs(120))?;
    told(&format!("{}, {} PGs active+clean", health.status, health.pgs_active_clean));
    let password = create_admin(&cluster)?;
    welcome(&cluster, &password, demo.detach);
    if demo.detach {
        return Ok(());
    }
    park()
}

/// From now on Ctrl-C (or SIGTERM, or a terminal that closes) ends the cluster, however far it is, and the program.
fn clean_up_on_interrupt(dir: &Path) -> Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    // Blocked here, before any other thread exists, so that only the waiting thread takes them. Children start with
    // an empty mask: the standard library sees to it.
    signals.thread_block().context("cannot block signals")?;
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        if signals.wait().is_err() {
            return;
        }
        INTERRUPTED.store(true, Ordering::Release);
        println!("\nending the demo …");
        Process::start_no_more();
        if !is_demo(&dir) {
            // Still building or installing: packages that are half installed are completed by the next start.
            println!("no daemon was started yet");
            std::process::exit(130);
        }
        let code = match Cluster::open(&dir).and_then(|c| c.down(false)) {
            Ok(()) => 0,
            Err(e) => {
                eprintln!("error: {e:#}");
                1
            }
        };
        std::process::exit(code);
    });
    Ok(())
}

/// Makes the user `admin` through the manager's own command and returns the password.
fn create_admin(cluster: &Cluster) -> Result<String> {
    let password = format!("Axon-{}", random_hex(6)?);
    let file = cluster.dir().join("mgr/admin.password");
    write_private(&file, &password)?;
    let path = file.to_str().context("the folder's name is not UTF-8")?;
    let begun = Instant::now();
    loop {
        let out = cluster.ceph(&["dashboard", "ac-user-create", "admin", "-i", path, "administrator"])?;
        if out.status.success() {
            return Ok(password);
        }
        if begun.elapsed() > Duration::from_secs(30) {
            bail!("the admin user was not made: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn random_hex(bytes: usize) -> Result<String> {
    use std::io::Read;
    let mut random = vec![0; bytes];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|b| format!("{b:02x}")).collect())
}

fn welcome(cluster: &Cluster, password: &str, detached: bool) {
    let url = cluster.manager("x").map(|m| m.url()).unwrap_or_default();
    let dir = cluster.dir().display();
    let stop = if detached { format!("cargo xtask demo stop --dir {dir}") } else { "Ctrl-C here".to_owned() };
    println!(
        "
Ceph {release} with Axon as its only manager runs in {dir}

  URL       {url}
  user      admin
  password  {password}

Try next:
  cargo xtask cluster ceph --dir {dir} -- -s
  cargo xtask cluster status --dir {dir}

  A='Accept: application/vnd.ceph.api.v1.0+json'
  T=$(curl -s -H \"$A\" -H 'Content-Type: application/json' {url}/api/auth \\
      -d '{{\"username\":\"admin\",\"password\":\"{password}\"}}' | sed 's/.*\"token\": *\"\\([^\"]*\\)\".*/\\1/')
  curl -s -H \"$A\" -H \"Authorization: Bearer $T\" {url}/api/health/minimal
  curl -s -H \"$A\" -H \"Authorization: Bearer $T\" {url}/api/osd/flags

Stop: {stop}",
        release = cluster.release(),
    );
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
const DIR: &str = "/var/tmp/axon-demo";
