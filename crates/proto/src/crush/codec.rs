//! `CrushWrapper::encode` and `decode`: magic, sizes, buckets, rules, names, and tunables that older maps leave out at the
//! end. No envelope: the map ends where its bytes do.

use super::bucket::{Bucket, check};
use super::{CrushMap, Rule, Tunables, choose_args};
use crate::features;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use std::collections::BTreeMap;

const MAGIC: u32 = 0x0001_0000;

impl Encode for CrushMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u32(MAGIC);
        w.length(self.buckets.len());
        w.length(self.rules.len());
        w.i32(self.max_devices);
        // A peer that cannot read weight sets gets the default one in place of the weights.
        let in_place = self.choose_args.values().next().filter(|_| !features.has(features::SERVER_LUMINOUS));
        for (slot, bucket) in (0u32..).zip(&self.buckets) {
            let Some(bucket) = bucket else {
                w.u32(0);
                continue;
            };
            let weights = in_place.and_then(|args| args.get(&slot)).and_then(|a| a.weight_set.first());
            bucket.encode(w, features, weights.map(Vec::as_slice));
        }
        for (id, rule) in (0u8..).zip(&self.rules) {
            w.u32(u32::from(rule.is_some()));
            if let Some(rule) = rule {
                rule.encode(w, features, id);
            }
        }
        w.value(&self.type_map, features);
        w.value(&self.name_map, features);
        w.value(&self.rule_name_map, features);
        self.encode_tail(w, features);
    }
}

impl CrushMap {
    fn encode_tail(&self, w: &mut Writer, features: Features) {
        let t = &self.tunables;
        w.u32(t.choose_local_tries);
        w.u32(t.choose_local_fallback_tries);
        w.u32(t.choose_total_tries);
        w.u32(t.chooseleaf_descend_once);
        w.u8(t.chooseleaf_vary_r);
        w.u8(t.straw_calc_version);
        w.u32(t.allowed_bucket_algs);
        if features.has(features::CRUSH_TUNABLES5) {
            w.u8(t.chooseleaf_stable);
        }
        if features.has(features::SERVER_LUMINOUS) {
            w.value(&self.class_map, features);
            w.value(&self.class_name, features);
            w.value(&self.class_bucket, features);
            w.length(self.choose_args.len());
            for (key, args) in &self.choose_args {
                w.i64(*key);
                choose_args::encode(args, w, features);
            }
        }
        if features.has(features::CRUSH_MSR) {
            w.u32(t.msr_descents);
            w.u32(t.msr_collision_tries);
        }
    }

    /// One more than the highest device that a bucket holds or that has a name.
    fn counted_devices(&self) -> i32 {
        let held = self.buckets().flat_map(|b| &b.items).copied().max();
        let named = self.name_map.keys().next_back().copied();
        held.max(named).unwrap_or(-1).max(-1).saturating_add(1)
    }

    fn decode_tail(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let t = &mut self.tunables;
        *t = Tunables::ARGONAUT;
        if !r.is_empty() {
            t.choose_local_tries = r.u32()?;
            t.choose_local_fallback_tries = r.u32()?;
            t.choose_total_tries = r.u32()?;
        }
        if !r.is_empty() {
            t.chooseleaf_descend_once = r.u32()?;
        }
        if !r.is_empty() {
            t.chooseleaf_vary_r = r.u8()?;
        }
        if !r.is_empty() {
            t.straw_calc_version = r.u8()?;
        }
        if !r.is_empty() {
            t.allowed_bucket_algs = r.u32()?;
        }
        if !r.is_empty() {
            t.chooseleaf_stable = r.u8()?;
        }
        if !r.is_empty() {
            self.class_map = r.value()?;
            self.class_name = r.value()?;
            self.class_bucket = r.value()?;
        }
        if !r.is_empty() {
            let len = r.length(12)?;
            for _ in 0..len {
                let key = r.i64()?;
                let args = choose_args::decode(r, self)?;
                self.choose_args.insert(key, args);
            }
        }
        if !r.is_empty() {
            self.tunables.msr_descents = r.u32()?;
            self.tunables.msr_collision_tries = r.u32()?;
        }
        Ok(())
    }
}

impl Decode for CrushMap {
    const BYTES_MIN: usize = 28;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let at = r.clone();
        let magic = r.u32()?;
        if magic != MAGIC {
            return Err(at.bad_value("crush magic", magic));
        }
        let mut map = CrushMap::default();
        let (max_buckets, max_rules) = (r.u32()? as usize, r.u32()? as usize);
        // Upstream ignores what is written here and counts again; see below.
        r.skip(4)?;
        check(r, max_buckets.saturating_add(max_rules), 4)?;
        for slot in 0..max_buckets {
            map.buckets.push(Bucket::decode(r, slot)?);
        }
        for slot in 0..max_rules {
            map.rules.push(Rule::decode(r, slot)?);
        }
        map.type_map = names(r)?;
        map.name_map = names(r)?;
        map.rule_name_map = names(r)?;
        map.decode_tail(r)?;
        map.max_devices = map.counted_devices();
        Ok(map)
    }
}

/// Names by number. Old maps wrote the number with 64 bits, which shows as a length of zero: names are never empty.
fn names(r: &mut Reader<'_>) -> Result<BTreeMap<i32, String>> {
    let len = r.length(8)?;
    let mut out = BTreeMap::new();
    for _ in 0..len {
        let key = r.i32()?;
        let mut name = r.string_lossy()?;
        if name.is_empty() {
            name = r.string_lossy()?;
        }
        out.insert(key, name);
    }
    Ok(out)
}
