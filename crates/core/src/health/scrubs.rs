//! Work that PGs are behind with: PG_NOT_SCRUBBED, PG_NOT_DEEP_SCRUBBED, PG_SLOW_SNAP_TRIMMING.

use super::Subject;
use crate::pg_map::{OsdView, PoolView};
use axon_proto::UTime;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::pg::PgStat;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn check<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let options = subject.options;
    overdue(
        subject,
        out,
        &Kind {
            code: "PG_NOT_SCRUBBED",
            what: "scrubbed",
            ratio: options.mon_warn_pg_not_scrubbed_ratio,
            interval_secs: options.osd_scrub_max_interval,
            of_pool: |pool| pool.scrub_max_interval,
            stamp: |stat| stat.last_scrub_stamp,
        },
    );
    overdue(
        subject,
        out,
        &Kind {
            code: "PG_NOT_DEEP_SCRUBBED",
            what: "deep-scrubbed",
            ratio: options.mon_warn_pg_not_deep_scrubbed_ratio,
            interval_secs: options.osd_deep_scrub_interval,
            of_pool: |pool| pool.deep_scrub_interval,
            stamp: |stat| stat.last_deep_scrub_stamp,
        },
    );
    snap_trim(subject, out);
}

struct Kind {
    code: &'static str,
    what: &'static str,
    /// How much longer than the interval, as a part of it, counts as too late; 0: never.
    ratio: f64,
    interval_secs: f64,
    of_pool: fn(&PoolView) -> Option<f64>,
    stamp: fn(&PgStat) -> UTime,
}

fn overdue<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap, kind: &Kind) {
    if kind.ratio == 0.0 {
        return;
    }
    let cutoffs: BTreeMap<i64, UTime> = subject
        .osds
        .pools()
        .iter()
        .map(|(id, pool)| {
            let interval = (kind.of_pool)(pool).filter(|secs| *secs > 0.0).unwrap_or(kind.interval_secs);
            let age = Duration::try_from_secs_f64(interval * (1.0 + kind.ratio)).unwrap_or(Duration::MAX);
            (*id, subject.now.to_duration().saturating_sub(age).into())
        })
        .collect();
    let (mut detail, mut count) = (Vec::new(), 0usize);
    for (pg, stat) in &subject.map.pg_stat {
        let stamp = (kind.stamp)(stat);
        if cutoffs.get(&pg.pool).is_some_and(|cutoff| stamp < *cutoff) {
            count += 1;
            if count <= subject.options.mon_health_max_detail {
                detail.push(format!("pg {pg} not {} since {stamp}", kind.what));
            }
        }
    }
    if count == 0 {
        return;
    }
    if count > detail.len() && !detail.is_empty() {
        detail.push(format!("{} more pgs... ", count - detail.len()));
    }
    let summary = format!("{count} pgs not {} in time", kind.what);
    out.add(kind.code, HealthStatus::WARN, summary, count as i64).detail = detail;
}

fn snap_trim<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let (threshold, max) =
        (subject.options.mon_osd_snap_trim_queue_warn_on, subject.options.mon_health_max_detail);
    if threshold == 0 {
        return;
    }
    let long: Vec<_> =
        subject.map.pg_stat.iter().filter(|(_, stat)| stat.snaptrimq_len >= threshold).collect();
    let Some((longest, stat)) = long.iter().max_by_key(|(_, stat)| stat.snaptrimq_len) else { return };
    let shown = max.saturating_sub(1);
    let mut detail: Vec<String> = long
        .iter()
        .take(shown)
        .map(|(pg, stat)| format!("snap trim queue for pg {pg} at {}", stat.snaptrimq_len))
        .collect();
    if long.len() > shown {
        detail.push("...more pgs affected".to_owned());
    }
    detail.push(format!("longest queue on pg {longest} at {}", stat.snaptrimq_len));
    detail.push(
        "try decreasing \"osd snap trim sleep\" and/or increasing \"osd pg max concurrent snap trims\"."
            .to_owned(),
    );
    let count = long.len();
    let summary =
        format!("snap trim queue for {count} pg(s) >= {threshold} (mon_osd_snap_trim_queue_warn_on)");
    out.add("PG_SLOW_SNAP_TRIMMING", HealthStatus::WARN, summary, count as i64).detail = detail;
}
