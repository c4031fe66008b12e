//! `MMgrReport` (`src/messages/MMgrReport.h`, version 9 since Pacific; reads from 1): a daemon's perf counters, status and
//! health metrics. Counters are declared once per session; after that only their values travel, packed in the order of
//! their names. Unpacking needs the session's declarations: `axon-core`'s `daemons`.

use crate::features;
use crate::health::DaemonHealthMetric;
use crate::message::{Parts, Payload, RawMessage};
use crate::perf_metric::{MetricReport, PerfMetricQuery, PerfMetricReport};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use bytes::Bytes;
use std::collections::BTreeMap;

/// `PerfCounterType` (version 3, compat 1): a counter's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerfCounterType {
    /// `osd.op_w_latency`: collection and name.
    pub path: String,
    pub description: String,
    pub nick: String,
    /// `perfcounter_type_d`, a set of the constants here.
    pub kind: u8,
    /// 0 (debug only) to 10 (critical).
    pub priority: u8,
    /// `unit_t`: 0 bytes, 1 none.
    pub unit: u8,
}

impl PerfCounterType {
    /// Seconds, kept in nanoseconds.
    pub const TIME: u8 = 0x1;
    pub const U64: u8 = 0x2;
    /// A sum and a count: the value is their quotient.
    pub const LONGRUNAVG: u8 = 0x4;
    /// Grows only.
    pub const COUNTER: u8 = 0x8;
    pub const HISTOGRAM: u8 = 0x10;
    pub const PRIO_USEFUL: u8 = 5;
}

impl Encode for PerfCounterType {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.envelope(3, 1, |w| {
            w.string(&self.path);
            w.string(&self.description);
            w.string(&self.nick);
            w.u8(self.kind);
            w.u8(self.priority);
            w.u8(self.unit);
        });
    }
}
impl Decode for PerfCounterType {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(1, 3, "PerfCounterType")?;
        Ok(PerfCounterType {
            path: r.value()?,
            description: r.value()?,
            nick: r.value()?,
            kind: r.u8()?,
            priority: if version >= 2 { r.u8()? } else { Self::PRIO_USEFUL },
            unit: if version >= 3 { r.u8()? } else { 0 },
        })
    }
}

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrReport {
    pub daemon_name: String,
    /// Empty: the type of the connection's entity.
    pub service_name: String,
    pub declare_types: Vec<PerfCounterType>,
    pub undeclare_types: Vec<String>,
    /// An envelope around the values of all declared counters in the order of their paths.
    pub packed: Bytes,
    /// Only of a service daemon.
    pub daemon_status: Option<BTreeMap<String, String>>,
    pub task_status: Option<BTreeMap<String, String>>,
    pub daemon_health_metrics: Vec<DaemonHealthMetric>,
    /// The running configuration when it changed; empty otherwise.
    pub config_bl: Bytes,
    pub osd_perf_metric_reports: BTreeMap<PerfMetricQuery, PerfMetricReport>,
    pub metric_report_message: Option<MetricReport>,
}

impl Payload for MMgrReport {
    const TYPE: u16 = 0x702;
    const NAME: &'static str = "MMgrReport";
    const VERSION: u16 = 9;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.string(&self.daemon_name);
        w.value(&self.declare_types, features);
        w.blob(&self.packed);
        w.value(&self.undeclare_types, features);
        w.string(&self.service_name);
        w.value(&self.daemon_status, features);
        w.value(&self.daemon_health_metrics, features);
        w.blob(&self.config_bl);
        w.value(&self.osd_perf_metric_reports, features);
        w.value(&self.task_status, features);
        // A manager before Pacific knows no report of an MDS.
        let known = |report: &&MetricReport| {
            !matches!(report, MetricReport::Mds(_)) || features.has(features::SERVER_PACIFIC)
        };
        let report = self.metric_report_message.as_ref().filter(known);
        w.bool(report.is_some());
        if let Some(report) = report {
            w.value(report, features);
        }
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let version = raw.header.version;
        let mut r = raw.front_reader(Self::NAME);
        let mut report = MMgrReport {
            daemon_name: r.value()?,
            declare_types: r.value()?,
            packed: r.value()?,
            ..Default::default()
        };
        if version >= 2 {
            report.undeclare_types = r.value()?;
        }
        if version >= 3 {
            report.service_name = r.value()?;
            report.daemon_status = r.value()?;
        }
        if version >= 5 {
            report.daemon_health_metrics = r.value()?;
        }
        if version >= 6 {
            report.config_bl = r.value()?;
        }
        if version >= 7 {
            report.osd_perf_metric_reports = r.value()?;
        }
        if version >= 8 {
            report.task_status = r.value()?;
        }
        if version >= 9 {
            report.metric_report_message = r.value()?;
        }
        Ok(report)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        use crate::health::DaemonMetric;
        use crate::perf_metric::{CounterDescriptor, MdsMetricPayload, SubKeyDescriptor, VarList};
        let counter = PerfCounterType {
            path: "osd.op_w".to_owned(),
            description: "writes".to_owned(),
            nick: "wr".to_owned(),
            kind: PerfCounterType::U64 | PerfCounterType::COUNTER,
            priority: 10,
            unit: 1,
        };
        let query = PerfMetricQuery {
            key_descriptor: VarList(vec![SubKeyDescriptor { kind: 2, regex: "^(.+)$".to_owned() }]),
            performance_counter_descriptors: VarList(vec![CounterDescriptor { kind: 1 }]),
        };
        let groups = PerfMetricReport {
            performance_counter_descriptors: VarList(vec![CounterDescriptor { kind: 1 }]),
            group_packed_performance_counters: [(
                vec![vec!["2".to_owned()]],
                Bytes::from_static(b"\x05\0\0\0\0\0\0\0"),
            )]
            .into(),
        };
        let full = MMgrReport {
            daemon_name: "0".to_owned(),
            declare_types: vec![counter],
            undeclare_types: vec!["osd.op_r".to_owned()],
            packed: Bytes::from_static(b"\x01\x01\x08\0\0\0\x05\0\0\0\0\0\0\0"),
            daemon_status: Some([("state".to_owned(), "up".to_owned())].into()),
            task_status: Some(BTreeMap::new()),
            daemon_health_metrics: vec![DaemonHealthMetric {
                metric: DaemonMetric::SLOW_OPS,
                n1: 2,
                n2: 31_000,
            }],
            config_bl: Bytes::from_static(b"\0\0\0\0"),
            osd_perf_metric_reports: [(query, groups)].into(),
            metric_report_message: Some(MetricReport::Mds(MdsMetricPayload::default())),
            ..Default::default()
        };
        vec![MMgrReport::default(), full]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_types_of_every_version_decode() {
        for (path, bytes) in crate::corpus::samples("PerfCounterType") {
            let counter = PerfCounterType::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(counter.to_bytes(Features::ALL), bytes, "{path}");
        }
    }
}
