//! `MDSMap` (`src/mds/MDSMap.{h,cc}`): the daemons and settings of one file system. The envelope is version 5 in all
//! supported releases; what grows is the extended version within: 16 (16.2.0), 17, 18 (18.2), 19 (20.2).
//!
//! Invariant: every extended version from 16 on is written back byte for byte by [`MdsMap::encode_form`].

use super::feature_bits::FeatureBits;
use super::mds_info::NONE;
use super::{CompatSet, MdsForm, MdsInfo};
use crate::UTime;
use crate::release::Release;
use axon_denc::{Decode, Encode, Fault, Features, Reader, Result, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// The map of one file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdsMap {
    pub epoch: u32,
    /// `FLAG_*`.
    pub flags: u32,
    pub last_failure: u32,
    pub root: i32,
    pub session_timeout: u32,
    pub session_autoclose: u32,
    pub max_file_size: u64,
    pub max_mds: i32,
    /// Daemons by global id.
    pub info: BTreeMap<u64, MdsInfo>,
    pub data_pools: Vec<i64>,
    pub cas_pool: i64,
    pub compat: CompatSet,
    pub metadata_pool: i64,
    pub created: UTime,
    pub modified: UTime,
    pub tableserver: i32,
    /// Ranks that exist.
    pub r#in: BTreeSet<i32>,
    /// Global id by rank.
    pub up: BTreeMap<i32, u64>,
    pub failed: BTreeSet<i32>,
    pub stopped: BTreeSet<i32>,
    pub last_failure_osd_epoch: u32,
    pub ever_allowed_features: u8,
    pub explicitly_allowed_features: u8,
    pub inline_data_enabled: bool,
    pub enabled: bool,
    pub fs_name: String,
    pub damaged: BTreeSet<i32>,
    pub balancer: String,
    /// -1: as many as upstream's default.
    pub standby_count_wanted: i32,
    pub old_max_mds: i32,
    pub min_compat_client: u8,
    pub required_client_features: FeatureBits,
    pub bal_rank_mask: String,
    pub max_xattr_size: u64,
    /// Global id of the leader of the quiesce database; 0: none.
    pub qdb_leader: u64,
    pub qdb_cluster: Vec<u64>,
}

impl Default for MdsMap {
    fn default() -> Self {
        MdsMap {
            epoch: 0,
            flags: Self::FLAG_ALLOW_SNAPS | Self::FLAG_ALLOW_MULTIMDS_SNAPS,
            last_failure: 0,
            root: 0,
            session_timeout: 60,
            session_autoclose: 300,
            max_file_size: 1 << 40,
            max_mds: 1,
            info: BTreeMap::new(),
            data_pools: Vec::new(),
            cas_pool: -1,
            compat: CompatSet::default(),
            metadata_pool: -1,
            created: UTime::ZERO,
            modified: UTime::ZERO,
            tableserver: 0,
            r#in: BTreeSet::new(),
            up: BTreeMap::new(),
            failed: BTreeSet::new(),
            stopped: BTreeSet::new(),
            last_failure_osd_epoch: 0,
            ever_allowed_features: 0,
            explicitly_allowed_features: 0,
            inline_data_enabled: false,
            enabled: false,
            fs_name: "cephfs".to_owned(),
            damaged: BTreeSet::new(),
            balancer: String::new(),
            standby_count_wanted: NONE,
            old_max_mds: 0,
            min_compat_client: 0,
            required_client_features: FeatureBits::default(),
            bal_rank_mask: "-1".to_owned(),
            max_xattr_size: 1 << 16,
            qdb_leader: 0,
            qdb_cluster: Vec::new(),
        }
    }
}

impl MdsMap {
    pub const FLAG_NOT_JOINABLE: u32 = 1;
    pub const FLAG_ALLOW_SNAPS: u32 = 1 << 1;
    pub const FLAG_ALLOW_MULTIMDS_SNAPS: u32 = 1 << 4;
    pub const FLAG_ALLOW_STANDBY_REPLAY: u32 = 1 << 5;
    pub const FLAG_REFUSE_CLIENT_SESSION: u32 = 1 << 6;
    pub const FLAG_REFUSE_STANDBY_FOR_ANOTHER_FS: u32 = 1 << 7;
    pub const FLAG_BALANCE_AUTOMATE: u32 = 1 << 8;

    /// The daemon that holds `rank`.
    #[must_use]
    pub fn by_rank(&self, rank: i32) -> Option<&MdsInfo> {
        self.info.get(self.up.get(&rank)?)
    }

    /// Writes the extended version and the daemons' version that `form` says.
    pub fn encode_form(&self, w: &mut Writer, features: Features, form: MdsForm) {
        w.envelope(5, 4, |w| {
            w.u32(self.epoch);
            w.u32(self.flags);
            w.u32(self.last_failure);
            w.i32(self.root);
            w.u32(self.session_timeout);
            w.u32(self.session_autoclose);
            w.u64(self.max_file_size);
            w.i32(self.max_mds);
            w.length(self.info.len());
            for (gid, info) in &self.info {
                w.u64(*gid);
                info.encode_version(w, features, form.mds_info);
            }
            self.data_pools.encode(w, features);
            w.i64(self.cas_pool);
            self.encode_extended(w, features, form.mds_map);
        });
    }

    /// What kernel clients of old skip.
    fn encode_extended(&self, w: &mut Writer, features: Features, version: u16) {
        w.u16(version);
        self.compat.encode(w, features);
        w.i64(self.metadata_pool);
        self.created.encode(w, features);
        self.modified.encode(w, features);
        w.i32(self.tableserver);
        self.r#in.encode(w, features);
        // Incarnations by rank, which nobody reads any more: upstream fills in the epoch.
        w.length(self.r#in.len());
        for rank in &self.r#in {
            w.i32(*rank);
            w.u32(self.epoch);
        }
        self.up.encode(w, features);
        self.failed.encode(w, features);
        self.stopped.encode(w, features);
        w.u32(self.last_failure_osd_epoch);
        w.u8(self.ever_allowed_features);
        w.u8(self.explicitly_allowed_features);
        w.bool(self.inline_data_enabled);
        w.bool(self.enabled);
        w.string(&self.fs_name);
        self.damaged.encode(w, features);
        w.string(&self.balancer);
        w.i32(self.standby_count_wanted);
        w.i32(self.old_max_mds);
        w.u8(self.min_compat_client);
        self.required_client_features.encode(w, features);
        if version >= 17 {
            w.string(&self.bal_rank_mask);
        }
        if version >= 18 {
            w.u64(self.max_xattr_size);
        }
        if version >= 19 {
            w.u64(self.qdb_leader);
            self.qdb_cluster.encode(w, features);
        }
    }

    fn decode_extended(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let at = r.clone();
        let version = r.u16()?;
        if version < Self::EXTENDED_OLDEST {
            let version = version.min(255) as u8;
            return Err(at.error(Fault::TooOld { version, oldest: Self::EXTENDED_OLDEST as u8 }));
        }
        self.compat = r.value()?;
        self.metadata_pool = r.i64()?;
        self.created = r.value()?;
        self.modified = r.value()?;
        self.tableserver = r.i32()?;
        self.r#in = r.value()?;
        let _: BTreeMap<i32, i32> = r.value()?;
        self.up = r.value()?;
        self.failed = r.value()?;
        self.stopped = r.value()?;
        self.last_failure_osd_epoch = r.u32()?;
        self.ever_allowed_features = r.u8()?;
        self.explicitly_allowed_features = r.u8()?;
        self.inline_data_enabled = r.bool()?;
        self.enabled = r.bool()?;
        self.fs_name = r.value()?;
        self.damaged = r.value()?;
        self.balancer = r.value()?;
        self.standby_count_wanted = r.i32()?;
        self.old_max_mds = r.i32()?;
        self.min_compat_client = r.u8()?;
        self.required_client_features = r.value()?;
        if version >= 17 {
            self.bal_rank_mask = r.value()?;
        }
        if version >= 18 {
            self.max_xattr_size = r.u64()?;
        }
        if version >= 19 {
            self.qdb_leader = r.u64()?;
            self.qdb_cluster = r.value()?;
        }
        Ok(())
    }

    const EXTENDED_OLDEST: u16 = 16;
}

impl Encode for MdsMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_form(w, features, MdsForm::of(Release::of_peer(features)));
    }
}

impl Decode for MdsMap {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope_since(5, 5, "MDSMap")?;
        let mut map = MdsMap {
            epoch: r.u32()?,
            flags: r.u32()?,
            last_failure: r.u32()?,
            root: r.i32()?,
            session_timeout: r.u32()?,
            session_autoclose: r.u32()?,
            max_file_size: r.u64()?,
            max_mds: r.i32()?,
            info: r.value()?,
            data_pools: r.value()?,
            cas_pool: r.i64()?,
            ..MdsMap::default()
        };
        map.decode_extended(&mut r)?;
        Ok(map)
    }
}
