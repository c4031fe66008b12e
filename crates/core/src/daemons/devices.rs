//! Storage devices behind daemons (`DeviceState` in `src/mgr/DaemonState.{h,cc}`): where each is attached and which daemons
//! use it, from the daemons' metadata; health and life expectancy from the monitors' store.

use super::{DaemonKey, DaemonState};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where a device is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Attachment {
    pub host: String,
    pub dev: String,
    pub path: String,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub attachments: BTreeSet<Attachment>,
    pub daemons: BTreeSet<DaemonKey>,
    /// Kept in the monitors' store under `device/<devid>`.
    pub metadata: BTreeMap<String, String>,
}

impl Device {
    pub(super) fn is_unknown(&self) -> bool {
        self.daemons.is_empty() && self.metadata.is_empty()
    }
}

/// The devices of a daemon: `device_ids` is `dev=id,…`, `device_paths` is `dev=path,…`.
pub(super) fn attachments(daemon: &DaemonState) -> Vec<(String, Attachment)> {
    let list = |key: &str| {
        let text = daemon.metadata.get(key).map(String::as_str).unwrap_or_default();
        text.split([',', ' ']).filter_map(|pair| pair.split_once('=')).collect::<Vec<_>>()
    };
    let paths: BTreeMap<&str, &str> = list("device_paths").into_iter().collect();
    list("device_ids")
        .into_iter()
        .filter(|(_, devid)| !devid.is_empty())
        .map(|(dev, devid)| {
            let path = paths.get(dev).copied().unwrap_or_default();
            let attachment =
                Attachment { host: daemon.hostname.clone(), dev: dev.to_owned(), path: path.to_owned() };
            (devid.to_owned(), attachment)
        })
        .collect()
}
