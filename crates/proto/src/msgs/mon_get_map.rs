//! `MMonGetMap` (`src/messages/MMonGetMap.h`): asks a monitor for the monmap. A client's first message on a msgr v2 session.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// Asks for `MMonMap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MMonGetMap;

impl Payload for MMonGetMap {
    const TYPE: u16 = 5;
    const NAME: &'static str = "MMonGetMap";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 0;

    fn encode(&self, _: &mut Parts, _: Features) {}

    fn decode(_: &RawMessage) -> Result<Self> {
        Ok(MMonGetMap)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MMonGetMap]
    }
}
