//! What each pool has and should have (`_get_pool_status`). Three passes: pools without the flag `bulk` by the space that they
//! use; bulk pools that use more than an even share; the other bulk pools, which share what is left.

use super::roots::{Roots, Subtree, raw_used_rate, root_of};
use super::{noautoscale, threshold};
use axon_core::State;
use axon_proto::Release;
use axon_proto::osd_map::{PgPool, pool_flag};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Unless the pool says otherwise (`pg_num_min`).
const PG_NUM_MIN: i64 = 32;

#[derive(Debug)]
pub(super) struct Status {
    pub pools: Vec<PoolStatus>,
    pub roots: Roots,
}

#[derive(Debug)]
pub(super) struct PoolStatus {
    pub id: i64,
    pub name: String,
    pub root: i32,
    pub mode: &'static str,
    pub pg_num_target: i64,
    pub pg_num_final: i64,
    pub would_adjust: bool,
    pub target_bytes: i64,
    pub raw_used_rate: f64,
    pub actual_raw_used: f64,
    pub has_both_targets: bool,
    pub logical_used: f64,
    pub capacity: i64,
    pub capacity_ratio: f64,
    pub target_ratio: f64,
    pub effective_target_ratio: f64,
    pub bias: f64,
    pub bulk: bool,
    /// `osd pool autoscale-status --format json`.
    pub json: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Small,
    BulkAboveShare,
    Even,
}

impl Status {
    pub fn of(state: &State) -> Self {
        let mut roots = Roots::of(state);
        let df = state.pg_map.df(&*state.osd_map, state.release);
        let stats: BTreeMap<i64, &Value> = df
            .get("pools")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|pool| Some((pool.get("id")?.as_i64()?, pool.get("stats")?)))
            .collect();
        let mut left: Vec<i64> = state.osd_map.pools.keys().copied().collect();
        let mut pools = Vec::new();
        for pass in [Pass::Small, Pass::BulkAboveShare, Pass::Even] {
            let mut later = Vec::new();
            for id in left {
                let (Some(pool), Some(stats)) = (state.osd_map.pools.get(&id), stats.get(&id)) else {
                    continue;
                };
                match pool_status(state, &mut roots, pass, id, pool, stats) {
                    Outcome::Is(status) => pools.push(*status),
                    Outcome::Later => later.push(id),
                    Outcome::Skipped => {}
                }
            }
            left = later;
        }
        Status { pools, roots }
    }
}

enum Outcome {
    Is(Box<PoolStatus>),
    /// A later pass decides.
    Later,
    /// Its root overlaps another, or has no space.
    Skipped,
}

fn pool_status(
    state: &State,
    roots: &mut Roots,
    pass: Pass,
    id: i64,
    pool: &PgPool,
    stats: &Value,
) -> Outcome {
    let Some(root) = root_of(&state.osd_map, pool).filter(|root| !roots.is_overlapped(*root)) else {
        return Outcome::Skipped;
    };
    let Some(part) = roots.part(root).filter(|part| part.capacity > 0) else { return Outcome::Skipped };
    let capacity = part.capacity;
    let pacific = state.release < Release::Reef;
    let rate = raw_used_rate(&state.osd_map, id);
    let bias = pool.options.number("pg_autoscale_bias").unwrap_or(1.0);
    let target_ratio = pool.options.number("target_size_ratio").unwrap_or(0.0);
    let told_bytes = pool.options.int("target_size_bytes").unwrap_or(0);
    // The ratio counts where both are set.
    let target_bytes = if target_ratio == 0.0 { told_bytes } else { 0 };
    let of = |key: &str| stats.get(key).and_then(Value::as_i64).unwrap_or(0);
    // Pacific reckons from what is stored, the others from what the disks have used.
    let stored = of("stored");
    let used = if pacific { stored as f64 * rate } else { of("bytes_used") as f64 };
    let raw_used = used.max(target_bytes as f64 * rate);
    let effective = effective_target_ratio(target_ratio, part);
    let capacity_ratio = (raw_used / capacity as f64).max(effective);
    let bulk = pool.flags & pool_flag::BULK != 0;
    let Some((final_ratio, ideal)) = share(part, pass, bulk, capacity_ratio, pool.size, bias) else {
        return Outcome::Later;
    };
    let pg_num_final = quantized(pool, ideal);
    let pg_num_target = i64::from(pool.pg_num_target);
    let mode = match pool.pg_autoscale_mode {
        0 => "off",
        1 => "warn",
        2 => "on",
        _ => "???",
    };
    let off_by = is_off(state, pg_num_final, pg_num_target);
    let would_adjust = match state.release >= Release::Tentacle {
        true => off_by,
        false => off_by && (0.0..=1.0).contains(&final_ratio) && mode == "on",
    };
    let shown_mode = if !pacific && noautoscale(state) { "off" } else { mode };
    let name = state.osd_map.pool_name.get(&id).cloned().unwrap_or_default();
    let logical_used = if pacific { stored as f64 } else { used / rate };
    // Whole numbers where Python has whole numbers.
    let whole = |n: f64, is_whole: bool| if is_whole { json!(n as i64) } else { json!(n) };
    let json = json!({
        "pool_id": id, "pool_name": name, "crush_root_id": root, "pg_autoscale_mode": shown_mode,
        "pg_num_target": pg_num_target, "logical_used": whole(logical_used, pacific), "target_bytes": target_bytes,
        "raw_used_rate": rate, "subtree_capacity": capacity, "actual_raw_used": whole(used, !pacific),
        "raw_used": whole(raw_used, !pacific && raw_used <= used), "actual_capacity_ratio": used / capacity as f64,
        "capacity_ratio": capacity_ratio, "target_ratio": target_ratio, "effective_target_ratio": effective,
        "pg_num_ideal": ideal as i64, "pg_num_final": pg_num_final, "would_adjust": would_adjust, "bias": bias,
        "bulk": bulk,
    });
    Outcome::Is(Box::new(PoolStatus {
        id,
        name,
        root,
        mode: shown_mode,
        pg_num_target,
        pg_num_final,
        would_adjust,
        target_bytes,
        raw_used_rate: rate,
        actual_raw_used: used,
        has_both_targets: target_ratio > 0.0 && told_bytes > 0,
        logical_used,
        capacity,
        capacity_ratio,
        target_ratio,
        effective_target_ratio: effective,
        bias,
        bulk,
        json,
    }))
}

/// A pool's ratio among those of its part, of what is not reserved by sizes in bytes.
fn effective_target_ratio(ratio: f64, part: &Subtree) -> f64 {
    let normal = if part.total_target_ratio != 0.0 { ratio / part.total_target_ratio } else { ratio };
    if part.total_target_bytes == 0.0 {
        return normal;
    }
    normal * (1.0 - (part.total_target_bytes / part.capacity as f64).min(1.0))
}

/// The pool's ratio of its part and its number of placement groups before rounding (`_calc_final_pg_target`); `None` when
/// a later pass decides.
fn share(part: &mut Subtree, pass: Pass, bulk: bool, ratio: f64, size: u8, bias: f64) -> Option<(f64, f64)> {
    let others = part.pool_names.len().saturating_sub(part.pool_used);
    let even = 1.0 / others.max(1) as f64;
    let ratio = match pass {
        Pass::Small if bulk => return None,
        Pass::BulkAboveShare if ratio <= even => return None,
        Pass::Small | Pass::BulkAboveShare => ratio,
        Pass::Even => even,
    };
    let pgs = ratio * part.pg_left as f64;
    if pass != Pass::Even {
        part.pg_left = part.pg_left.saturating_sub(pgs as i64);
        part.pool_used += 1;
    }
    Some((ratio, pgs / f64::from(size.max(1)) * bias))
}

/// The nearest power of two between the pool's bounds.
fn quantized(pool: &PgPool, ideal: f64) -> i64 {
    let min = pool.options.int("pg_num_min").unwrap_or(PG_NUM_MIN);
    let wanted = nearest_power_of_two(ideal).max(min);
    match pool.options.int("pg_num_max") {
        Some(max) if max != 0 && max < wanted => max,
        _ => wanted,
    }
}

pub(super) fn nearest_power_of_two(n: f64) -> i64 {
    let whole = (n as i64).clamp(0, 1 << 32);
    let above = if whole == 0 { 0 } else { u64::try_from(whole).unwrap_or(0).next_power_of_two() as i64 };
    let below = above >> 1;
    if above as f64 - n > n - below as f64 { below } else { above }
}

/// Whether a pool is so far from what it should have that it is worth a change. 20.2 goes to some sizes sooner.
fn is_off(state: &State, wanted: i64, has: i64) -> bool {
    let threshold = threshold(state);
    let up = match wanted {
        512 | 1024 if state.release >= Release::Tentacle => 1.0,
        2048 if state.release >= Release::Tentacle => 2.0,
        _ => threshold,
    };
    wanted as f64 > has as f64 * up || (wanted as f64) < has as f64 / threshold
}
