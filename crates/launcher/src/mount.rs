//! Mounts in a release's root: idempotent, and safe when several programs use one root at the same time.
//!
//! Only two kinds exist: kernel file systems of the root's own, in which nothing can be deleted, and the folders of
//! clusters. A root is removed only by [`remove_tree`], which refuses while anything is mounted below.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The mount points of this mount namespace.
pub(crate) fn mount_points() -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    Ok(text.lines().filter_map(|l| l.split(' ').nth(4)).map(unescape).collect())
}

/// Mounts a new file system of the kernel's at `target`, unless something is mounted there.
pub(crate) fn fresh(kind: &str, options: &str, target: &Path) -> Result<()> {
    if mount_points()?.iter().any(|m| m == target) {
        return Ok(());
    }
    std::fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
    mount(&["-t".as_ref(), kind.as_ref(), "-o".as_ref(), options.as_ref(), kind.as_ref(), target.as_os_str()])
}

/// Unmounts what is below `dir` and removes it, staying on its file system. Deletes nothing while a mount is left.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    for point in below(dir)? {
        unbind(&point)?;
    }
    if let Some(left) = below(dir)?.first() {
        bail!("{} is still mounted; unmount it and try again", left.display());
    }
    let mut rm = Command::new("rm");
    let status = rm.args(["-rf", "--one-file-system", "--"]).arg(dir).status().context("cannot run rm")?;
    if !status.success() {
        bail!("cannot remove {}", dir.display());
    }
    Ok(())
}

/// Binds `source` and all below it at `target`, unless something is mounted there.
pub(crate) fn bind(source: &Path, target: &Path) -> Result<()> {
    if mount_points()?.iter().any(|m| m == target) {
        return Ok(());
    }
    std::fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
    mount(&["--rbind".as_ref(), source.as_os_str(), target.as_os_str()])?;
    // Slave: an unmount below the root must never reach the host's own mounts.
    mount(&["--make-rslave".as_ref(), target.as_os_str()])
}

/// Unmounts `target` and what is below it, if it is mounted.
pub(crate) fn unbind(target: &Path) -> Result<()> {
    // A process that was just killed may hold its files for a moment after it left the process table.
    for _ in 0..UNMOUNT_TRIES {
        if !mount_points()?.iter().any(|m| m == target) {
            return Ok(());
        }
        let out = Command::new("umount").arg("-R").arg(target).output().context("cannot run umount")?;
        if !out.status.success() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    if mount_points()?.iter().any(|m| m == target) {
        bail!("cannot unmount {}: end what uses it and try again", target.display());
    }
    Ok(())
}

/// The mounts at or below `dir`, deepest first.
pub(crate) fn below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = mount_points()?.into_iter().filter(|m| m.starts_with(dir)).collect();
    found.sort_by_key(|m| std::cmp::Reverse(m.components().count()));
    Ok(found)
}

fn mount(args: &[&std::ffi::OsStr]) -> Result<()> {
    let status = Command::new("mount").args(args).status().context("cannot run mount")?;
    if !status.success() {
        bail!("mount {args:?} failed; mounting needs root");
    }
    Ok(())
}

/// Five seconds' worth.
const UNMOUNT_TRIES: u32 = 25;

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        match tail.get(1..4).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = tail.get(4..).unwrap_or("");
            }
            None => {
                out.push('\\');
                rest = tail.get(1..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
    PathBuf::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_escapes_of_mountinfo_are_undone() {
        assert_eq!(unescape("/a\\040b/c"), PathBuf::from("/a b/c"));
        assert_eq!(unescape("/plain"), PathBuf::from("/plain"));
        assert_eq!(unescape("/odd\\x"), PathBuf::from("/odd\\x"));
    }
}
