//! Where a release's programs live: the host itself, or a root folder that is entered with chroot.
//!
//! A command runs with a clean environment: the caller's Python or Ceph variables must not reach a daemon.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Release, mount};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Host,
    Dir(PathBuf),
}

impl Root {
    /// The root that `release` uses on this machine, whether made yet or not.
    pub fn of(release: Release) -> Root {
        if Release::of_host() == Some(release) {
            Root::Host
        } else {
            Root::Dir(roots_dir().join(release.suite()))
        }
    }

    /// A command inside the root, with the system's PATH and nothing else from the caller's environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match self {
            Root::Host => Command::new(program),
            Root::Dir(dir) => {
                let mut c = Command::new("/usr/sbin/chroot");
                c.arg(dir).arg(program);
                c
            }
        };
        command.env_clear().current_dir("/");
        command.env("PATH", SYSTEM_PATH).env("LC_ALL", "C.UTF-8").env("HOME", "/root");
        command
    }

    /// The host's path of a path inside the root.
    pub fn host_path(&self, inside: &Path) -> PathBuf {
        match self {
            Root::Host => inside.to_owned(),
            Root::Dir(dir) => dir.join(inside.strip_prefix("/").unwrap_or(inside)),
        }
    }

    /// Gives the root a /proc and a read-only /sys of its own. Its /dev holds the few nodes that debootstrap made.
    ///
    /// Never a bind of the host's: /dev is one file system for all who mount it, so that deleting a root with the
    /// host's /dev in it deletes the host's devices.
    pub(crate) fn mount_system(&self) -> Result<()> {
        let Root::Dir(dir) = self else { return Ok(()) };
        let _lock = lock(dir)?;
        mount::fresh("proc", "nosuid,noexec,nodev", &dir.join("proc"))?;
        mount::fresh("sysfs", "ro,nosuid,noexec,nodev", &dir.join("sys"))
    }

    /// Makes `dir` visible inside at the same path.
    pub(crate) fn expose(&self, dir: &Path) -> Result<()> {
        let Root::Dir(root) = self else { return Ok(()) };
        if ["/proc", "/sys", "/dev"].iter().any(|system| dir.starts_with(system)) {
            bail!("{} cannot hold a cluster", dir.display());
        }
        let _lock = lock(root)?;
        mount::bind(dir, &self.host_path(dir))
    }

    /// Takes `dir` out of the root again.
    pub(crate) fn hide(&self, dir: &Path) -> Result<()> {
        let Root::Dir(root) = self else { return Ok(()) };
        let _lock = lock(root)?;
        mount::unbind(&self.host_path(dir))
    }
}

/// The folder of all roots: `$AXON_CACHE/roots`, by default under /var/cache/axon.
pub fn roots_dir() -> PathBuf {
    cache_dir().join("roots")
}

pub(crate) fn cache_dir() -> PathBuf {
    std::env::var_os("AXON_CACHE").map(PathBuf::from).unwrap_or_else(|| PathBuf::from("/var/cache/axon"))
}

/// The lock `<of>.lock`, held while a root is made or its mounts change; freed on drop.
pub(crate) fn lock(of: &Path) -> Result<File> {
    // Appended, not replaced: `sid`, `sid.make` and `sid.partial` are three locks.
    let mut path = of.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_inside_a_root_maps_below_it() {
        let root = Root::Dir("/r".into());
        assert_eq!(root.host_path(Path::new("/a/b")), PathBuf::from("/r/a/b"));
        assert_eq!(Root::Host.host_path(Path::new("/a/b")), PathBuf::from("/a/b"));
    }

    #[test]
    fn a_half_made_roots_lock_is_not_the_lock_of_making_it() {
        let dir = std::env::temp_dir().join(format!("axon-lock-{}", std::process::id()));
        let held = lock(&dir.join("sid.make")).unwrap();
        let other = lock(&dir.join("sid.partial")).unwrap();
        drop((held, other));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_callers_environment_does_not_reach_a_command() {
        let out = Root::Host.command("env").output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let keys: Vec<&str> = text.lines().filter_map(|l| l.split('=').next()).collect();
        assert_eq!(keys, ["HOME", "LC_ALL", "PATH"]);
    }
}
