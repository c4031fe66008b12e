//! `MFSMap` (`src/messages/MFSMap.h`, version 1): the map of all file systems, whole.

use crate::FsMap;

/// The map of all file systems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MFSMap {
    pub epoch: u32,
    pub fsmap: FsMap,
}
crate::message::payload_fields!(MFSMap = 45, version 1; epoch, fsmap; samples [
    MFSMap { epoch: 9, fsmap: crate::fs_map::tests::sample() },
]);
