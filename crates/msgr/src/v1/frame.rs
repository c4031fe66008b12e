//! What is said on an open session: a tag byte, then a time, a number or a message with header, sections and footer.
//!
//! Invariants: a message's size is checked before any of it is awaited; a message is handed out only when its checksums and, with
//! a session key, its signature fit.

use super::wire::{self, FOOTER_BYTES, FOOTER_OLD_BYTES, Footer, HEADER_BYTES, Header, footer_flag, tag};
use crate::auth::{MessageSigner, Signed, SignedPart};
use crate::frame::crc32c;
use crate::transmit::Transmit;
use crate::{Malformed, Misbehaved, Misuse, Result};
use axon_denc::Reader;
use axon_proto::{EntityName, MessageHeader, RawMessage, UTime};
use bytes::{Buf, Bytes, BytesMut};
use std::sync::Arc;

/// Something that the peer said.
#[derive(Debug)]
pub(super) enum Said {
    Message(RawMessage),
    Ack(u64),
    Keepalive,
    Keepalive2(UTime),
    Keepalive2Ack(UTime),
    Close,
}

/// What is awaited.
#[derive(Default)]
enum Part {
    #[default]
    Tag,
    Number(u8),
    Header,
    /// Sections and footer.
    Body(Header, u32),
}

/// How the messages of a session look.
#[derive(Clone, Default)]
pub(super) struct Form {
    /// The footer has a signature (`MSG_AUTH`).
    pub has_sig: bool,
    pub signer: Option<Arc<dyn MessageSigner>>,
}

impl Form {
    fn footer_bytes(&self) -> usize {
        if self.has_sig { FOOTER_BYTES } else { FOOTER_OLD_BYTES }
    }

    fn sign(&self, header: &Header, header_crc: u32, footer: &Footer) -> Option<u64> {
        let part = |crc, len_bytes| SignedPart { crc, len_bytes };
        self.signer.as_ref().filter(|_| self.has_sig)?.sign(&Signed {
            header_crc,
            front: part(footer.front_crc, header.front_len),
            middle: part(footer.middle_crc, header.middle_len),
            data: part(footer.data_crc, header.data_len),
            seq_low: header.seq as u32,
        })
    }

    /// Appends a message, numbered already.
    pub fn put(&self, message: &RawMessage, src: EntityName, out: &mut Transmit) -> Result<()> {
        let len = |section: &Bytes| {
            u32::try_from(section.len())
                .map_err(|_| Misuse::MessageTooLarge { bytes: section.len(), bytes_max: u32::MAX as usize })
        };
        let h = &message.header;
        let header = Header {
            seq: h.seq,
            tid: h.tid,
            kind: h.kind,
            priority: h.priority,
            version: h.version,
            front_len: len(&message.front)?,
            middle_len: len(&message.middle)?,
            data_len: len(&message.data)?,
            data_off: 0,
            src,
            compat_version: h.compat_version,
            reserved: 0,
        };
        let (bytes, header_crc) = header.encode_summed();
        let mut footer = Footer {
            front_crc: crc32c(0, &message.front),
            middle_crc: crc32c(0, &message.middle),
            data_crc: crc32c(0, &message.data),
            sig: 0,
            flags: footer_flag::COMPLETE,
        };
        if let Some(sig) = self.sign(&header, header_crc, &footer) {
            footer.sig = sig;
            footer.flags |= footer_flag::SIGNED;
        }
        out.put(&[tag::MSG]);
        out.put(&bytes);
        for section in [&message.front, &message.middle, &message.data] {
            out.put_shared(section);
        }
        out.put(&footer.encode(self.has_sig));
        Ok(())
    }
}

/// The receiving half.
#[derive(Default)]
pub(super) struct MessageReader {
    part: Part,
}

impl MessageReader {
    /// How many bytes must be in the buffer before [`Self::poll`] can do more.
    pub fn wanted(&self, form: &Form) -> usize {
        match &self.part {
            Part::Tag => 1,
            Part::Number(_) => 8,
            Part::Header => HEADER_BYTES,
            Part::Body(header, _) => {
                usize::try_from(header.payload_bytes()).unwrap_or(usize::MAX - FOOTER_BYTES)
                    + form.footer_bytes()
            }
        }
    }

    /// Takes the next thing said, if it is complete.
    pub fn poll(&mut self, input: &mut BytesMut, form: &Form, bytes_max: u32) -> Result<Option<Said>> {
        loop {
            let wanted = self.wanted(form);
            if input.len() < wanted {
                return Ok(None);
            }
            let piece = input.split_to(wanted);
            match std::mem::take(&mut self.part) {
                Part::Tag => match piece.first().copied().unwrap_or_default() {
                    tag::KEEPALIVE => return Ok(Some(Said::Keepalive)),
                    tag::CLOSE => return Ok(Some(Said::Close)),
                    number @ (tag::KEEPALIVE2 | tag::KEEPALIVE2_ACK | tag::ACK) => {
                        self.part = Part::Number(number);
                    }
                    tag::MSG => self.part = Part::Header,
                    other => return Err(Malformed::UnknownTag(other).into()),
                },
                Part::Number(number) => return number_of(number, &piece).map(Some),
                Part::Header => {
                    let (header, crc) = Header::decode_summed(&piece)?;
                    let (bytes, bytes_max) = (header.payload_bytes(), u64::from(bytes_max));
                    if bytes > bytes_max {
                        return Err(Misbehaved::MessageTooLarge { bytes, bytes_max }.into());
                    }
                    self.part = Part::Body(header, crc);
                }
                Part::Body(header, crc) => {
                    return message_of(&header, crc, piece.freeze(), form).map(|m| Some(Said::Message(m)));
                }
            }
        }
    }
}

fn number_of(number: u8, piece: &[u8]) -> Result<Said> {
    let mut r = Reader::named(piece, "msgr v1");
    if number == tag::ACK {
        return Ok(Said::Ack(r.u64()?));
    }
    let time = UTime { sec: r.u32()?, nsec: r.u32()? };
    Ok(if number == tag::KEEPALIVE2 { Said::Keepalive2(time) } else { Said::Keepalive2Ack(time) })
}

fn message_of(header: &Header, header_crc: u32, mut body: Bytes, form: &Form) -> Result<RawMessage> {
    let mut section = |len: u32| body.split_to((len as usize).min(body.len()));
    let (front, middle, data) =
        (section(header.front_len), section(header.middle_len), section(header.data_len));
    let footer = Footer::decode(&body, form.has_sig)?;
    if footer.flags & footer_flag::COMPLETE == 0 {
        return Err(Misbehaved::Aborted.into());
    }
    let sums = [(&front, footer.front_crc), (&middle, footer.middle_crc), (&data, footer.data_crc)];
    for (segment, (bytes, found)) in sums.into_iter().enumerate() {
        let computed = crc32c(0, bytes);
        let unchecked = segment == 2 && footer.flags & footer_flag::NOCRC != 0;
        if computed != found && !unchecked {
            return Err(Malformed::SegmentCrc { segment, found, computed }.into());
        }
    }
    if form.sign(header, header_crc, &footer).is_some_and(|expected| expected != footer.sig) {
        return Err(Misbehaved::MessageSignature.into());
    }
    let header = MessageHeader {
        seq: header.seq,
        tid: header.tid,
        kind: header.kind,
        priority: header.priority,
        version: header.version,
        compat_version: header.compat_version,
    };
    Ok(RawMessage { header, front, middle, data })
}

/// A tag with a time or a number behind it.
pub(super) fn put_time(tag: u8, time: UTime, out: &mut Transmit) {
    out.put(&[tag]);
    out.put(&time.sec.to_le_bytes());
    out.put(&time.nsec.to_le_bytes());
}

pub(super) fn put_ack(seq: u64, out: &mut Transmit) {
    out.put(&[wire::tag::ACK]);
    out.put(&seq.to_le_bytes());
}

/// The banner at the start of what has come, judged as early as the bytes allow.
pub(super) fn check_banner(input: &[u8]) -> Result<()> {
    let seen = input.len().min(wire::BANNER.len());
    if input.get(..seen) == wire::BANNER.get(..seen) {
        return Ok(());
    }
    if input.chunk().starts_with(b"ceph v2") {
        return Err(crate::Incompatible::SpeaksV2.into());
    }
    Err(Malformed::NotABanner.into())
}
