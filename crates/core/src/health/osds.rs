//! Checks of OSDs as far as their reports tell: TOO_FEW_PGS, TOO_MANY_PGS, TOO_FEW_OSDS, OSD_TOO_MANY_REPAIRS,
//! OSD_SLOW_PING_TIME_BACK and _FRONT, and the alerts that object stores raise.

use super::Subject;
use crate::pg_map::OsdView;
use crate::text::fixed;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    pgs_per_osd(subject, out);
    too_few(subject, out);
    repairs(subject, out);
    pings(subject, out);
    alerts(subject, out);
}

fn pgs_per_osd<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let copies = u64::try_from(subject.map.pg_sum.up).unwrap_or(0).max(subject.map.pg_stat.len() as u64);
    let Some(per) = copies.checked_div(subject.osds.num_in_osds() as u64) else { return };
    let (min, max) = (subject.options.mon_pg_warn_min_per_osd, subject.options.mon_max_pg_per_osd);
    if per > 0 && per < min && !subject.osds.pools().is_empty() {
        let summary = format!("too few PGs per OSD ({per} < min {min})");
        out.add("TOO_FEW_PGS", HealthStatus::WARN, summary, (min - per) as i64);
    }
    if max > 0 && per > max {
        let summary = format!("too many PGs per OSD ({per} > max {max})");
        out.add("TOO_MANY_PGS", HealthStatus::WARN, summary, (per - max) as i64);
    }
}

fn too_few<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let (count, size) = (subject.osds.num_osds(), subject.options.osd_pool_default_size);
    if subject.options.mon_warn_on_too_few_osds && count < size {
        let summary = format!("OSD count {count} < osd_pool_default_size {size}");
        out.add("TOO_FEW_OSDS", HealthStatus::WARN, summary, (size - count) as i64);
    }
}

/// Upstream looks for repairs only while it looks for slow pings.
fn repairs<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    if slow_us(subject) <= 0.0 {
        return;
    }
    let many = subject.options.mon_osd_warn_num_repaired;
    let found = subject.map.osd_stat.iter().filter(|(_, stat)| stat.num_shards_repaired > many);
    let detail: Vec<String> = found
        .map(|(osd, stat)| format!("osd.{osd} had {} reads repaired", stat.num_shards_repaired))
        .collect();
    if !detail.is_empty() {
        let summary = format!("Too many repaired reads on {} OSDs", detail.len());
        let count = detail.len() as i64;
        out.add("OSD_TOO_MANY_REPAIRS", HealthStatus::WARN, summary, count).detail = detail;
    }
}

/// Microseconds from which a ping is slow; 0: never.
fn slow_us<V>(subject: &Subject<'_, V>) -> f64 {
    let options = subject.options;
    match options.mon_warn_on_slow_ping_time * 1000.0 {
        0.0 => f64::from(options.osd_heartbeat_grace) * 1e6 * options.mon_warn_on_slow_ping_ratio,
        set => set,
    }
}

/// Time in microseconds, from and to which OSD, whether it gets better.
type Ping = (u32, i32, i32, bool);

fn pings<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let slow = slow_us(subject);
    if slow <= 0.0 {
        return;
    }
    let (mut back, mut front) = (BTreeSet::new(), BTreeSet::new());
    let stale_secs = subject.options.osd_heartbeat_grace.saturating_mul(60);
    for (from, stat) in &subject.map.osd_stat {
        for (to, times) in &stat.hb_pingtime {
            if subject.now.sec.saturating_sub(times.last_update) > stale_secs {
                continue;
            }
            let note = |pings: &mut BTreeSet<Ping>, time: [u32; 3]| {
                let longest = time.into_iter().max().unwrap_or(0);
                if f64::from(longest) > slow {
                    pings.insert((longest, *from, *to, time.is_sorted_by(|a, b| a < b)));
                }
            };
            note(&mut back, times.back_pingtime);
            note(&mut front, times.front_pingtime);
        }
    }
    for (name, code, pings) in
        [("back", "OSD_SLOW_PING_TIME_BACK", back), ("front", "OSD_SLOW_PING_TIME_FRONT", front)]
    {
        let Some((longest, ..)) = pings.last() else { continue };
        let summary = format!("Slow OSD heartbeats on {name} (longest {}ms)", fixed(u64::from(*longest), 3));
        let check = out.add(code, HealthStatus::WARN, summary, pings.len() as i64);
        check.detail = ping_details(subject, name, &pings);
    }
}

fn ping_details<V: OsdView>(subject: &Subject<'_, V>, name: &str, pings: &BTreeSet<Ping>) -> Vec<String> {
    const DETAILS_MAX: usize = 10;
    let down = |osd| if subject.osds.is_down(osd) { " (down)" } else { "" };
    let mut detail: Vec<String> = pings
        .iter()
        .rev()
        .take(DETAILS_MAX)
        .map(|(time, from, to, improving)| {
            format!(
                "Slow OSD heartbeats on {name} from osd.{from} [{}]{} to osd.{to} [{}]{} {} msec{}",
                parents(subject, *from),
                down(*from),
                parents(subject, *to),
                down(*to),
                fixed(u64::from(*time), 3),
                if *improving { " possibly improving" } else { "" }
            )
        })
        .collect();
    if pings.len() > DETAILS_MAX {
        detail.push(
            "Truncated long network list.  Use ceph daemon mgr.# dump_osd_network for more information"
                .to_owned(),
        );
    }
    detail
}

/// The buckets above an OSD, without the root and the level at which failures are counted.
fn parents<V: OsdView>(subject: &Subject<'_, V>, osd: i32) -> String {
    let skip = &subject.options.mon_osd_reporter_subtree_level.0;
    let location = subject.osds.location(osd);
    let names: BTreeSet<String> = location
        .into_iter()
        .filter(|(kind, _)| kind != "root" && kind != skip)
        .map(|(_, name)| name)
        .collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}

fn alerts<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let mut by_code: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (osd, alerts) in &subject.map.osd_sum.os_alerts {
        for (code, message) in alerts.iter().take(subject.options.mon_health_max_detail) {
            by_code.entry(code).or_default().push(format!(" osd.{osd} {message}"));
        }
    }
    for (code, detail) in by_code {
        let summary = format!("{} OSD(s){}", detail.len(), alert_text(code));
        let count = detail.len() as i64;
        out.add(code, HealthStatus::WARN, summary, count).detail = detail;
    }
}

fn alert_text(code: &str) -> &'static str {
    match code {
        "BLUEFS_SPILLOVER" => " experiencing BlueFS spillover",
        "BLUESTORE_NO_COMPRESSION" => " have broken BlueStore compression",
        "BLUESTORE_LEGACY_STATFS" => " reporting legacy (not per-pool) BlueStore stats",
        "BLUESTORE_DISK_SIZE_MISMATCH" => {
            " have dangerous mismatch between BlueStore block device and free list sizes"
        }
        "BLUESTORE_NO_PER_PG_OMAP" => " reporting legacy (not per-pg) BlueStore omap",
        "BLUESTORE_NO_PER_POOL_OMAP" => " reporting legacy (not per-pool) BlueStore omap usage stats",
        "BLUESTORE_SPURIOUS_READ_ERRORS" => " have spurious read errors",
        "BLUESTORE_SLOW_OP_ALERT" => " experiencing slow operations in BlueStore",
        "BLOCK_DEVICE_STALLED_READ_ALERT" => " experiencing stalled read in block device of BlueStore",
        "WAL_DEVICE_STALLED_READ_ALERT" => " experiencing stalled read in wal device of BlueFS",
        "DB_DEVICE_STALLED_READ_ALERT" => " experiencing stalled read in db device of BlueFS",
        "EXTBLKDEV" => " reporting problems with ExtBlkDev plugin",
        _ => "",
    }
}
