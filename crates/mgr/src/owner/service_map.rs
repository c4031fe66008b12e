//! The service map (`DaemonServer::got_service_map`, `_prune_pending_service_map`): written by the active manager, kept by the
//! monitors. Each report carries it when it has changed.
//!
//! Invariant: the pending map's epoch is always newer than the monitors'.

use super::{Owner, PendingServiceMap};
use axon_core::daemons::{DaemonKey, DaemonState};
use axon_denc::Encode;
use axon_proto::UTime;
use axon_proto::service_map::ServiceMap;
use bytes::Bytes;
use std::sync::Arc;

/// Services whose daemons the monitors know by other maps (`ServiceMap::is_normal_ceph_entity`).
fn is_normal_ceph_entity(kind: &str) -> bool {
    matches!(kind, "osd" | "client" | "mon" | "mds" | "mgr")
}

impl Owner {
    /// The monitors' map is known, or has changed.
    pub(super) fn got_service_map(&mut self) {
        let theirs = self.state.service_map.clone();
        if theirs.epoch == 0 || !self.is_chosen() {
            return;
        }
        let ours_is_newer = self.service_map.as_ref().is_some_and(|p| p.map.epoch > theirs.epoch);
        if !ours_is_newer {
            let mut map = ServiceMap::clone(&theirs);
            map.epoch = theirs.epoch + 1;
            self.service_map = Some(PendingServiceMap { map, dirty: false });
        }
        self.adopt_service_daemons();
    }

    /// Daemons of services that another manager registered are daemons here too, and those that left are not.
    fn adopt_service_daemons(&mut self) {
        let Some(pending) = &self.service_map else { return };
        let daemons = Arc::make_mut(&mut self.state.daemons);
        for (kind, service) in &pending.map.services {
            if is_normal_ceph_entity(kind) {
                continue;
            }
            for gone in daemons.cull(kind, |name| service.daemons.contains_key(name)) {
                Arc::make_mut(&mut self.state.perf).close(&gone);
            }
            for (name, daemon) in &service.daemons {
                let key = DaemonKey::new(kind.clone(), name.clone());
                if daemons.daemon(&key).is_none() {
                    let mut state = DaemonState::from_metadata(daemon.metadata.clone()).unwrap_or_default();
                    state.service_daemon = true;
                    daemons.insert(key, state);
                }
            }
        }
        self.changed();
    }

    /// Changes the pending map.
    pub(super) fn change_service_map(&mut self, change: impl FnOnce(&mut ServiceMap) -> bool) {
        if let Some(pending) = &mut self.service_map {
            pending.dirty |= change(&mut pending.map);
        }
    }

    /// Drops daemons that have been silent for too long; what the monitors must be told, when there is something.
    pub(super) fn settle_service_map(&mut self, now: UTime) -> Bytes {
        self.prune_service_map(now);
        let Some(pending) = &mut self.service_map else { return Bytes::new() };
        if !std::mem::take(&mut pending.dirty) {
            return Bytes::new();
        }
        pending.map.modified = now;
        let bytes = pending.map.to_bytes(super::MGR_FEATURES);
        pending.map.epoch += 1;
        bytes
    }

    fn prune_service_map(&mut self, now: UTime) {
        let grace_secs = self.state.mgr_options().mgr_service_beacon_grace;
        let Some(pending) = &mut self.service_map else { return };
        let daemons = Arc::make_mut(&mut self.state.daemons);
        let mut dirty = false;
        pending.map.services.retain(|kind, service| {
            service.daemons.retain(|name, _| {
                let key = DaemonKey::new(kind.clone(), name.clone());
                let Some(daemon) = daemons.daemon(&key) else {
                    let keep = !is_normal_ceph_entity(kind);
                    dirty |= !keep;
                    return keep;
                };
                if daemon.last_service_beacon.is_zero() {
                    // This manager has just taken over: the daemon's grace begins now.
                    daemons.update(&key, |d| d.last_service_beacon = now);
                    return true;
                }
                let keep = f64::from(now.sec) - f64::from(daemon.last_service_beacon.sec) <= grace_secs;
                dirty |= !keep;
                keep
            });
            dirty |= service.daemons.is_empty();
            !service.daemons.is_empty()
        });
        pending.dirty |= dirty;
    }
}
