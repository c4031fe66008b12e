//! Checks from what OSDs and monitors count about themselves (`src/mgr/DaemonHealthMetricCollector.cc`): SLOW_OPS,
//! PENDING_CREATING_PGS.

use crate::daemons::DaemonKey;
use axon_proto::health::{DaemonHealthMetric, DaemonMetric, HealthCheckMap, HealthStatus};

/// The checks that the metrics give. Only those of OSDs and monitors count, as upstream has it.
#[must_use]
pub fn daemon_checks<'a>(
    metrics: impl Iterator<Item = (&'a DaemonKey, &'a DaemonHealthMetric)>,
) -> HealthCheckMap {
    let (mut slow, mut pending) = (Reports::default(), Reports::default());
    for (daemon, metric) in metrics.filter(|(daemon, _)| matches!(daemon.kind.as_str(), "osd" | "mon")) {
        let (n1, n2) = (u64::from(metric.n1), u64::from(metric.n2));
        match metric.metric {
            DaemonMetric::SLOW_OPS => slow.note(daemon, n1, n2),
            DaemonMetric::PENDING_CREATING_PGS => pending.note(daemon, n1 | n2 << 32, 0),
            _ => {}
        }
    }
    let mut out = HealthCheckMap::default();
    if let Some(first) = slow.daemons.first() {
        const SHOWN_MAX: usize = 10;
        let who = match slow.daemons.len() {
            1 => format!("{first} has slow ops"),
            more => {
                let shown: Vec<&str> = slow.daemons.iter().take(SHOWN_MAX).map(String::as_str).collect();
                let dots = if more > SHOWN_MAX { "..." } else { "" };
                format!("daemons [{}]{dots} have slow ops.", shown.join(","))
            }
        };
        let summary = format!("{} slow ops, oldest one blocked for {} sec, {who}", slow.sum, slow.max);
        out.add("SLOW_OPS", HealthStatus::WARN, summary, 1);
    }
    if let Some(first) = pending.daemons.first() {
        let who = match pending.daemons.len() {
            1 => format!("{first} has pending PGs"),
            _ => format!("osds [{}] have pending PGs.", pending.daemons.join(",")),
        };
        let summary = format!("{} PGs pending on creation", pending.sum);
        out.add("PENDING_CREATING_PGS", HealthStatus::WARN, summary, 1).detail.push(who);
    }
    out
}

/// One metric over all daemons that have it.
#[derive(Default)]
struct Reports {
    sum: u64,
    max: u64,
    daemons: Vec<String>,
}

impl Reports {
    fn note(&mut self, daemon: &DaemonKey, add: u64, max: u64) {
        self.sum = self.sum.saturating_add(add);
        self.max = self.max.max(max);
        if add != 0 || max != 0 {
            self.daemons.push(daemon.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_ops_of_several_daemons_become_one_check() {
        let metric = |n1, n2| DaemonHealthMetric { metric: DaemonMetric::SLOW_OPS, n1, n2 };
        let daemons = [
            (DaemonKey::new("osd", "0"), metric(2, 31)),
            (DaemonKey::new("osd", "1"), metric(0, 0)),
            (DaemonKey::new("mon", "a"), metric(1, 40)),
            (DaemonKey::new("mds", "a"), metric(9, 99)),
        ];
        let of = |count: usize| daemon_checks(daemons.iter().take(count).map(|(key, metric)| (key, metric)));
        let slow = &of(4).checks["SLOW_OPS"];
        assert_eq!(
            slow.summary,
            "3 slow ops, oldest one blocked for 40 sec, daemons [osd.0,mon.a] have slow ops."
        );
        assert_eq!(
            of(2).checks["SLOW_OPS"].summary,
            "2 slow ops, oldest one blocked for 31 sec, osd.0 has slow ops"
        );
        assert!(of(0).checks.is_empty());
    }
}
