//! `uuid_d` (`src/include/uuid.h`): 16 bytes, printed in the usual form.

use axon_denc::{Decode, Encode, Features, Reader, Writer};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A cluster's or a daemon's uuid.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fsid(pub [u8; 16]);

impl Fsid {
    /// Whether it was never set.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl Encode for Fsid {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.put(&self.0);
    }
}
impl Decode for Fsid {
    const BYTES_MIN: usize = 16;
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        r.array().map(Fsid)
    }
}

impl fmt::Display for Fsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
impl fmt::Debug for Fsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Fsid {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// The text is not 32 hexadecimal digits in groups of 8-4-4-4-12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFsid;
impl fmt::Display for BadFsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a uuid of the form 8-4-4-4-12")
    }
}
impl std::error::Error for BadFsid {}

impl FromStr for Fsid {
    type Err = BadFsid;
    fn from_str(s: &str) -> Result<Self, BadFsid> {
        let groups: Vec<&str> = s.trim().split('-').collect();
        if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) {
            return Err(BadFsid);
        }
        let digits = groups.concat();
        let mut out = [0; 16];
        for (place, pair) in out.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BadFsid)?;
            *place = u8::from_str_radix(pair, 16).map_err(|_| BadFsid)?;
        }
        Ok(Fsid(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_bad_text_is_refused() {
        let text = "0f0e0d0c-0b0a-0908-0706-050403020100";
        assert_eq!(text.parse::<Fsid>().unwrap().to_string(), text);
        assert!("0f0e0d0c0b0a-0908-0706-050403020100".parse::<Fsid>().is_err());
        assert!("zf0e0d0c-0b0a-0908-0706-050403020100".parse::<Fsid>().is_err());
    }
}
