//! Which daemons there are, where they run and what they told about themselves (`DaemonStateIndex` in
//! `src/mgr/DaemonState.{h,cc}`). Performance counters are in `perf`; storage devices in `devices.rs`.
//!
//! Invariants:
//! - a daemon is here only once its host is known (from the monitors, or from a service daemon itself);
//! - memory per daemon is what it told about itself, bounded by the size of one message.

mod devices;
mod servers;

pub use devices::{Attachment, Device};
pub use servers::MetadataOf;

use axon_proto::UTime;
use axon_proto::health::DaemonHealthMetric;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// `DaemonKey`: type (or service) and name, as `osd.0` or `rgw.4131`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaemonKey {
    pub kind: String,
    pub name: String,
}

impl DaemonKey {
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        DaemonKey { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for DaemonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

/// What is known of one daemon. Option values are kept per level of the configuration, as the daemon sends them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonState {
    pub hostname: String,
    pub metadata: BTreeMap<String, String>,
    /// It registered itself for a service, as RGW does; the monitors do not know it.
    pub service_daemon: bool,
    pub service_status: BTreeMap<String, String>,
    pub service_status_stamp: UTime,
    /// When it last reported; zero before the first report to this manager.
    pub last_service_beacon: UTime,
    pub config: BTreeMap<String, BTreeMap<i32, String>>,
    pub ignored_mon_config: BTreeMap<String, String>,
    /// Defaults compiled into the daemon, still encoded: rarely asked for, and large.
    pub config_defaults_bl: Bytes,
    /// What an OSD or a monitor reports about its own health.
    pub health_metrics: Vec<DaemonHealthMetric>,
}

impl DaemonState {
    /// A daemon as the monitors describe it: `hostname` and the naming keys are taken out of the metadata.
    /// `None` while its host is not known.
    #[must_use]
    pub fn from_metadata(mut metadata: BTreeMap<String, String>) -> Option<Self> {
        let hostname = metadata.remove("hostname")?;
        metadata.remove("name");
        Some(DaemonState { hostname, metadata, ..Default::default() })
    }
}

/// All daemons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonIndex {
    all: BTreeMap<DaemonKey, Arc<DaemonState>>,
    by_server: BTreeMap<String, BTreeSet<DaemonKey>>,
    devices: BTreeMap<String, Device>,
}

impl DaemonIndex {
    /// One daemon.
    #[must_use]
    pub fn daemon(&self, key: &DaemonKey) -> Option<&Arc<DaemonState>> {
        self.all.get(key)
    }

    /// One daemon by type and name.
    #[must_use]
    pub fn named(&self, kind: &str, name: &str) -> Option<&Arc<DaemonState>> {
        self.all.get(&DaemonKey::new(kind, name))
    }

    /// Every daemon, by type and name.
    pub fn iter(&self) -> impl Iterator<Item = (&DaemonKey, &Arc<DaemonState>)> {
        self.all.iter()
    }

    /// Every daemon of a type or service.
    pub fn of_kind<'a>(
        &'a self,
        kind: &'a str,
    ) -> impl Iterator<Item = (&'a DaemonKey, &'a Arc<DaemonState>)> {
        self.all.range(DaemonKey::new(kind, "")..).take_while(move |(key, _)| key.kind == kind)
    }

    /// Hosts and the daemons on each.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &BTreeSet<DaemonKey>)> {
        self.by_server.iter().map(|(host, keys)| (host.as_str(), keys))
    }

    /// The daemons on a host.
    #[must_use]
    pub fn server(&self, hostname: &str) -> Option<&BTreeSet<DaemonKey>> {
        self.by_server.get(hostname)
    }

    /// Storage devices by id.
    #[must_use]
    pub fn devices(&self) -> &BTreeMap<String, Device> {
        &self.devices
    }

    /// Adds a daemon or replaces what is known of it.
    pub fn insert(&mut self, key: DaemonKey, daemon: DaemonState) {
        self.remove(&key);
        for (devid, attachment) in devices::attachments(&daemon) {
            let device = self.devices.entry(devid).or_default();
            device.daemons.insert(key.clone());
            device.attachments.insert(attachment);
        }
        self.by_server.entry(daemon.hostname.clone()).or_default().insert(key.clone());
        self.all.insert(key, Arc::new(daemon));
    }

    /// Changes what does not move a daemon between hosts or devices: status, configuration, beacons.
    /// Returns whether the daemon is known.
    pub fn update(&mut self, key: &DaemonKey, change: impl FnOnce(&mut DaemonState)) -> bool {
        match self.all.get_mut(key) {
            Some(daemon) => {
                change(Arc::make_mut(daemon));
                true
            }
            None => false,
        }
    }

    /// Replaces a daemon's metadata, keeping the rest of what is known of it.
    pub fn update_metadata(&mut self, key: &DaemonKey, mut metadata: BTreeMap<String, String>) {
        let Some(known) = self.all.get(key) else { return };
        let hostname = metadata.remove("hostname").unwrap_or_else(|| known.hostname.clone());
        let daemon = DaemonState { hostname, metadata, ..DaemonState::clone(known) };
        self.insert(key.clone(), daemon);
    }

    /// Forgets a daemon.
    pub fn remove(&mut self, key: &DaemonKey) {
        let Some(daemon) = self.all.remove(key) else { return };
        if let Some(keys) = self.by_server.get_mut(&daemon.hostname) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_server.remove(&daemon.hostname);
            }
        }
        for (devid, attachment) in devices::attachments(&daemon) {
            let Some(device) = self.devices.get_mut(&devid) else { continue };
            device.daemons.remove(key);
            device.attachments.remove(&attachment);
            if device.is_unknown() {
                self.devices.remove(&devid);
            }
        }
    }

    /// Forgets every daemon of a type whose name `exists` does not know; tells which.
    pub fn cull(&mut self, kind: &str, exists: impl Fn(&str) -> bool) -> Vec<DaemonKey> {
        let gone: Vec<DaemonKey> =
            self.of_kind(kind).filter(|(key, _)| !exists(&key.name)).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
        gone
    }

    /// Forgets every daemon. What the monitors' store says of devices stays.
    pub fn forget_all(&mut self) {
        self.all.clear();
        self.by_server.clear();
        self.devices.retain(|_, device| {
            device.daemons.clear();
            device.attachments.clear();
            !device.is_unknown()
        });
    }

    /// What the monitors' store says of a device (`device/<devid>`); `None` when the key was removed.
    pub fn set_device_metadata(&mut self, devid: &str, metadata: Option<BTreeMap<String, String>>) {
        let device = self.devices.entry(devid.to_owned()).or_default();
        device.metadata = metadata.unwrap_or_default();
        if device.is_unknown() {
            self.devices.remove(devid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn osd(host: &str) -> DaemonState {
        let pairs =
            [("hostname", host), ("device_ids", "sda=ACME_1,nvme0=ACME_2"), ("device_paths", "sda=/dev/p/1")];
        let metadata = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        DaemonState::from_metadata(metadata).unwrap()
    }

    #[test]
    fn a_daemon_is_found_by_kind_host_and_device() {
        let mut index = DaemonIndex::default();
        for id in ["0", "1", "10"] {
            index.insert(DaemonKey::new("osd", id), osd("alpha"));
        }
        index.insert(DaemonKey::new("osdx", "0"), DaemonState::default());
        assert_eq!(index.of_kind("osd").map(|(k, _)| k.name.as_str()).collect::<Vec<_>>(), ["0", "1", "10"]);
        assert_eq!(index.server("alpha").unwrap().len(), 3);
        let device = &index.devices()["ACME_1"];
        assert_eq!(device.daemons.len(), 3);
        let attachment = device.attachments.first().unwrap();
        assert_eq!(
            (attachment.host.as_str(), attachment.dev.as_str(), attachment.path.as_str()),
            ("alpha", "sda", "/dev/p/1")
        );
    }

    #[test]
    fn a_daemon_that_moves_leaves_nothing_behind() {
        let mut index = DaemonIndex::default();
        let key = DaemonKey::new("osd", "0");
        index.insert(key.clone(), osd("alpha"));
        index.update(&key, |d| d.last_service_beacon = UTime { sec: 9, nsec: 0 });
        index.update_metadata(&key, [("hostname".to_owned(), "beta".to_owned())].into());
        assert!(index.server("alpha").is_none() && index.devices().is_empty());
        assert_eq!(index.daemon(&key).unwrap().last_service_beacon.sec, 9);
        assert_eq!(index.cull("osd", |_| false), [key]);
        assert_eq!(index, DaemonIndex::default());
    }

    #[test]
    fn a_device_with_metadata_outlives_its_daemon() {
        let mut index = DaemonIndex::default();
        let key = DaemonKey::new("osd", "0");
        index.insert(key.clone(), osd("alpha"));
        index.set_device_metadata("ACME_1", Some([("wear_level".to_owned(), "0.5".to_owned())].into()));
        let mut all_gone = index.clone();
        index.remove(&key);
        all_gone.forget_all();
        assert_eq!(index, all_gone);
        assert_eq!(index.devices().keys().collect::<Vec<_>>(), ["ACME_1"]);
        index.set_device_metadata("ACME_1", None);
        assert!(index.devices().is_empty());
    }

    #[test]
    fn a_daemon_without_a_host_is_not_described() {
        assert!(DaemonState::from_metadata([("arch".to_owned(), "x".to_owned())].into()).is_none());
    }
}
