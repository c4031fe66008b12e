//! Bind mounts into a release's root: idempotent, and safe when several programs use one root at the same time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The mount points of this mount namespace.
pub(crate) fn mount_points() -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    Ok(text.lines().filter_map(|l| l.split(' ').nth(4)).map(unescape).collect())
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
    if !mount_points()?.iter().any(|m| m == target) {
        return Ok(());
    }
    let status =
        Command::new("umount").args(["-R", "-l"]).arg(target).status().context("cannot run umount")?;
    if !status.success() {
        bail!("umount -R {} failed; end what uses it and try again", target.display());
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
