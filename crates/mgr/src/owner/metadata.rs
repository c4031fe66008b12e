//! Metadata of daemons, from the monitors (`Mgr::load_all_metadata`, `MetadataUpdate`, `DaemonServer::fetch_missing_metadata`).

use super::{Effect, Owner};
use axon_core::Command;
use axon_core::daemons::{DaemonKey, DaemonState};
use axon_core::lifecycle::{self, Need};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The commands that list all daemons of a type, and the key that names one in the answer.
pub const LISTS: [(&str, &str, &str); 3] =
    [("mds", "mds metadata", "name"), ("osd", "osd metadata", "id"), ("mon", "mon metadata", "name")];

impl Owner {
    /// All daemons of the types that the monitors know, by the answers to [`LISTS`].
    pub fn handle_all_metadata(&mut self, lists: Vec<(&'static str, Value)>) {
        for (kind, list) in lists {
            let named_by = LISTS.iter().find(|(k, ..)| *k == kind).map_or("name", |(_, _, key)| key);
            for entry in list.as_array().into_iter().flatten() {
                if let Some(name) = entry.get(named_by).map(text) {
                    self.insert_described(DaemonKey::new(kind, name), entry, None);
                }
            }
        }
        self.changed();
        self.step(lifecycle::Event::Met(Need::Metadata));
    }

    /// The answer to [`Effect::FetchMetadata`]; `None` when there was none.
    pub fn handle_metadata(&mut self, key: &DaemonKey, answer: Option<&Value>, addr: Option<String>) {
        self.fetching.remove(key);
        // The answer about one MDS does not name it.
        if let Some(entry) = answer {
            self.insert_described(key.clone(), entry, addr);
        }
    }

    fn insert_described(&mut self, key: DaemonKey, entry: &Value, addr: Option<String>) {
        let Some(entry) = entry.as_object() else { return };
        let mut metadata: BTreeMap<String, String> =
            entry.iter().map(|(k, v)| (k.clone(), text(v))).collect();
        metadata.remove(if key.kind == "osd" { "id" } else { "name" });
        if let Some(addr) = addr {
            metadata.entry("addr".to_owned()).or_insert(addr);
        }
        let daemons = Arc::make_mut(&mut self.state.daemons);
        if daemons.daemon(&key).is_some() {
            if metadata.contains_key("hostname") {
                daemons.update_metadata(&key, metadata);
            }
        } else if let Some(daemon) = DaemonState::from_metadata(metadata) {
            daemons.insert(key, daemon);
        }
        self.changed_by_report();
    }

    /// Asks for the metadata of a daemon of the monitors' kinds, once at a time.
    pub(super) fn fetch_metadata(&mut self, key: DaemonKey, addr: Option<String>) {
        let command = match key.kind.as_str() {
            "osd" => match key.name.parse::<i64>() {
                Ok(id) => Command::json("osd metadata").arg("id", id),
                Err(_) => return,
            },
            "mds" => Command::json("mds metadata").arg("who", key.name.clone()),
            "mon" => Command::json("mon metadata").arg("id", key.name.clone()),
            "mgr" => Command::json("mgr metadata").arg("who", key.name.clone()),
            _ => return,
        };
        if self.fetching.insert(key.clone()) {
            self.effects.push(Effect::FetchMetadata { key, command, addr });
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::Message;
    use axon_proto::fs_map::{FsMap, MdsInfo};
    use axon_proto::msgs::fs_map::MFSMap;
    use serde_json::json;

    fn owner() -> Owner {
        crate::owner::testing::standby().0
    }

    #[test]
    fn the_monitors_answer_about_one_mds_does_not_name_it() {
        let mut owner = owner();
        let key = DaemonKey::new("mds", "b");
        owner.fetch_metadata(key.clone(), None);
        let asked = owner.take_effects();
        assert!(matches!(&asked[..], [Effect::FetchMetadata { key: of, .. }] if *of == key), "{asked:?}");
        owner.fetch_metadata(key.clone(), None);
        assert!(owner.take_effects().is_empty(), "asked once at a time");
        let told = json!({"hostname": "h", "ceph_version": "v1"});
        owner.handle_metadata(&key, Some(&told), Some("addr of the map".to_owned()));
        let daemon = owner.state.daemons.daemon(&key).unwrap();
        assert_eq!((daemon.hostname.as_str(), daemon.metadata["addr"].as_str()), ("h", "addr of the map"));
    }

    #[test]
    fn an_mds_that_left_the_map_is_forgotten_with_its_counters() {
        let mut owner = owner();
        let list = json!([{"name": "a", "hostname": "h"}, {"name": "b", "hostname": "h"}]);
        owner.handle_all_metadata(vec![("mds", list)]);
        for name in ["a", "b"] {
            Arc::make_mut(&mut owner.state.perf).open(&DaemonKey::new("mds", name));
        }
        let mut map = FsMap { epoch: 2, ..FsMap::default() };
        map.standbys.insert(7, MdsInfo { gid: 7, name: "b".to_owned(), ..MdsInfo::default() });
        let message = MFSMap { epoch: 2, fsmap: map };
        owner.handle_mon_message(Message::from(message), axon_proto::UTime::ZERO);
        let known = |name: &str| {
            let key = DaemonKey::new("mds", name);
            (owner.state.daemons.daemon(&key).is_some(), owner.state.perf.daemon(&key).is_some())
        };
        assert_eq!((known("a"), known("b")), ((false, false), (true, true)));
    }
}
