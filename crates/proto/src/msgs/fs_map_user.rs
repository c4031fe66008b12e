//! `MFSMapUser` (`src/messages/MFSMapUser.h`, version 1): the file systems' names, for clients.

use crate::fs_map::FsMapUser;

/// The file systems' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MFSMapUser {
    pub epoch: u32,
    pub fsmap: FsMapUser,
}
crate::message::payload_fields!(MFSMapUser = 103, version 1; epoch, fsmap; samples [
    MFSMapUser {
        epoch: 9,
        fsmap: FsMapUser {
            epoch: 9,
            legacy_client_fscid: 1,
            filesystems: vec![crate::fs_map::FsInfo { cid: 1, name: "demo".into() }],
        },
    },
]);
