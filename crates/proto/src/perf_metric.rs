//! Reports of dynamic perf queries (`src/mgr/{OSDPerfMetricTypes,MDSPerfMetricTypes,MetricTypes}.h`, all version 1): which
//! client, pool or image causes the load. OSDs and MDSs use the same shapes with numbers of their own, so one set of
//! types serves both. Lists of descriptors are preceded by a variable-length count.

use axon_denc::{Decode, Encode, Fault, Features, Reader, Result, Writer, denc_struct};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// `OSDPerfMetricSubKeyDescriptor`: a property and the regular expression that groups by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubKeyDescriptor {
    pub kind: u8,
    pub regex: String,
}
denc_struct!(OSDPerfMetricSubKeyDescriptor, 1, 1; SubKeyDescriptor { kind, regex });

/// `PerformanceCounterDescriptor`: which counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterDescriptor {
    pub kind: u8,
}
denc_struct!(PerformanceCounterDescriptor, 1, 1; CounterDescriptor { kind });

/// A list with `denc_varint` as its count.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VarList<T>(pub Vec<T>);

impl<T: Encode> Encode for VarList<T> {
    fn encode(&self, w: &mut Writer, features: Features) {
        let mut count = self.0.len();
        while count > 0x7f {
            w.u8((count & 0x7f) as u8 | 0x80);
            count >>= 7;
        }
        w.u8(count as u8);
        for item in &self.0 {
            item.encode(w, features);
        }
    }
}
impl<T: Decode> Decode for VarList<T> {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let at = r.clone();
        let (mut count, mut shift) = (0u64, 0u32);
        loop {
            let byte = r.u8()?;
            count |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 35 {
                return Err(at.bad_value("variable-length count", count));
            }
        }
        let left_bytes = r.remaining();
        let fits = usize::try_from(count).ok().filter(|n| n.saturating_mul(T::BYTES_MIN) <= left_bytes);
        let Some(len) = fits else {
            return Err(at.error(Fault::LengthTooLarge { claimed: count, left_bytes }));
        };
        (0..len).map(|_| T::decode(r)).collect::<Result<_>>().map(VarList)
    }
}

/// `OSDPerfMetricQuery`, `MDSPerfMetricQuery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerfMetricQuery {
    pub key_descriptor: VarList<SubKeyDescriptor>,
    pub performance_counter_descriptors: VarList<CounterDescriptor>,
}
denc_struct!(OSDPerfMetricQuery, 1, 1; PerfMetricQuery { key_descriptor, performance_counter_descriptors });

/// `OSDPerfMetricReport`, `MDSPerfMetrics`: packed counters by key (for each sub key the matches of its expression).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerfMetricReport {
    pub performance_counter_descriptors: VarList<CounterDescriptor>,
    pub group_packed_performance_counters: BTreeMap<Vec<Vec<String>>, Bytes>,
}
denc_struct!(OSDPerfMetricReport, 1, 1; PerfMetricReport {
    performance_counter_descriptors, group_packed_performance_counters,
});

/// `OSDMetricPayload`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsdMetricPayload {
    pub report: BTreeMap<PerfMetricQuery, PerfMetricReport>,
}
denc_struct!(OSDMetricPayload, 1, 1; OsdMetricPayload { report });

/// `MDSPerfMetricReport`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MdsPerfMetricReport {
    pub reports: BTreeMap<PerfMetricQuery, PerfMetricReport>,
    /// Ranks whose metrics come late.
    pub rank_metrics_delayed: BTreeSet<i32>,
}
denc_struct!(MDSPerfMetricReport, 1, 1; MdsPerfMetricReport { reports, rank_metrics_delayed });

/// `MDSMetricPayload`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MdsMetricPayload {
    pub metric_report: MdsPerfMetricReport,
}
denc_struct!(MDSMetricPayload, 1, 1; MdsMetricPayload { metric_report });

/// `MetricReportMessage`. It is the last field of its message, so one of an unknown kind keeps its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricReport {
    Osd(OsdMetricPayload),
    Mds(MdsMetricPayload),
    Unknown(u32, Bytes),
}

impl Encode for MetricReport {
    fn encode(&self, w: &mut Writer, features: Features) {
        match self {
            MetricReport::Osd(payload) => {
                w.u32(0);
                w.value(payload, features);
            }
            MetricReport::Mds(payload) => {
                w.u32(1);
                w.value(payload, features);
            }
            MetricReport::Unknown(kind, bytes) => {
                w.u32(*kind);
                w.put(bytes);
            }
        }
    }
}
impl Decode for MetricReport {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(match r.u32()? {
            0 => MetricReport::Osd(r.value()?),
            1 => MetricReport::Mds(r.value()?),
            kind => MetricReport::Unknown(kind, Bytes::copy_from_slice(r.rest())),
        })
    }
}

/// `OSDPerfMetricLimit`, `MDSPerfMetricLimit`: the keys with the `max_count` largest values of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerfMetricLimit {
    pub order_by: CounterDescriptor,
    pub max_count: u64,
}
denc_struct!(OSDPerfMetricLimit, 1, 1; PerfMetricLimit { order_by, max_count });

/// Queries with their limits.
pub type OsdPerfMetricQueries = BTreeMap<PerfMetricQuery, BTreeSet<PerfMetricLimit>>;

/// `MetricConfigMessage`: the queries that a daemon shall answer in its reports. It is the last field of its message, so
/// one of an unknown kind keeps its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricConfig {
    Osd(OsdPerfMetricQueries),
    Mds(OsdPerfMetricQueries),
    Unknown(u32, Bytes),
}

impl Encode for MetricConfig {
    fn encode(&self, w: &mut Writer, features: Features) {
        let (kind, queries) = match self {
            MetricConfig::Osd(queries) => (0, queries),
            MetricConfig::Mds(queries) => (1, queries),
            MetricConfig::Unknown(kind, bytes) => {
                w.u32(*kind);
                return w.put(bytes);
            }
        };
        w.u32(kind);
        w.envelope(1, 1, |w| w.value(queries, features));
    }
}
impl Decode for MetricConfig {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let kind = r.u32()?;
        if kind > 1 {
            return Ok(MetricConfig::Unknown(kind, Bytes::copy_from_slice(r.rest())));
        }
        let (_, mut r) = r.envelope(1, if kind == 0 { "OSDConfigPayload" } else { "MDSConfigPayload" })?;
        let queries = r.value()?;
        Ok(if kind == 0 { MetricConfig::Osd(queries) } else { MetricConfig::Mds(queries) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::round_trips_newest;

    #[test]
    fn what_ceph_encoded_round_trips() {
        round_trips_newest::<OsdMetricPayload>("OSDMetricPayload");
        round_trips_newest::<MdsMetricPayload>("MDSMetricPayload");
        round_trips_newest::<MdsPerfMetricReport>("MDSPerfMetricReport");
        round_trips_newest::<MetricReport>("MetricReportMessage");
        round_trips_newest::<MetricConfig>("MetricConfigMessage");
    }

    #[test]
    fn a_list_of_any_length_round_trips_and_a_count_beyond_the_bytes_is_refused() {
        for len in [0, 1, 127, 128, 300] {
            let list = VarList(vec![CounterDescriptor { kind: 3 }; len]);
            assert_eq!(VarList::from_bytes(&list.to_bytes(Features::ALL)), Ok(list));
        }
        assert!(VarList::<CounterDescriptor>::from_bytes(&[0xff, 0xff, 0xff, 0x7f, 1]).is_err());
        assert!(VarList::<CounterDescriptor>::from_bytes(&[0xff; 16]).is_err());
    }
}
