//! The versioned envelope: version, compat, length, body (`ENCODE_START`, `DECODE_START` in `src/include/encoding.h`).

use crate::{Fault, Reader, Result, Writer};

impl<'a> Reader<'a> {
    /// Opens an envelope of type `type_name`: its version and a reader over its body, which this reader skips.
    /// `known` is the newest version that the caller can read; a larger `compat` is refused, a larger version is not.
    pub fn envelope(&mut self, known: u8, type_name: &'static str) -> Result<(u8, Reader<'a>)> {
        let at = self.clone();
        let version = self.u8()?;
        let compat = self.u8()?;
        if compat > known {
            let mut e = at.error(Fault::TooNew { compat, known });
            e.type_name = type_name;
            return Err(e);
        }
        let len = self.length(1)?;
        Ok((version, self.sub(len, type_name)?))
    }

    /// Like [`Reader::envelope`], and refuses versions before `oldest`.
    pub fn envelope_since(
        &mut self,
        oldest: u8,
        known: u8,
        type_name: &'static str,
    ) -> Result<(u8, Reader<'a>)> {
        let at = self.clone();
        let (version, body) = self.envelope(known, type_name)?;
        if version < oldest {
            let mut e = at.error(Fault::TooOld { version, oldest });
            e.type_name = type_name;
            return Err(e);
        }
        Ok((version, body))
    }
}

impl Writer {
    /// Writes an envelope of `version`, readable since `compat`, around what `body` writes.
    pub fn envelope(&mut self, version: u8, compat: u8, body: impl FnOnce(&mut Writer)) {
        self.u8(version);
        self.u8(compat);
        self.sized(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_body_is_skipped_to_its_end() {
        let mut w = Writer::new();
        w.envelope(9, 1, |w| {
            w.u32(7);
            w.string("appended by a newer release");
        });
        w.u8(0x5a);
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes);
        let (version, mut body) = r.envelope(3, "thing_t").unwrap();
        assert_eq!((version, body.u32().unwrap()), (9, 7));
        assert_eq!(r.u8().unwrap(), 0x5a);
    }

    #[test]
    fn a_compat_beyond_ours_is_refused_with_the_type_and_the_offset() {
        let e = Reader::new(&[9, 4, 0, 0, 0, 0]).envelope(3, "thing_t").unwrap_err();
        assert_eq!(e.fault, Fault::TooNew { compat: 4, known: 3 });
        assert_eq!((e.type_name, e.offset), ("thing_t", 0));
    }

    #[test]
    fn an_envelope_longer_than_the_bytes_is_refused() {
        let e = Reader::new(&[1, 1, 9, 0, 0, 0, 1]).envelope(1, "thing_t").unwrap_err();
        assert_eq!(e.fault, Fault::LengthTooLarge { claimed: 9, left_bytes: 1 });
    }
}
