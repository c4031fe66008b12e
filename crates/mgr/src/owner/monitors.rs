//! What the monitors push (`Mgr::ms_dispatch2`, `MgrStandby::handle_mgr_map`): maps, digest, configuration, store.
//! All of it is subscribed to in standby too, so that an activation starts warm.

use super::{Effect, Owner};
use axon_core::KvUpdate;
use axon_core::daemons::DaemonKey;
use axon_core::lifecycle::{self, Need};
use axon_proto::msgs::osd_map::MOSDMap;
use axon_proto::osd_map::follow;
use axon_proto::{Message, UTime};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a manager subscribes to.
pub const SUBSCRIPTIONS: [&str; 8] =
    ["mgrmap", "monmap", "osdmap", "fsmap", "servicemap", "mgrdigest", "kv:mgr/", "kv:device/"];

/// The monitors send a digest every 5 s (`mon_mgr_digest_period`).
const DIGEST_LATE_SECS: u32 = 20;

impl Owner {
    /// Without digests health would stay as it was for ever, and a monitor has one timer for all who subscribed, which it stops for
    /// reasons of its own. To be asked again costs it one digest.
    pub(super) fn expect_digest(&mut self, now: UTime) {
        let was_set_back = self.digest_due.saturating_sub(now.sec) > DIGEST_LATE_SECS;
        if self.digest_due == 0 || was_set_back {
            self.digest_due = now.sec + DIGEST_LATE_SECS;
        } else if now.sec >= self.digest_due {
            tracing::warn!("no digest of the monitors for {DIGEST_LATE_SECS} s; asking anew");
            self.digest_due = now.sec + DIGEST_LATE_SECS;
            self.effects.push(Effect::AskDigest);
        }
    }

    /// A message of the monitors. What is not a manager's business is ignored.
    pub fn handle_mon_message(&mut self, message: Message, now: UTime) {
        match message {
            Message::MMgrMap(m) => self.handle_mgr_map(m.map, now),
            Message::MMonMap(m) => self.handle_mon_map(m.monmap),
            Message::MOSDMap(m) => self.handle_osd_map(&m, now),
            Message::MFSMap(m) => self.handle_fs_map(m.fsmap),
            Message::MServiceMap(m) => {
                self.state.service_map = Arc::new(m.service_map);
                self.got_service_map();
                self.changed();
                self.effects.push(Effect::Notify("service_map"));
            }
            Message::MLogAck(m) => self.log.acknowledged(m.last),
            Message::MMgrDigest(m) => {
                self.digest_due = now.sec + DIGEST_LATE_SECS;
                self.handle_digest(&m.health_json, &m.mon_status_json);
            }
            Message::MConfig(m) => {
                self.change_options(|state| {
                    Arc::make_mut(&mut state.settings).set_mon(&m.config);
                    state.options = Arc::new(m.config);
                });
                self.effects.push(Effect::ConfigNotify);
            }
            Message::MKVData(m) => self.handle_kv(KvUpdate {
                prefix: m.prefix,
                version: m.version,
                incremental: m.incremental,
                data: m.data,
            }),
            other => tracing::debug!(message = other.name(), "not for the manager"),
        }
    }

    fn handle_mgr_map(&mut self, map: axon_proto::mgr_map::MgrMap, now: UTime) {
        let event = lifecycle::Event::MgrMap {
            active_gid: map.active_gid,
            available: map.available,
            blocklist_epoch: map.last_failure_osd_epoch,
        };
        // It tells who thinks to be active that it is not (`MgrMap::create_null_mgrmap`), and nothing else.
        if !map.is_null() {
            self.state.mgr_map = Arc::new(map);
            self.changed();
        }
        let actions = self.lifecycle.apply(event);
        self.carry_out(actions, now);
        if self.is_chosen() {
            self.refresh_mgr_metadata();
        }
    }

    /// Managers, this one among them, are daemons of their hosts (`DaemonServer::got_mgr_map`).
    fn refresh_mgr_metadata(&mut self) {
        let map = self.state.mgr_map.clone();
        let standbys = map.standbys.values().map(|standby| &standby.name);
        let names: BTreeSet<&String> =
            standbys.chain([&map.active_name]).filter(|name| !name.is_empty()).collect();
        self.cull("mgr", |name| names.iter().any(|known| *known == name));
        for name in names {
            let key = DaemonKey::new("mgr", name.clone());
            if self.state.daemons.daemon(&key).is_none() {
                self.fetch_metadata(key, None);
            }
        }
    }

    fn handle_mon_map(&mut self, map: axon_proto::mon_map::MonMap) {
        let names: BTreeSet<String> = map.mon_info.keys().cloned().collect();
        self.state.mon_map = Arc::new(map);
        self.changed();
        self.effects.push(Effect::Notify("mon_map"));
        self.cull("mon", |name| names.contains(name));
        if self.is_chosen() {
            for name in names {
                self.fetch_metadata(DaemonKey::new("mon", name), None);
            }
        }
    }

    fn handle_osd_map(&mut self, message: &MOSDMap, now: UTime) {
        match follow(&mut self.state.osd_map, message) {
            Ok(true) => {}
            Ok(false) => return,
            Err(why) => {
                tracing::error!(%why, "OSD map cannot be applied; asking for a full one");
                self.effects.push(super::Effect::FullOsdMap);
                return;
            }
        }
        let map = self.state.osd_map.clone();
        self.changed();
        self.effects.push(Effect::Notify("osd_map"));
        self.follow_pools(now);
        if self.is_chosen() {
            self.refresh_osd_metadata(&map);
        }
        let actions = self.lifecycle.apply(lifecycle::Event::OsdMap { epoch: map.epoch });
        self.carry_out(actions, now);
    }

    /// The PG map has the groups of the OSD map.
    pub(super) fn follow_pools(&mut self, now: UTime) {
        let map = self.state.osd_map.clone();
        self.pending.follow(&self.state.pg_map, &*map, now);
        Arc::make_mut(&mut self.state.pg_map).settle(&mut self.pending, now);
    }

    /// New and restarted OSDs are asked about; removed ones forgotten.
    fn refresh_osd_metadata(&mut self, map: &axon_proto::osd_map::OSDMap) {
        let mut missing = Vec::new();
        for id in 0..map.max_osd {
            let key = DaemonKey::new("osd", id.to_string());
            let restarted = usize::try_from(id)
                .ok()
                .and_then(|i| map.osd_info.get(i))
                .is_some_and(|info| info.up_from == map.epoch);
            if map.exists(id) && (restarted || self.state.daemons.daemon(&key).is_none()) {
                missing.push(key);
            }
        }
        for key in missing {
            self.fetch_metadata(key, None);
        }
        let exists = |name: &str| name.parse().is_ok_and(|id| map.exists(id));
        self.cull("osd", exists);
    }

    fn handle_fs_map(&mut self, map: axon_proto::fs_map::FsMap) {
        let daemons: BTreeMap<String, String> =
            map.daemons().map(|info| (info.name.clone(), info.addrs.to_string())).collect();
        self.state.fs_map = Arc::new(map);
        self.changed();
        self.effects.push(Effect::Notify("fs_map"));
        self.cull("mds", |name| daemons.contains_key(name));
        if self.is_chosen() {
            for (name, addr) in daemons {
                let key = DaemonKey::new("mds", name);
                let known = self.state.daemons.daemon(&key).and_then(|d| d.metadata.get("addr"));
                if known != Some(&addr) {
                    self.fetch_metadata(key, Some(addr));
                }
            }
        }
        self.step(lifecycle::Event::Met(Need::FsMap));
    }

    /// Forgets daemons that a map does not have any more, and their counters.
    pub(super) fn cull(&mut self, kind: &str, exists: impl Fn(&str) -> bool) {
        let gone = Arc::make_mut(&mut self.state.daemons).cull(kind, exists);
        if gone.is_empty() {
            return;
        }
        let perf = Arc::make_mut(&mut self.state.perf);
        gone.iter().for_each(|key| perf.close(key));
    }

    fn handle_digest(&mut self, health: &[u8], mon_status: &[u8]) {
        let parsed = |what: &str, json: &[u8]| match serde_json::from_slice::<Value>(json) {
            Ok(value) => Some(Arc::new(value)),
            Err(why) => {
                tracing::error!(what, %why, "the monitors' digest is not JSON");
                None
            }
        };
        if let Some(health) = parsed("health", health) {
            self.state.health = health;
        }
        if let Some(mon_status) = parsed("mon_status", mon_status) {
            self.state.mon_status = mon_status;
        }
        self.changed();
        self.effects.extend(["mon_status", "health", "pg_summary"].map(Effect::Notify));
        self.step(lifecycle::Event::Met(Need::Digest));
    }

    fn handle_kv(&mut self, update: KvUpdate) {
        let region = update.prefix.clone();
        if region == "device/" {
            self.apply_devices(&update.data);
        }
        self.state.kv.apply(update);
        self.changed();
        if region == "mgr/" {
            self.step(lifecycle::Event::Met(Need::Kv));
        }
    }

    fn apply_devices(&mut self, data: &BTreeMap<String, Option<Bytes>>) {
        let daemons = Arc::make_mut(&mut self.state.daemons);
        for (key, value) in data {
            let Some(devid) = key.strip_prefix("device/") else { continue };
            let metadata = value.as_ref().map(|json| match serde_json::from_slice(json) {
                Ok(metadata) => metadata,
                Err(why) => {
                    tracing::warn!(devid, %why, "what the store says of a device is not an object of strings");
                    BTreeMap::new()
                }
            });
            daemons.set_device_metadata(devid, metadata);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::standby;
    use super::super::{Effect, Owner};
    use axon_core::daemons::DaemonKey;
    use axon_proto::mgr_map::{MgrMap, StandbyInfo};
    use axon_proto::msgs::mgr_map::MMgrMap;
    use axon_proto::{Message, UTime};

    /// The managers whose metadata is asked for once the map makes this one (gid 7) active.
    fn asked(owner: &mut Owner, standbys: &[&str]) -> Vec<String> {
        let standby =
            |(gid, name): (u64, &&str)| (gid, StandbyInfo { name: (*name).to_owned(), ..Default::default() });
        let map = MgrMap {
            active_gid: 7,
            active_name: "x".to_owned(),
            standbys: (100..).zip(standbys).map(standby).collect(),
            ..Default::default()
        };
        owner.handle_mon_message(Message::from(MMgrMap { map }), UTime { sec: 9, nsec: 0 });
        let fetched = owner.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::FetchMetadata { key, command, .. } if key.kind == "mgr" => {
                Some(format!("{} {}", command.prefix(), command.args["who"].as_str().unwrap_or("")))
            }
            _ => None,
        });
        fetched.collect()
    }

    #[test]
    fn managers_are_daemons_of_their_hosts_while_the_map_has_them() {
        let (mut owner, _) = standby();
        assert_eq!(asked(&mut owner, &["y"]), ["mgr metadata x", "mgr metadata y"]);
        let key = DaemonKey::new("mgr", "y");
        owner.handle_metadata(&key, Some(&serde_json::json!({"name": "y", "hostname": "h"})), None);
        assert!(owner.state.daemons.daemon(&key).is_some());
        assert_eq!(asked(&mut owner, &["y", "z"]), ["mgr metadata z"]);
        asked(&mut owner, &["z"]);
        assert!(owner.state.daemons.daemon(&key).is_none());
    }
}
