//! What the active manager tells the monitors (`DaemonServer::send_report`): the digest of the PG map, health checks and the
//! service map. The first report waits until every OSD that is up has reported, or for four reporting periods.

use super::{Effect, Owner};
use axon_core::health::{HealthOptions, Subject, checks, daemon_checks};
use axon_modules::Progress;
use axon_proto::UTime;
use axon_proto::health::HealthCheckMap;
use axon_proto::log_entry::{LogEntry, LogPriority};
use axon_proto::msgs::mon_mgr_report::MMonMgrReport;
use std::sync::Arc;

impl Owner {
    pub(super) fn send_report(&mut self, now: UTime) {
        if !self.pg_map_is_ready(now) {
            return;
        }
        Arc::make_mut(&mut self.state.pg_map).settle(&mut self.pending, now);
        self.state.pg_ready = true;
        self.changed();
        let service_map = self.settle_service_map(now);
        let options = self.state.health_options();
        let health_checks = self.health_checks(&options, now);
        let report = MMonMgrReport {
            health_checks,
            service_map,
            progress_events: self.progress(),
            gid: self.state.me.gid,
            digest: self.state.pg_map.digest(&*self.state.osd_map, now, options.mon_pg_stuck_threshold),
        };
        self.effects.push(Effect::ToMon(report.into()));
        let line = format!("pgmap v{}: {}", self.state.pg_map.version, self.state.pg_map.oneline());
        self.handle_log(LogEntry::CHANNEL_CLUSTER, LogPriority::DEBUG, &line, now);
    }

    /// What native and stock modules say is under way.
    fn progress(&self) -> Progress {
        let mut out = self.board.progress.clone();
        out.extend(self.module_progress.values().flatten().map(|(id, event)| (id.clone(), event.clone())));
        out
    }

    /// Asks the monitors for the next steps of pools towards their numbers of PGs.
    pub(super) fn adjust_pgs(&mut self) {
        let commands = axon_core::adjust_pgs::adjust_pgs(&self.state).commands();
        self.effects.extend(commands.into_iter().map(Effect::MonCommand));
    }

    /// The PG map's checks, those of what daemons report about themselves, and the modules'.
    fn health_checks(&self, options: &HealthOptions, now: UTime) -> HealthCheckMap {
        let state = &self.state;
        let mut out = checks(&Subject {
            map: &state.pg_map,
            osds: &*state.osd_map,
            options,
            release: state.release,
            now,
        });
        let metrics =
            state.daemons.iter().flat_map(|(key, d)| d.health_metrics.iter().map(move |m| (key, m)));
        out.checks.extend(daemon_checks(metrics).checks);
        self.module_checks.values().for_each(|checks| out.merge(checks.clone()));
        out.merge(self.board.health());
        out.merge(self.modules.health(&state.mgr_map, state.release));
        out
    }

    fn pg_map_is_ready(&mut self, now: UTime) -> bool {
        let Some(reported) = &self.reported_osds else { return true };
        let waited_secs = now.sec.saturating_sub(self.activated.sec);
        if waited_secs <= self.state.mgr_options().mgr_stats_period.saturating_mul(4) {
            return false;
        }
        let up = self.state.osd_map.counts().1;
        tracing::warn!(
            reported = reported.len(),
            up,
            "some OSDs have not reported; PG states may be incomplete"
        );
        self.reported_osds = None;
        true
    }
}
