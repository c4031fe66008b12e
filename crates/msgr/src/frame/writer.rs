//! Assembles frames (`FrameAssembler::asm_crc_rev1`, `asm_secure_rev1`). A payload is copied at most once: into the buffer
//! that is encrypted in place; large payloads in CRC mode are not copied at all.

use super::{
    CRC_EPILOGUE_BYTES, CRC_EPILOGUE_V20_BYTES, INLINE_BYTES, Preamble, SECURE_EPILOGUE_BYTES, SEGMENTS_MAX,
    Tag, crc32c, late_status, padded,
};
use crate::compression::{Algorithm, compress};
use crate::crypto::{Cipher, TAG_BYTES};
use crate::transmit::Transmit;
use crate::{Misuse, Result};
use bytes::{BufMut, Bytes, BytesMut};

/// The sending half of the frame layer.
#[derive(Default)]
pub struct FrameWriter {
    cipher: Option<Cipher>,
    /// With the fewest bytes of a frame that is compressed.
    compression: Option<(Algorithm, u64)>,
    is_v20: bool,
}

impl FrameWriter {
    /// From now on every frame is sealed.
    pub fn secure(&mut self, cipher: Cipher) {
        self.cipher = Some(cipher);
    }

    /// From now on frames are those of v2.0.
    pub fn speak_v20(&mut self) {
        self.is_v20 = true;
    }

    /// From now on frames of at least `bytes_min` are compressed.
    pub fn compress(&mut self, algorithm: Algorithm, bytes_min: u64) {
        self.compression = Some((algorithm, bytes_min));
    }

    /// Appends a frame of one segment to `out`.
    pub fn put(&mut self, tag: Tag, payload: &[u8], out: &mut Transmit) -> Result<()> {
        self.put_all(tag, payload, &Default::default(), out)
    }

    /// Appends a frame of `first` and the `rest` of its segments to `out`.
    pub fn put_all(&mut self, tag: Tag, first: &[u8], rest: &Rest, out: &mut Transmit) -> Result<()> {
        match self.packed(first, rest) {
            Some((first, rest)) => self.assemble(tag, &first, &rest, true, out),
            None => self.assemble(tag, first, rest, false, out),
        }
    }

    /// The segments compressed, when that is agreed and makes them smaller.
    fn packed(&self, first: &[u8], rest: &Rest) -> Option<(Bytes, Rest)> {
        let (algorithm, bytes_min) = self.compression?;
        let total = |first: &[u8], rest: &Rest| first.len() + rest.iter().map(Bytes::len).sum::<usize>();
        let plain = total(first, rest);
        if (plain as u64) < bytes_min {
            return None;
        }
        let first = compress(algorithm, first)?;
        let mut packed = Rest::default();
        for (slot, segment) in packed.iter_mut().zip(rest) {
            *slot = compress(algorithm, segment)?;
        }
        (total(&first, &packed) < plain).then_some((first, packed))
    }

    fn assemble(
        &mut self,
        tag: Tag,
        first: &[u8],
        rest: &Rest,
        compressed: bool,
        out: &mut Transmit,
    ) -> Result<()> {
        let mut lengths = [0; SEGMENTS_MAX];
        let [front, middle, data] = rest;
        for (len, bytes) in lengths.iter_mut().zip([first.len(), front.len(), middle.len(), data.len()]) {
            *len = u32::try_from(bytes)
                .map_err(|_| Misuse::MessageTooLarge { bytes, bytes_max: u32::MAX as usize })?;
        }
        let preamble = Preamble { compressed, ..Preamble::of(tag, lengths) };
        match &mut self.cipher {
            Some(cipher) => sealed(cipher, &preamble, first, rest, out.tail()),
            None if self.is_v20 => {
                checksummed_v20(&preamble, first, rest, out);
                Ok(())
            }
            None => {
                checksummed(&preamble, first, rest, out);
                Ok(())
            }
        }
    }
}

/// The segments behind the first one.
pub type Rest = [Bytes; SEGMENTS_MAX - 1];

fn checksummed(preamble: &Preamble, first: &[u8], rest: &Rest, out: &mut Transmit) {
    out.put(&preamble.encode());
    if !first.is_empty() {
        out.put(first);
        out.put(&crc32c(u32::MAX, first).to_le_bytes());
    }
    if preamble.segment_count == 1 {
        return;
    }
    let mut epilogue = [0; CRC_EPILOGUE_BYTES];
    let mut left = epilogue.as_mut_slice();
    left.put_u8(late_status::COMPLETE);
    for (i, segment) in rest.iter().enumerate() {
        // Segments behind the last one have no checksum, not that of nothing.
        let sent = i + 1 < preamble.segment_count;
        out.put_shared(segment);
        left.put_u32_le(if sent { crc32c(u32::MAX, segment) } else { 0 });
    }
    out.put(&epilogue);
}

fn checksummed_v20(preamble: &Preamble, first: &[u8], rest: &Rest, out: &mut Transmit) {
    let mut epilogue = [0; CRC_EPILOGUE_V20_BYTES];
    let mut left = epilogue.as_mut_slice();
    left.put_u8(0);
    left.put_u32_le(crc32c(u32::MAX, first));
    out.put(&preamble.encode());
    out.put(first);
    for (i, segment) in rest.iter().enumerate() {
        let sent = i + 1 < preamble.segment_count;
        out.put_shared(segment);
        left.put_u32_le(if sent { crc32c(u32::MAX, segment) } else { 0 });
    }
    out.put(&epilogue);
}

fn sealed(
    cipher: &mut Cipher,
    preamble: &Preamble,
    first: &[u8],
    rest: &Rest,
    out: &mut BytesMut,
) -> Result<()> {
    let onwire: usize = padded(first.len()) + rest.iter().map(|s| padded(s.len())).sum::<usize>();
    out.reserve(onwire + super::PREAMBLE_BYTES + INLINE_BYTES + SECURE_EPILOGUE_BYTES + 3 * TAG_BYTES);

    let start = out.len();
    let (inline, beyond) = first.split_at(first.len().min(INLINE_BYTES));
    out.put_slice(&preamble.encode());
    out.put_slice(inline);
    out.put_bytes(0, INLINE_BYTES - inline.len());
    cipher.seal(out, start)?;

    if !beyond.is_empty() {
        let start = out.len();
        put_padded(out, beyond);
        cipher.seal(out, start)?;
    }
    if preamble.segment_count == 1 {
        return Ok(());
    }
    let start = out.len();
    for segment in rest {
        put_padded(out, segment);
    }
    out.put_u8(late_status::COMPLETE);
    out.put_bytes(0, SECURE_EPILOGUE_BYTES - 1);
    cipher.seal(out, start)
}

fn put_padded(out: &mut BytesMut, bytes: &[u8]) {
    out.put_slice(bytes);
    out.put_bytes(0, padded(bytes.len()) - bytes.len());
}
