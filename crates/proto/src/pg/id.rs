//! `pg_t`, `spg_t`, `pg_shard_t` and `eversion_t` (`src/osd/osd_types.h`). Text forms are upstream's: `2.1f`, `2.1fs3`,
//! `12(3)`, `45'678`.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// `pg_t`: pool and seed; printed with the seed in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pg {
    pub pool: i64,
    pub seed: u32,
}

impl Pg {
    #[must_use]
    pub fn new(pool: i64, seed: u32) -> Self {
        Pg { pool, seed }
    }
}

impl Encode for Pg {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(1);
        w.i64(self.pool);
        w.u32(self.seed);
        // The preferred OSD, which no release uses any more.
        w.i32(-1);
    }
}
impl Decode for Pg {
    const BYTES_MIN: usize = 17;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.skip(1)?;
        let pg = Pg { pool: r.i64()?, seed: r.u32()? };
        r.skip(4)?;
        Ok(pg)
    }
}

impl fmt::Display for Pg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.pool, self.seed)
    }
}
impl Serialize for Pg {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// The text is not `pool.seed` with the seed in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPg;
impl fmt::Display for BadPg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a placement group such as 2.1f")
    }
}
impl std::error::Error for BadPg {}

impl FromStr for Pg {
    type Err = BadPg;
    fn from_str(s: &str) -> std::result::Result<Self, BadPg> {
        let (pool, seed) = s.split_once('.').ok_or(BadPg)?;
        let seed = u32::from_str_radix(seed, 16).map_err(|_| BadPg)?;
        Ok(Pg { pool: pool.parse().map_err(|_| BadPg)?, seed })
    }
}

/// The shard of a replicated pool's PG (`shard_id_t::NO_SHARD`).
pub const NO_SHARD: i8 = -1;

/// `spg_t`: a PG's shard on one OSD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spg {
    pub pgid: Pg,
    pub shard: i8,
}
denc_struct!(spg_t, 1, 1; Spg { pgid, shard });

impl From<Pg> for Spg {
    fn from(pgid: Pg) -> Self {
        Spg { pgid, shard: NO_SHARD }
    }
}
impl fmt::Display for Spg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pgid.fmt(f)?;
        if self.shard == NO_SHARD { Ok(()) } else { write!(f, "s{}", self.shard) }
    }
}

/// `pg_shard_t`: an OSD and the shard that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgShard {
    pub osd: i32,
    pub shard: i8,
}
denc_struct!(pg_shard_t, 1, 1; PgShard { osd, shard });

impl fmt::Display for PgShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.osd, self.shard) {
            (-1, _) => f.write_str("?"),
            (0x7fff_ffff, _) => f.write_str("NONE"),
            (osd, NO_SHARD) => write!(f, "{osd}"),
            (osd, shard) => write!(f, "{osd}({shard})"),
        }
    }
}
impl Serialize for PgShard {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// `eversion_t`: version of a PG's log within an OSD map epoch. On the wire the version comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EVersion {
    pub version: u64,
    pub epoch: u32,
}
denc_struct!(eversion_t; EVersion { version, epoch });

impl fmt::Display for EVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'{}", self.epoch, self.version)
    }
}
impl Serialize for EVersion {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_pg_is_upstreams_and_reads_back() {
        let pg = Pg::new(12, 0x1f);
        assert_eq!(pg.to_string(), "12.1f");
        assert_eq!("12.1f".parse::<Pg>(), Ok(pg));
        for bad in ["12", "12.", "x.1", "12.1g", ".1", ""] {
            assert!(bad.parse::<Pg>().is_err(), "{bad:?}");
        }
        assert_eq!(Spg { pgid: pg, shard: 2 }.to_string(), "12.1fs2");
        assert_eq!(PgShard { osd: 3, shard: NO_SHARD }.to_string(), "3");
        assert_eq!(EVersion { version: 678, epoch: 45 }.to_string(), "45'678");
    }
}
