//! `MMgrConfigure` (`src/messages/MMgrConfigure.h`, version 4 in all supported releases; reads from 1): the manager tells a
//! daemon how often and what to report.

use crate::message::{Parts, Payload, RawMessage};
use crate::perf_metric::{MetricConfig, OsdPerfMetricQueries};
use axon_denc::{Features, Result};

/// How to report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrConfigure {
    /// Seconds between two reports; 0: none.
    pub stats_period: u32,
    /// Counters of a lower priority are not reported.
    pub stats_threshold: u32,
    /// Dynamic queries, in the form for OSDs before Pacific.
    pub osd_perf_metric_queries: OsdPerfMetricQueries,
    /// Dynamic queries.
    pub metric_config_message: Option<MetricConfig>,
}

impl Payload for MMgrConfigure {
    const TYPE: u16 = 0x701;
    const NAME: &'static str = "MMgrConfigure";
    const VERSION: u16 = 4;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.u32(self.stats_period);
        w.u32(self.stats_threshold);
        w.value(&self.osd_perf_metric_queries, features);
        w.value(&self.metric_config_message, features);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let version = raw.header.version;
        Ok(MMgrConfigure {
            stats_period: r.u32()?,
            stats_threshold: if version >= 2 { r.u32()? } else { 0 },
            osd_perf_metric_queries: if version >= 3 { r.value()? } else { Default::default() },
            metric_config_message: if version >= 4 { r.value()? } else { None },
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        use crate::perf_metric::{CounterDescriptor, PerfMetricLimit, PerfMetricQuery, VarList};
        let counters = VarList(vec![CounterDescriptor { kind: 1 }]);
        let query = PerfMetricQuery { performance_counter_descriptors: counters, ..Default::default() };
        let limit = PerfMetricLimit { order_by: CounterDescriptor { kind: 1 }, max_count: 10 };
        let queries: OsdPerfMetricQueries = [(query, [limit].into())].into();
        vec![
            MMgrConfigure { stats_period: 5, stats_threshold: 5, ..Default::default() },
            MMgrConfigure {
                stats_period: 5,
                osd_perf_metric_queries: queries.clone(),
                metric_config_message: Some(MetricConfig::Osd(queries.clone())),
                ..Default::default()
            },
            MMgrConfigure { metric_config_message: Some(MetricConfig::Mds(queries)), ..Default::default() },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageHeader;

    #[test]
    fn the_forms_of_older_managers_end_earlier() {
        let full = MMgrConfigure::samples().remove(1);
        let front = full.to_raw(Features::ALL).front;
        let older = |version| {
            let header = MessageHeader { version, ..Default::default() };
            MMgrConfigure::decode(&RawMessage { header, front: front.clone(), ..Default::default() }).unwrap()
        };
        assert_eq!(older(1), MMgrConfigure { stats_period: 5, ..Default::default() });
        assert_eq!(older(3), MMgrConfigure { metric_config_message: None, ..full.clone() });
        assert_eq!(older(4), full);
    }
}
