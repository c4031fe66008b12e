//! `MMgrMap` (`src/messages/MMgrMap.h`, version 1): the managers' map, whole.

use crate::MgrMap;

/// The managers' map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrMap {
    pub map: MgrMap,
}
crate::message::payload_fields!(MMgrMap = 0x704, version 1; map; samples [MMgrMap { map: MgrMap { epoch: 3, active_name: "x".into(), ..MgrMap::default() } }]);
