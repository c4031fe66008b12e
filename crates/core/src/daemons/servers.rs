//! Hosts and what runs on them as modules see it (`ActivePyModules::list_servers_python`, `dump_server`), and daemons'
//! metadata by type (`mgr.get("osd_metadata")`).
//!
//! Upstream's quirk that clients see: a daemon that does not tell its version shows that of the daemon before it.

use super::{DaemonIndex, DaemonKey};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

impl DaemonIndex {
    /// One host; `None` when no daemon runs there.
    #[must_use]
    pub fn server_json(&self, hostname: &str) -> Option<Value> {
        self.server(hostname).map(|keys| self.dump_server(hostname, keys))
    }

    /// Every host, by name.
    pub fn servers_json(&self) -> impl Iterator<Item = Value> {
        self.servers().map(|(hostname, keys)| self.dump_server(hostname, keys))
    }

    /// How many hosts there are.
    #[must_use]
    pub fn num_servers(&self) -> usize {
        self.servers().count()
    }

    /// The metadata of all daemons of a type, by name, for serde.
    #[must_use]
    pub fn metadata_of<'a>(&'a self, kind: &'a str) -> MetadataOf<'a> {
        MetadataOf { index: self, kind }
    }

    fn dump_server(&self, hostname: &str, keys: &BTreeSet<DaemonKey>) -> Value {
        let mut ceph_version = "";
        let mut services = Vec::with_capacity(keys.len());
        for key in keys {
            let metadata = self.daemon(key).map(|daemon| &daemon.metadata);
            let tells = |what: &str| metadata.and_then(|m| m.get(what)).map(String::as_str);
            ceph_version = tells("ceph_version").unwrap_or(ceph_version);
            let mut service = Map::new();
            service.insert("type".to_owned(), key.kind.as_str().into());
            service.insert("id".to_owned(), key.name.as_str().into());
            service.insert("ceph_version".to_owned(), ceph_version.into());
            if let Some(id) = tells("id").filter(|id| !id.is_empty()) {
                service.insert("name".to_owned(), id.into());
            }
            services.push(Value::Object(service));
        }
        json!({"hostname": hostname, "services": services, "ceph_version": ceph_version})
    }
}

/// Metadata of one type of daemon: `{name: {"hostname", …}}`.
#[derive(Debug)]
pub struct MetadataOf<'a> {
    index: &'a DaemonIndex,
    kind: &'a str,
}

impl Serialize for MetadataOf<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(&'a super::DaemonState);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let mut out = s.serialize_map(Some(self.0.metadata.len() + 1))?;
                out.serialize_entry("hostname", &self.0.hostname)?;
                for (key, value) in &self.0.metadata {
                    out.serialize_entry(key, value)?;
                }
                out.end()
            }
        }
        s.collect_map(self.index.of_kind(self.kind).map(|(key, daemon)| (&key.name, One(daemon))))
    }
}

#[cfg(test)]
mod tests {
    use crate::daemons::{DaemonIndex, DaemonKey, DaemonState};
    use serde_json::json;

    fn index() -> DaemonIndex {
        let mut index = DaemonIndex::default();
        let mut add = |kind: &str, name: &str, host: &str, metadata: &[(&str, &str)]| {
            let host = [("hostname", host)];
            let metadata =
                metadata.iter().chain(&host).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            index.insert(DaemonKey::new(kind, name), DaemonState::from_metadata(metadata).unwrap());
        };
        add("osd", "0", "beta", &[("ceph_version", "v20"), ("devices", "sda")]);
        add("osd", "1", "beta", &[]);
        add("rgw", "4131", "alpha", &[("ceph_version", "v18"), ("id", "a.b")]);
        index
    }

    #[test]
    fn a_host_lists_its_daemons_and_a_version_carries_over() {
        let index = index();
        let hosts: Vec<_> = index.servers_json().collect();
        let expected = json!([
            {
                "hostname": "alpha",
                "services": [{"type": "rgw", "id": "4131", "ceph_version": "v18", "name": "a.b"}],
                "ceph_version": "v18",
            },
            {
                "hostname": "beta",
                "services": [
                    {"type": "osd", "id": "0", "ceph_version": "v20"},
                    {"type": "osd", "id": "1", "ceph_version": "v20"},
                ],
                "ceph_version": "v20",
            },
        ]);
        assert_eq!((json!(hosts), index.num_servers()), (expected, 2));
        assert_eq!(index.server_json("beta"), hosts.get(1).cloned());
        assert_eq!(index.server_json("gamma"), None);
    }

    #[test]
    fn metadata_of_a_type_stands_by_name_with_its_host() {
        let expected = json!({
            "0": {"hostname": "beta", "ceph_version": "v20", "devices": "sda"},
            "1": {"hostname": "beta"},
        });
        assert_eq!(json!(index().metadata_of("osd")), expected);
    }
}
