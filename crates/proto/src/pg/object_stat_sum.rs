//! `object_stat_sum_t` (version 20, compat 14) and `object_stat_collection_t` (version 2) of `src/osd/osd_types.{h,cc}`.
//! The collection is the sum and a map of sums by category that has been empty since Firefly; here both are one type.
//! Older than version 19: refused fields are zero, as upstream leaves them.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeMap;

macro_rules! stat_sum {
    (
        wire { $($wire:ident: $type:ty),* ; since $( $since:literal: $late:ident ),* $(,)? }
        dump { $($field:ident as $key:literal),* $(,)? }
    ) => {
        /// Counts over the objects of a PG or a pool. Counters wrap, as upstream's.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct ObjectStatSum {
            $( pub $wire: $type, )*
            $( pub $late: i64, )*
        }

        impl Encode for ObjectStatSum {
            fn encode(&self, w: &mut Writer, features: Features) {
                w.envelope(20, 14, |w| {
                    $( w.value(&self.$wire, features); )*
                    $( w.i64(self.$late); )*
                });
            }
        }
        impl Decode for ObjectStatSum {
            const BYTES_MIN: usize = 6;
            fn decode(r: &mut Reader<'_>) -> Result<Self> {
                let (version, mut r) = r.envelope_since(14, 20, "object_stat_sum_t")?;
                let mut sum = ObjectStatSum::default();
                $( sum.$wire = r.value()?; )*
                $( if version >= $since { sum.$late = r.i64()?; } )*
                Ok(sum)
            }
        }

        impl ObjectStatSum {
            pub fn add(&mut self, o: &Self) {
                $( self.$wire = self.$wire.wrapping_add(o.$wire); )*
                $( self.$late = self.$late.wrapping_add(o.$late); )*
            }

            pub fn sub(&mut self, o: &Self) {
                $( self.$wire = self.$wire.wrapping_sub(o.$wire); )*
                $( self.$late = self.$late.wrapping_sub(o.$late); )*
            }

            /// Raises everything that is less than `least` to it.
            pub fn floor(&mut self, least: i32) {
                $( self.$wire = self.$wire.max(<$type>::from(least)); )*
                $( self.$late = self.$late.max(i64::from(least)); )*
            }

            /// Each counter by the key of upstream's `dump`, in its order.
            pub fn each(&self, mut to: impl FnMut(&'static str, i64)) {
                $( to($key, i64::from(self.$field)); )*
            }
        }
    };
}

stat_sum! {
    wire {
        num_bytes: i64, num_objects: i64, num_object_clones: i64, num_object_copies: i64,
        num_objects_missing_on_primary: i64, num_objects_degraded: i64, num_objects_unfound: i64,
        num_rd: i64, num_rd_kb: i64, num_wr: i64, num_wr_kb: i64,
        num_scrub_errors: i64, num_objects_recovered: i64, num_bytes_recovered: i64, num_keys_recovered: i64,
        num_shallow_scrub_errors: i64, num_deep_scrub_errors: i64, num_objects_dirty: i64, num_whiteouts: i64,
        num_objects_omap: i64, num_objects_hit_set_archive: i64, num_objects_misplaced: i64,
        num_bytes_hit_set_archive: i64, num_flush: i64, num_flush_kb: i64, num_evict: i64, num_evict_kb: i64,
        num_promote: i64, num_flush_mode_high: i32, num_flush_mode_low: i32, num_evict_mode_some: i32,
        num_evict_mode_full: i32, num_objects_pinned: i64, num_objects_missing: i64;
        since 16: num_legacy_snapsets, 17: num_large_omap_objects, 18: num_objects_manifest,
        19: num_omap_bytes, 19: num_omap_keys, 20: num_objects_repaired,
    }
    dump {
        num_bytes as "num_bytes", num_objects as "num_objects", num_object_clones as "num_object_clones",
        num_object_copies as "num_object_copies",
        num_objects_missing_on_primary as "num_objects_missing_on_primary",
        num_objects_missing as "num_objects_missing", num_objects_degraded as "num_objects_degraded",
        num_objects_misplaced as "num_objects_misplaced", num_objects_unfound as "num_objects_unfound",
        num_objects_dirty as "num_objects_dirty", num_whiteouts as "num_whiteouts", num_rd as "num_read",
        num_rd_kb as "num_read_kb", num_wr as "num_write", num_wr_kb as "num_write_kb",
        num_scrub_errors as "num_scrub_errors", num_shallow_scrub_errors as "num_shallow_scrub_errors",
        num_deep_scrub_errors as "num_deep_scrub_errors", num_objects_recovered as "num_objects_recovered",
        num_bytes_recovered as "num_bytes_recovered", num_keys_recovered as "num_keys_recovered",
        num_objects_omap as "num_objects_omap", num_objects_hit_set_archive as "num_objects_hit_set_archive",
        num_bytes_hit_set_archive as "num_bytes_hit_set_archive", num_flush as "num_flush",
        num_flush_kb as "num_flush_kb", num_evict as "num_evict", num_evict_kb as "num_evict_kb",
        num_promote as "num_promote", num_flush_mode_high as "num_flush_mode_high",
        num_flush_mode_low as "num_flush_mode_low", num_evict_mode_some as "num_evict_mode_some",
        num_evict_mode_full as "num_evict_mode_full", num_objects_pinned as "num_objects_pinned",
        num_legacy_snapsets as "num_legacy_snapsets", num_large_omap_objects as "num_large_omap_objects",
        num_objects_manifest as "num_objects_manifest", num_omap_bytes as "num_omap_bytes",
        num_omap_keys as "num_omap_keys", num_objects_repaired as "num_objects_repaired",
    }
}

impl ObjectStatSum {
    /// Reads it as `object_stat_collection_t`.
    pub fn decode_collection(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope_since(2, 2, "object_stat_collection_t")?;
        let sum = r.value()?;
        let _by_category: BTreeMap<String, ObjectStatSum> = r.value()?;
        Ok(sum)
    }

    /// Writes it as `object_stat_collection_t`.
    pub fn encode_collection(&self, w: &mut Writer, features: Features) {
        w.envelope(2, 2, |w| {
            w.value(self, features);
            w.u32(0);
        });
    }
}

impl Serialize for ObjectStatSum {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("object_stat_sum_t", 40)?;
        let mut result = Ok(());
        self.each(|key, value| {
            if result.is_ok() {
                result = out.serialize_field(key, &value);
            }
        });
        result?;
        out.end()
    }
}
