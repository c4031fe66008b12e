//! `FSMap` (`src/mds/FSMap.{h,cc}`): all file systems and the MDS daemons that stand by. Versions 6, 7 (16.2, 18.2) and 8
//! (20.2: `btime`).
//!
//! Invariant: each release's form is written back byte for byte by [`FsMap::encode_form`].

mod compat_set;
mod dump;
mod feature_bits;
mod filesystem;
mod mds_info;
mod mds_map;
mod user;

pub use compat_set::{CompatSet, FeatureSet};
pub use dump::FlagsState;
pub use feature_bits::FeatureBits;
pub use filesystem::{ClusterInfo, Filesystem, MirrorInfo, Peer};
pub use mds_info::{MdsInfo, MdsState};
pub use mds_map::MdsMap;
pub use user::{FsInfo, FsMapUser};

use crate::UTime;
use crate::release::Release;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use std::collections::BTreeMap;

/// The versions that a release writes: of `FSMap`, of `MDSMap`'s extended part, of `mds_info_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MdsForm {
    pub fs_map: u8,
    pub mds_map: u16,
    pub mds_info: u8,
}

impl MdsForm {
    /// The form of a release's newest point release.
    #[must_use]
    pub fn of(release: Release) -> Self {
        match release {
            Release::Pacific | Release::Quincy => MdsForm { fs_map: 7, mds_map: 16, mds_info: 10 },
            Release::Reef => MdsForm { fs_map: 7, mds_map: 18, mds_info: 10 },
            Release::Squid => MdsForm { fs_map: 7, mds_map: 19, mds_info: 10 },
            Release::Tentacle => MdsForm { fs_map: 8, mds_map: 19, mds_info: 10 },
        }
    }
}

/// The map of all file systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsMap {
    pub epoch: u32,
    /// When this epoch was made; since 20.2.
    pub btime: UTime,
    pub next_filesystem_id: u64,
    /// The file system of clients that name none; -1: none.
    pub default_fscid: i32,
    pub compat: CompatSet,
    pub enable_multiple: bool,
    pub ever_enabled_multiple: bool,
    pub filesystems: BTreeMap<i32, Filesystem>,
    /// File system by global id of the daemon; -1: stands by.
    pub mds_roles: BTreeMap<u64, i32>,
    pub standbys: BTreeMap<u64, MdsInfo>,
    pub standby_epochs: BTreeMap<u64, u32>,
}

impl Default for FsMap {
    fn default() -> Self {
        FsMap {
            epoch: 0,
            btime: UTime::ZERO,
            next_filesystem_id: 1,
            default_fscid: mds_info::NONE,
            compat: CompatSet::default(),
            enable_multiple: true,
            ever_enabled_multiple: true,
            filesystems: BTreeMap::new(),
            mds_roles: BTreeMap::new(),
            standbys: BTreeMap::new(),
            standby_epochs: BTreeMap::new(),
        }
    }
}

impl FsMap {
    /// The daemon of that global id, in a file system or standing by.
    #[must_use]
    pub fn by_gid(&self, gid: u64) -> Option<&MdsInfo> {
        self.standbys.get(&gid).or_else(|| self.filesystems.values().find_map(|fs| fs.mdsmap.info.get(&gid)))
    }

    /// The daemon of that name, in a file system or standing by.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&MdsInfo> {
        self.daemons().find(|info| info.name == name)
    }

    /// All daemons.
    pub fn daemons(&self) -> impl Iterator<Item = &MdsInfo> {
        self.filesystems.values().flat_map(|fs| fs.mdsmap.info.values()).chain(self.standbys.values())
    }

    /// The file system of that name.
    #[must_use]
    pub fn filesystem(&self, name: &str) -> Option<&Filesystem> {
        self.filesystems.values().find(|fs| fs.mdsmap.fs_name == name)
    }

    /// Writes the versions that `form` says.
    pub fn encode_form(&self, w: &mut Writer, features: Features, form: MdsForm) {
        w.envelope(form.fs_map, 6, |w| {
            w.u32(self.epoch);
            w.u64(self.next_filesystem_id);
            w.i32(self.default_fscid);
            self.compat.encode(w, features);
            w.bool(self.enable_multiple);
            w.length(self.filesystems.len());
            for fs in self.filesystems.values() {
                fs.encode_form(w, features, form);
            }
            self.mds_roles.encode(w, features);
            w.length(self.standbys.len());
            for (gid, info) in &self.standbys {
                w.u64(*gid);
                info.encode_version(w, features, form.mds_info);
            }
            self.standby_epochs.encode(w, features);
            if form.fs_map >= 7 {
                w.bool(self.ever_enabled_multiple);
            }
            if form.fs_map >= 8 {
                self.btime.encode(w, features);
            }
        });
    }
}

impl Encode for FsMap {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_form(w, features, MdsForm::of(Release::of_peer(features)));
    }
}

impl Decode for FsMap {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(6, 8, "FSMap")?;
        let mut map = FsMap {
            epoch: r.u32()?,
            next_filesystem_id: r.u64()?,
            default_fscid: r.i32()?,
            compat: r.value()?,
            enable_multiple: r.bool()?,
            ..FsMap::default()
        };
        for _ in 0..r.length(Filesystem::BYTES_MIN)? {
            let fs: Filesystem = r.value()?;
            map.filesystems.insert(fs.id, fs);
        }
        map.mds_roles = r.value()?;
        map.standbys = r.value()?;
        map.standby_epochs = r.value()?;
        if version >= 7 {
            map.ever_enabled_multiple = r.bool()?;
        }
        if version >= 8 {
            map.btime = r.value()?;
        }
        Ok(map)
    }
}

#[cfg(test)]
pub(crate) mod tests;
