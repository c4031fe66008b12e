//! What daemons and clients send (`DaemonServer::ms_dispatch2`): open, configuration of reports, reports, PG statistics,
//! close, commands. A peer that breaks the rules loses its own session only.

use super::{Effect, Owner, Session, SessionId};
use crate::owner::effect::Request;
use axon_core::State;
use axon_core::daemons::{DaemonKey, DaemonState};
use axon_core::perf_queries::Kind;
use axon_proto::daemon_config::DaemonConfig;
use axon_proto::log_entry::{LogEntry, LogPriority};
use axon_proto::msgs::mgr_close::MMgrClose;
use axon_proto::msgs::mgr_configure::MMgrConfigure;
use axon_proto::msgs::mgr_open::MMgrOpen;
use axon_proto::msgs::mgr_report::MMgrReport;
use axon_proto::msgs::mgr_update::MMgrUpdate;
use axon_proto::msgs::pg_stats::MPGStats;
use axon_proto::perf_metric::{MetricConfig, MetricReport};
use axon_proto::{EntityType, Fsid, Message, UTime};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Owner {
    /// A peer has authenticated.
    pub fn handle_session(&mut self, id: SessionId, session: Session) {
        if let Some(osd) = session.osd() {
            self.osd_sessions.insert(osd, id);
        }
        self.sessions.insert(id, session);
    }

    /// A session has ended for good.
    pub fn handle_session_end(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        self.osd_sessions.retain(|_, session| *session != id);
    }

    /// A session, while it lives.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// A message on a session.
    pub fn handle_daemon_message(&mut self, id: SessionId, message: Message, now: UTime) {
        let Some(session) = self.sessions.get(&id).cloned() else { return };
        match message {
            Message::MMgrOpen(m) => self.handle_open(id, &session, *m, now),
            Message::MMgrUpdate(m) => self.handle_update(id, &session, *m, now),
            Message::MMgrReport(m) => self.handle_report(id, &session, *m, now),
            Message::MMgrClose(m) => self.handle_close(id, &session, *m),
            Message::MPGStats(m) => self.handle_pg_stats(&session, *m, now),
            Message::MCommand(m) => self.effects.push(Effect::Run(Request {
                session: id,
                tid: m.tid,
                tell: true,
                admin_socket: m.fsid != Fsid::default(),
                cmd: m.cmd,
                input: m.data,
            })),
            Message::MMgrCommand(m) => self.effects.push(Effect::Run(Request {
                session: id,
                tid: m.tid,
                tell: false,
                admin_socket: false,
                cmd: m.cmd,
                input: m.data,
            })),
            other => tracing::debug!(peer = %session.entity, message = other.name(), "unexpected message"),
        }
    }

    fn handle_open(&mut self, id: SessionId, session: &Session, m: MMgrOpen, now: UTime) {
        let Some(key) = self.key_of(id, session, &m.service_name, &m.daemon_name) else { return };
        self.send(id, self.configuration(session.kind()));
        let daemons = Arc::make_mut(&mut self.state.daemons);
        if m.service_daemon {
            let mut daemon = DaemonState::from_metadata(m.daemon_metadata.clone()).unwrap_or_default();
            daemon.service_daemon = true;
            daemon.service_status = m.daemon_status.clone();
            daemon.last_service_beacon = now;
            daemons.insert(key.clone(), daemon);
        } else if daemons.daemon(&key).is_none() {
            // Its host is not known yet: it may try again once it is.
            tracing::debug!(daemon = %key, "not described yet, closing its session");
            self.drop_session(id);
            self.fetch_metadata(key, session.addrs.0.first().map(ToString::to_string));
            return;
        }
        daemons.update(&key, |daemon| {
            adopt_config(daemon, &key, &m.config_bl);
            daemon.config_defaults_bl = m.config_defaults_bl.clone();
        });
        Arc::make_mut(&mut self.state.perf).open(&key);
        self.changed_by_report();
        if m.service_daemon {
            self.register_service_daemon(&key, session, m, now);
        }
        if !session.is_client()
            && let Some(session) = self.sessions.get_mut(&id)
        {
            session.configured = true;
        }
    }

    fn register_service_daemon(&mut self, key: &DaemonKey, session: &Session, m: MMgrOpen, now: UTime) {
        let gid = u64::try_from(session.name.num).unwrap_or(0);
        let addr = session.addrs.legacy_or_front();
        self.change_service_map(|map| {
            let epoch = map.epoch;
            let service = map.services.entry(key.kind.clone()).or_default();
            let known = service.daemons.get(&key.name).is_some_and(|d| d.gid == gid);
            if !known {
                let daemon = service.daemons.entry(key.name.clone()).or_default();
                daemon.gid = gid;
                daemon.addr = addr;
                daemon.start_epoch = epoch;
                daemon.start_stamp = now;
                daemon.metadata = m.daemon_metadata;
            }
            !known
        });
    }

    fn handle_update(&mut self, id: SessionId, session: &Session, m: MMgrUpdate, now: UTime) {
        if session.is_client() && m.service_name.is_empty() {
            return self.reject_client(id, session, &m.daemon_name, now);
        }
        let Some(key) = self.key_of(id, session, &m.service_name, &m.daemon_name) else { return };
        if m.need_metadata_update && !m.daemon_metadata.is_empty() {
            Arc::make_mut(&mut self.state.daemons).update_metadata(&key, m.daemon_metadata);
            self.changed();
        }
    }

    fn handle_close(&mut self, id: SessionId, session: &Session, m: MMgrClose) {
        let Some(key) = self.key_of(id, session, &m.service_name, &m.daemon_name) else { return };
        if let Some(daemon) = self.state.daemons.daemon(&key) {
            let service_daemon = daemon.service_daemon;
            Arc::make_mut(&mut self.state.daemons).remove(&key);
            Arc::make_mut(&mut self.state.perf).close(&key);
            self.changed();
            if service_daemon {
                self.change_service_map(|map| {
                    map.services.get_mut(&key.kind).is_some_and(|s| s.daemons.remove(&key.name).is_some())
                });
            }
        }
        // The same message back says that it was heard.
        self.send(id, m);
    }

    fn handle_report(&mut self, id: SessionId, session: &Session, m: MMgrReport, now: UTime) {
        if session.is_client() && m.service_name.is_empty() {
            return self.reject_client(id, session, &m.daemon_name, now);
        }
        let Some(key) = self.key_of(id, session, &m.service_name, &m.daemon_name) else { return };
        if self.state.daemons.daemon(&key).is_none() {
            self.drop_session(id);
            return self.fetch_metadata(key, session.addrs.0.first().map(ToString::to_string));
        }
        if let Err(why) = Arc::make_mut(&mut self.state.perf).apply(&key, &m, now) {
            tracing::warn!(daemon = %key, %why, "its counters cannot be read; its session starts anew");
            return self.drop_session(id);
        }
        let reports_health = matches!(session.kind(), EntityType::OSD | EntityType::MON);
        Arc::make_mut(&mut self.state.daemons).update(&key, |daemon| {
            adopt_config(daemon, &key, &m.config_bl);
            if daemon.service_daemon {
                if let Some(status) = &m.daemon_status {
                    daemon.service_status_stamp = now;
                    daemon.service_status = status.clone();
                }
                daemon.last_service_beacon = now;
            }
            if m.task_status.is_some() {
                daemon.last_service_beacon = now;
            }
            if reports_health {
                daemon.health_metrics = m.daemon_health_metrics.clone();
            }
        });
        self.changed_by_report();
        self.take_metrics(session, &m);
        if let Some(task_status) = m.task_status {
            self.change_service_map(|map| {
                let service = map.services.entry(key.kind.clone()).or_default();
                let daemon = service.daemons.entry(key.name.clone()).or_default();
                let changed = daemon.task_status != task_status;
                daemon.task_status = task_status;
                changed
            });
        }
    }

    /// What the daemon answers to performance queries.
    fn take_metrics(&self, session: &Session, m: &MMgrReport) {
        let queries = self.cluster.perf_queries();
        if session.kind() == EntityType::OSD {
            queries.apply_osd(&m.osd_perf_metric_reports);
        }
        match &m.metric_report_message {
            Some(MetricReport::Osd(payload)) if session.kind() == EntityType::OSD => {
                queries.apply_osd(&payload.report);
            }
            Some(MetricReport::Mds(payload)) if session.kind() == EntityType::MDS => {
                queries.apply_mds(&payload.metric_report, self.now_mono_secs);
            }
            _ => {}
        }
    }

    fn handle_pg_stats(&mut self, session: &Session, m: MPGStats, now: UTime) {
        let Some(osd) = session.osd().filter(|osd| self.state.osd_map.exists(*osd)) else {
            return tracing::debug!(peer = %session.entity, "PG statistics of no OSD of the map");
        };
        self.pending.report(&self.state.pg_map, &*self.state.osd_map, osd, m);
        let Some(reported) = &mut self.reported_osds else { return };
        reported.insert(osd);
        let map = &self.state.osd_map;
        let all = map.osds().filter(|osd| map.is_up(*osd)).all(|osd| reported.contains(&osd));
        if all {
            self.reported_osds = None;
            self.send_report(now);
        }
    }

    /// A message for an OSD, by whatever session it has.
    pub fn handle_to_osd(&mut self, osd: i32, message: Message) {
        match self.osd_sessions.get(&osd) {
            Some(id) => self.effects.push(Effect::ToDaemon(*id, message)),
            None => tracing::warn!(osd, message = message.name(), "the OSD has no session with the manager"),
        }
    }

    fn reject_client(&mut self, id: SessionId, session: &Session, daemon_name: &str, now: UTime) {
        // Upstream's words.
        let line = format!("rejecting report from non-daemon client {daemon_name} at {}", session.addrs);
        self.handle_log(LogEntry::CHANNEL_CLUSTER, LogPriority::WARN, &line, now);
        self.drop_session(id);
    }

    /// A daemon of a service goes by the service's name, another by its entity type. `None`: it claims to be somebody else
    /// and has lost its session.
    fn key_of(
        &mut self,
        id: SessionId,
        session: &Session,
        service_name: &str,
        daemon_name: &str,
    ) -> Option<DaemonKey> {
        let kind = if service_name.is_empty() { session.kind().name() } else { service_name };
        let foreign_kind =
            matches!(kind, "osd" | "mds" | "mgr" | "mon" | "client") && kind != session.kind().name();
        let foreign_name = is_named_by_identity(session.kind()) && daemon_name != session.entity.id;
        if foreign_kind || foreign_name {
            tracing::warn!(peer = %session.inst(), entity = %session.entity, kind, daemon_name,
                "a daemon reports under a name that is not its own; session closed");
            self.drop_session(id);
            return None;
        }
        Some(DaemonKey::new(kind, daemon_name))
    }

    fn drop_session(&mut self, id: SessionId) {
        self.handle_session_end(id);
        self.effects.push(Effect::Close(id));
    }

    /// How a daemon of that kind shall report (`DaemonServer::_send_configure`).
    fn configuration(&self, kind: EntityType) -> MMgrConfigure {
        let (stats_period, stats_threshold) = self.report_period();
        let mut out = MMgrConfigure { stats_period, stats_threshold, ..Default::default() };
        let queries = self.cluster.perf_queries();
        match kind {
            EntityType::OSD => out.osd_perf_metric_queries = queries.queries(Kind::Osd),
            EntityType::MDS => {
                out.metric_config_message = Some(MetricConfig::Mds(queries.queries(Kind::Mds)));
            }
            _ => {}
        }
        out
    }

    /// How often daemons report, and from which priority of counters on.
    pub(super) fn report_period(&self) -> (u32, u32) {
        let options = self.state.mgr_options();
        (options.mgr_stats_period, options.mgr_stats_threshold)
    }

    /// Changes options; daemons hear of it when it concerns them.
    pub(super) fn change_options(&mut self, change: impl FnOnce(&mut State)) {
        let before = self.report_period();
        change(&mut self.state);
        self.changed();
        if self.report_period() != before {
            self.configure_daemons();
        }
    }

    /// Every daemon hears of a new period or threshold (`DaemonServer::handle_conf_change`).
    pub(super) fn configure_daemons(&mut self) {
        let (period_secs, threshold) = self.report_period();
        tracing::info!(
            period_secs,
            threshold,
            "daemons report at another period or from another priority on"
        );
        self.configure(|_| true);
    }

    /// Daemons that performance queries ask hear of a change (`handle_osd_perf_metric_query_updated`, `handle_mds_…`).
    pub fn handle_perf_queries_changed(&mut self) {
        let changed = self.cluster.perf_queries().take_changed();
        if changed.contains(&Kind::Osd) {
            self.configure(|kind| kind == EntityType::OSD);
        }
        if changed.contains(&Kind::Mds) {
            self.configure(|kind| kind == EntityType::MDS);
        }
    }

    fn configure(&mut self, whom: impl Fn(EntityType) -> bool) {
        let mut messages = BTreeMap::new();
        let daemons = self.sessions.iter().filter(|(_, session)| session.configured && whom(session.kind()));
        for (id, session) in daemons {
            let message =
                messages.entry(session.kind()).or_insert_with(|| self.configuration(session.kind()));
            self.effects.push(Effect::ToDaemon(*id, Message::from(message.clone())));
        }
    }
}

/// Takes over the running configuration that a daemon tells; one that cannot be read is left out.
fn adopt_config(daemon: &mut DaemonState, key: &DaemonKey, config_bl: &[u8]) {
    match axon_proto::daemon_config::decode::<DaemonConfig>(config_bl) {
        Ok(Some(told)) => (daemon.config, daemon.ignored_mon_config) = (told.config, told.ignored_mon_config),
        Ok(None) => {}
        Err(why) => tracing::warn!(daemon = %key, %why, "its configuration cannot be read"),
    }
}

/// Kinds of daemons whose identity names them: who authenticated as `osd.0` speaks for `osd.0` only.
fn is_named_by_identity(kind: EntityType) -> bool {
    matches!(kind, EntityType::OSD | EntityType::MDS | EntityType::MGR)
}

#[cfg(test)]
#[path = "daemons_tests.rs"]
mod tests;
