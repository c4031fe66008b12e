//! `store_statfs_t` (`src/osd/osd_types.h`, envelope version 1): how an object store's bytes are used.

use axon_denc::denc_struct;
use serde::Serialize;

/// Space in bytes. Sums may pass through negative values while reports are out of step, hence signed and wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatfs {
    pub total: i64,
    pub available: i64,
    pub internally_reserved: i64,
    /// Allocated by the store for data.
    pub allocated: i64,
    /// Stored by the user.
    pub data_stored: i64,
    pub data_compressed: i64,
    pub data_compressed_allocated: i64,
    pub data_compressed_original: i64,
    pub omap_allocated: i64,
    pub internal_metadata: i64,
}
denc_struct!(store_statfs_t, 1, 1; StoreStatfs {
    total, available, internally_reserved, allocated, data_stored, data_compressed, data_compressed_allocated,
    data_compressed_original, omap_allocated, internal_metadata,
});

impl StoreStatfs {
    fn combine(&mut self, o: &Self, with: fn(i64, i64) -> i64) {
        for (to, from) in self.fields_mut().into_iter().zip(o.fields()) {
            *to = with(*to, from);
        }
    }

    fn fields(&self) -> [i64; 10] {
        let s = self;
        [
            s.total,
            s.available,
            s.internally_reserved,
            s.allocated,
            s.data_stored,
            s.data_compressed,
            s.data_compressed_allocated,
            s.data_compressed_original,
            s.omap_allocated,
            s.internal_metadata,
        ]
    }

    fn fields_mut(&mut self) -> [&mut i64; 10] {
        let s = self;
        [
            &mut s.total,
            &mut s.available,
            &mut s.internally_reserved,
            &mut s.allocated,
            &mut s.data_stored,
            &mut s.data_compressed,
            &mut s.data_compressed_allocated,
            &mut s.data_compressed_original,
            &mut s.omap_allocated,
            &mut s.internal_metadata,
        ]
    }

    pub fn add(&mut self, o: &Self) {
        self.combine(o, i64::wrapping_add);
    }

    pub fn sub(&mut self, o: &Self) {
        self.combine(o, i64::wrapping_sub);
    }

    /// Used, without what the store keeps for itself.
    #[must_use]
    pub fn used(&self) -> i64 {
        self.total.wrapping_sub(self.available).wrapping_sub(self.internally_reserved)
    }

    /// Used, with what the store keeps for itself.
    #[must_use]
    pub fn used_raw(&self) -> i64 {
        self.total.wrapping_sub(self.available)
    }

    /// `used_raw` as a part of the whole; 0 of nothing. Single precision as upstream computes it.
    #[must_use]
    pub fn used_raw_ratio(&self) -> f32 {
        if self.total == 0 { 0.0 } else { self.used_raw() as f32 / self.total as f32 }
    }

    #[must_use]
    pub fn kb(&self) -> i64 {
        self.total >> 10
    }
    #[must_use]
    pub fn kb_avail(&self) -> i64 {
        self.available >> 10
    }
    #[must_use]
    pub fn kb_used_raw(&self) -> i64 {
        self.used_raw() >> 10
    }
    #[must_use]
    pub fn kb_used_data(&self) -> i64 {
        self.allocated >> 10
    }
    #[must_use]
    pub fn kb_used_omap(&self) -> i64 {
        self.omap_allocated >> 10
    }
    #[must_use]
    pub fn kb_used_meta(&self) -> i64 {
        self.internal_metadata >> 10
    }
}
