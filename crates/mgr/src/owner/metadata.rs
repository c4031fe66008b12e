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
            for entry in list.as_array().into_iter().flatten() {
                self.insert_described(kind, entry, None);
            }
        }
        self.step(lifecycle::Event::Met(Need::Metadata));
    }

    /// The answer to [`Effect::FetchMetadata`]; `None` when there was none.
    pub fn handle_metadata(&mut self, key: &DaemonKey, answer: Option<&Value>, addr: Option<String>) {
        self.fetching.remove(key);
        if let Some(entry) = answer {
            let kind = key.kind.clone();
            self.insert_described(&kind, entry, addr);
        }
    }

    fn insert_described(&mut self, kind: &str, entry: &Value, addr: Option<String>) {
        let Some(entry) = entry.as_object() else { return };
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let mut metadata: BTreeMap<String, String> =
            entry.iter().map(|(k, v)| (k.clone(), text(v))).collect();
        let named_by = if kind == "osd" { "id" } else { "name" };
        let Some(name) = metadata.remove(named_by) else { return };
        if let Some(addr) = addr {
            metadata.entry("addr".to_owned()).or_insert(addr);
        }
        let key = DaemonKey::new(kind, name);
        let daemons = Arc::make_mut(&mut self.state.daemons);
        if daemons.daemon(&key).is_some() {
            if metadata.contains_key("hostname") {
                daemons.update_metadata(&key, metadata);
            }
        } else if let Some(daemon) = DaemonState::from_metadata(metadata) {
            daemons.insert(key, daemon);
        }
        self.dirty = true;
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
