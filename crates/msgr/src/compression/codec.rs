//! Segments in the form that upstream's compressors give them (`src/compressor/*`):
//! snappy as it is; zlib as a raw deflate stream behind a byte that nobody reads; zstd behind the length it unpacks to; lz4 as
//! blocks that continue each other, behind a table of their lengths.
//!
//! Invariants: unpacking never makes more than `bytes_max`, and reserves no more than the algorithm can make of what came, so
//! a claimed length alone reserves nothing; what does not fit to its claim is an error, never a shorter segment.

use super::Algorithm;
use crate::{Malformed, Misbehaved, Result};
use axon_denc::Reader;
use bytes::Bytes;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read, Write};

/// `compressor_zlib_level`, `compressor_zstd_level`.
const ZLIB_LEVEL: u32 = 5;
const ZSTD_LEVEL: i32 = 1;
/// The largest window that a zstd stream may ask for: 8 MiB, what level 19 uses; higher levels are not for wires.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Three bytes of snappy copy at most 64; one byte of lz4 lengthens a copy by at most 255.
const SNAPPY_RATIO_MAX: usize = 22;
const LZ4_RATIO_MAX: usize = 256;
/// How far an lz4 block looks back.
const LZ4_WINDOW_BYTES: usize = 64 << 10;

/// A segment, compressed. `None` when the algorithm fails, which it has no reason to.
#[must_use]
pub fn compress(algorithm: Algorithm, plain: &[u8]) -> Option<Bytes> {
    if plain.is_empty() {
        return Some(Bytes::new());
    }
    let claim = || u32::try_from(plain.len()).ok().map(u32::to_le_bytes);
    let packed = match algorithm {
        Algorithm::Snappy => snap::raw::Encoder::new().compress_vec(plain).ok()?,
        Algorithm::Zlib => {
            let out = vec![0];
            let mut encoder = DeflateEncoder::new(out, flate2::Compression::new(ZLIB_LEVEL));
            encoder.write_all(plain).ok()?;
            encoder.finish().ok()?
        }
        Algorithm::Zstd => {
            let mut out = claim()?.to_vec();
            out.extend_from_slice(&zstd::bulk::compress(plain, ZSTD_LEVEL).ok()?);
            out
        }
        Algorithm::Lz4 => {
            let block = lz4_flex::block::compress(plain);
            let mut out = 1u32.to_le_bytes().to_vec();
            out.extend_from_slice(&claim()?);
            out.extend_from_slice(&u32::try_from(block.len()).ok()?.to_le_bytes());
            out.extend_from_slice(&block);
            out
        }
    };
    Some(packed.into())
}

/// A segment, unpacked; refused when it is more than `bytes_max`.
pub fn decompress(algorithm: Algorithm, packed: &[u8], bytes_max: usize) -> Result<Bytes> {
    if packed.is_empty() {
        return Ok(Bytes::new());
    }
    match algorithm {
        Algorithm::Snappy => snappy(packed, bytes_max),
        Algorithm::Zlib => zlib(packed, bytes_max),
        Algorithm::Zstd => zstd_stream(packed, bytes_max),
        Algorithm::Lz4 => lz4(packed, bytes_max),
    }
    .map(Bytes::from)
}

fn damaged(algorithm: Algorithm) -> crate::Error {
    Malformed::Compressed(algorithm.name()).into()
}

fn bounded(claim: usize, bytes_max: usize) -> Result<()> {
    if claim > bytes_max { Err(Misbehaved::UnpacksTooLarge { bytes_max }.into()) } else { Ok(()) }
}

fn snappy(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let bad = || damaged(Algorithm::Snappy);
    let claim = snap::raw::decompress_len(packed).map_err(|_| bad())?;
    bounded(claim, bytes_max)?;
    if claim > packed.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(bad());
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| bad())
}

fn zlib(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = packed.get(1..).unwrap_or_default();
    // More than one stream: hardware compressors make them.
    loop {
        let mut decoder = DeflateDecoder::new(rest);
        let room = bytes_max - out.len();
        (&mut decoder).take(room as u64 + 1).read_to_end(&mut out).map_err(|_| damaged(Algorithm::Zlib))?;
        bounded(out.len(), bytes_max)?;
        let used = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
        rest = rest.get(used..).unwrap_or_default();
        if rest.is_empty() || used == 0 {
            return Ok(out);
        }
    }
}

fn zstd_stream(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let bad = |_| damaged(Algorithm::Zstd);
    let mut r = Reader::named(packed, "zstd segment");
    let claim = r.u32()? as usize;
    bounded(claim, bytes_max)?;
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(packed.get(4..).unwrap_or_default()).map_err(bad)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(bad)?;
    let mut out = Vec::new();
    decoder.take(claim as u64 + 1).read_to_end(&mut out).map_err(bad)?;
    if out.len() == claim { Ok(out) } else { Err(damaged(Algorithm::Zstd)) }
}

fn lz4(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let bad = || damaged(Algorithm::Lz4);
    let mut r = Reader::named(packed, "lz4 segment");
    let count = r.length(8)?;
    let mut blocks = Vec::with_capacity(count);
    let (mut plain_bytes, mut packed_bytes) = (0usize, 0usize);
    for _ in 0..count {
        let (plain, packed) = (r.u32()? as usize, r.u32()? as usize);
        plain_bytes = plain_bytes.saturating_add(plain);
        packed_bytes = packed_bytes.saturating_add(packed);
        blocks.push((plain, packed));
    }
    bounded(plain_bytes, bytes_max)?;
    if packed_bytes != r.remaining() || plain_bytes > packed_bytes.saturating_mul(LZ4_RATIO_MAX) {
        return Err(bad());
    }
    let mut out = vec![0; plain_bytes];
    let mut at = 0;
    for (plain, packed) in blocks {
        let block = r.take(packed)?;
        let (before, behind) = out.split_at_mut_checked(at).ok_or_else(bad)?;
        let window = before.get(before.len().saturating_sub(LZ4_WINDOW_BYTES)..).unwrap_or_default();
        let room = behind.get_mut(..plain).ok_or_else(bad)?;
        let made = lz4_flex::block::decompress_into_with_dict(block, room, window).map_err(|_| bad())?;
        if made != plain {
            return Err(bad());
        }
        at += plain;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn texts() -> Vec<Vec<u8>> {
        let noise = |n: u64| -> Vec<u8> {
            (0..n).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
        };
        let prose: Vec<u8> = (0..5000).flat_map(|i| format!("osd.{i} up in; ").into_bytes()).collect();
        vec![vec![], vec![7], vec![0; 100_000], noise(3), noise(70_000), prose]
    }

    #[test]
    fn every_algorithm_gives_back_what_it_packed() {
        for algorithm in Algorithm::ALL {
            for plain in texts() {
                let packed = compress(algorithm, &plain).unwrap();
                assert_eq!(decompress(algorithm, &packed, plain.len()).unwrap(), plain, "{algorithm:?}");
                if !plain.is_empty() {
                    let e = decompress(algorithm, &packed, plain.len() - 1).unwrap_err();
                    assert_eq!(e, Misbehaved::UnpacksTooLarge { bytes_max: plain.len() - 1 }.into());
                }
            }
        }
    }

    #[test]
    fn no_truncation_and_no_flipped_bit_panics_or_unpacks_beyond_the_limit() {
        let plain: Vec<u8> = (0..300).flat_map(|i| format!("pg {i} ").into_bytes()).collect();
        for algorithm in Algorithm::ALL {
            let packed = compress(algorithm, &plain).unwrap();
            for at in 0..packed.len() {
                if let Ok(out) = decompress(algorithm, &packed[..at], 4096) {
                    assert!(out.len() < plain.len(), "{algorithm:?} cut at {at}");
                }
                for bit in 0..8 {
                    let mut bad = packed.to_vec();
                    bad[at] ^= 1 << bit;
                    if let Ok(out) = decompress(algorithm, &bad, 4096) {
                        assert!(out.len() <= 4096);
                    }
                }
            }
        }
    }

    #[test]
    fn lz4_blocks_that_continue_each_other_as_upstream_makes_them_of_a_fragmented_buffer() {
        let (first, second) = (b"one two three four five six ", b"one two three four five six seven");
        // The second block only copies from the first one: 28 bytes, offset 28, then five literals.
        let literal = lz4_flex::block::compress(first);
        let block = [&[0x0f, 28, 0, 28 - 19][..], &[0x50], &second[28..]].concat();
        let mut packed = 2u32.to_le_bytes().to_vec();
        for len in [first.len(), literal.len(), second.len(), block.len()] {
            packed.extend_from_slice(&(len as u32).to_le_bytes());
        }
        packed.extend_from_slice(&literal);
        packed.extend_from_slice(&block);
        let plain = decompress(Algorithm::Lz4, &packed, 100).unwrap();
        assert_eq!(plain, [&first[..], &second[..]].concat());
    }

    #[test]
    fn a_claim_that_the_bytes_cannot_keep_reserves_nothing() {
        let huge = 200u32 << 20;
        let snappy = [&[0x80, 0x80, 0x80, 0x64][..], b"x"].concat();
        assert_eq!(snap::raw::decompress_len(&snappy).unwrap(), huge as usize);
        let lz4 = [&1u32.to_le_bytes()[..], &huge.to_le_bytes(), &1u32.to_le_bytes(), b"x"].concat();
        let blocks = [&u32::MAX.to_le_bytes()[..], b"xxxxxxxx"].concat();
        for (algorithm, packed) in
            [(Algorithm::Snappy, &snappy), (Algorithm::Lz4, &lz4), (Algorithm::Lz4, &blocks)]
        {
            let e = decompress(algorithm, packed, 256 << 20).unwrap_err();
            assert!(matches!(e, Error::Malformed(_)), "{e}");
        }
    }
}
