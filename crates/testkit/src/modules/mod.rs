//! Manager modules of the tests' own, beside the distribution's in a folder of the cluster: those that do harm, and one that measures.
//!
//! The folder has links to everything that the distribution installs, so that either manager finds its own modules there too.

use anyhow::{Context, Result};
use axon_launcher::Cluster;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const STOCK: &str = "/usr/share/ceph/mgr";

/// A name per deed, as each is a process of its own.
pub const HOSTILE: [&str; 3] = ["hostile_spin", "hostile_leak", "hostile_die"];
/// What measures.
pub const GAUGE: &str = "gauge";

/// Makes the folder; managers take modules from it from their next start on. The text that `ceph.conf` had.
///
/// # Errors
/// When a file cannot be written.
pub fn install(cluster: &Cluster) -> Result<String> {
    let folder = folder(cluster);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let stock = cluster.root().host_path(Path::new(STOCK));
    for entry in fs::read_dir(&stock).with_context(|| format!("cannot read {}", stock.display()))? {
        let name = entry?.file_name();
        symlink(Path::new(STOCK).join(&name), folder.join(&name))?;
    }
    for name in HOSTILE {
        write(&folder, name, include_str!("hostile.py"))?;
    }
    write(&folder, GAUGE, include_str!("gauge.py"))?;
    let path = cluster.conf_path();
    let before = fs::read_to_string(&path)?;
    let lines = format!("\n[mgr]\nmgr module path = {}\n", folder.display());
    fs::write(&path, before.clone() + &lines)?;
    Ok(before)
}

fn folder(cluster: &Cluster) -> PathBuf {
    cluster.dir().join("modules")
}

/// A package as upstream's registry finds them: a folder with `module.py`.
fn write(folder: &Path, name: &str, source: &str) -> Result<()> {
    let package = folder.join(name);
    fs::create_dir(&package)?;
    fs::write(package.join("__init__.py"), "from .module import Module\n")?;
    fs::write(package.join("module.py"), source)?;
    Ok(())
}
