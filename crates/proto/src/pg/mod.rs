//! What OSDs report about placement groups, pools and themselves (`src/osd/osd_types.{h,cc}`): one file per type.
//! JSON forms are upstream's `dump`; where they differ by release they are functions of [`crate::Release`].
//! Not here: the sums that the manager keeps (`axon-core`'s `pg_map`), the digest (`crate::pg_map_digest`).

pub mod id;
pub mod intervals;
pub mod object_stat_sum;
pub mod osd_stat;
pub mod pg_map;
pub mod pg_stat;
pub mod pool_stat;
pub mod pow2_hist;
pub mod state;
pub mod statfs;

#[cfg(test)]
mod corpus_tests;

pub use id::{EVersion, Pg, PgShard, Spg};
pub use intervals::Intervals;
pub use object_stat_sum::ObjectStatSum;
pub use osd_stat::{HbInterfaces, OsdStat, PerfStat};
pub use pg_map::PgMapDump;
pub use pg_stat::{PgStat, ScrubSchedule};
pub use pool_stat::PoolStat;
pub use pow2_hist::Pow2Hist;
pub use state::PgState;
pub use statfs::StoreStatfs;
