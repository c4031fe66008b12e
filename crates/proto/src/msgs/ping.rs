//! `MPing` (`src/messages/MPing.h`): no payload.

use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};

/// Asks the peer whether it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MPing;

impl Payload for MPing {
    const TYPE: u16 = 2;
    const NAME: &'static str = "MPing";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, _: &mut Parts, _: Features) {}

    fn decode(_: &RawMessage) -> Result<Self> {
        Ok(MPing)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![MPing]
    }
}
