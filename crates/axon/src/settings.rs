//! Options of one identity, from the command line, `ceph.conf` and built-in values (`global_pre_init`, `CephContext`).

use anyhow::{Context, bail};
use axon_core::config::{ConfFile, Level, Settings, Variables, cluster_of, conf_paths};
use axon_proto::AuthEntity;
use std::collections::BTreeMap;
use std::path::Path;

/// What the command line says.
pub struct Given<'a> {
    pub conf: Option<&'a Path>,
    pub cluster: Option<&'a str>,
    pub options: &'a BTreeMap<String, String>,
    /// Below the configuration file in precedence.
    pub defaults: &'a BTreeMap<String, String>,
}

/// Reads the configuration file (the one given, `CEPH_CONF`, or the first that exists where upstream looks).
pub fn read(name: &AuthEntity, given: &Given<'_>) -> anyhow::Result<Settings> {
    read_with_path(name, given).map(|(settings, _)| settings)
}

/// Like [`read`]; with the path of the file that was read.
pub fn read_with_path(name: &AuthEntity, given: &Given<'_>) -> anyhow::Result<(Settings, Option<String>)> {
    let env_conf = std::env::var("CEPH_CONF").ok().filter(|c| !c.is_empty());
    let conf = given.conf.map(|p| p.display().to_string()).or(env_conf);
    let cluster = given.cluster.unwrap_or_else(|| cluster_of(conf.as_deref().unwrap_or(""))).to_owned();
    let host = nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok()).unwrap_or_default();
    let mut settings = Settings::new(Variables {
        cluster,
        name: name.clone(),
        host: host.split('.').next().unwrap_or_default().to_owned(),
        pid: std::process::id(),
        home: std::env::var("HOME").unwrap_or_default(),
    });
    for (name, value) in given.defaults {
        settings.set(Level::Default, name, value.clone());
    }
    let path = read_file(&mut settings, conf.as_deref())?;
    for (name, value) in given.options {
        settings.set(Level::CommandLine, name, value.clone());
    }
    Ok((settings, path))
}

/// The first file of the list that exists; one that was named must exist.
fn read_file(settings: &mut Settings, named: Option<&str>) -> anyhow::Result<Option<String>> {
    for path in conf_paths(named, settings) {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let file = ConfFile::parse(&bytes).with_context(|| format!("{path} cannot be read"))?;
                settings.set_file(&file);
                return Ok(Some(path));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Err(e).with_context(|| format!("{path} cannot be read; check its owner and mode"));
            }
        }
    }
    match named {
        Some(conf) => bail!("{conf} does not exist"),
        None => Ok(None),
    }
}
