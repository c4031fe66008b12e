//! Where frames begin and end in one direction of a msgr v2.1 connection, as far as a bystander can tell: all of it in CRC
//! mode; in SECURE mode nothing after the authentication.

use axon_msgr::frame::{PREAMBLE_BYTES, Preamble};

const MAGIC: &[u8] = b"ceph v2\n";
const CRC_BYTES: usize = 4;
const EPILOGUE_BYTES: usize = 13;

#[derive(Debug, Default)]
enum Part {
    #[default]
    Banner,
    Preamble,
    Body,
    /// Encrypted, or another protocol.
    Opaque,
}

/// Follows one direction.
#[derive(Debug, Default)]
pub struct Frames {
    part: Part,
    /// What is known of the banner or preamble under way.
    head: Vec<u8>,
    /// Bytes until the next part begins, when that is known.
    left: usize,
    ended: u64,
}

impl Frames {
    /// Frames that have passed in full.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether boundaries can be told.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        !matches!(self.part, Part::Opaque)
    }

    /// Whether the last byte that passed was the last one of a frame (or of the banner).
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.head.is_empty() && self.left == 0 && self.is_visible()
    }

    /// Takes bytes up to the end of the frame under way; how many.
    pub fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return taken;
            }
            match self.part {
                Part::Opaque => return bytes.len(),
                Part::Banner | Part::Preamble => {
                    let wanted = match self.part {
                        Part::Banner => MAGIC.len() + 2,
                        _ => PREAMBLE_BYTES,
                    };
                    let step = rest.len().min(wanted - self.head.len());
                    self.head.extend_from_slice(rest.get(..step).unwrap_or_default());
                    taken += step;
                    if self.head.len() == wanted {
                        self.opened();
                    }
                }
                Part::Body => {
                    let step = rest.len().min(self.left);
                    self.left -= step;
                    taken += step;
                    if self.left == 0 {
                        self.ended += 1;
                        self.part = Part::Preamble;
                        return taken;
                    }
                }
            }
        }
    }

    fn opened(&mut self) {
        let head = std::mem::take(&mut self.head);
        let left = match self.part {
            Part::Banner => head
                .strip_prefix(MAGIC)
                .and_then(|len| Some(usize::from(u16::from_le_bytes(len.try_into().ok()?)))),
            _ => Preamble::decode(&head).ok().map(|preamble| {
                let crc = if preamble.first() > 0 { CRC_BYTES } else { 0 };
                let epilogue = if preamble.segment_count > 1 { EPILOGUE_BYTES } else { 0 };
                preamble.lengths().sum::<usize>() + crc + epilogue
            }),
        };
        self.left = left.unwrap_or_default();
        self.part = match left {
            None => Part::Opaque,
            Some(0) => {
                self.ended += 1;
                Part::Preamble
            }
            Some(_) => Part::Body,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_msgr::frame::Tag;

    fn frame(len: usize) -> Vec<u8> {
        let mut bytes = Preamble::of(Tag::Ack, [u32::try_from(len).unwrap(), 0, 0, 0]).encode().to_vec();
        bytes.resize(PREAMBLE_BYTES + len + if len > 0 { CRC_BYTES } else { 0 }, 7);
        bytes
    }

    #[test]
    fn frames_are_counted_however_the_bytes_come() {
        let banner = [MAGIC, &[16, 0], &[0; 16]].concat();
        let stream = [banner, frame(0), frame(8), frame(300)].concat();
        for step in [1, 3, 31, 33, 1000] {
            let mut frames = Frames::default();
            for mut piece in stream.chunks(step) {
                while !piece.is_empty() {
                    piece = &piece[frames.pass(piece)..];
                }
            }
            assert_eq!((frames.ended(), frames.is_between()), (4, true), "the banner counts as one");
        }
    }

    #[test]
    fn another_protocol_is_opaque() {
        let mut frames = Frames::default();
        assert_eq!(frames.pass(&[9; 100]), 100);
        assert!(!frames.is_visible() && !frames.is_between());
    }
}
