//! Keeping an OSD map up with what the monitors push (`Objecter::handle_osd_map`, without the OSD's history).

use super::{ApplyError, Incremental, OSDMap};
use crate::msgs::osd_map::MOSDMap;
use axon_denc::{Decode, DecodeError};
use std::fmt;
use std::sync::Arc;

/// Why a map could not be brought up to date. A full map mends it: subscribe from epoch 0.
#[derive(Debug)]
pub enum Unconnected {
    /// The map is at `have`, and the monitors sent none that follows it.
    Gap {
        have: u32,
    },
    Damaged {
        epoch: u32,
        why: DecodeError,
    },
    Inapplicable {
        epoch: u32,
        why: ApplyError,
    },
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unconnected::Gap { have } => {
                write!(f, "epoch {have} is known, and the monitors sent none that follows it")
            }
            Unconnected::Damaged { epoch, why } => write!(f, "epoch {epoch}: {why}"),
            Unconnected::Inapplicable { epoch, why } => write!(f, "epoch {epoch}: {why}"),
        }
    }
}

impl std::error::Error for Unconnected {}

/// Applies the increments that follow `map`, or takes a full map where they do not connect. Says whether it changed.
pub fn follow(map: &mut Arc<OSDMap>, message: &MOSDMap) -> Result<bool, Unconnected> {
    let before = map.epoch;
    loop {
        let next = map.epoch + 1;
        let damaged = |epoch| move |why| Unconnected::Damaged { epoch, why };
        if let (true, Some(bytes)) = (map.epoch > 0, message.incremental_maps.get(&next)) {
            let inc = Incremental::from_bytes(bytes).map_err(damaged(next))?;
            Arc::make_mut(map).apply(&inc).map_err(|why| Unconnected::Inapplicable { epoch: next, why })?;
            continue;
        }
        match message.maps.range(next..).next() {
            Some((epoch, bytes)) => *map = Arc::new(OSDMap::from_bytes(bytes).map_err(damaged(*epoch))?),
            None => break,
        }
    }
    if map.epoch < message.newest_map && map.epoch == before && !message.incremental_maps.is_empty() {
        return Err(Unconnected::Gap { have: before });
    }
    Ok(map.epoch > before)
}
