//! The preamble: tag, segment lengths and alignments, flags and a checksum of itself, in 32 bytes.

use super::{BLOCK_BYTES, INLINE_BYTES, SEGMENTS_MAX, Tag, crc32c, padded};
use crate::crypto::TAG_BYTES;
use crate::{Malformed, Result};
use axon_denc::{Reader, Writer};

/// Length of the preamble, without what secure mode puts behind it.
pub const PREAMBLE_BYTES: usize = 32;
const CRC_AT: usize = PREAMBLE_BYTES - 4;
/// Upstream's alignment of data segments; all others get a pointer's.
const PAGE_ALIGNMENT: u16 = 4096;
const DEFAULT_ALIGNMENT: u16 = 8;
const COMPRESSED: u8 = 1;

/// What a preamble says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    pub tag: Tag,
    /// 1 to 4.
    pub segment_count: usize,
    pub segment_bytes: [u32; SEGMENTS_MAX],
    /// The segments are compressed; `segment_bytes` is what they have on the wire.
    pub compressed: bool,
}

impl Preamble {
    /// The preamble of a frame of these segments; trailing empty ones are left out, but the first.
    #[must_use]
    pub fn of(tag: Tag, segment_bytes: [u32; SEGMENTS_MAX]) -> Self {
        let segment_count = segment_bytes.iter().rposition(|len| *len > 0).unwrap_or(0) + 1;
        Preamble { tag, segment_count, segment_bytes, compressed: false }
    }

    /// The lengths of the segments that the frame has.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.segment_bytes.iter().take(self.segment_count).map(|len| *len as usize)
    }

    /// Length of the first segment.
    #[must_use]
    pub fn first(&self) -> usize {
        self.lengths().next().unwrap_or(0)
    }

    /// Sum of all segments' lengths.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.lengths().map(|len| len as u64).sum()
    }

    /// Secure mode: how many bytes of the first segment's sealed rest follow the preamble.
    #[must_use]
    pub fn first_rest_onwire(&self) -> usize {
        match padded(self.first()).saturating_sub(INLINE_BYTES) {
            0 => 0,
            rest => rest + TAG_BYTES,
        }
    }

    pub fn encode(&self) -> [u8; PREAMBLE_BYTES] {
        let mut w = Writer::with_capacity(PREAMBLE_BYTES);
        w.u8(self.tag as u8);
        w.u8(self.segment_count as u8);
        for (i, len) in self.segment_bytes.iter().enumerate() {
            let alignment = match (i < self.segment_count, self.tag == Tag::Message && i == 3) {
                (false, _) => 0,
                (true, false) => DEFAULT_ALIGNMENT,
                (true, true) => PAGE_ALIGNMENT,
            };
            w.u32(*len);
            w.u16(alignment);
        }
        w.u8(if self.compressed { COMPRESSED } else { 0 });
        w.u8(0);
        w.u32(crc32c(0, w.as_slice()));
        let mut out = [0; PREAMBLE_BYTES];
        out.copy_from_slice(w.as_slice());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::named(bytes, "preamble_block_t");
        let computed = crc32c(0, r.clone().take(CRC_AT)?);
        let (tag, count) = (r.u8()?, r.u8()?);
        let mut segment_bytes = [0; SEGMENTS_MAX];
        for len in &mut segment_bytes {
            *len = r.u32()?;
            // The alignment is a wish for the receiver's buffers; ours are slices of one frame.
            r.u16()?;
        }
        let (flags, _reserved, found) = (r.u8()?, r.u8()?, r.u32()?);
        if computed != found {
            return Err(Malformed::PreambleCrc { found, computed }.into());
        }
        let tag = Tag::from_wire(tag).ok_or(Malformed::UnknownTag(tag))?;
        let segment_count = usize::from(count);
        if !(1..=SEGMENTS_MAX).contains(&segment_count) {
            return Err(Malformed::SegmentCount(count).into());
        }
        if segment_count > 1 && segment_bytes.get(segment_count - 1) == Some(&0) {
            return Err(Malformed::LastSegmentEmpty.into());
        }
        Ok(Preamble { tag, segment_count, segment_bytes, compressed: flags & COMPRESSED != 0 })
    }
}

const _: () = assert!(PREAMBLE_BYTES.is_multiple_of(BLOCK_BYTES));

#[cfg(test)]
mod tests {
    use super::*;

    fn with_crc(mut bytes: [u8; PREAMBLE_BYTES]) -> [u8; PREAMBLE_BYTES] {
        let crc = crc32c(0, &bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn a_preamble_survives_and_every_flipped_bit_is_noticed() {
        let mut preamble = Preamble::of(Tag::Message, [41, 5, 0, 4096]);
        let bytes = preamble.encode();
        assert_eq!(Preamble::decode(&bytes), Ok(preamble));
        preamble.compressed = true;
        assert_eq!(Preamble::decode(&preamble.encode()), Ok(preamble));
        for bit in 0..PREAMBLE_BYTES * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(
                Preamble::decode(&bad),
                Err(crate::Error::Malformed(Malformed::PreambleCrc { .. }))
            ));
        }
    }

    #[test]
    fn a_hostile_preamble_is_refused_by_name() {
        let mut many = Preamble::of(Tag::Hello, [1, 0, 0, 0]).encode();
        many[1] = 200;
        assert_eq!(Preamble::decode(&with_crc(many)), Err(Malformed::SegmentCount(200).into()));
        many[1] = 0;
        assert_eq!(Preamble::decode(&with_crc(many)), Err(Malformed::SegmentCount(0).into()));
        many[1] = 2;
        assert_eq!(Preamble::decode(&with_crc(many)), Err(Malformed::LastSegmentEmpty.into()));
        many[1] = 1;
        many[0] = 99;
        assert_eq!(Preamble::decode(&with_crc(many)), Err(Malformed::UnknownTag(99).into()));
    }
}
