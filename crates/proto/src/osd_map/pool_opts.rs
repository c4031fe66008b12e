//! `pool_opts_t` (`src/osd/osd_types.h`): options of a pool that are only there when set. Keys that this release does not
//! know yet survive.

use crate::features;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;

/// Value of an option; the type travels with it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum PoolOpt {
    Str(String),
    Int(i64),
    Double(f64),
}

/// Options by upstream's number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolOpts(pub BTreeMap<i32, PoolOpt>);

/// Upstream's names in the order of their numbers (`pool_opts_t::key_t`).
const NAMES: [&str; 26] = [
    "scrub_min_interval",
    "scrub_max_interval",
    "deep_scrub_interval",
    "recovery_priority",
    "recovery_op_priority",
    "scrub_priority",
    "compression_mode",
    "compression_algorithm",
    "compression_required_ratio",
    "compression_max_blob_size",
    "compression_min_blob_size",
    "csum_type",
    "csum_max_block",
    "csum_min_block",
    "fingerprint_algorithm",
    "pg_num_min",
    "target_size_bytes",
    "target_size_ratio",
    "pg_autoscale_bias",
    "read_lease_interval",
    "dedup_tier",
    "dedup_chunk_algorithm",
    "dedup_cdc_chunk_size",
    "pg_num_max",
    "read_ratio",
    "pct_update_delay",
];

impl PoolOpts {
    /// The option of that name, when it is set.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&PoolOpt> {
        let key = NAMES.iter().position(|n| *n == name)?;
        self.0.get(&i32::try_from(key).ok()?)
    }

    /// The option of that name when it is a whole number.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.named(name) {
            Some(PoolOpt::Int(n)) => Some(*n),
            _ => None,
        }
    }

    /// The option of that name when it is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.named(name) {
            Some(PoolOpt::Double(n)) => Some(*n),
            Some(PoolOpt::Int(n)) => Some(*n as f64),
            _ => None,
        }
    }
}

impl Encode for PoolOpts {
    fn encode(&self, w: &mut Writer, features: Features) {
        let wide = features.has(features::SERVER_NAUTILUS);
        w.envelope(if wide { 2 } else { 1 }, 1, |w| {
            w.length(self.0.len());
            for (key, value) in &self.0 {
                w.i32(*key);
                match value {
                    PoolOpt::Str(s) => {
                        w.i32(0);
                        w.string(s);
                    }
                    PoolOpt::Int(n) => {
                        w.i32(1);
                        if wide { w.i64(*n) } else { w.i32(*n as i32) }
                    }
                    PoolOpt::Double(n) => {
                        w.i32(2);
                        w.f64(*n);
                    }
                }
            }
        });
    }
}

impl Decode for PoolOpts {
    const BYTES_MIN: usize = 10;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (v, mut r) = r.envelope_since(1, 2, "pool_opts_t")?;
        let len = r.length(12)?;
        let mut out = BTreeMap::new();
        for _ in 0..len {
            let key = r.i32()?;
            let at = r.clone();
            let value = match r.i32()? {
                0 => PoolOpt::Str(r.string_lossy()?),
                1 if v >= 2 => PoolOpt::Int(r.i64()?),
                1 => PoolOpt::Int(r.i32()?.into()),
                2 => PoolOpt::Double(r.f64()?),
                kind => return Err(at.bad_value("pool option type", kind as u32)),
            };
            out.insert(key, value);
        }
        Ok(PoolOpts(out))
    }
}

/// By name, in the order of the alphabet; options without a known name are left out, as upstream does.
impl Serialize for PoolOpts {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut named: Vec<_> =
            (0..).zip(NAMES).filter_map(|(key, name)| self.0.get(&key).map(|v| (name, v))).collect();
        named.sort_unstable_by_key(|(name, _)| *name);
        let mut out = s.serialize_map(Some(named.len()))?;
        for (name, value) in named {
            out.serialize_entry(name, value)?;
        }
        out.end()
    }
}
