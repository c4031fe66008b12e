//! `MMDSMap` (`src/messages/MMDSMap.h`, version 2 in all supported releases; reads from 1): the map of one file system, as a
//! `bufferlist` within the message.

use crate::Fsid;
use crate::fs_map::MdsMap;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Decode, Encode, Features, Result};

/// The map of one file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMDSMap {
    pub fsid: Fsid,
    pub epoch: u32,
    pub mdsmap: MdsMap,
}

impl Payload for MMDSMap {
    const TYPE: u16 = 21;
    const NAME: &'static str = "MMDSMap";
    const VERSION: u16 = 2;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        w.value(&self.fsid, features);
        w.u32(self.epoch);
        w.sized(|w| self.mdsmap.encode(w, features));
        // A name that got into the message by accident; upstream sends the empty one.
        w.string("");
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let (fsid, epoch) = (r.value()?, r.u32()?);
        let len = r.length(1)?;
        let mdsmap = MdsMap::decode(&mut r.sub(len, "MDSMap")?)?;
        if raw.header.version >= 2 {
            r.blob()?;
        }
        Ok(MMDSMap { fsid, epoch, mdsmap })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMDSMap { fsid: Fsid([5; 16]), epoch: 8, mdsmap: MdsMap { epoch: 8, ..MdsMap::default() } }]
    }
}
