//! `MPGStats` (`src/messages/MPGStats.h`, version 2): an OSD's report of its primary PGs, itself and its pools' space.

use super::paxos;
use crate::message::{Parts, Payload, RawMessage};
use crate::pg::{OsdStat, Pg, PgStat, StoreStatfs};
use crate::{Fsid, UTime};
use axon_denc::{Features, Result};
use std::collections::BTreeMap;

/// The report. It holds every PG whose primary the OSD is; nothing acknowledges it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MPGStats {
    pub fsid: Fsid,
    pub osd_stat: OsdStat,
    pub pg_stat: BTreeMap<Pg, PgStat>,
    /// The OSD's OSD map.
    pub epoch: u32,
    /// By pool: the OSD's own account of it.
    pub pool_stat: BTreeMap<i64, StoreStatfs>,
}

impl Payload for MPGStats {
    const TYPE: u16 = 87;
    const NAME: &'static str = "MPGStats";
    const VERSION: u16 = 2;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        paxos::put(w, 0);
        w.value(&self.fsid, features);
        w.value(&self.osd_stat, features);
        w.value(&self.pg_stat, features);
        w.u32(self.epoch);
        // How long the report was held back; unused.
        w.value(&UTime::ZERO, features);
        w.value(&self.pool_stat, features);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        paxos::version(&mut r)?;
        let fsid = r.value()?;
        let mut osd_stat: OsdStat = r.value()?;
        // Old OSDs leave it out.
        osd_stat.num_osds = osd_stat.num_osds.max(1);
        let pg_stat = r.value()?;
        let epoch = r.u32()?;
        let _held: UTime = r.value()?;
        let pool_stat = if raw.header.version >= 2 { r.value()? } else { BTreeMap::new() };
        Ok(MPGStats { fsid, osd_stat, pg_stat, epoch, pool_stat })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        use crate::pg::PgState;
        let stat = PgStat { state: PgState::ACTIVE, up: vec![1, 2], reported_seq: 9, ..PgStat::unreported() };
        vec![MPGStats {
            osd_stat: OsdStat { num_osds: 1, num_pgs: 1, ..Default::default() },
            pg_stat: [(Pg::new(2, 7), stat)].into(),
            pool_stat: [(2, StoreStatfs { allocated: 5, ..Default::default() })].into(),
            epoch: 12,
            ..Default::default()
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn a_report_round_trips_and_counts_its_own_osd() {
        let report = MPGStats {
            pg_stat: [(Pg::new(2, 7), PgStat { reported_seq: 9, ..PgStat::unreported() })].into(),
            pool_stat: [(2, StoreStatfs { allocated: 5, ..Default::default() })].into(),
            epoch: 12,
            ..Default::default()
        };
        let raw = Message::from(report.clone()).to_raw(Features::ALL);
        let Message::MPGStats(read) = Message::decode(raw).unwrap() else { panic!("another message") };
        assert_eq!(read.osd_stat.num_osds, 1);
        assert_eq!((read.pg_stat, read.pool_stat, read.epoch), (report.pg_stat, report.pool_stat, 12));
    }
}
