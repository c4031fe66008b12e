//! `MMonMgrReport` (`src/messages/MMonMgrReport.h`, version 3): what the active manager tells the monitors every few
//! seconds. The digest of the PG map travels as the data section.

use super::paxos;
use crate::health::HealthCheckMap;
use crate::message::{Parts, Payload, RawMessage};
use crate::pg_map_digest::PgMapDigest;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use bytes::Bytes;
use std::collections::BTreeMap;

/// `ProgressEvent` (`src/mon/mon_types.h`, version 2, compat 1): a long operation that `ceph -s` shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgressEvent {
    pub message: String,
    /// 0 to 1.
    pub progress: f32,
    pub add_to_ceph_s: bool,
}

impl Encode for ProgressEvent {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.envelope(2, 1, |w| {
            w.string(&self.message);
            w.f32(self.progress);
            w.bool(self.add_to_ceph_s);
        });
    }
}
impl Decode for ProgressEvent {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(1, 2, "ProgressEvent")?;
        let message: String = r.value()?;
        let progress = r.f32()?;
        let add_to_ceph_s = if version >= 2 { r.bool()? } else { !message.is_empty() };
        Ok(ProgressEvent { message, progress, add_to_ceph_s })
    }
}

/// The report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MMonMgrReport {
    pub health_checks: HealthCheckMap,
    /// An encoded `ServiceMap`.
    pub service_map: Bytes,
    /// By the event's id.
    pub progress_events: BTreeMap<String, ProgressEvent>,
    /// The manager's global id.
    pub gid: u64,
    pub digest: PgMapDigest,
}

impl Payload for MMonMgrReport {
    const TYPE: u16 = 0x706;
    const NAME: &'static str = "MMonMgrReport";
    const VERSION: u16 = 3;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        paxos::put(w, 0);
        w.value(&self.health_checks, features);
        w.value(&self.service_map, features);
        w.value(&self.progress_events, features);
        w.u64(self.gid);
        out.data = self.digest.to_bytes(features);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        paxos::version(&mut r)?;
        Ok(MMonMgrReport {
            health_checks: r.value()?,
            service_map: r.value()?,
            progress_events: if raw.header.version >= 2 { r.value()? } else { BTreeMap::new() },
            gid: if raw.header.version >= 3 { r.u64()? } else { 0 },
            digest: Reader::named(&raw.data, "PGMapDigest").value()?,
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        use crate::health::HealthStatus;
        let mut report = MMonMgrReport {
            service_map: Bytes::from_static(b"map"),
            progress_events: [("id".to_owned(), ProgressEvent { progress: 0.5, ..Default::default() })]
                .into(),
            gid: 7,
            ..Default::default()
        };
        report.health_checks.add("PG_DEGRADED", HealthStatus::WARN, "Degraded", 3);
        report.digest.num_pg = 5;
        vec![report]
    }
}
