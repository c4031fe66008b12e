//! Takes frames out of received bytes (`FrameAssembler::disasm_*_rev1`). Segments are slices of the received buffer.
//!
//! Invariants: a frame's size is checked against the limits before any of its payload is awaited; a frame that its sender
//! aborted is skipped; nothing of a sealed piece is looked at before its tag was checked; a compressed frame is held to the same
//! limit before and after it is unpacked.

use super::{
    CRC_BYTES, CRC_EPILOGUE_BYTES, CRC_EPILOGUE_V20_BYTES, Frame, INLINE_BYTES, LATE_FLAG_ABORTED,
    PREAMBLE_BYTES, Preamble, SECURE_EPILOGUE_BYTES, SEGMENTS_MAX, Tag, crc32c, late_status, padded,
};
use crate::compression::{Algorithm, decompress};
use crate::crypto::{Cipher, TAG_BYTES};
use crate::{Malformed, Misbehaved, Result};
use axon_denc::Reader;
use bytes::{Buf, Bytes, BytesMut};

/// The largest payloads allowed now.
#[derive(Clone, Copy, Debug)]
pub struct SizeLimits {
    pub control_bytes_max: u32,
    /// `None` while messages are not allowed yet.
    pub message_bytes_max: Option<u32>,
}

impl SizeLimits {
    /// The limit of such a frame; `None` when it is not allowed at all.
    fn of(&self, tag: Tag) -> Option<u32> {
        if tag == Tag::Message { self.message_bytes_max } else { Some(self.control_bytes_max) }
    }
}

/// What was taken, before its checksums or tags were verified.
enum Part {
    Preamble,
    /// The preamble is known; in secure mode with the inlined start of the first segment.
    Body(Preamble, Bytes),
    /// Secure mode: the first segment is complete.
    Rest(Preamble, Bytes),
}

/// The receiving half of the frame layer.
pub struct FrameReader {
    cipher: Option<Cipher>,
    compression: Option<Algorithm>,
    part: Part,
    /// Raw bytes of all frames so far, while the handshake's signature is to cover them.
    record: Option<Vec<u8>>,
    is_v20: bool,
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader {
            cipher: None,
            compression: None,
            part: Part::Preamble,
            record: Some(Vec::new()),
            is_v20: false,
        }
    }
}

impl FrameReader {
    /// From the next frame on everything is sealed.
    pub fn secure(&mut self, cipher: Cipher) {
        self.cipher = Some(cipher);
    }

    /// From the next frame on they are those of v2.0.
    pub fn speak_v20(&mut self) {
        self.is_v20 = true;
    }

    /// From the next frame on segments may be compressed.
    pub fn compressed(&mut self, algorithm: Algorithm) {
        self.compression = Some(algorithm);
    }

    /// Notes bytes that were taken elsewhere (the banner).
    pub fn note(&mut self, bytes: &[u8]) {
        if let Some(record) = &mut self.record {
            record.extend_from_slice(bytes);
        }
    }

    /// Number of bytes recorded so far.
    pub fn recorded(&self) -> usize {
        self.record.as_ref().map_or(0, Vec::len)
    }

    /// Everything received so far, and no more recording.
    pub fn take_record(&mut self) -> Vec<u8> {
        self.record.take().unwrap_or_default()
    }

    /// How many bytes must be in the buffer before [`Self::poll`] can do more.
    pub fn wanted(&self) -> usize {
        match &self.part {
            Part::Preamble if self.cipher.is_some() => PREAMBLE_BYTES + INLINE_BYTES + TAG_BYTES,
            Part::Preamble => PREAMBLE_BYTES,
            Part::Body(preamble, _) if self.cipher.is_some() => preamble.first_rest_onwire(),
            Part::Body(preamble, _) if self.is_v20 => {
                preamble.lengths().sum::<usize>() + CRC_EPILOGUE_V20_BYTES
            }
            Part::Body(preamble, _) => crc_body_bytes(preamble),
            Part::Rest(preamble, _) => {
                let segments: usize = preamble.lengths().skip(1).map(padded).sum();
                segments + SECURE_EPILOGUE_BYTES + TAG_BYTES
            }
        }
    }

    /// Takes the next frame from `input`, if it is complete.
    pub fn poll(&mut self, input: &mut BytesMut, limits: SizeLimits) -> Result<Option<Frame>> {
        match self.poll_packed(input, limits)? {
            Some((frame, true)) => self.unpack(frame, limits).map(Some),
            Some((frame, false)) => Ok(Some(frame)),
            None => Ok(None),
        }
    }

    fn unpack(&self, mut frame: Frame, limits: SizeLimits) -> Result<Frame> {
        let Some(algorithm) = self.compression else { return Err(Misbehaved::Compressed.into()) };
        let mut left = limits.of(frame.tag).unwrap_or(0) as usize;
        for segment in &mut frame.segments {
            *segment = decompress(algorithm, segment, left)?;
            left -= segment.len().min(left);
        }
        Ok(frame)
    }

    /// The next frame as it was sent, and whether its segments are compressed.
    fn poll_packed(&mut self, input: &mut BytesMut, limits: SizeLimits) -> Result<Option<(Frame, bool)>> {
        loop {
            let wanted = self.wanted();
            if input.len() < wanted {
                return Ok(None);
            }
            let mut piece = input.split_to(wanted);
            self.note(&piece);
            match std::mem::replace(&mut self.part, Part::Preamble) {
                Part::Preamble => {
                    if let Some(cipher) = &mut self.cipher {
                        cipher.open(&mut piece)?;
                    }
                    let preamble = Preamble::decode(&piece)?;
                    check_size(&preamble, limits)?;
                    if preamble.compressed && self.compression.is_none() {
                        return Err(Misbehaved::Compressed.into());
                    }
                    piece.advance(PREAMBLE_BYTES);
                    self.part = Part::Body(preamble, piece.freeze());
                }
                Part::Body(preamble, inline) => {
                    let Some(cipher) = &mut self.cipher else {
                        let body = piece.freeze();
                        let frame = match self.is_v20 {
                            true => crc_frame_v20(&preamble, body)?,
                            false => crc_frame(&preamble, body)?,
                        };
                        match frame {
                            Some(frame) => return Ok(Some((frame, preamble.compressed))),
                            None => continue,
                        }
                    };
                    let first = first_segment(cipher, &preamble, inline, piece)?;
                    if preamble.segment_count == 1 {
                        let segments = [first, Bytes::new(), Bytes::new(), Bytes::new()];
                        return Ok(Some((Frame { tag: preamble.tag, segments }, preamble.compressed)));
                    }
                    self.part = Part::Rest(preamble, first);
                }
                Part::Rest(preamble, first) => {
                    if let Some(cipher) = &mut self.cipher {
                        cipher.open(&mut piece)?;
                    }
                    if let Some(frame) = secure_frame(&preamble, first, piece.freeze())? {
                        return Ok(Some((frame, preamble.compressed)));
                    }
                }
            }
        }
    }
}

fn check_size(preamble: &Preamble, limits: SizeLimits) -> Result<()> {
    let tag = preamble.tag;
    let Some(bytes_max) = limits.of(tag) else {
        return Err(Misbehaved::UnexpectedFrame { tag, expecting: "the handshake" }.into());
    };
    let (bytes, bytes_max) = (preamble.payload_bytes(), u64::from(bytes_max));
    if bytes > bytes_max {
        return Err(Misbehaved::FrameTooLarge { tag, bytes, bytes_max }.into());
    }
    Ok(())
}

fn crc_body_bytes(preamble: &Preamble) -> usize {
    let first = match preamble.first() {
        0 => 0,
        len => len + CRC_BYTES,
    };
    let rest: usize = preamble.lengths().skip(1).sum();
    first + rest + if preamble.segment_count > 1 { CRC_EPILOGUE_BYTES } else { 0 }
}

fn crc_frame(preamble: &Preamble, mut body: Bytes) -> Result<Option<Frame>> {
    let mut segments: [Bytes; SEGMENTS_MAX] = Default::default();
    for (i, (slot, len)) in segments.iter_mut().zip(preamble.lengths()).enumerate() {
        *slot = body.split_to(len.min(body.len()));
        if i == 0 && len > 0 {
            let trailer = body.split_to(CRC_BYTES.min(body.len()));
            check_crc(i, slot, Reader::new(&trailer).u32()?)?;
        }
    }
    if preamble.segment_count > 1 {
        let mut epilogue = Reader::named(&body, "epilogue_crc_rev1_block_t");
        let status = epilogue.u8()?;
        for (i, segment) in segments.iter().enumerate().take(preamble.segment_count).skip(1) {
            check_crc(i, segment, epilogue.u32()?)?;
        }
        if !is_complete(status)? {
            return Ok(None);
        }
    }
    Ok(Some(Frame { tag: preamble.tag, segments }))
}

fn crc_frame_v20(preamble: &Preamble, mut body: Bytes) -> Result<Option<Frame>> {
    let mut segments: [Bytes; SEGMENTS_MAX] = Default::default();
    for (slot, len) in segments.iter_mut().zip(preamble.lengths()) {
        *slot = body.split_to(len.min(body.len()));
    }
    let mut epilogue = Reader::named(&body, "epilogue_crc_rev0_block_t");
    let flags = epilogue.u8()?;
    for (i, segment) in segments.iter().enumerate().take(preamble.segment_count) {
        check_crc(i, segment, epilogue.u32()?)?;
    }
    Ok((flags & LATE_FLAG_ABORTED == 0).then_some(Frame { tag: preamble.tag, segments }))
}

fn first_segment(
    cipher: &mut Cipher,
    preamble: &Preamble,
    inline: Bytes,
    mut rest: BytesMut,
) -> Result<Bytes> {
    let len = preamble.first();
    if rest.is_empty() {
        return Ok(inline.slice(..len.min(inline.len())));
    }
    cipher.open(&mut rest)?;
    let mut whole = BytesMut::with_capacity(inline.len() + rest.len());
    whole.extend_from_slice(&inline);
    whole.extend_from_slice(&rest);
    whole.truncate(len);
    Ok(whole.freeze())
}

fn secure_frame(preamble: &Preamble, first: Bytes, mut body: Bytes) -> Result<Option<Frame>> {
    let mut segments: [Bytes; SEGMENTS_MAX] = Default::default();
    for (i, (slot, len)) in segments.iter_mut().zip(preamble.lengths()).enumerate() {
        if i == 0 {
            continue;
        }
        *slot = body.split_to(padded(len).min(body.len()));
        slot.truncate(len);
    }
    let [slot, ..] = &mut segments;
    *slot = first;
    let status = Reader::named(&body, "epilogue_secure_rev1_block_t").u8()?;
    Ok(is_complete(status)?.then_some(Frame { tag: preamble.tag, segments }))
}

fn check_crc(segment: usize, bytes: &[u8], found: u32) -> Result<()> {
    let computed = crc32c(u32::MAX, bytes);
    if computed == found { Ok(()) } else { Err(Malformed::SegmentCrc { segment, found, computed }.into()) }
}

fn is_complete(status: u8) -> Result<bool> {
    match status & late_status::MASK {
        late_status::COMPLETE => Ok(true),
        late_status::ABORTED => Ok(false),
        _ => Err(Malformed::LateStatus(status).into()),
    }
}
