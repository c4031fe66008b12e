//! POOL_TOO_FEW_PGS, POOL_TOO_MANY_PGS, POOL_TARGET_SIZE_BYTES_OVERCOMMITTED, POOL_HAS_TARGET_SIZE_BYTES_AND_RATIO.

use super::status::{PoolStatus, Status};
use crate::python::{format_bytes, list};
use axon_proto::health::{HealthCheckMap, HealthStatus};

pub(super) fn checks(status: &Status) -> HealthCheckMap {
    let mut out = HealthCheckMap::default();
    let mut add = |code: &str, what: &str, detail: Vec<String>| {
        if !detail.is_empty() {
            let count = detail.len();
            let number = i64::try_from(count).unwrap_or(i64::MAX);
            out.add(code, HealthStatus::WARN, format!("{count} {what}"), number).detail = detail;
        }
    };
    let warned = |wrong: fn(&PoolStatus) -> bool| {
        let pools = status.pools.iter().filter(|pool| pool.mode == "warn" && wrong(pool));
        let words = |pool: &PoolStatus| {
            let PoolStatus { name, pg_num_target, pg_num_final, .. } = pool;
            format!("Pool {name} has {pg_num_target} placement groups, should have {pg_num_final}")
        };
        pools.map(words).collect::<Vec<_>>()
    };
    let few = warned(|pool| pool.pg_num_final > pool.pg_num_target);
    let many = warned(|pool| pool.pg_num_final < pool.pg_num_target);
    add("POOL_TOO_FEW_PGS", "pools have too few placement groups", few);
    add("POOL_TOO_MANY_PGS", "pools have too many placement groups", many);
    let what = "subtrees have overcommitted pool target_size_bytes";
    add("POOL_TARGET_SIZE_BYTES_OVERCOMMITTED", what, overcommitted(status));
    let both = status.pools.iter().filter(|pool| pool.has_both_targets);
    let both = both.map(|pool| format!("Pool {} has target_size_bytes and target_size_ratio set", pool.name));
    let what = "pools have both target_size_bytes and target_size_ratio set";
    add("POOL_HAS_TARGET_SIZE_BYTES_AND_RATIO", what, both.collect());
    out
}

fn overcommitted(status: &Status) -> Vec<String> {
    let mut out = Vec::new();
    for (root, part) in status.roots.iter() {
        let pools = || status.pools.iter().filter(|pool| pool.root == root);
        let target = |pool: &PoolStatus| pool.target_bytes as f64 * pool.raw_used_rate;
        let total: f64 = pools().map(|pool| pool.actual_raw_used.max(target(pool))).sum();
        let total_target = pools().map(target).sum::<f64>().trunc();
        let capacity = part.capacity as f64;
        if part.capacity == 0 || total_target <= 0.0 || total <= capacity {
            continue;
        }
        let targets = pools().filter(|pool| pool.target_bytes > 0).map(|pool| pool.name.as_str());
        out.push(format!(
            "Pools {} overcommit available storage by {:.3}x due to target_size_bytes {} on pools {}",
            list(part.pool_names.iter().map(String::as_str)),
            total / capacity,
            format_bytes(total_target, 5),
            list(targets)
        ));
    }
    out
}
