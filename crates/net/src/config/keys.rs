//! The identity's own key: option `key`, a file with nothing else (`keyfile`), or the first keyring of the `keyring` list
//! that exists, in this order.

use super::{ConfigError, Options, words};
use axon_cephx::{CryptoKey, KeyRing};
use axon_proto::AuthEntity;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file that has our key.
#[derive(Clone, Debug)]
pub(crate) enum KeyFile {
    /// Nothing else.
    Key(PathBuf),
    KeyRing(PathBuf),
}

impl KeyFile {
    /// The key that it has now; `None` while it cannot be read.
    pub fn key(&self, name: &AuthEntity) -> Option<CryptoKey> {
        match self {
            KeyFile::Key(path) => parse(name, "keyfile", &read(name, path).ok()??).ok(),
            KeyFile::KeyRing(path) => {
                KeyRing::parse(&read(name, path).ok()??, path).ok()?.key(name, path).ok()
            }
        }
    }
}

/// The key, where it came from in words, and the file.
pub(super) type Loaded = (CryptoKey, String, Option<KeyFile>);

pub(super) fn load(name: &AuthEntity, options: Options<'_>) -> Result<Loaded, ConfigError> {
    let set = |option| options(option).filter(|value| !value.is_empty()).map(Zeroizing::new);
    if let Some(text) = set("key") {
        return Ok((parse(name, "option key", &text)?, "option key".to_owned(), None));
    }
    if let Some(file) = set("keyfile") {
        let text = read(name, Path::new(file.as_str()))?
            .ok_or_else(|| ConfigError::NoKeyring { name: name.clone(), files: file.to_string() })?;
        let source = format!("keyfile {}", *file);
        let from = KeyFile::Key(PathBuf::from(file.as_str()));
        return Ok((parse(name, &source, &text)?, source, Some(from)));
    }
    let files = set("keyring").map_or_else(|| default_keyrings(name), |list| list.to_string());
    for file in words(&files) {
        let path = Path::new(file);
        if let Some(text) = read(name, path)? {
            let key = KeyRing::parse(&text, path)?.key(name, path)?;
            return Ok((key, format!("keyring {file}"), Some(KeyFile::KeyRing(path.to_owned()))));
        }
    }
    let files = words(&files).collect::<Vec<_>>().join(", ");
    Err(ConfigError::NoKeyring { name: name.clone(), files })
}

fn parse(name: &AuthEntity, option: &str, text: &str) -> Result<CryptoKey, ConfigError> {
    CryptoKey::from_base64(text.trim()).map_err(|why| ConfigError::BadKey {
        name: name.clone(),
        option: option.to_owned(),
        why: why.to_string(),
    })
}

/// The file's text; `None` when there is no such file.
fn read(name: &AuthEntity, file: &Path) -> Result<Option<Zeroizing<String>>, ConfigError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(ConfigError::KeyringUnreadable {
            name: name.clone(),
            file: file.to_owned(),
            why: why.to_string(),
        }),
    }
}

/// Upstream's defaults for a cluster named `ceph`.
fn default_keyrings(name: &AuthEntity) -> String {
    match name.kind.name() {
        kind @ ("mgr" | "mon" | "mds" | "osd") => format!("/var/lib/ceph/{kind}/ceph-{}/keyring", name.id),
        _ => format!(
            "/etc/ceph/ceph.{name}.keyring,/etc/ceph/ceph.keyring,/etc/ceph/keyring,/etc/ceph/keyring.bin"
        ),
    }
}
