//! Checks of one pool at a time: LARGE_OMAP_OBJECTS, CACHE_POOL_NEAR_FULL, SMALLER_PGP_NUM, MANY_OBJECTS_PER_PG, POOL_FULL,
//! POOL_NEAR_FULL, POOL_APP_NOT_ENABLED.

use super::Subject;
use crate::pg_map::{OsdView, PoolView, since};
use crate::text::{bytes, si};
use axon_proto::Release;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::pg::ObjectStatSum;

/// A pool and its sums.
type Pools = Vec<(PoolView, ObjectStatSum)>;

pub(super) fn check<V: OsdView>(subject: &Subject<'_, V>, out: &mut HealthCheckMap) {
    let all = subject.osds.pools();
    application(subject, &all, out);
    let with_stats: Pools = all
        .into_iter()
        .filter_map(|(id, pool)| Some((pool, subject.map.pg_pool_sum.get(&id)?.stats)))
        .collect();
    large_omap(subject, &with_stats, out);
    cache(subject, &with_stats, out);
    pgp_num(&with_stats, out);
    objects_per_pg(subject, &with_stats, out);
    quota(subject, &with_stats, out);
}

/// Adds the check when there is something to tell.
fn add(
    out: &mut HealthCheckMap,
    code: &str,
    severity: HealthStatus,
    what: &str,
    count: usize,
    detail: Vec<String>,
) {
    if !detail.is_empty() {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        out.add(code, severity, format!("{count} {what}"), count).detail = detail;
    }
}

fn large_omap<V: OsdView>(subject: &Subject<'_, V>, pools: &Pools, out: &mut HealthCheckMap) {
    let found = pools.iter().filter(|(_, sum)| sum.num_large_omap_objects != 0);
    let mut detail: Vec<String> = found
        .map(|(pool, sum)| {
            format!("{} large objects found in pool '{}'", sum.num_large_omap_objects, pool.name)
        })
        .collect();
    if detail.is_empty() {
        return;
    }
    detail.push("Search the cluster log for 'Large omap object found' for more details.".to_owned());
    let count = subject.map.pg_sum.stats.num_large_omap_objects;
    let summary = format!("{count} large omap objects");
    out.add("LARGE_OMAP_OBJECTS", HealthStatus::WARN, summary, count).detail = detail;
}

fn cache<V: OsdView>(subject: &Subject<'_, V>, pools: &Pools, out: &mut HealthCheckMap) {
    let (mut detail, mut count) = (Vec::new(), 0);
    for (pool, sum) in pools {
        let full = f64::from(pool.cache_target_full_ratio_micro);
        let ratio = (full + (1e6 - full) * subject.options.mon_cache_target_full_warn_ratio) / 1e6;
        let near = |have: i64, target: u64| target > 0 && have as f64 > target as f64 * ratio;
        let before = detail.len();
        if near(sum.num_objects - sum.num_objects_hit_set_archive, pool.target_max_objects) {
            detail.push(format!(
                "cache pool '{}' with {} objects at/near target max {} objects",
                pool.name,
                si(sum.num_objects),
                si(pool.target_max_objects as i64)
            ));
        }
        if near(sum.num_bytes - sum.num_bytes_hit_set_archive, pool.target_max_bytes) {
            detail.push(format!(
                "cache pool '{}' with {} at/near target max {}",
                pool.name,
                bytes(sum.num_bytes),
                bytes(pool.target_max_bytes as i64)
            ));
        }
        count += usize::from(detail.len() > before);
    }
    let what = "cache pools at or near target size";
    add(out, "CACHE_POOL_NEAR_FULL", HealthStatus::WARN, what, count, detail);
}

fn pgp_num(pools: &Pools, out: &mut HealthCheckMap) {
    let smaller = pools.iter().filter(|(pool, _)| pool.pg_num_target > pool.pgp_num_target);
    let detail: Vec<String> = smaller
        .map(|(pool, _)| {
            format!("pool {} pg_num {} > pgp_num {}", pool.name, pool.pg_num_target, pool.pgp_num_target)
        })
        .collect();
    add(out, "SMALLER_PGP_NUM", HealthStatus::WARN, "pools have pg_num > pgp_num", detail.len(), detail);
}

fn objects_per_pg<V: OsdView>(subject: &Subject<'_, V>, pools: &Pools, out: &mut HealthCheckMap) {
    let options = subject.options;
    let total = subject.map.pg_sum.stats.num_objects;
    let Some(average) = total.checked_div(subject.map.num_pg()).filter(|average| *average > 0) else {
        return;
    };
    if total < options.mon_pg_warn_min_objects || options.mon_pg_warn_max_object_skew <= 0.0 {
        return;
    }
    let mut detail = Vec::new();
    for (pool, sum) in pools {
        let Some(own) = sum.num_objects.checked_div(i64::from(pool.pg_num_target)) else { continue };
        let ratio = own as f32 / average as f32;
        if sum.num_objects >= options.mon_pg_warn_min_pool_objects
            && f64::from(ratio) > options.mon_pg_warn_max_object_skew
            && !pool.autoscale_on
        {
            let name = &pool.name;
            detail.push(format!(
                "pool {name} objects per pg ({own}) is more than {ratio} times cluster average ({average})"
            ));
        }
    }
    let what = "pools have many more objects per pg than average";
    add(out, "MANY_OBJECTS_PER_PG", HealthStatus::WARN, what, detail.len(), detail);
}

/// Which side of the thresholds a pool is on. At the quota itself the monitors speak.
fn quota<V: OsdView>(subject: &Subject<'_, V>, pools: &Pools, out: &mut HealthCheckMap) {
    let threshold = |percent: u32| percent as f32 / 100.0;
    let crit = threshold(subject.options.mon_pool_quota_crit_threshold);
    let warn = threshold(subject.options.mon_pool_quota_warn_threshold);
    let (mut full, mut near) = ((Vec::new(), 0), (Vec::new(), 0));
    for (pool, sum) in pools {
        let (full_before, near_before) = (full.0.len(), near.0.len());
        let limits = [
            (sum.num_objects, pool.quota_max_objects, format!("{} objects", sum.num_objects), {
                pool.quota_max_objects.to_string()
            }),
            (sum.num_bytes, pool.quota_max_bytes, bytes(sum.num_bytes), bytes(pool.quota_max_bytes as i64)),
        ];
        for (have, max, have_text, max_text) in limits {
            let reaches = |part: f32| part > 0.0 && have as f32 >= max as f32 * part;
            if max == 0 || u64::try_from(have).is_ok_and(|have| have >= max) {
                continue;
            }
            let text = format!("pool '{}' has {have_text} (max {max_text})", pool.name);
            if reaches(crit) {
                full.0.push(text);
            } else if reaches(warn) {
                near.0.push(text);
            }
        }
        full.1 += usize::from(full.0.len() > full_before);
        near.1 += usize::from(near.0.len() > near_before);
    }
    add(out, "POOL_FULL", HealthStatus::ERR, "pools full", full.1, full.0);
    add(out, "POOL_NEAR_FULL", HealthStatus::WARN, "pools nearfull", near.1, near.0);
}

fn application<V: OsdView>(subject: &Subject<'_, V>, pools: &[(i64, PoolView)], out: &mut HealthCheckMap) {
    if !subject.options.mon_warn_on_pool_no_app {
        return;
    }
    let grace_secs = match subject.release {
        release if release >= Release::Tentacle => u64::from(subject.options.mon_warn_on_pool_no_app_grace),
        _ => 0,
    };
    let is_old = |pool: &PoolView| since(pool.create_time, subject.now).as_secs() >= grace_secs;
    // Pacific speaks of pools with objects only.
    let is_used = |id: &i64| {
        let sum = subject.map.pg_pool_sum.get(id);
        subject.release > Release::Pacific || sum.is_some_and(|sum| sum.stats.num_objects > 0)
    };
    let found = pools
        .iter()
        .filter(|(id, pool)| !pool.has_application && !pool.is_tier && is_old(pool) && is_used(id));
    let mut detail: Vec<String> =
        found.map(|(_, pool)| format!("application not enabled on pool '{}'", pool.name)).collect();
    let count = detail.len();
    if count > 0 {
        detail.push(
            "use 'ceph osd pool application enable <pool-name> <app-name>', where <app-name> is 'cephfs', 'rbd', \
             'rgw', or freeform for custom applications."
                .to_owned(),
        );
    }
    let what = "pool(s) do not have an application enabled";
    add(out, "POOL_APP_NOT_ENABLED", HealthStatus::WARN, what, count, detail);
}
