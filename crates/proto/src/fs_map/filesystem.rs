//! `Filesystem`, `MirrorInfo`, `Peer`, `ClusterInfo` (`src/mds/FSMap.{h,cc}`): a file system's map and whom it mirrors to.
//! Version 2 of `Filesystem` since 16.2; reads from 1.

use super::{MdsForm, MdsMap};
use crate::release::Release;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Where a peer file system is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClusterInfo {
    pub client_name: String,
    pub cluster_name: String,
    pub fs_name: String,
}
denc_struct!(ClusterInfo, 1, 1; ClusterInfo { client_name, cluster_name, fs_name });

/// A file system that is mirrored to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    pub uuid: String,
    pub remote: ClusterInfo,
}
denc_struct!(Peer, 1, 1; Peer { uuid, remote });

/// Whether the file system is mirrored, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorInfo {
    pub mirrored: bool,
    /// Sorted by uuid, as upstream writes them.
    pub peers: Vec<Peer>,
}
denc_struct!(MirrorInfo, 1, 1; MirrorInfo { mirrored, peers });

/// `{"peers": {uuid: {"remote": …}}}`.
impl Serialize for MirrorInfo {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Remote<'a> {
            remote: &'a ClusterInfo,
        }
        struct Peers<'a>(&'a [Peer]);
        impl Serialize for Peers<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                s.collect_map(self.0.iter().map(|p| (&p.uuid, Remote { remote: &p.remote })))
            }
        }
        let mut out = s.serialize_map(Some(1))?;
        out.serialize_entry("peers", &Peers(&self.peers))?;
        out.end()
    }
}

/// One file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filesystem {
    pub id: i32,
    pub mdsmap: MdsMap,
    pub mirror_info: MirrorInfo,
}

impl Filesystem {
    /// Writes the map in the given form.
    pub fn encode_form(&self, w: &mut Writer, features: Features, form: MdsForm) {
        w.envelope(2, 1, |w| {
            w.i32(self.id);
            w.sized(|w| self.mdsmap.encode_form(w, features, form));
            self.mirror_info.encode(w, features);
        });
    }
}

impl Encode for Filesystem {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.encode_form(w, features, MdsForm::of(Release::of_peer(features)));
    }
}

impl Decode for Filesystem {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope(2, "Filesystem")?;
        let id = r.i32()?;
        let len = r.length(1)?;
        let mdsmap = MdsMap::decode(&mut r.sub(len, "MDSMap")?)?;
        let mirror_info = if version >= 2 { r.value()? } else { MirrorInfo::default() };
        Ok(Filesystem { id, mdsmap, mirror_info })
    }
}
