//! Storage devices behind daemons (`DeviceState` in `src/mgr/DaemonState.{h,cc}`): where each is attached and which daemons
//! use it, from the daemons' metadata; health and life expectancy from the monitors' store.

use super::{DaemonIndex, DaemonKey, DaemonState};
use serde::Serialize;
use serde_json::{Map, Value, json};
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

impl Device {
    /// `DeviceState::dump`: an entry of `ceph device ls`.
    #[must_use]
    pub fn dump(&self, devid: &str) -> Value {
        let daemons: Vec<String> = self.daemons.iter().map(ToString::to_string).collect();
        let mut out = Map::new();
        out.insert("devid".to_owned(), devid.into());
        out.insert("location".to_owned(), json!(self.attachments));
        out.insert("daemons".to_owned(), daemons.into());
        let known = |key: &str| self.metadata.get(key).map(String::as_str).filter(|text| !text.is_empty());
        if known("life_expectancy_min").is_some() {
            for key in ["life_expectancy_min", "life_expectancy_max", "life_expectancy_stamp"] {
                out.insert(key.to_owned(), known(key).unwrap_or("0.000000").into());
            }
        }
        let wear = known("wear_level").and_then(|text| text.trim().parse::<f32>().ok());
        if let Some(wear) = wear.filter(|wear| *wear >= 0.0) {
            out.insert("wear_level".to_owned(), f64::from(wear).into());
        }
        Value::Object(out)
    }
}

impl DaemonIndex {
    /// The devices behind the daemons of a host, by id (`ceph device ls-by-host`).
    #[must_use]
    pub fn devices_of_host(&self, hostname: &str) -> Vec<(&str, &Device)> {
        let daemons = self.server(hostname).into_iter().flatten().filter_map(|key| self.daemon(key));
        self.known_devices(daemons.flat_map(|daemon| attachments(daemon)))
    }

    /// The devices behind a daemon, by id (`ceph device ls-by-daemon`).
    #[must_use]
    pub fn devices_of_daemon(&self, key: &DaemonKey) -> Vec<(&str, &Device)> {
        self.known_devices(self.daemon(key).into_iter().flat_map(|daemon| attachments(daemon)))
    }

    fn known_devices(&self, found: impl Iterator<Item = (String, Attachment)>) -> Vec<(&str, &Device)> {
        let ids: BTreeSet<String> = found.map(|(devid, _)| devid).collect();
        let known = ids.iter().filter_map(|id| self.devices.get_key_value(id));
        known.map(|(id, device)| (id.as_str(), device)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> DaemonIndex {
        let mut index = DaemonIndex::default();
        for (name, host, ids) in
            [("0", "alpha", "sda=D1,sdb=D2"), ("1", "alpha", "sda=D1"), ("2", "beta", "sdc=D3")]
        {
            let metadata = [("hostname", host), ("device_ids", ids), ("device_paths", "sda=/dev/p/1")];
            let metadata = metadata.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            index.insert(DaemonKey::new("osd", name), DaemonState::from_metadata(metadata).unwrap());
        }
        index
    }

    #[test]
    fn devices_are_listed_once_by_host_and_by_daemon() {
        let index = index();
        let of_host = |host| index.devices_of_host(host).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!((of_host("alpha"), of_host("beta")), (vec!["D1", "D2"], vec!["D3"]));
        assert!(of_host("gamma").is_empty());
        let of_daemon = index.devices_of_daemon(&DaemonKey::new("osd", "1"));
        assert_eq!(of_daemon.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["D1"]);
        assert_eq!(index.devices_of_daemon(&DaemonKey::new("osd", "9")).len(), 0);
    }

    #[test]
    fn a_device_shows_life_expectancy_and_wear_once_they_are_known() {
        let mut index = index();
        let expected = json!({
            "devid": "D1",
            "location": [{"host": "alpha", "dev": "sda", "path": "/dev/p/1"}],
            "daemons": ["osd.0", "osd.1"],
        });
        assert_eq!(index.devices()["D1"].dump("D1"), expected);
        let told = [("life_expectancy_min", "a"), ("life_expectancy_max", "b"), ("wear_level", "0.25")];
        let told = told.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        index.set_device_metadata("D1", Some(told));
        let dump = index.devices()["D1"].dump("D1");
        assert_eq!((&dump["life_expectancy_max"], &dump["wear_level"]), (&json!("b"), &json!(0.25)));
        assert_eq!(dump["life_expectancy_stamp"], "0.000000");
    }
}
