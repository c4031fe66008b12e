//! `MDSMap::mds_info_t` (`src/mds/MDSMap.{h,cc}`): versions 9 (16.2.0) and 10 (since 16.2.5: `compat`); older than 8 is
//! refused.

use super::CompatSet;
use super::MdsForm;
use crate::release::Release;
use crate::{EntityAddrVec, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeSet;

/// `CEPH_MDS_STATE_*`. Unknown values survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MdsState(pub i32);

impl MdsState {
    pub const STOPPED: MdsState = MdsState(-1);
    pub const STANDBY: MdsState = MdsState(-5);
    pub const CREATING: MdsState = MdsState(-6);
    pub const STARTING: MdsState = MdsState(-7);
    pub const STANDBY_REPLAY: MdsState = MdsState(-8);
    pub const REPLAY: MdsState = MdsState(8);
    pub const RESOLVE: MdsState = MdsState(9);
    pub const RECONNECT: MdsState = MdsState(10);
    pub const REJOIN: MdsState = MdsState(11);
    pub const CLIENTREPLAY: MdsState = MdsState(12);
    pub const ACTIVE: MdsState = MdsState(13);
    pub const STOPPING: MdsState = MdsState(14);
    pub const DAMAGED: MdsState = MdsState(15);

    /// Upstream's name (`ceph_mds_state_name`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "down:dne",
            -1 => "down:stopped",
            15 => "down:damaged",
            -4 => "up:boot",
            -5 => "up:standby",
            -8 => "up:standby-replay",
            -9 => "up:oneshot-replay",
            -6 => "up:creating",
            -7 => "up:starting",
            8 => "up:replay",
            9 => "up:resolve",
            10 => "up:reconnect",
            11 => "up:rejoin",
            12 => "up:clientreplay",
            13 => "up:active",
            14 => "up:stopping",
            -10 => "null",
            _ => "???",
        }
    }
}

/// `MDS_RANK_NONE`, `FS_CLUSTER_ID_NONE`.
pub(super) const NONE: i32 = -1;

/// One MDS daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdsInfo {
    pub gid: u64,
    pub name: String,
    /// -1: none.
    pub rank: i32,
    pub incarnation: i32,
    pub state: MdsState,
    pub state_seq: u64,
    pub addrs: EntityAddrVec,
    /// Zero: not laggy.
    pub laggy_since: UTime,
    pub export_targets: BTreeSet<i32>,
    pub features: u64,
    /// The file system that it prefers; -1: none.
    pub join_fscid: i32,
    /// 1: frozen.
    pub flags: u64,
    pub compat: CompatSet,
}

impl Default for MdsInfo {
    fn default() -> Self {
        MdsInfo {
            gid: 0,
            name: String::new(),
            rank: NONE,
            incarnation: 0,
            state: MdsState::STANDBY,
            state_seq: 0,
            addrs: EntityAddrVec::default(),
            laggy_since: UTime::ZERO,
            export_targets: BTreeSet::new(),
            features: 0,
            join_fscid: NONE,
            flags: 0,
            compat: CompatSet::default(),
        }
    }
}

impl MdsInfo {
    /// Writes the form of `version`, 9 or 10.
    pub fn encode_version(&self, w: &mut Writer, features: Features, version: u8) {
        w.envelope(version, 4, |w| {
            w.u64(self.gid);
            w.string(&self.name);
            w.i32(self.rank);
            w.i32(self.incarnation);
            w.i32(self.state.0);
            w.u64(self.state_seq);
            self.addrs.encode(w, features);
            self.laggy_since.encode(w, features);
            // Rank and name to be standby for, which Nautilus dropped.
            w.i32(NONE);
            w.string("");
            self.export_targets.encode(w, features);
            w.u64(self.features);
            w.i32(self.join_fscid);
            // Standby-replay, dropped with them.
            w.bool(false);
            w.u64(self.flags);
            if version >= 10 {
                self.compat.encode(w, features);
            }
        });
    }

    /// As upstream prints it: within a file system's map the compat set is completed, in the list of standbys it is not.
    pub(super) fn serialize_fields<S: SerializeStruct>(
        &self,
        out: &mut S,
        compat: &CompatSet,
    ) -> std::result::Result<(), S::Error> {
        out.serialize_field("gid", &self.gid)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("rank", &self.rank)?;
        out.serialize_field("incarnation", &self.incarnation)?;
        out.serialize_field("state", self.state.name())?;
        out.serialize_field("state_seq", &self.state_seq)?;
        out.serialize_field("addr", &self.addrs.legacy_or_front().legacy_str())?;
        out.serialize_field("addrs", &self.addrs)?;
        out.serialize_field("join_fscid", &self.join_fscid)?;
        if !self.laggy_since.is_zero() {
            out.serialize_field("laggy_since", &self.laggy_since)?;
        }
        out.serialize_field("export_targets", &self.export_targets)?;
        out.serialize_field("features", &self.features)?;
        out.serialize_field("flags", &self.flags)?;
        out.serialize_field("compat", compat)
    }
}

impl Encode for MdsInfo {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_version(w, features, MdsForm::of(Release::of_peer(features)).mds_info);
    }
}

impl Decode for MdsInfo {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(8, 10, "mds_info_t")?;
        let mut info = MdsInfo {
            gid: r.u64()?,
            name: r.value()?,
            rank: r.i32()?,
            incarnation: r.i32()?,
            state: MdsState(r.i32()?),
            state_seq: r.u64()?,
            addrs: r.value()?,
            laggy_since: r.value()?,
            ..MdsInfo::default()
        };
        r.skip(4)?;
        r.blob()?;
        info.export_targets = r.value()?;
        info.features = r.u64()?;
        info.join_fscid = r.i32()?;
        r.skip(1)?;
        info.flags = if version >= 9 { r.u64()? } else { 0 };
        info.compat = if version >= 10 { r.value()? } else { CompatSet::before_16_2_5() };
        Ok(info)
    }
}

impl Serialize for MdsInfo {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("mds_info_t", 14)?;
        self.serialize_fields(&mut out, &self.compat)?;
        out.end()
    }
}
