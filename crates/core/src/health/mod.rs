//! The health checks that the manager computes (`PGMap::get_health_checks` in `src/mon/PGMap.cc`, 16.2 to 20.2) and sends to
//! the monitors in `MMonMgrReport`; those about daemons' own metrics are in `daemons.rs`. The wording is upstream's where
//! tools match on it: codes, summaries and details are part of the interface.
//!
//! Not here: the checks of the monitors (OSD_DOWN, MDS_…), and those of modules.

mod daemons;
mod objects;
mod options;
mod osds;
mod pg_states;
mod pools;
mod scrubs;
#[cfg(test)]
mod tests;

pub use daemons::daemon_checks;
pub use options::HealthOptions;

use crate::pg_map::{OsdView, PgMap};
use axon_proto::health::HealthCheckMap;
use axon_proto::{Release, UTime};

/// What the checks look at.
#[derive(Debug)]
pub struct Subject<'a, V> {
    pub map: &'a PgMap,
    pub osds: &'a V,
    pub options: &'a HealthOptions,
    pub release: Release,
    pub now: UTime,
}

/// The checks of the PG map that do not hold.
#[must_use]
pub fn checks<V: OsdView>(subject: &Subject<'_, V>) -> HealthCheckMap {
    let mut out = HealthCheckMap::default();
    pg_states::check(subject, &mut out);
    objects::check(subject, &mut out);
    pools::check(subject, &mut out);
    osds::check(subject, &mut out);
    scrubs::check(subject, &mut out);
    out
}
