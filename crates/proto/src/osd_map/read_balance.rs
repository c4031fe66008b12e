//! How evenly reads of a replicated pool spread over its OSDs (`OSDMap::calc_read_balance_score`; 18.2 on, with the
//! size-aware score since 19.2). In upstream's single precision, since the numbers are shown.

use super::{OSDMap, PgPool};
use crate::crush::ITEM_NONE;
use crate::pg::Pg;
use crate::release::Release;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;

/// An OSD with the highest load of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Loaded {
    pub osd: i32,
    pub pgs: i64,
    pub primaries: i64,
    pub load: i64,
}

/// What a score is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Score {
    /// Reads should spread by the OSDs' number and primary affinity.
    Fair {
        optimal_score: f32,
        raw_score_acting: f32,
        raw_score_stable: f32,
        primary_affinity_weighted: f32,
        average_primary_affinity: f32,
        average_primary_affinity_weighted: f32,
    },
    /// The pool names its ratio of reads; loads count.
    SizeOptimal { average_osd_load: i64, most_loaded: Loaded, most_loaded_acting: Loaded },
    /// There is none; the message says why.
    None,
}

/// `read_balance_info_t`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadBalance {
    pub score_acting: f32,
    pub score_stable: f32,
    pub score: Score,
    pub error_message: String,
}

/// How many PGs of a pool an OSD has, and of how many it is the primary by map and in fact.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    pgs: usize,
    primaries: usize,
    acting_primaries: usize,
}

/// Two decimals (`rbi_round`).
fn round(f: f32) -> f32 {
    let hundredfold = f64::from(f * 100.0);
    (if f > 0.0 { (hundredfold + 0.5).floor() / 100.0 } else { (hundredfold - 0.5).ceil() / 100.0 }) as f32
}

fn none(error_message: String) -> Option<ReadBalance> {
    Some(ReadBalance { score_acting: 0.0, score_stable: 0.0, score: Score::None, error_message })
}

impl OSDMap {
    /// The score of a pool; `None` when there is nothing to say: the pool is not replicated, or has no PG on an OSD. Maps
    /// every PG of the pool.
    #[must_use]
    pub fn read_balance(&self, pool_id: i64, release: Release) -> Option<ReadBalance> {
        let pool = self.pool(pool_id).filter(|p| p.is_replicated() && release >= Release::Reef)?;
        let shares = self.shares(pool_id);
        match pool.options.int("read_ratio").filter(|_| release >= Release::Squid) {
            Some(ratio) => self.size_optimal(pool_id, pool, ratio, &shares),
            None => self.fair(pool_id, pool, &shares),
        }
    }

    fn shares(&self, pool: i64) -> BTreeMap<i32, Share> {
        let mut shares: BTreeMap<i32, Share> = BTreeMap::new();
        for pg in self.pgs_of(pool) {
            let at = self.pg_to_up_acting(pg);
            for osd in at.up.iter().filter(|osd| **osd != ITEM_NONE) {
                shares.entry(*osd).or_default().pgs += 1;
            }
            if at.up.is_empty() {
                continue;
            }
            if at.up_primary >= 0 && at.up_primary != ITEM_NONE {
                shares.entry(at.up_primary).or_default().primaries += 1;
            }
            if at.acting_primary >= 0 && at.acting_primary != ITEM_NONE {
                shares.entry(at.acting_primary).or_default().acting_primaries += 1;
            }
        }
        shares
    }

    fn fair(&self, id: i64, pool: &PgPool, shares: &BTreeMap<i32, Share>) -> Option<ReadBalance> {
        let num_osds = shares.values().filter(|s| s.pgs > 0).count();
        if num_osds == 0 {
            return None;
        }
        let avg_primaries = pool.pg_num as f32 / num_osds as f32;
        let (mut max_primaries, mut max_acting, mut max_score) = (0, 0, 0f32);
        let (mut affinity_sum, mut weight_sum, mut weighted) = (0f32, 0f32, 0f32);
        let (mut with_affinity, mut acting_on_zero) = (0usize, false);
        for (osd, weight) in self.crush.rule_shares(pool.crush_rule.into()) {
            let affinity = self.primary_affinityf(osd);
            let share = shares.get(&osd).copied().unwrap_or_default();
            weight_sum += weight;
            weighted += weight * affinity;
            with_affinity += usize::from(affinity != 0.0);
            max_primaries = max_primaries.max(share.primaries);
            max_acting = max_acting.max(share.acting_primaries);
            if share.acting_primaries > 0 && affinity != 0.0 {
                max_score = max_score.max(share.acting_primaries as f32 / affinity);
            }
            acting_on_zero |= share.acting_primaries > 0 && affinity == 0.0;
            affinity_sum += affinity;
        }
        if affinity_sum == 0.0 {
            return none(format!("pool {id} has primary_affinity set to zero on all OSDs"));
        }
        max_score *= affinity_sum / num_osds as f32;
        let fair_share = 1.0 / f64::from(pool.size);
        if f64::from(weighted / weight_sum) < fair_share {
            return none(format!(
                "pool {id} average primary affinity is lower than {fair_share:.2}, read balance score is not reliable"
            ));
        }
        let mut error_message = String::new();
        let raw_score_stable = round(max_primaries as f32 / avg_primaries);
        let raw_score_acting = if acting_on_zero {
            error_message = format!(
                "pool {id} has acting primaries on OSD(s) with primary affinity 0, read balance score is not accurate"
            );
            round(max_score)
        } else {
            round(max_acting as f32 / avg_primaries)
        };
        let average_primary_affinity = round(affinity_sum / with_affinity as f32);
        if average_primary_affinity == 0.0 {
            return none(format!(
                "pool {id} all OSDs have zero primary affinity, can't calculate a reliable read balance score"
            ));
        }
        if let Some(pg) = self.pg_without_affinity(id) {
            return none(format!(
                "pool {id} has some PGs where all OSDs are with primary_affinity 0 (at least pg {pg}), read balance \
                 score may not be reliable"
            ));
        }
        let optimal_score = round(num_osds as f32 / with_affinity as f32);
        Some(ReadBalance {
            score_acting: round(raw_score_acting / optimal_score),
            score_stable: round(raw_score_stable / optimal_score),
            score: Score::Fair {
                optimal_score,
                raw_score_acting,
                raw_score_stable,
                primary_affinity_weighted: weighted,
                average_primary_affinity,
                average_primary_affinity_weighted: round(weighted / weight_sum),
            },
            error_message,
        })
    }

    /// A PG all of whose OSDs have affinity 0 (`has_zero_pa_pgs`).
    fn pg_without_affinity(&self, pool: i64) -> Option<Pg> {
        let all_zero =
            |pg: &Pg| self.pg_to_up_acting(*pg).acting.iter().all(|o| self.primary_affinity(*o) == 0);
        self.osd_primary_affinity.as_ref()?;
        self.pgs_of(pool).find(all_zero)
    }

    fn size_optimal(
        &self,
        id: i64,
        pool: &PgPool,
        ratio: i64,
        shares: &BTreeMap<i32, Share>,
    ) -> Option<ReadBalance> {
        let mut error_message = String::new();
        if pool.pg_num == 0 {
            error_message = format!("ERROR: pool {id} has no PGs");
        }
        let on: Vec<_> = shares.iter().filter(|(_, s)| s.pgs > 0).map(|(osd, s)| (*osd, *s)).collect();
        // Upstream looks at as many OSDs from 0 on as hold PGs.
        let first = || (0..).take(on.len());
        if first().any(|osd| self.primary_affinity(osd) != super::WEIGHT_IN) && error_message.is_empty() {
            error_message = format!(
                "Warning: pool {id} has primary_affinity set to non-default value on some OSDs, this is ignored by the \
                 size-optimal read balancer"
            );
        }
        let legs: usize = first().filter_map(|osd: i32| shares.get(&osd)).map(|s| s.pgs).sum();
        let expected = u64::from(pool.pg_num) * u64::from(pool.size);
        if legs as u64 != expected {
            return none(format!(
                "ERROR: pool {id} has {legs} PG OSD legs, expected {expected} - Can't calculate size-optimal read \
                 balancer score"
            ));
        }
        if !(1..=100).contains(&ratio) {
            return none(format!(
                "ERROR: pool {id} has invalid read_ratio {ratio} - Can't calculate size-optimal read balancer score"
            ));
        }
        if on.is_empty() {
            return none(format!(
                "ERROR: pool {id} has no active OSDs, can't calculate loads and read balance score"
            ));
        }
        let load_per_pg = 100 + (i64::from(pool.size) - 1) * (100 - ratio);
        // Whole numbers first, as upstream divides.
        let average = (load_per_pg * i64::from(pool.pg_num) / on.len() as i64) as f32;
        let highest = |primaries: fn(&Share) -> usize| {
            on.iter().fold(Loaded { osd: -1, pgs: 0, primaries: 0, load: 0 }, |best, (osd, share)| {
                let (pgs, primaries) = (share.pgs as i64, primaries(share) as i64);
                let load = primaries * 100 + (pgs - primaries) * (100 - ratio);
                if load > best.load { Loaded { osd: *osd, pgs, primaries, load } } else { best }
            })
        };
        let (stable, acting) = (highest(|s| s.primaries), highest(|s| s.acting_primaries));
        if acting.osd < 0 {
            return none(format!("ERROR: Could not find max_acting_load for pool {id}"));
        }
        if stable.osd < 0 {
            error_message = format!("Warning: Could not find max_load for pool {id}");
        }
        Some(ReadBalance {
            score_acting: round(acting.load as f32 / average),
            score_stable: if stable.osd < 0 { 0.0 } else { round(stable.load as f32 / average) },
            score: Score::SizeOptimal {
                average_osd_load: average as i64,
                most_loaded: stable,
                most_loaded_acting: acting,
            },
            error_message,
        })
    }
}

impl crate::release::Dump for ReadBalance {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        let score_type = match self.score {
            Score::None => {
                out.serialize_entry("error_message", &self.error_message)?;
                out.serialize_entry("score_acting", &f64::from(self.score_acting))?;
                out.serialize_entry("score_stable", &f64::from(self.score_stable))?;
                return out.end();
            }
            Score::Fair { .. } => "Fair distribution",
            Score::SizeOptimal { .. } => "OSD size aware",
        };
        if release >= Release::Squid {
            out.serialize_entry("score_type", score_type)?;
        }
        out.serialize_entry("score_acting", &f64::from(self.score_acting))?;
        out.serialize_entry("score_stable", &f64::from(self.score_stable))?;
        match &self.score {
            Score::None => {}
            Score::Fair {
                optimal_score,
                raw_score_acting,
                raw_score_stable,
                primary_affinity_weighted,
                average_primary_affinity,
                average_primary_affinity_weighted,
            } => {
                out.serialize_entry("optimal_score", &f64::from(*optimal_score))?;
                out.serialize_entry("raw_score_acting", &f64::from(*raw_score_acting))?;
                out.serialize_entry("raw_score_stable", &f64::from(*raw_score_stable))?;
                out.serialize_entry("primary_affinity_weighted", &f64::from(*primary_affinity_weighted))?;
                out.serialize_entry("average_primary_affinity", &f64::from(*average_primary_affinity))?;
                out.serialize_entry(
                    "average_primary_affinity_weighted",
                    &f64::from(*average_primary_affinity_weighted),
                )?;
            }
            Score::SizeOptimal { average_osd_load, most_loaded, most_loaded_acting } => {
                out.serialize_entry("average_osd_load", average_osd_load)?;
                out.serialize_entry("most_loaded_osd", most_loaded)?;
                if most_loaded.osd != most_loaded_acting.osd {
                    out.serialize_entry("most_loaded_acting_osd", most_loaded_acting)?;
                }
            }
        }
        if !self.error_message.is_empty() {
            out.serialize_entry("error_message", &self.error_message)?;
        }
        out.end()
    }
}
