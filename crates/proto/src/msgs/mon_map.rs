//! `MMonMap` (`src/messages/MMonMap.h`, version 1): the monitors' map, as a `bufferlist` within the message.

use crate::MonMap;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Decode, Encode, Features, Reader, Result};

/// The monitors' map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMonMap {
    pub monmap: MonMap,
}

impl Payload for MMonMap {
    const TYPE: u16 = 4;
    const NAME: &'static str = "MMonMap";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        out.front.sized(|w| self.monmap.encode(w, features));
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let len = r.length(1)?;
        let mut map: Reader<'_> = r.sub(len, "MonMap")?;
        Ok(MMonMap { monmap: MonMap::decode(&mut map)? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonMap::default()]
    }
}
