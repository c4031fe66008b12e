//! `ServiceMap` (`src/mgr/ServiceMap.{h,cc}`): daemons that are not Ceph's own (`rgw`, `rbd-mirror`, …) by service, with
//! what they tell about themselves. The manager makes it, the monitors keep it. The same in all supported releases
//! (`Daemon` version 2; reads from 1).

use crate::{EntityAddr, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::ser::{SerializeMap, SerializeStruct, Serializer};
use serde::{Serialize, ser};
use std::collections::{BTreeMap, BTreeSet};

/// One daemon of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceDaemon {
    pub gid: u64,
    pub addr: EntityAddr,
    /// Epoch of the service map in which it appeared.
    pub start_epoch: u32,
    pub start_stamp: UTime,
    pub metadata: BTreeMap<String, String>,
    pub task_status: BTreeMap<String, String>,
}

impl Encode for ServiceDaemon {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(2, 1, |w| {
            w.u64(self.gid);
            self.addr.encode(w, features);
            w.u32(self.start_epoch);
            self.start_stamp.encode(w, features);
            self.metadata.encode(w, features);
            self.task_status.encode(w, features);
        });
    }
}

impl Decode for ServiceDaemon {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope(2, "ServiceMap::Daemon")?;
        Ok(ServiceDaemon {
            gid: r.u64()?,
            addr: r.value()?,
            start_epoch: r.u32()?,
            start_stamp: r.value()?,
            metadata: r.value()?,
            task_status: if version >= 2 { r.value()? } else { BTreeMap::new() },
        })
    }
}

impl Serialize for ServiceDaemon {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("ServiceMap::Daemon", 6)?;
        out.serialize_field("start_epoch", &self.start_epoch)?;
        out.serialize_field("start_stamp", &self.start_stamp)?;
        out.serialize_field("gid", &self.gid)?;
        out.serialize_field("addr", &self.addr.legacy_str())?;
        out.serialize_field("metadata", &self.metadata)?;
        out.serialize_field("task_status", &self.task_status)?;
        SerializeStruct::end(out)
    }
}

/// The daemons of one service by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub daemons: BTreeMap<String, ServiceDaemon>,
    /// Text of the service itself for `ceph -s`.
    pub summary: String,
}
denc_struct!(Service, 1, 1; Service { daemons, summary });

impl Service {
    /// The line of `ceph -s` (`get_summary`): the service's own, or how many daemons on how many hosts and zones.
    #[must_use]
    pub fn status_line(&self) -> String {
        if !self.summary.is_empty() {
            return self.summary.clone();
        }
        if self.daemons.is_empty() {
            return "no daemons active".to_owned();
        }
        let values = |key: &str| -> BTreeSet<&String> {
            self.daemons.values().filter_map(|d| d.metadata.get(key)).collect()
        };
        let kind = self.daemons.values().filter_map(|d| d.metadata.get("daemon_type")).next_back();
        let kind = kind.map_or("daemon", String::as_str);
        let count = self.daemons.len();
        // Upstream's plural is per count of daemons, but always for groups that have a member.
        let groups: Vec<String> = [("host", "hostname"), ("zone", "zone_id")]
            .into_iter()
            .map(|(name, key)| (name, values(key).len()))
            .filter(|(_, len)| *len > 0)
            .map(|(name, len)| format!("{len} {name}s"))
            .collect();
        let plural = if count > 1 { "s" } else { "" };
        if groups.is_empty() {
            return format!("{count} {kind}{plural} active");
        }
        format!("{count} {kind}{plural} active ({})", groups.join(", "))
    }
}

/// `{"daemons": {"summary": …, id: …}}`: the summary stands among the daemons, as upstream prints it.
impl Serialize for Service {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        struct Daemons<'a>(&'a Service);
        impl Serialize for Daemons<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                let mut out = s.serialize_map(Some(self.0.daemons.len() + 1))?;
                out.serialize_entry("summary", &self.0.summary)?;
                for (id, daemon) in &self.0.daemons {
                    out.serialize_entry(id, daemon)?;
                }
                ser::SerializeMap::end(out)
            }
        }
        let mut out = s.serialize_struct("ServiceMap::Service", 1)?;
        out.serialize_field("daemons", &Daemons(self))?;
        SerializeStruct::end(out)
    }
}

/// All services by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceMap {
    pub epoch: u32,
    pub modified: UTime,
    pub services: BTreeMap<String, Service>,
}
denc_struct!(ServiceMap, 1, 1; ServiceMap { epoch, modified, services });

impl ServiceMap {
    /// Whether daemons of that type are Ceph's own, which belong in no service map (`is_normal_ceph_entity`).
    #[must_use]
    pub fn is_normal_ceph_entity(kind: &str) -> bool {
        matches!(kind, "osd" | "client" | "mon" | "mds" | "mgr")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::corpus;

    pub(crate) fn sample() -> ServiceMap {
        let daemon = |host: &str| ServiceDaemon {
            gid: 4202,
            metadata: [("hostname".to_owned(), host.to_owned()), ("zone_id".to_owned(), "z".to_owned())]
                .into(),
            ..Default::default()
        };
        let rgw = Service {
            daemons: [("a".to_owned(), daemon("h1")), ("b".to_owned(), daemon("h2"))].into(),
            summary: String::new(),
        };
        ServiceMap { epoch: 5, services: [("rgw".to_owned(), rgw)].into(), ..Default::default() }
    }

    #[test]
    fn the_map_round_trips_and_every_truncation_is_refused() {
        let bytes = sample().to_bytes(Features::ALL);
        assert_eq!(ServiceMap::from_bytes(&bytes).unwrap(), sample());
        corpus::refuses_truncations::<ServiceMap>(&bytes);
    }

    #[test]
    fn the_status_line_counts_daemons_hosts_and_zones() {
        let map = sample();
        assert_eq!(map.services["rgw"].status_line(), "2 daemons active (2 hosts, 1 zones)");
        assert_eq!(Service::default().status_line(), "no daemons active");
    }

    #[test]
    fn what_ceph_encoded_is_written_back_byte_for_byte() {
        corpus::round_trips_newest::<ServiceMap>("ServiceMap");
        corpus::round_trips_newest::<Service>("ServiceMap::Service");
        corpus::round_trips::<ServiceDaemon>("ServiceMap::Daemon", |d, w, _| d.encode(w, Features::ALL));
    }
}
