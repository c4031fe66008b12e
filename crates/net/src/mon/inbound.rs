//! What a monitor says: answers find their waiters, maps move subscriptions on, the rest goes to the owner
//! (`MonClient::ms_dispatch`; the `sub_got` calls of `Mgr`, `MgrStandby` and `Objecter`).

use super::hops::answered_hop;
use super::hunt::Candidate;
use super::session::Session;
use super::status::MonError;
use crate::auth::Renewed;
use crate::connection::ConnectionEvent;
use crate::dialer::spoken_at;
use crate::event::Event;
use axon_core::CommandOutput;
use axon_proto::msgs::auth_reply::MAuthReply;
use axon_proto::msgs::mon_command_ack::MMonCommandAck;
use axon_proto::{Message, MonMap, Payload, RawMessage, UTime};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

impl Session {
    pub(super) fn handle_connection(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Message(raw) => self.handle_raw(raw),
            ConnectionEvent::KeepaliveAck(sent) => {
                if let Some(active) = &mut self.active {
                    active.heard = active.heard.max(instant_of(sent));
                }
            }
            ConnectionEvent::Reset | ConnectionEvent::Reconnected(_) => {
                self.reopen("the monitor reset it".to_owned())
            }
            ConnectionEvent::Closed(Some(e)) => self.reopen(e.to_string()),
            ConnectionEvent::Closed(None) => self.reopen("closed".to_owned()),
        }
    }

    fn handle_raw(&mut self, raw: RawMessage) {
        let kind = raw.header.kind;
        // The most frequent one, by the short way.
        if kind == MMonCommandAck::TYPE {
            match MMonCommandAck::result(&raw) {
                Ok((retval, outs)) => {
                    let mode = self.active.as_ref().map_or(0, |active| active.open.con_mode);
                    match self.commands.answer(raw.header.tid) {
                        Some(waiter) => {
                            answered_hop(&waiter, &raw, mode);
                            let _ = waiter.answer.send(Ok(CommandOutput { retval, outs, outbl: raw.data }));
                        }
                        None => debug!(tid = raw.header.tid, "an answer that nobody waits for"),
                    }
                }
                Err(e) => error!(kind, "a monitor's answer cannot be read and is left out: {e}"),
            }
            return;
        }
        match Message::decode(raw) {
            Ok(message) => self.handle_message(message),
            // Not a reason to end the session: the next monitor would send the same.
            Err(e) => error!(kind, "a monitor's message cannot be read and is left out: {e}"),
        }
    }

    fn handle_message(&mut self, message: Message) {
        match message {
            Message::MMonGetVersionReply(reply) => {
                if let Some(waiter) = self.versions.remove(&reply.handle) {
                    let _ = waiter.send(Ok((reply.version, reply.oldest_version)));
                }
            }
            Message::MAuthReply(reply) => self.handle_auth_reply(&reply),
            Message::MMonMap(map) => {
                self.handle_monmap(Arc::new(map.monmap.clone()));
                self.outbox.push_back(Event::Message(Message::MMonMap(map)));
            }
            Message::MMonSubscribeAck(_) | Message::MPing(_) => {}
            other => {
                if matches!(other, Message::MConfig(_)) {
                    self.prove();
                }
                self.move_subscription(&other);
                self.outbox.push_back(Event::Message(other));
            }
        }
    }

    fn move_subscription(&mut self, message: &Message) {
        match message {
            // Not a version of the map: what comes later has lower numbers.
            Message::MMgrMap(m) if m.map.is_null() => {}
            Message::MMgrMap(m) => {
                self.subs.got("mgrmap", u64::from(m.map.epoch));
                self.publish_mgrmap(Arc::new(m.map.clone()));
            }
            Message::MOSDMap(m) => {
                if let Some(last) = m.last() {
                    self.subs.got("osdmap", u64::from(last));
                }
            }
            Message::MServiceMap(m) => self.subs.got("servicemap", u64::from(m.service_map.epoch)),
            Message::MKVData(m) => self.subs.got(&format!("kv:{}", m.prefix), m.version),
            Message::MFSMap(m) => {
                self.subs.got("fsmap", u64::from(m.epoch));
                self.publish_fsmap(Arc::new(m.fsmap.clone()));
            }
            _ => {}
        }
    }

    fn handle_auth_reply(&mut self, reply: &MAuthReply) {
        match self.dialer.auth.handle_reply(reply.result, &reply.result_bl) {
            Ok(Renewed::RotatingKeys) => debug!("rotating keys renewed"),
            // A ticket that was fetched with a renewed auth ticket: the others may be due with it.
            Ok(Renewed::Tickets) => self.renew_tickets(),
            Err(e) => {
                warn!("{e}");
                // Our key may have been rotated: it proves who we are when the ticket for the monitors has expired, and it opens
                // the rotating keys. The next tick asks again.
                let dialer = self.dialer.clone();
                tokio::spawn(async move {
                    if dialer.reload_key(dialer.key().as_deref()).await {
                        info!("the key's file has changed, the new key is used");
                    }
                });
            }
        }
    }

    fn handle_monmap(&mut self, monmap: Arc<MonMap>) {
        let Some(active) = &mut self.active else { return };
        let addr = active.open.addr;
        if let Some(expected) = self.dialer.config.fsid.filter(|expected| *expected != monmap.fsid) {
            let error = MonError::WrongCluster { addr, found: monmap.fsid, expected };
            self.reopen(error.to_string());
            return self.publish_error(error);
        }
        self.hunt.replace(candidates(&monmap));
        self.subs.got("monmap", u64::from(monmap.epoch));
        let here = monmap.mon_info.values().find(|info| info.public_addrs.0.contains(&addr));
        let Some(info) = here else {
            return self.reopen(format!("the monitor at {addr} is not in monmap e{}", monmap.epoch));
        };
        active.open.mon.clone_from(&info.name);
        let stale = self.monmap.as_ref().is_some_and(|old| old.auth_epoch < monmap.auth_epoch);
        self.publish_monmap(monmap);
        if stale {
            info!("the cluster's keys were replaced: all tickets and rotating keys are fetched again");
            self.dialer.auth.wipe();
            self.renew_tickets();
        }
        self.flush();
    }
}

/// The monitors of a map that can be spoken to.
fn candidates(monmap: &MonMap) -> Vec<Candidate> {
    let spoken_to = monmap.mon_info.values().filter(|info| spoken_at(&info.public_addrs).is_some());
    spoken_to
        .map(|info| Candidate {
            name: info.name.clone(),
            addrs: info.public_addrs.clone(),
            priority: info.priority,
            weight: info.weight,
        })
        .collect()
}

/// The instant of a time that we sent a moment ago.
fn instant_of(sent: UTime) -> Instant {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ago = since_epoch.saturating_sub(sent.to_duration()).min(Duration::from_secs(3600));
    let now = Instant::now();
    now.checked_sub(ago).unwrap_or(now)
}
