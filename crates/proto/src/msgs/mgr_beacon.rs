//! `MMgrBeacon` (`src/messages/MMgrBeacon.h`): a manager tells the monitors that it lives, what it can run and, once, its
//! command table. Version 11 in all supported releases (names of clients; 10 without, as 16.2.0 may write); reads from 8.

use super::paxos;
use crate::message::{Parts, Payload, RawMessage, priority};
use crate::mgr_map::{ModuleInfo, decode_clients, encode_clients, module_names};
use crate::mon_command_desc::MonCommandDesc;
use crate::{EntityAddrVec, Fsid};
use axon_denc::{Features, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A manager's sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MMgrBeacon {
    /// The sender's MgrMap epoch field of the paxos prefix; upstream sends 0.
    pub version: u64,
    pub gid: u64,
    pub server_addrs: EntityAddrVec,
    /// Whether the active manager serves already.
    pub available: bool,
    pub name: String,
    pub fsid: Fsid,
    /// URI by module, of the active manager.
    pub services: BTreeMap<String, String>,
    /// The command table; only while becoming active.
    pub command_descs: Vec<MonCommandDesc>,
    pub modules: Vec<ModuleInfo>,
    pub metadata: BTreeMap<String, String>,
    /// RADOS clients by module, to be blocklisted with this manager.
    pub clients: Vec<(String, EntityAddrVec)>,
    pub mgr_features: u64,
}

impl Payload for MMgrBeacon {
    const TYPE: u16 = 0x703;
    const NAME: &'static str = "MMgrBeacon";
    const VERSION: u16 = 11;
    const COMPAT: u16 = 8;
    const PRIORITY: u16 = priority::HIGH;

    fn encode(&self, out: &mut Parts, features: Features) {
        let w = &mut out.front;
        paxos::put(w, self.version);
        w.value(&self.server_addrs, features);
        w.u64(self.gid);
        w.bool(self.available);
        w.string(&self.name);
        w.value(&self.fsid, features);
        w.value(&module_names(&self.modules), features);
        w.value(&self.command_descs, features);
        w.value(&self.metadata, features);
        w.value(&self.services, features);
        w.value(&self.modules, features);
        w.u64(self.mgr_features);
        encode_clients(&self.clients, w, features, true);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        let r = &mut r;
        let version = raw.since(8, Self::NAME)?;
        let paxos_version = paxos::version(r)?;
        let (server_addrs, gid, available, name, fsid) =
            (r.value()?, r.u64()?, r.bool()?, r.value()?, r.value()?);
        // The modules' names alone, which the list behind repeats with details.
        let _: BTreeSet<String> = r.value()?;
        Ok(MMgrBeacon {
            version: paxos_version,
            gid,
            server_addrs,
            available,
            name,
            fsid,
            command_descs: r.value()?,
            metadata: r.value()?,
            services: r.value()?,
            modules: r.value()?,
            mgr_features: if version >= 9 { r.u64()? } else { 0 },
            clients: if version >= 10 { decode_clients(r, version >= 11)? } else { Vec::new() },
        })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let addrs = EntityAddrVec(vec![crate::EntityAddr::v2(([127, 0, 0, 1], 6800).into())]);
        vec![
            MMgrBeacon::default(),
            MMgrBeacon {
                gid: 4100,
                server_addrs: addrs.clone(),
                available: true,
                name: "x".into(),
                command_descs: vec![MonCommandDesc {
                    cmdstring: "pg ls".into(),
                    module: "mgr".into(),
                    req_perms: "r".into(),
                    flags: 8,
                    ..Default::default()
                }],
                modules: vec![ModuleInfo::new("balancer"), ModuleInfo::new("a")],
                metadata: [("hostname".to_owned(), "h".to_owned())].into(),
                clients: vec![("devicehealth".into(), addrs)],
                mgr_features: crate::features::SUPPORTED,
                ..Default::default()
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageHeader;

    #[test]
    fn the_forms_of_older_managers_end_earlier_and_too_old_ones_are_refused() {
        let full = MMgrBeacon::samples().remove(1);
        let front = full.to_raw(Features::ALL).front;
        let older = |version| {
            let header = MessageHeader { version, ..Default::default() };
            MMgrBeacon::decode(&RawMessage { header, front: front.clone(), ..Default::default() })
        };
        assert_eq!(older(11).unwrap(), full);
        assert_eq!(older(10).unwrap().clients, [(String::new(), full.clients[0].1.clone())]);
        assert_eq!(older(9).unwrap(), MMgrBeacon { clients: vec![], ..full.clone() });
        assert_eq!(older(8).unwrap().mgr_features, 0);
        assert!(older(7).is_err());
    }
}
