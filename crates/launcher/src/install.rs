//! Puts a release's packages on the machine: apt for the host's own release, debootstrap for the others.
//!
//! A root is made beside its final place and renamed when complete, so a folder at the final place is whole.
//! The dashboard's package may stay unconfigured (its script wants systemd); its files are there, which is enough.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::archive::Archive;
use crate::{Progress, Release, Root, mount, root};

/// Makes `release` usable and returns where it lives. Cheap when it is there already.
pub fn ensure_installed(release: Release, progress: Progress) -> Result<Root> {
    let at = Root::of(release);
    match &at {
        Root::Host => ensure_on_host(release, progress)?,
        Root::Dir(dir) => {
            ensure_root(release, dir, progress)?;
            at.mount_system()?;
            complete_root(release, dir, &at, progress)?;
        }
    }
    Ok(at)
}

fn ensure_on_host(release: Release, progress: Progress) -> Result<()> {
    if packages_present(&Root::Host) {
        return Ok(());
    }
    require_superuser()?;
    let _lock = root::lock(&root::roots_dir().join("host"))?;
    if packages_present(&Root::Host) {
        return Ok(());
    }
    apt_install(&Root::Host, &format!("Ceph {release} on this machine"), progress)
}

fn ensure_root(release: Release, dir: &Path, progress: Progress) -> Result<()> {
    if is_whole(dir) {
        return Ok(());
    }
    require_superuser()?;
    let _lock = root::lock(&dir.with_extension("make"))?;
    if is_whole(dir) {
        return Ok(());
    }
    if dir.exists() {
        bail!(
            "{} exists but holds no Ceph: `cargo xtask cluster remove-root` removes it safely",
            dir.display()
        );
    }
    let partial = dir.with_extension("partial");
    mount::remove_tree(&partial)?;
    let archive = Archive::of_host()?;
    ensure_debootstrap(progress)?;
    bootstrap(release, &partial, &archive, progress)?;
    let at = Root::Dir(partial.clone());
    prepare(&partial, &archive)?;
    at.mount_system()?;
    let installed = apt_install(&at, &format!("Ceph {release} in its root folder"), progress);
    for point in mount::below(&partial)? {
        mount::unbind(&point)?;
    }
    installed?;
    std::fs::rename(&partial, dir).with_context(|| format!("cannot rename {}", partial.display()))?;
    progress(&format!("{release}: root folder {} is ready", dir.display()));
    Ok(())
}

/// A root that an earlier version made lacks what has been added since.
fn complete_root(release: Release, dir: &Path, at: &Root, progress: Progress) -> Result<()> {
    if packages_present(at) {
        return Ok(());
    }
    require_superuser()?;
    let _lock = root::lock(&dir.with_extension("make"))?;
    if packages_present(at) {
        return Ok(());
    }
    apt_install(at, &format!("what the root folder of Ceph {release} lacks"), progress)
}

fn is_whole(dir: &Path) -> bool {
    PROGRAMS.iter().all(|p| dir.join("usr/bin").join(p).exists()) && dir.join(DASHBOARD_FILES).exists()
}

/// Removes a release's root folder; refuses while a cluster uses it.
pub fn remove_root(release: Release) -> Result<()> {
    let Root::Dir(dir) = Root::of(release) else { bail!("{release} is this machine's own; apt removes it") };
    let _lock = root::lock(&dir.with_extension("make"))?;
    let own = ["proc", "sys"].map(|sub| dir.join(sub));
    if let Some(used) = mount::below(&dir)?.iter().find(|m| !own.contains(m)) {
        bail!("{} is mounted in it: end the cluster there first", used.display());
    }
    mount::remove_tree(&dir)
}

fn ensure_debootstrap(progress: Progress) -> Result<()> {
    if Path::new("/usr/sbin/debootstrap").exists() {
        return Ok(());
    }
    let log = log_path("debootstrap-install");
    let mut update = apt(&Root::Host);
    update.arg("update");
    run_logged(update, &log, "reading the package lists", progress)?;
    let mut install = apt(&Root::Host);
    install.args(["install", "-y", "--no-install-recommends", "debootstrap"]);
    run_logged(install, &log, "installing debootstrap", progress)
}

fn bootstrap(release: Release, partial: &Path, archive: &Archive, progress: Progress) -> Result<()> {
    let mut command = Root::Host.command("debootstrap");
    command.arg("--variant=minbase").arg(release.suite()).arg(partial).arg(&archive.uri);
    if let Some(proxy) = archive.http_proxy() {
        command.env("http_proxy", proxy);
    }
    let what = format!("making a Debian {} root folder for {release}", release.suite());
    run_logged(command, &log_path(release.suite()), &what, progress)
}

/// What the root needs before packages go in: the host's way to the archive, and no service may start.
fn prepare(partial: &Path, archive: &Archive) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(partial.join("etc/apt/apt.conf.d/90host"), archive.apt_conf())?;
    let policy = partial.join("usr/sbin/policy-rc.d");
    std::fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn apt_install(at: &Root, what: &str, progress: Progress) -> Result<()> {
    let log = match at {
        Root::Host => log_path("host"),
        Root::Dir(dir) => log_path(&dir.file_stem().unwrap_or_default().to_string_lossy()),
    };
    let mut update = apt(at);
    update.arg("update");
    run_logged(update, &log, "reading the package lists", progress)?;
    let mut install = apt(at);
    install.args(["install", "-y", "--no-install-recommends"]).args(PACKAGES);
    let result = run_logged(install, &log, &format!("installing {what}"), progress);
    if packages_present(at) {
        return Ok(());
    }
    result.and_then(|()| bail!("apt succeeded but packages are missing; see {}", log.display()))
}

fn apt(at: &Root) -> Command {
    let mut command = at.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Whether dpkg has every package unpacked, and all but the dashboard configured.
fn packages_present(at: &Root) -> bool {
    let mut query = at.command("dpkg-query");
    query.args(["-W", "-f", "${Package} ${db:Status-Abbrev}\n"]).args(PACKAGES).stderr(Stdio::null());
    let Ok(out) = query.output() else { return false };
    let text = String::from_utf8_lossy(&out.stdout);
    let usable = |name: &str| {
        text.lines().filter_map(|l| l.split_once(' ')).any(|(package, status)| {
            let loose =
                package == "ceph-mgr-dashboard" && matches!(status.get(..2), Some("iF" | "iU" | "iH"));
            package == name && (status.starts_with("ii") || loose)
        })
    };
    PACKAGES.iter().all(|name| usable(name))
}

/// Runs `command` with its output in `log`, telling now and then what it is at.
fn run_logged(mut command: Command, log: &Path, what: &str, progress: Progress) -> Result<()> {
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    let begun = Instant::now();
    progress(what);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let mut told = begun;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("{what} failed ({status}); the end of {}:\n{}", log.display(), tail(log, 15));
        }
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            progress(&format!("  … {what}: {} s, {}", begun.elapsed().as_secs(), tail(log, 1)));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

fn log_path(name: &str) -> PathBuf {
    let dir = root::roots_dir();
    // A failure shows when the log itself is opened, with the path in the message.
    let _ = std::fs::create_dir_all(&dir);
    dir.join(format!("{name}.log"))
}

pub fn require_superuser() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("installing packages and running Ceph's daemons needs root: run this with sudo");
    }
    Ok(())
}

const PROGRAMS: [&str; 7] =
    ["ceph", "ceph-mon", "ceph-osd", "ceph-mgr", "ceph-mds", "ceph-authtool", "monmaptool"];
const DASHBOARD_FILES: &str = "usr/share/ceph/mgr/dashboard/module.py";
const PACKAGES: [&str; 13] = [
    "ceph-mon",
    "ceph-osd",
    "ceph-mgr",
    "ceph-mds",
    "radosgw",
    "ceph-common",
    "ceph-mgr-dashboard",
    "ceph-mgr-modules-core",
    "python3-rados",
    "python3-rbd",
    // What the module that `mgr self-test remote` calls imports.
    "python3-influxdb",
    // What a manager's service is shown with.
    "systemd",
    "logrotate",
];
