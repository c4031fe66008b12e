//! The beacon (`MgrStandby::send_beacon`): who this manager is, whether it serves, its modules and, until the map shows it
//! as available, its command table.

use super::{Effect, MGR_FEATURES, Owner};
use axon_proto::EntityAddrVec;
use axon_proto::msgs::mgr_beacon::MMgrBeacon;

impl Owner {
    /// URIs of the native and the stock modules.
    fn all_services(&self) -> std::collections::BTreeMap<String, String> {
        let mut services = self.board.services();
        services.extend(self.services.clone());
        services
    }

    pub(super) fn send_beacon(&mut self) {
        if self.leaving {
            return;
        }
        let available = self.lifecycle.available();
        let me = &self.state.me;
        tracing::debug!(gid = me.gid, available, "sending a beacon");
        let beacon = MMgrBeacon {
            version: 0,
            gid: me.gid,
            server_addrs: if available { self.server_addrs.clone() } else { EntityAddrVec::default() },
            available,
            name: me.id.clone(),
            fsid: self.state.fsid,
            services: if available { self.all_services() } else { Default::default() },
            command_descs: if self.lifecycle.announces_commands() {
                self.modules.command_descs(self.state.release)
            } else {
                Vec::new()
            },
            modules: self.modules.infos(self.state.release),
            metadata: self.metadata.clone(),
            // RADOS clients that the monitors blocklist with this manager: those of stock modules.
            clients: if available { self.board.clients() } else { Vec::new() },
            mgr_features: MGR_FEATURES.0,
        };
        self.effects.push(Effect::ToMon(beacon.into()));
    }
}
