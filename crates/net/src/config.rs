//! What a client of the cluster starts from: who it is, its key, the monitors' addresses, modes and times. From
//! `ceph.conf`'s values (`MonMap::build_initial`, `KeyRing::from_ceph_context`, `AuthRegistry::_refresh_config`).
//!
//! Not here: reading and expanding `ceph.conf` (`axon-core`'s config): values come by a closure.

mod keys;
mod monitors;
mod srv;

use crate::auth::{AuthPolicy, Clock, parse_methods, parse_modes};
use crate::connection::Detour;
use crate::listener::PORTS_DEFAULT;
use crate::mon::hunt::{Candidate, HuntOptions};
use axon_cephx::CryptoKey;
use axon_core::config::BadMonHost;
use axon_msgr::auth::method;
use axon_msgr::{Algorithm, Compression, Limits};
use axon_proto::fsid::BadFsid;
use axon_proto::{AddrType, AuthEntity, EntityType, Fsid};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A client's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity.
    pub name: AuthEntity,
    /// Its key; `None` where the cluster allows method `none` and there is no keyring.
    pub key: Option<CryptoKey>,
    /// Where the key came from, for error messages.
    pub key_source: String,
    /// The file that it came from: read again when the monitors refuse the key.
    pub(crate) key_file: Option<keys::KeyFile>,
    /// The monitors to try first.
    pub monitors: Vec<Candidate>,
    /// Where they came from, for error messages.
    pub monitors_source: String,
    /// The cluster that this must be; `None` = any.
    pub fsid: Option<Fsid>,
    /// Methods and connection modes.
    pub policy: Arc<AuthPolicy>,
    /// Protocols that we listen with (`ms_bind_msgr2`, `ms_bind_msgr1`).
    pub listens: Vec<AddrType>,
    /// Where to look for free ports (`ms_bind_port_min`, `ms_bind_port_max`).
    pub ports: RangeInclusive<u16>,
    /// On-wire compression (`ms_osd_compress_*`).
    pub compression: Compression,
    pub hunt: HuntOptions,
    /// `mon_client_ping_interval`.
    pub ping_interval: Duration,
    /// `mon_client_ping_timeout`; zero = never give a silent monitor up.
    pub ping_timeout: Duration,
    /// `mon_client_directed_command_retry`.
    pub directed_command_retry: u32,
    /// `auth_service_ticket_ttl`.
    pub service_ticket_ttl: Duration,
    /// Services whose tickets are wanted, a mask of entity types.
    pub want_keys: u32,
    /// `ms_connection_ready_timeout`: TCP and handshake together.
    pub connect_timeout: Duration,
    /// How long a session to a daemon is kept without a command.
    pub daemon_idle: Duration,
    /// How long a daemon that owes an answer may be silent, also to keepalives, before its connection is given up.
    pub daemon_silence_max: Duration,
    /// Bounds of connections, and the newest revision of msgr v2 to offer.
    pub limits: Limits,
    /// Where to connect to instead of the addresses in the maps.
    pub detour: Option<Detour>,
    /// What tickets and keys are judged by.
    pub clock: Clock,
}

/// What a connection may use; unlike the rest it may change while the client runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub policy: Arc<AuthPolicy>,
    pub compression: Compression,
}

impl Wire {
    /// From the options in force (`auth_*_required`, `ms_*_mode`, `ms_osd_compress_*`).
    pub fn load(own: EntityType, options: Options<'_>) -> Result<Self, ConfigError> {
        Ok(Wire { policy: Arc::new(policy(own, options)?), compression: compression(options)? })
    }
}

/// What is wrong with the configuration. Each case names the file or option to check.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "no monitor is known: set `mon_host` in the [global] section of ceph.conf, or give -m, or publish \
         {record} in DNS"
    )]
    NoMonitors { record: String },
    #[error(
        "no monitor is known: `mon_host` is not set, and {record} cannot be looked up: {why}; check the name server"
    )]
    Dns { record: String, why: String },
    #[error("{0}")]
    MonHost(#[from] BadMonHost),
    #[error("mon_host: {host} cannot be resolved: {why}; check the name in ceph.conf and the name server")]
    Resolve { host: String, why: String },
    #[error("fsid {text:?} in ceph.conf is {source}")]
    Fsid { text: String, source: BadFsid },
    #[error("no keyring of {name} found: none of {files} exists; `ceph auth get {name}` prints one")]
    NoKeyring { name: AuthEntity, files: String },
    #[error("the keyring {file} of {name} cannot be read: {why}; check its owner and mode")]
    KeyringUnreadable { name: AuthEntity, file: PathBuf, why: String },
    #[error("{0}")]
    Keyring(#[from] axon_cephx::KeyRingError),
    #[error("{option} of {name} is not a key: {why}")]
    BadKey { name: AuthEntity, option: String, why: String },
    #[error("option {option} = {value:?}: {why}")]
    BadOption { option: &'static str, value: String, why: String },
}

impl ConfigError {
    /// Whether the condition can pass without a change by the operator: a file or name that may appear.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            ConfigError::Resolve { .. }
                | ConfigError::Dns { .. }
                | ConfigError::NoKeyring { .. }
                | ConfigError::KeyringUnreadable { .. }
        )
    }
}

/// Values of options by name, variables expanded; `None` = not set.
pub type Options<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

impl Config {
    /// Reads the key, resolves the monitors, and takes the rest from `options`.
    pub async fn load(name: AuthEntity, options: Options<'_>) -> Result<Self, ConfigError> {
        let policy = policy(name.kind, options)?;
        let (key, key_source, key_file) = match keys::load(&name, options) {
            Ok((key, source, file)) => (Some(key), source, file),
            // As upstream: without a keyring cephx is no choice, another method may be.
            Err(_) if policy.methods(EntityType::MON).contains(&method::NONE) => {
                (None, "none".to_owned(), None)
            }
            Err(e) => return Err(e),
        };
        let (monitors, monitors_source) = monitors::load(options).await?;
        let fsid = match options("fsid").filter(|text| !text.is_empty()) {
            Some(text) => Some(text.parse().map_err(|source| ConfigError::Fsid { text, source })?),
            None => None,
        };
        let hunt = HuntOptions::default();
        Ok(Config {
            policy: Arc::new(policy),
            compression: compression(options)?,
            listens: listens(options),
            ports: number(options, "ms_bind_port_min")?.unwrap_or(*PORTS_DEFAULT.start())
                ..=number(options, "ms_bind_port_max")?.unwrap_or(*PORTS_DEFAULT.end()),
            want_keys: wanted_keys(),
            name,
            key,
            key_source,
            key_file,
            monitors,
            monitors_source,
            fsid,
            hunt: HuntOptions {
                parallel: number(options, "mon_client_hunt_parallel")?.unwrap_or(hunt.parallel),
                interval: secs(options, "mon_client_hunt_interval", hunt.interval)?,
                backoff: number(options, "mon_client_hunt_interval_backoff")?.unwrap_or(hunt.backoff),
                multiple_min: number(options, "mon_client_hunt_interval_min_multiple")?
                    .unwrap_or(hunt.multiple_min),
                multiple_max: number(options, "mon_client_hunt_interval_max_multiple")?
                    .unwrap_or(hunt.multiple_max),
            },
            ping_interval: secs(options, "mon_client_ping_interval", Duration::from_secs(10))?,
            ping_timeout: secs(options, "mon_client_ping_timeout", Duration::from_secs(30))?,
            directed_command_retry: number(options, "mon_client_directed_command_retry")?.unwrap_or(2),
            service_ticket_ttl: secs(options, "auth_service_ticket_ttl", Duration::from_secs(3600))?,
            connect_timeout: secs(options, "ms_connection_ready_timeout", Duration::from_secs(10))?,
            daemon_idle: Duration::from_secs(60),
            daemon_silence_max: Duration::from_secs(10),
            limits: Limits::default(),
            detour: None,
            clock: Clock::default(),
        })
    }
}

/// What the manager asks for (`MgrStandby::init`); a client with fewer rights gets what its caps allow.
fn wanted_keys() -> u32 {
    [EntityType::MON, EntityType::OSD, EntityType::MDS, EntityType::MGR]
        .iter()
        .fold(0, |mask, kind| mask | u32::from(kind.0))
}

/// Methods and connection modes (`auth_*_required`, `ms_*_mode`).
///
/// # Errors
/// A value that is no list of known names.
pub fn policy(own: EntityType, options: Options<'_>) -> Result<AuthPolicy, ConfigError> {
    let mut policy = AuthPolicy::new(own);
    for (option, list) in [
        ("auth_cluster_required", &mut policy.cluster_methods),
        ("auth_service_required", &mut policy.service_methods),
        ("auth_client_required", &mut policy.client_methods),
    ] {
        replace(options, option, list, parse_methods)?;
    }
    for (option, list) in [
        ("ms_mon_cluster_mode", &mut policy.mon_cluster_modes),
        ("ms_mon_service_mode", &mut policy.mon_service_modes),
        ("ms_mon_client_mode", &mut policy.mon_client_modes),
        ("ms_client_mode", &mut policy.client_modes),
    ] {
        replace(options, option, list, parse_modes)?;
    }
    policy.sign_messages = flag(options, "cephx_sign_messages", true);
    Ok(policy)
}

/// Unknown algorithms are left out, as upstream does; a list without a known one compresses nothing.
fn compression(options: Options<'_>) -> Result<Compression, ConfigError> {
    let defaults = Compression::default();
    let mode = options("ms_osd_compress_mode").unwrap_or_default();
    let algorithms = options("ms_osd_compression_algorithm")
        .map(|list| list.split([';', ',', '=', ' ', '\t']).filter_map(Algorithm::from_name).collect());
    Ok(Compression {
        osds: matches!(mode.trim(), "force" | "aggressive" | "passive"),
        algorithms: algorithms.unwrap_or(defaults.algorithms),
        bytes_min: match options("ms_osd_compress_min_size") {
            Some(value) => bytes(&value).ok_or_else(|| ConfigError::BadOption {
                option: "ms_osd_compress_min_size",
                why: "it is not a size such as 1024 or 1K".to_owned(),
                value,
            })?,
            None => defaults.bytes_min,
        },
        secure: flag(options, "ms_compress_secure", false),
    })
}

/// v2 first, as upstream binds.
fn listens(options: Options<'_>) -> Vec<AddrType> {
    let bound = |option, kind| flag(options, option, true).then_some(kind);
    let both = [bound("ms_bind_msgr2", AddrType::MSGR2), bound("ms_bind_msgr1", AddrType::LEGACY)];
    both.into_iter().flatten().collect()
}

fn flag(options: Options<'_>, option: &str, default: bool) -> bool {
    match options(option).unwrap_or_default().trim() {
        "true" | "1" | "yes" | "on" => true,
        "false" | "0" | "no" | "off" => false,
        _ => default,
    }
}

/// A size: `1024`, `1_K`, `1Ki`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.trim_end_matches('B').trim_end_matches('i') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn replace(
    options: Options<'_>,
    option: &'static str,
    list: &mut Vec<u32>,
    parse: impl Fn(&str) -> Result<Vec<u32>, String>,
) -> Result<(), ConfigError> {
    if let Some(value) = options(option).filter(|v| !v.trim().is_empty()) {
        *list = parse(&value).map_err(|why| ConfigError::BadOption { option, value, why })?;
    }
    Ok(())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).filter(|w| !w.is_empty())
}

fn number<T: std::str::FromStr>(options: Options<'_>, option: &'static str) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let Some(value) = options(option) else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(why) => Err(ConfigError::BadOption { option, why: format!("{why}"), value }),
    }
}

fn secs(options: Options<'_>, option: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    let Some(secs) = number::<f64>(options, option)? else { return Ok(default) };
    Duration::try_from_secs_f64(secs).map_err(|why| ConfigError::BadOption {
        option,
        value: secs.to_string(),
        why: why.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_msgr::auth::con_mode;

    const KEY: &str = "AQBSdFFhAAAAABAAq83vASNFZ4mrze8BI0VniQ==";

    fn load(name: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let options = |wanted: &str| {
            pairs.iter().find(|(option, _)| *option == wanted).map(|(_, value)| (*value).to_owned())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Config::load(name.parse().unwrap(), &options))
    }

    #[test]
    fn defaults_are_upstreams_for_a_manager_and_for_a_client() {
        let base = [("key", KEY), ("mon_host", "[v2:10.0.0.1:3300,v1:10.0.0.1:6789],10.0.0.2")];
        let mgr = load("mgr.x", &base).unwrap();
        assert_eq!(mgr.policy.modes(EntityType::OSD, method::CEPHX), [con_mode::SECURE, con_mode::CRC]);
        let monitors: Vec<String> = mgr.monitors.iter().map(|m| m.addrs.to_string()).collect();
        let expected =
            ["[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0]", "v2:10.0.0.2:3300/0", "v1:10.0.0.2:6789/0"];
        assert_eq!(monitors, expected);
        assert_eq!(mgr.listens, [AddrType::MSGR2, AddrType::LEGACY]);
        assert_eq!(mgr.hunt, HuntOptions::default());
        let client = load("client.admin", &base).unwrap();
        assert_eq!(client.policy.modes(EntityType::OSD, method::CEPHX), [con_mode::CRC, con_mode::SECURE]);
        assert!(!format!("{client:?}").contains(KEY));
    }

    #[test]
    fn compression_is_off_until_it_is_forced() {
        let base = [("key", KEY), ("mon_host", "10.0.0.1")];
        assert_eq!(load("mgr.x", &base).unwrap().compression, Compression::default());
        let options = [
            ("ms_osd_compress_mode", "force"),
            ("ms_osd_compression_algorithm", "zstd, brotli lz4"),
            ("ms_osd_compress_min_size", "4_K"),
        ];
        let forced = load("mgr.x", &[&base[..], &options].concat()).unwrap().compression;
        let algorithms = vec![Algorithm::Zstd, Algorithm::Lz4];
        assert_eq!(forced, Compression { osds: true, algorithms, bytes_min: 4096, secure: false });
    }

    #[test]
    fn each_mistake_names_what_to_check() {
        for (pairs, expect) in [
            (vec![("mon_host", "10.0.0.1")], "`ceph auth get mgr.x`"),
            (vec![("mon_host", "10.0.0.1"), ("keyring", "/nowhere/a,/nowhere/b")], "/nowhere/a, /nowhere/b"),
            (vec![("mon_host", "10.0.0.1"), ("keyring", "/")], "cannot be read"),
            (vec![("mon_host", "10.0.0.1"), ("key", "secret!")], "key of mgr.x is not a key"),
            (vec![("mon_host", "10.0.0.1:x"), ("key", KEY)], "port"),
            (vec![("mon_host", "10.0.0.1"), ("key", KEY), ("fsid", "1")], "fsid"),
            (
                vec![("mon_host", "10.0.0.1"), ("key", KEY), ("ms_osd_compress_min_size", "some")],
                "compress_min_size",
            ),
            (
                vec![("mon_host", "10.0.0.1"), ("key", KEY), ("ms_mon_cluster_mode", "x")],
                "ms_mon_cluster_mode",
            ),
            (
                vec![("mon_host", "10.0.0.1"), ("key", KEY), ("mon_client_hunt_interval", "-1")],
                "hunt_interval",
            ),
        ] {
            let error = load("mgr.x", &pairs).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
            assert!(!error.contains("secret!"), "{error}");
        }
    }
}
