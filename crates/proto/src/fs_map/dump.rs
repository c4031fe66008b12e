//! `FSMap::dump`, `Filesystem::dump` and `MDSMap::dump` as JSON: what `ceph fs dump -f json` prints. Since 18.2:
//! `flags_state`, `max_xattr_size`, `bal_rank_mask`; since 20.2: `btime`, `qdb_leader`, `qdb_cluster`.

use super::{CompatSet, Filesystem, FsMap, MdsInfo, MdsMap};
use crate::release::{Dump, Dumped, Release};
use serde::ser::{Serialize, SerializeStruct, Serializer};

impl Dump for FsMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct FeatureFlags {
            enable_multiple: bool,
            ever_enabled_multiple: bool,
        }
        let mut out = s.serialize_struct("FSMap", 7)?;
        out.serialize_field("epoch", &self.epoch)?;
        if release >= Release::Tentacle {
            out.serialize_field("btime", &self.btime.real_clock())?;
        }
        out.serialize_field("default_fscid", &self.default_fscid)?;
        out.serialize_field("compat", &self.compat)?;
        out.serialize_field(
            "feature_flags",
            &FeatureFlags {
                enable_multiple: self.enable_multiple,
                ever_enabled_multiple: self.ever_enabled_multiple,
            },
        )?;
        let standbys: Vec<Standby> = self
            .standbys
            .iter()
            .map(|(gid, info)| Standby { info, epoch: self.standby_epochs.get(gid).copied().unwrap_or(0) })
            .collect();
        out.serialize_field("standbys", &standbys)?;
        let filesystems: Vec<_> = self.filesystems.values().map(|fs| Dumped(fs, release)).collect();
        out.serialize_field("filesystems", &filesystems)?;
        out.end()
    }
}

struct Standby<'a> {
    info: &'a MdsInfo,
    epoch: u32,
}
impl Serialize for Standby<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("info", 15)?;
        self.info.serialize_fields(&mut out, &self.info.compat)?;
        out.serialize_field("epoch", &self.epoch)?;
        out.end()
    }
}

impl Dump for Filesystem {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("Filesystem", 3)?;
        out.serialize_field("mdsmap", &self.mdsmap.dumped(release))?;
        out.serialize_field("id", &self.id)?;
        if self.mirror_info.mirrored {
            out.serialize_field("mirror_info", &self.mirror_info)?;
        }
        out.end()
    }
}

impl Dump for MdsMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let reef = release >= Release::Reef;
        let mut out = s.serialize_struct("MDSMap", 36)?;
        out.serialize_field("epoch", &self.epoch)?;
        out.serialize_field("flags", &self.flags)?;
        if reef {
            out.serialize_field("flags_state", &FlagsState::of(self.flags))?;
        }
        out.serialize_field("ever_allowed_features", &self.ever_allowed_features)?;
        out.serialize_field("explicitly_allowed_features", &self.explicitly_allowed_features)?;
        out.serialize_field("created", &self.created)?;
        out.serialize_field("modified", &self.modified)?;
        out.serialize_field("tableserver", &self.tableserver)?;
        out.serialize_field("root", &self.root)?;
        out.serialize_field("session_timeout", &self.session_timeout)?;
        out.serialize_field("session_autoclose", &self.session_autoclose)?;
        out.serialize_field("required_client_features", &self.required_client_features.named(release))?;
        out.serialize_field("max_file_size", &self.max_file_size)?;
        if reef {
            out.serialize_field("max_xattr_size", &self.max_xattr_size)?;
        }
        out.serialize_field("last_failure", &self.last_failure)?;
        out.serialize_field("last_failure_osd_epoch", &self.last_failure_osd_epoch)?;
        out.serialize_field("compat", &self.compat.with_inline())?;
        out.serialize_field("max_mds", &self.max_mds)?;
        out.serialize_field("in", &self.r#in)?;
        out.serialize_field("up", &Prefixed("mds_", || self.up.iter()))?;
        out.serialize_field("failed", &self.failed)?;
        out.serialize_field("damaged", &self.damaged)?;
        out.serialize_field("stopped", &self.stopped)?;
        let within = |(gid, info)| (gid, Within { info, map: self });
        out.serialize_field("info", &Prefixed("gid_", || self.info.iter().map(within)))?;
        out.serialize_field("data_pools", &self.data_pools)?;
        out.serialize_field("metadata_pool", &self.metadata_pool)?;
        out.serialize_field("enabled", &self.enabled)?;
        out.serialize_field("fs_name", &self.fs_name)?;
        out.serialize_field("balancer", &self.balancer)?;
        if reef {
            out.serialize_field("bal_rank_mask", &self.bal_rank_mask)?;
        }
        out.serialize_field("standby_count_wanted", &self.standby_count_wanted.max(0))?;
        if release >= Release::Squid {
            out.serialize_field("qdb_leader", &self.qdb_leader)?;
            out.serialize_field("qdb_cluster", &self.qdb_cluster)?;
        }
        out.end()
    }
}

/// A daemon of a file system's map: where it did not say what it supports, what the map requires counts.
struct Within<'a> {
    info: &'a MdsInfo,
    map: &'a MdsMap,
}
impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let of: &CompatSet = if self.info.compat.is_empty() { &self.map.compat } else { &self.info.compat };
        let mut out = s.serialize_struct("mds_info_t", 14)?;
        self.info.serialize_fields(&mut out, &of.with_inline())?;
        out.end()
    }
}

/// A map whose keys get a prefix; the closure gives the entries.
struct Prefixed<F>(&'static str, F);
impl<K: std::fmt::Display, V: Serialize, I: Iterator<Item = (K, V)>, F: Fn() -> I> Serialize for Prefixed<F> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map((self.1)().map(|(key, value)| (format!("{}{key}", self.0), value)))
    }
}

/// A file system's flags by name (`MDSMap::dump_flags_state`); since 18.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FlagsState {
    pub joinable: bool,
    pub allow_snaps: bool,
    pub allow_multimds_snaps: bool,
    pub allow_standby_replay: bool,
    pub refuse_client_session: bool,
    pub refuse_standby_for_another_fs: bool,
    pub balance_automate: bool,
}

impl FlagsState {
    /// Of [`MdsMap::flags`].
    #[must_use]
    pub fn of(flags: u32) -> Self {
        let has = |flag| flags & flag != 0;
        FlagsState {
            joinable: !has(MdsMap::FLAG_NOT_JOINABLE),
            allow_snaps: has(MdsMap::FLAG_ALLOW_SNAPS),
            allow_multimds_snaps: has(MdsMap::FLAG_ALLOW_MULTIMDS_SNAPS),
            allow_standby_replay: has(MdsMap::FLAG_ALLOW_STANDBY_REPLAY),
            refuse_client_session: has(MdsMap::FLAG_REFUSE_CLIENT_SESSION),
            refuse_standby_for_another_fs: has(MdsMap::FLAG_REFUSE_STANDBY_FOR_ANOTHER_FS),
            balance_automate: has(MdsMap::FLAG_BALANCE_AUTOMATE),
        }
    }
}
