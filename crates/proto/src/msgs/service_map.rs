//! `MServiceMap` (`src/messages/MServiceMap.h`, version 1): the service map, whole.

use crate::service_map::ServiceMap;

/// The service map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MServiceMap {
    pub service_map: ServiceMap,
}
crate::message::payload_fields!(MServiceMap = 0x707, version 1; service_map; samples [
    MServiceMap { service_map: crate::service_map::tests::sample() },
]);
