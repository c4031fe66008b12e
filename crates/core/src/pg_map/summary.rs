//! One-line and many-line summaries of the map (`PGMapDigest::print_summary`, `print_oneline_summary`, the `*_summary`
//! and `*_rate_summary` functions).

use super::{Deltas, PgMap};
use crate::text::{bytes, si};
use axon_proto::pg::{ObjectStatSum, PgState};
use serde_json::{Map, Value, json};

/// Text and JSON of one part of a summary; the text is empty when there is nothing to tell.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub text: String,
    pub json: Map<String, Value>,
}

impl Part {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }
}

impl PgMap {
    /// `pg stat` as JSON.
    #[must_use]
    pub fn oneline_json(&self) -> Map<String, Value> {
        let statfs = &self.osd_sum.statfs;
        let states: Vec<Value> =
            self.num_pg_by_state.iter().map(|(s, n)| json!({"name": s, "num": n})).collect();
        let mut out = Part::default();
        out.put("num_pg_by_state", states);
        out.put("num_pgs", self.num_pg());
        out.put("num_bytes", self.pg_sum.stats.num_bytes);
        out.put("total_bytes", statfs.total);
        out.put("total_avail_bytes", statfs.available);
        out.put("total_used_bytes", statfs.used());
        out.put("total_used_raw_bytes", statfs.used_raw());
        let (deltas, moved) = (&self.pg_sum_deltas, self.pg_sum_deltas.positive());
        if moved.num_rd != 0 || moved.num_wr != 0 {
            if moved.num_rd != 0 {
                out.put("read_bytes_sec", deltas.per_second(moved.num_rd_kb << 10));
            }
            if moved.num_wr != 0 {
                out.put("write_bytes_sec", deltas.per_second(moved.num_wr_kb << 10));
            }
            out.put("io_sec", deltas.per_second(moved.num_rd + moved.num_wr));
        }
        out.json.extend(recovery(&self.pg_sum.stats).1);
        out.json.extend(recovery_rate(deltas).json);
        out.json
    }

    /// `pg stat` as text.
    #[must_use]
    pub fn oneline(&self) -> String {
        let statfs = &self.osd_sum.statfs;
        let states: Vec<String> = self.num_pg_by_state.iter().map(|(s, n)| format!("{n} {s}")).collect();
        let mut out = format!(
            "{} pgs: {}; {} data, {} used, {} / {} avail",
            self.num_pg(),
            states.join(", "),
            bytes(self.pg_sum.stats.num_bytes),
            bytes(statfs.used()),
            bytes(statfs.available),
            bytes(statfs.total),
        );
        let (deltas, moved) = (&self.pg_sum_deltas, self.pg_sum_deltas.positive());
        if moved.num_rd != 0 || moved.num_wr != 0 {
            out.push_str("; ");
            if moved.num_rd != 0 {
                out.push_str(&format!("{}/s rd, ", bytes(deltas.per_second(moved.num_rd_kb << 10))));
            }
            if moved.num_wr != 0 {
                out.push_str(&format!("{}/s wr, ", bytes(deltas.per_second(moved.num_wr_kb << 10))));
            }
            out.push_str(&format!("{} op/s", si(deltas.per_second(moved.num_rd + moved.num_wr))));
        }
        for line in recovery(&self.pg_sum.stats).0 {
            out.push_str(&format!("; {line}"));
        }
        let rate = recovery_rate(deltas).text;
        if !rate.is_empty() {
            out.push_str(&format!("; {rate} recovering"));
        }
        out
    }

    /// `PGMap::print_summary` as JSON: what `mgr.get("pg_status")` gives.
    #[must_use]
    pub fn summary_json(&self) -> Map<String, Value> {
        let statfs = &self.osd_sum.statfs;
        let mut by_count: Vec<(i32, PgState)> = self.num_pg_by_state.iter().map(|(s, n)| (*n, *s)).collect();
        by_count.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let states: Vec<Value> =
            by_count.iter().map(|(count, state)| json!({"state_name": state, "count": count})).collect();
        let by_pool = self.num_pg_by_pool_state.iter().map(|(pool, states)| {
            let counts = states.iter().map(|(state, count)| json!({"state_name": state, "count": count}));
            json!({"pool_id": pool, "pg_state_counts": counts.collect::<Vec<_>>()})
        });
        let mut out = Part::default();
        out.put("pgs_by_pool_state", by_pool.collect::<Vec<_>>());
        out.put("pgs_by_state", states);
        out.put("num_pgs", self.num_pg());
        out.put("num_pools", self.pg_pool_sum.len());
        out.put("num_objects", self.pg_sum.stats.num_objects);
        out.put("data_bytes", self.pg_sum.stats.num_bytes);
        out.put("bytes_used", statfs.used_raw());
        out.put("bytes_avail", statfs.available);
        out.put("bytes_total", statfs.total);
        let total = self.num_pg() as f32;
        if self.num_pg_unknown > 0 {
            out.put("unknown_pgs_ratio", self.num_pg_unknown as f32 / total);
        }
        let inactive = self.num_pg() - self.num_pg_active - self.num_pg_unknown;
        if inactive > 0 {
            out.put("inactive_pgs_ratio", inactive as f32 / total);
        }
        out.json.extend(recovery(&self.pg_sum.stats).1);
        out.json.extend(recovery_rate(&self.pg_sum_deltas).json);
        out.json.extend(client_rate(&self.pg_sum_deltas).json);
        out.json.extend(cache_rate(&self.pg_sum_deltas).json);
        out.json
    }
}

/// Degraded, misplaced and unfound objects: lines of text, and JSON.
pub(crate) fn recovery(sum: &ObjectStatSum) -> (Vec<String>, Map<String, Value>) {
    let (mut lines, mut out) = (Vec::new(), Part::default());
    let kinds = [
        ("degraded", sum.num_objects_degraded, sum.num_object_copies),
        ("misplaced", sum.num_objects_misplaced, sum.num_object_copies),
        ("unfound", sum.num_objects_unfound, sum.num_objects),
    ];
    for (kind, count, total) in kinds {
        if count == 0 || total <= 0 {
            continue;
        }
        let percent = count as f64 / total as f64 * 100.0;
        lines.push(format!("{count}/{total} objects {kind} ({percent:.3}%)"));
        out.put(&format!("{kind}_objects"), count);
        out.put(&format!("{kind}_total"), total);
        // Upstream's detour, which the last digits show.
        out.put(&format!("{kind}_ratio"), percent / 100.0);
    }
    (lines, out.json)
}

/// Recovery per second.
pub(crate) fn recovery_rate(deltas: &Deltas) -> Part {
    let (moved, mut out) = (deltas.positive(), Part::default());
    let (objects, bytes_, keys) =
        (moved.num_objects_recovered, moved.num_bytes_recovered, moved.num_keys_recovered);
    if objects == 0 && bytes_ == 0 && keys == 0 {
        return out;
    }
    let rate = |count| deltas.per_second(count);
    out.put("recovering_objects_per_sec", rate(objects));
    out.put("recovering_bytes_per_sec", rate(bytes_));
    out.put("recovering_keys_per_sec", rate(keys));
    out.put("num_objects_recovered", objects);
    out.put("num_bytes_recovered", bytes_);
    out.put("num_keys_recovered", keys);
    out.text = format!("{}/s", bytes(rate(bytes_)));
    if keys != 0 {
        out.text.push_str(&format!(", {} keys/s", si(rate(keys))));
    }
    out.text.push_str(&format!(", {} objects/s", si(rate(objects))));
    out
}

/// Clients' reads and writes per second.
pub(crate) fn client_rate(deltas: &Deltas) -> Part {
    let (moved, mut out) = (deltas.positive(), Part::default());
    if moved.num_rd == 0 && moved.num_wr == 0 {
        return out;
    }
    if moved.num_rd != 0 {
        let rate = deltas.per_second(moved.num_rd_kb << 10);
        out.put("read_bytes_sec", rate);
        out.text.push_str(&format!("{}/s rd, ", bytes(rate)));
    }
    if moved.num_wr != 0 {
        let rate = deltas.per_second(moved.num_wr_kb << 10);
        out.put("write_bytes_sec", rate);
        out.text.push_str(&format!("{}/s wr, ", bytes(rate)));
    }
    let (reads, writes) = (deltas.per_second(moved.num_rd), deltas.per_second(moved.num_wr));
    out.put("read_op_per_sec", reads);
    out.put("write_op_per_sec", writes);
    out.text.push_str(&format!("{} op/s rd, {} op/s wr", si(reads), si(writes)));
    out
}

/// What a cache tier does per second.
pub(crate) fn cache_rate(deltas: &Deltas) -> Part {
    let (moved, mut out, mut texts) = (deltas.positive(), Part::default(), Vec::new());
    let flows = [
        (moved.num_flush, "flush_bytes_sec", moved.num_flush_kb << 10, "/s flush"),
        (moved.num_evict, "evict_bytes_sec", moved.num_evict_kb << 10, "/s evict"),
    ];
    for (count, key, amount, text) in flows {
        if count != 0 {
            out.put(key, deltas.per_second(amount));
            texts.push(format!("{}{text}", bytes(deltas.per_second(amount))));
        }
    }
    if moved.num_promote != 0 {
        let rate = deltas.per_second(moved.num_promote);
        out.put("promote_op_per_sec", rate);
        texts.push(format!("{} op/s promote", si(rate)));
    }
    let modes = [
        (moved.num_flush_mode_low, "num_flush_mode_low", "PGs flushing"),
        (moved.num_flush_mode_high, "num_flush_mode_high", "PGs flushing (high)"),
        (moved.num_evict_mode_some, "num_evict_mode_some", "PGs evicting"),
        (moved.num_evict_mode_full, "num_evict_mode_full", "PGs evicting (full)"),
    ];
    for (count, key, text) in modes {
        if count != 0 {
            out.put(key, count);
            texts.push(format!("{} {text}", si(i64::from(count))));
        }
    }
    out.text = texts.join(", ");
    out
}
