//! Where daemons are, by the maps that the monitors push.

use super::Daemon;
use axon_proto::mgr_map::MgrMap;
use axon_proto::osd_map::OSDMap;
use axon_proto::pg::Pg;
use axon_proto::{EntityAddrVec, FsMap, Fsid, MonMap};
use std::sync::Arc;

/// What the OSD map says of one OSD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OsdWhere {
    /// It does not exist.
    Unknown,
    Down,
    Up(EntityAddrVec),
}

/// What the OSD map says of one placement group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PgWhere {
    /// The text is not `pool.seed`.
    BadId,
    /// No such pool, or the pool has no such group.
    Unknown,
    /// No OSD of its acting set is up.
    NoPrimary,
    Primary(i32),
}

/// The OSD map as far as commands need it. The owner of the map hands a new one in with each epoch.
pub trait OsdDirectory: Send + Sync {
    fn epoch(&self) -> u32;
    fn osd(&self, id: i32) -> OsdWhere;
    /// The acting primary of a group, `pool.seed` with the seed in hexadecimal.
    fn pg(&self, pgid: &str) -> PgWhere;
}

impl OsdDirectory for OSDMap {
    fn epoch(&self) -> u32 {
        self.epoch
    }

    fn osd(&self, id: i32) -> OsdWhere {
        match self.addrs(id) {
            _ if !self.exists(id) => OsdWhere::Unknown,
            Some(addrs) if self.is_up(id) => OsdWhere::Up(addrs.clone()),
            _ => OsdWhere::Down,
        }
    }

    fn pg(&self, pgid: &str) -> PgWhere {
        let Ok(pg) = pgid.parse::<Pg>() else { return PgWhere::BadId };
        if self.pool(pg.pool).is_none_or(|pool| pg.seed >= pool.pg_num) {
            return PgWhere::Unknown;
        }
        match self.pg_to_up_acting(pg).acting_primary {
            osd if osd >= 0 => PgWhere::Primary(osd),
            _ => PgWhere::NoPrimary,
        }
    }
}

/// The maps that say where daemons are.
#[derive(Clone, Default)]
pub struct Maps {
    pub monmap: Option<Arc<MonMap>>,
    pub osds: Option<Arc<dyn OsdDirectory>>,
    pub fsmap: Option<Arc<FsMap>>,
    pub mgrmap: Option<Arc<MgrMap>>,
}

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    At(EntityAddrVec),
    /// Not there, with upstream's errno.
    Gone {
        errno: i32,
        why: &'static str,
    },
    /// The map has not come yet.
    NotYet,
}

impl Maps {
    /// The cluster's fsid.
    #[must_use]
    pub fn fsid(&self) -> Option<Fsid> {
        self.monmap.as_ref().map(|m| m.fsid)
    }

    pub(crate) fn locate(&self, daemon: &Daemon) -> Located {
        match daemon {
            Daemon::Mon(name) => match &self.monmap {
                None => Located::NotYet,
                Some(map) => match map.mon_info.get(name) {
                    Some(info) => Located::At(info.public_addrs.clone()),
                    None => Located::Gone { errno: ENOENT, why: "no monitor of that name is in the monmap" },
                },
            },
            Daemon::Osd(id) => match self.osds.as_ref().map(|osds| osds.osd(*id)) {
                None => Located::NotYet,
                Some(OsdWhere::Up(addrs)) => Located::At(addrs),
                Some(OsdWhere::Down) => Located::Gone { errno: ENXIO, why: "the OSD is down" },
                Some(OsdWhere::Unknown) => Located::Gone { errno: ENOENT, why: "there is no such OSD" },
            },
            Daemon::Mds(gid) => match &self.fsmap {
                None => Located::NotYet,
                Some(map) => match map.by_gid(*gid) {
                    // Upstream gives it up too: the monitors have not heard from it for long.
                    Some(info) if !info.laggy_since.is_zero() => {
                        Located::Gone { errno: ENOENT, why: "the MDS is laggy" }
                    }
                    Some(info) => Located::At(info.addrs.clone()),
                    None => Located::Gone { errno: ENOENT, why: "the MDS is gone from the map" },
                },
            },
            // Without an active manager a command waits for one until its deadline, as upstream's clients do.
            Daemon::Mgr => match &self.mgrmap {
                Some(map) if map.active_gid != 0 && !map.active_addrs.0.is_empty() => {
                    Located::At(map.active_addrs.clone())
                }
                _ => Located::NotYet,
            },
            Daemon::MgrNamed(name) => match &self.mgrmap {
                None => Located::NotYet,
                Some(map) if map.active_name == *name => Located::At(map.active_addrs.clone()),
                Some(map) if map.standbys.values().any(|s| s.name == *name) => {
                    Located::Gone { errno: EAGAIN, why: "it is a standby, which takes no commands" }
                }
                Some(_) => Located::Gone { errno: ENOENT, why: "no manager of that name is in the mgrmap" },
            },
        }
    }
}

const ENOENT: i32 = 2;
const ENXIO: i32 = 6;
const EAGAIN: i32 = 11;
