//! Space by pool and device class (`dump_pool_stats_full`, `dump_cluster_stats`): `ceph df`, which the monitors print from
//! the digest, and `mgr.get("df")`.

use super::{OsdView, PgMap, PoolView};
use axon_proto::Release;
use axon_proto::pg::{OsdStat, PoolStat};
use serde_json::{Map, Value, json};

impl PgMap {
    /// `mgr.get("df")`: with every detail.
    #[must_use]
    pub fn df(&self, osds: &impl OsdView, release: Release) -> Value {
        let stats = self.df_stats();
        let by_class: Map<String, Value> =
            self.osd_sum_by_class(osds).iter().map(|(class, sum)| (class.clone(), raw(sum).into())).collect();
        let rules = self.rules_avail(osds);
        let pools: Vec<Value> = osds
            .pools()
            .iter()
            .filter_map(|(id, pool)| {
                let stat = self.pg_pool_sum.get(id)?;
                let avail = rules.get(&pool.crush_rule).copied().unwrap_or(0).max(0);
                let stats = self.pool_df(pool, stat, avail, release);
                Some(json!({"name": pool.name, "id": id, "stats": stats}))
            })
            .collect();
        json!({"stats": stats, "stats_by_class": by_class, "pools": pools})
    }

    /// One pool's `stats` of [`Self::df`], without a look at the others. `None` before anything is known of the pool.
    #[must_use]
    pub fn df_of_pool(&self, id: i64, osds: &impl OsdView, release: Release) -> Option<Value> {
        let (stat, pool) = (self.pg_pool_sum.get(&id)?, osds.pool(id)?);
        let avail = self.rule_avail(osds, pool.crush_rule).max(0);
        Some(self.pool_df(&pool, stat, avail, release))
    }

    /// The cluster's space: `stats` of `mgr.get("df")`.
    #[must_use]
    pub fn df_stats(&self) -> Map<String, Value> {
        let mut stats = raw(&self.osd_sum);
        let counts = [
            ("num_osds", self.osd_sum.num_osds),
            ("num_per_pool_osds", self.osd_sum.num_per_pool_osds),
            ("num_per_pool_omap_osds", self.osd_sum.num_per_pool_omap_osds),
        ];
        stats.extend(counts.map(|(key, count)| (key.to_owned(), count.into())));
        stats
    }

    /// One pool's space; `avail` are the raw bytes that its rule has left.
    fn pool_df(&self, pool: &PoolView, stat: &PoolStat, avail: i64, release: Release) -> Value {
        let (per_pool, per_pool_omap) = (self.use_per_pool_stats(), self.use_per_pool_omap_stats());
        let sum = &stat.stats;
        let mut rate = pool.raw_used_rate;
        // Until Squid, copies that are missing count as if less had been written.
        if release < Release::Squid && sum.num_object_copies > 0 {
            let present = sum.num_object_copies - sum.num_objects_degraded;
            rate *= present as f32 / sum.num_object_copies as f32;
        }
        let data = stat.allocated_data_bytes(per_pool);
        let omap = stat.allocated_omap_bytes(per_pool_omap);
        let used = data.saturating_add(omap);
        let percent_used = match (avail, used) {
            (0, 0) => 0.0,
            (0, _) => 1.0,
            (avail, used) => used as f32 / (used as f32 + avail as f32),
        };
        let stored_data = stat.user_data_bytes(rate, per_pool);
        let stored_omap = stat.user_omap_bytes(rate, per_pool_omap);
        let stored = stored_data.saturating_add(stored_omap);
        json!({
            "stored": stored,
            "stored_data": stored_data,
            "stored_omap": stored_omap,
            "objects": sum.num_objects,
            "kb_used": used.saturating_add(1023) >> 10,
            "bytes_used": used,
            "data_bytes_used": data,
            "omap_bytes_used": omap,
            "percent_used": percent_used,
            "max_avail": if rate == 0.0 { 0 } else { (avail as f32 / rate) as i64 },
            "quota_objects": pool.quota_max_objects,
            "quota_bytes": pool.quota_max_bytes,
            "dirty": if pool.is_tier { sum.num_objects_dirty } else { 0 },
            "rd": sum.num_rd,
            "rd_bytes": sum.num_rd_kb.saturating_mul(1024),
            "wr": sum.num_wr,
            "wr_bytes": sum.num_wr_kb.saturating_mul(1024),
            "compress_bytes_used": stat.store_stats.data_compressed_allocated,
            "compress_under_bytes": stat.store_stats.data_compressed_original,
            "stored_raw": (stored as f32 * rate) as i64,
            "avail_raw": avail,
        })
    }
}

fn raw(sum: &OsdStat) -> Map<String, Value> {
    let statfs = &sum.statfs;
    let mut out = Map::new();
    out.insert("total_bytes".to_owned(), statfs.total.into());
    out.insert("total_avail_bytes".to_owned(), statfs.available.into());
    out.insert("total_used_bytes".to_owned(), statfs.used().into());
    out.insert("total_used_raw_bytes".to_owned(), statfs.used_raw().into());
    out.insert("total_used_raw_ratio".to_owned(), statfs.used_raw_ratio().into());
    out
}
