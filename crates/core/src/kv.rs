//! The mirror of the monitors' key-value store that the manager subscribes to (`kv:config/`, `kv:mgr/`, `kv:device/`;
//! upstream `Mgr::ms_dispatch2` and `ActivePyModules::update_kv_data`). Values are bytes; modules store text.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One subscribed region's update: the whole region, or the keys that changed (`None` = removed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvUpdate {
    pub prefix: String,
    pub version: u64,
    pub incremental: bool,
    pub data: BTreeMap<String, Option<Bytes>>,
}

/// Keys and values, and the version of each region. Cheap to clone: readers keep the snapshot they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kv {
    entries: Arc<BTreeMap<String, Bytes>>,
    versions: BTreeMap<String, u64>,
}

impl Kv {
    /// A store with these entries.
    #[must_use]
    pub fn from_entries<K: Into<String>, V: Into<Bytes>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let entries = entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Kv { entries: Arc::new(entries), versions: BTreeMap::new() }
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Bytes> {
        self.entries.get(key)
    }

    /// The value of a key as text; `None` too where it is not UTF-8.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// All keys under a prefix, in order.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Bytes)> {
        self.entries
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_str(), value))
    }

    /// Version of a region as the monitors count it; 0 before the first update.
    #[must_use]
    pub fn version(&self, prefix: &str) -> u64 {
        self.versions.get(prefix).copied().unwrap_or(0)
    }

    /// Whether a region has arrived.
    #[must_use]
    pub fn is_known(&self, prefix: &str) -> bool {
        self.versions.contains_key(prefix)
    }

    /// Applies an update.
    pub fn apply(&mut self, update: KvUpdate) {
        let entries = Arc::make_mut(&mut self.entries);
        if !update.incremental {
            entries.retain(|key, _| !key.starts_with(&update.prefix));
        }
        for (key, value) in update.data {
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
        self.versions.insert(update.prefix, update.version);
    }

    /// Sets one key ahead of the monitors' update, so that its writer reads what it wrote.
    pub fn set(&mut self, key: &str, value: Option<Bytes>) {
        let entries = Arc::make_mut(&mut self.entries);
        match value {
            Some(value) => entries.insert(key.to_owned(), value),
            None => entries.remove(key),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(incremental: bool, data: &[(&str, Option<&'static [u8]>)]) -> KvUpdate {
        KvUpdate {
            prefix: "mgr/".to_owned(),
            version: 3,
            incremental,
            data: data.iter().map(|(k, v)| ((*k).to_owned(), v.map(Bytes::from_static))).collect(),
        }
    }

    #[test]
    fn a_full_update_replaces_its_region_only() {
        let mut kv = Kv::from_entries([("mgr/a", "1"), ("mgr/b", "2"), ("device/x", "3")]);
        kv.apply(update(false, &[("mgr/b", Some(b"9"))]));
        assert_eq!(kv.text("mgr/a"), None);
        assert_eq!((kv.text("mgr/b"), kv.text("device/x")), (Some("9"), Some("3")));
        assert_eq!((kv.version("mgr/"), kv.version("device/")), (3, 0));
    }

    #[test]
    fn an_increment_sets_and_removes() {
        let mut kv = Kv::from_entries([("mgr/a", "1"), ("mgr/b", "2")]);
        let before = kv.clone();
        kv.apply(update(true, &[("mgr/a", None), ("mgr/c", Some(b"4"))]));
        assert_eq!(kv.under("mgr/").map(|(k, _)| k).collect::<Vec<_>>(), ["mgr/b", "mgr/c"]);
        assert_eq!(before.text("mgr/a"), Some("1"), "a reader's snapshot does not change");
    }
}
