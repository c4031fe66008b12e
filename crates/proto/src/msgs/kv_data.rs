//! `MKVData` (`src/messages/MKVData.h`, version 1): keys of the monitors' store under a prefix that the receiver
//! subscribed to (`kv:<prefix>`), all of them or what changed.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// Keys of a prefix. `None` as value: the key was removed. Its `Debug` shows only names: values may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MKVData {
    pub version: u64,
    pub prefix: String,
    /// Whether keys that are not in `data` stay as they were.
    pub incremental: bool,
    pub data: BTreeMap<String, Option<Bytes>>,
}
crate::message::payload_fields!(MKVData = 54, version 1; version, prefix, incremental, data; samples [MKVData { version: 4, prefix: "config/".into(), incremental: true, data: [("a".to_owned(), None), ("b".to_owned(), Some(Bytes::from_static(b"v")))].into() }]);

impl fmt::Debug for MKVData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MKVData")
            .field("version", &self.version)
            .field("prefix", &self.prefix)
            .field("incremental", &self.incremental)
            .field("keys", &self.data.keys())
            .finish()
    }
}
