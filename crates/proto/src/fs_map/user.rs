//! `FSMapUser` (`src/mds/FSMapUser.{h,cc}`, version 1): the file systems' names and ids alone, for clients.

use axon_denc::denc_struct;

/// A file system's id and name (`FSMapUser::fs_info_t`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsInfo {
    pub cid: i32,
    pub name: String,
}
denc_struct!(fs_info_t, 1, 1; FsInfo { cid, name });

/// The file systems' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsMapUser {
    pub epoch: u32,
    /// The file system of clients that name none; -1: none.
    pub legacy_client_fscid: i32,
    pub filesystems: Vec<FsInfo>,
}
denc_struct!(FSMapUser, 1, 1; FsMapUser { epoch, legacy_client_fscid, filesystems });
