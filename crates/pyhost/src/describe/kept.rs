//! What was found out about the modules, kept in the manager's folder: importing thirty modules takes seconds, and the first
//! beacon waits for it.
//!
//! Invariants: a file that was made of other sources, by another interpreter or another Axon is not believed; a file that is
//! missing, damaged or too large costs time only.

use crate::process;
use crate::setup::Setup;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in the manager's folder.
const FILE: &str = "axon-modules.json";
const FILE_BYTES_MAX: u64 = 16 << 20;
/// How deep below the modules' folder sources are looked for, and how many.
const DEPTH_MAX: usize = 8;
const FILES_MAX: usize = 20_000;
/// Where Debian and others install what modules depend on: a package that comes or goes changes these.
const LIBRARIES: [&str; 2] = ["/usr/lib", "/usr/local/lib"];

/// By what was found: name, and what `axon_describe.py` said.
pub type Found = BTreeMap<String, Value>;

/// Says of what the descriptions were made.
#[must_use]
pub fn key(setup: &Setup) -> String {
    let mut hasher = DefaultHasher::new();
    process::sources().hash(&mut hasher);
    setup.module_path.hash(&mut hasher);
    stamp(&setup.python).hash(&mut hasher);
    let mut files = Vec::new();
    sources(&setup.module_path, 0, &mut files);
    files.sort();
    for file in &files {
        (file, stamp(file)).hash(&mut hasher);
    }
    for folder in LIBRARIES.iter().flat_map(|at| packages(Path::new(at))) {
        (&folder, stamp(&folder)).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// What is kept under that key.
#[must_use]
pub fn read(setup: &Setup, key: &str) -> Found {
    let Some(folder) = &setup.data_path else { return Found::new() };
    let mut text = Vec::new();
    let file = std::fs::File::open(folder.join(FILE)).map(|file| file.take(FILE_BYTES_MAX));
    if file.and_then(|mut file| file.read_to_end(&mut text)).is_err() {
        return Found::new();
    }
    let Ok(mut kept) = serde_json::from_slice::<Value>(&text) else { return Found::new() };
    if kept.get("key").and_then(Value::as_str) != Some(key) {
        return Found::new();
    }
    let modules = kept.get_mut("modules").map(Value::take).unwrap_or_default();
    serde_json::from_value(modules).unwrap_or_default()
}

/// Keeps it; a manager without a folder of its own looks anew at each start.
pub fn write(setup: &Setup, key: &str, found: &Found) {
    let Some(folder) = setup.data_path.as_ref().filter(|folder| folder.is_dir()) else { return };
    if let Err(why) = replace(&folder.join(FILE), &json!({"key": key, "modules": found}).to_string()) {
        tracing::warn!(folder = %folder.display(), %why, "what modules there are cannot be kept for the next start");
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}

/// Changes with a file's contents.
fn stamp(path: &Path) -> Option<(i64, i64, u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.mtime(), meta.mtime_nsec(), meta.len(), meta.ino()))
}

fn sources(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type();
        if out.len() >= FILES_MAX {
            return;
        }
        match kind {
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX && name != "frontend" && name != "__pycache__" => {
                sources(&path, depth + 1, out);
            }
            Ok(kind) if !kind.is_dir() && path.extension() == Some(OsStr::new("py")) => out.push(path),
            _ => {}
        }
    }
}

/// `python3/dist-packages`, `python3.11/site-packages`, …
fn packages(at: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
    let versions = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    let folders =
        versions.flat_map(|entry| ["dist-packages", "site-packages"].map(|name| entry.path().join(name)));
    let mut out: Vec<PathBuf> = folders.filter(|folder| folder.is_dir()).collect();
    out.sort();
    out
}
