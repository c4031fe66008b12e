//! The owner of the manager's state: every message of a monitor or daemon comes through here, changes the working copy and
//! is published as a snapshot (see `docs/decisions/0002-snapshots.md`). Pure: time comes in, what must be done goes out as
//! [`Effect`]s, which `run` carries out.
//!
//! `publish.rs` says when a snapshot is due; `monitors.rs` handles what monitors push, `daemons.rs` what daemons send, `report.rs` what the monitors are told.

mod beacon;
mod daemons;
mod effect;
#[cfg(test)]
mod failover_tests;
mod metadata;
mod monitors;
mod options;
mod publish;
mod report;
mod service_map;
mod session;
#[cfg(test)]
mod testing;

pub use effect::{Effect, Request};
pub use metadata::LISTS;
pub use monitors::SUBSCRIPTIONS;
pub use session::{Session, SessionId};

use crate::modules::Modules;
use axon_core::cluster_log::{Author, ClusterLog};
use axon_core::config::Level;
use axon_core::lifecycle::{self, Lifecycle, Need};
use axon_core::pg_map::Pending;
use axon_core::{Cluster, Command, State};
use axon_denc::Features;
use axon_modules::Progress;
use axon_proto::health::HealthCheckMap;
use axon_proto::log_entry::LogPriority;
use axon_proto::msgs::log::MLog;
use axon_proto::service_map::ServiceMap;
use axon_proto::{AuthEntity, EntityAddrVec, EntityName, EntityType, UTime};
use axon_pyhost::{Board, Mode};
use options::Options;
use publish::Change;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What the manager tells about itself for as long as it runs.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub metadata: BTreeMap<String, String>,
}

/// The working copy and everything that only the owner needs.
pub struct Owner {
    cluster: Cluster,
    state: State,
    lifecycle: Lifecycle,
    metadata: BTreeMap<String, String>,
    modules: Modules,
    sessions: BTreeMap<SessionId, Session>,
    /// Sessions of OSDs by number, to send them scrub and recovery requests.
    osd_sessions: BTreeMap<i32, SessionId>,
    /// The map that is ours to write while active; `None` before the monitors' first one.
    service_map: Option<PendingServiceMap>,
    /// The manager is ending: no beacon brings it back into the map.
    leaving: bool,
    /// OSDs that have reported since the activation; `None` once all have, or waiting for them was given up.
    reported_osds: Option<BTreeSet<i32>>,
    activated: UTime,
    /// By when (in seconds) the next digest of the monitors should be here; 0 before the first tick.
    digest_due: u32,
    server_addrs: EntityAddrVec,
    services: BTreeMap<String, String>,
    /// What the stock modules have told.
    board: Arc<Board>,
    /// Daemons whose metadata is being asked for.
    fetching: BTreeSet<axon_core::daemons::DaemonKey>,
    /// PG statistics that came since the last report.
    pending: Pending,
    /// What native modules warn about, by module.
    module_checks: BTreeMap<&'static str, HealthCheckMap>,
    /// What they say is under way, by module.
    module_progress: BTreeMap<&'static str, Progress>,
    log: ClusterLog,
    options: Options,
    effects: Vec<Effect>,
    change: Change,
    /// When the working copy was published last.
    published: UTime,
    publications: u64,
    /// The machine's monotonic clock, which Python modules compare with theirs.
    now_mono_secs: f64,
}

struct PendingServiceMap {
    map: ServiceMap,
    dirty: bool,
}

impl Owner {
    /// A standby. `state` holds what is known before the first message: identity, fsid and this host's options.
    #[must_use]
    pub fn new(cluster: Cluster, state: State, about: About, modules: Modules) -> Self {
        Owner {
            cluster,
            lifecycle: Lifecycle::new(state.me.gid),
            state,
            metadata: about.metadata,
            modules,
            sessions: BTreeMap::new(),
            osd_sessions: BTreeMap::new(),
            service_map: None,
            leaving: false,
            reported_osds: None,
            activated: UTime::ZERO,
            digest_due: 0,
            server_addrs: EntityAddrVec::default(),
            services: BTreeMap::new(),
            board: Arc::default(),
            fetching: BTreeSet::new(),
            pending: Pending::default(),
            module_checks: BTreeMap::new(),
            module_progress: BTreeMap::new(),
            log: ClusterLog::default(),
            options: Options::default(),
            effects: Vec::new(),
            change: Change::Urgent,
            published: UTime::ZERO,
            publications: 0,
            now_mono_secs: 0.0,
        }
    }

    /// What must be done now, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether this manager is or is becoming the active one.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        *self.lifecycle.phase() != lifecycle::Phase::Standby
    }

    /// The manager is ending. From now on it sends no beacon, by which the monitors would take it for a standby once it is out of
    /// the map.
    pub fn handle_leaving(&mut self) {
        self.leaving = true;
    }

    /// How this manager gets out of the map before it ends: an active one where a standby can take over, and a standby, so that nobody
    /// counts on it. `None`: by the monitors' patience, as upstream's.
    #[must_use]
    pub fn farewell(&self) -> Option<Command> {
        let (map, gid) = (&self.state.mgr_map, self.state.me.gid);
        let gone_for_good = map.standbys.keys().any(|standby| *standby != gid);
        let leaves = if map.active_gid == gid { gone_for_good } else { map.standbys.contains_key(&gid) };
        // By number: a successor of the same name must not be meant.
        leaves.then(|| Command::json("mgr fail").arg("who", gid.to_string()))
    }

    /// As what stock modules run now; `None` while this manager becomes active.
    #[must_use]
    pub fn module_mode(&self) -> Option<Mode> {
        match self.lifecycle.phase() {
            lifecycle::Phase::Standby => Some(Mode::Standby),
            lifecycle::Phase::Activating { .. } => None,
            lifecycle::Phase::Active => Some(Mode::Active),
        }
    }

    /// What the stock modules have told. The monitors hear of URIs and clients at once, as clients must be blocklisted with
    /// this manager; of health and progress with the next report.
    pub fn handle_board(&mut self, board: Arc<Board>) {
        let tell = board.services() != self.board.services() || board.clients() != self.board.clients();
        self.board = board;
        if tell && self.lifecycle.available() {
            self.send_beacon();
        }
    }

    /// What the machine's monotonic clock shows.
    pub fn handle_monotonic_clock(&mut self, secs: f64) {
        self.now_mono_secs = secs;
    }

    /// The daemons' address is bound.
    pub fn handle_listening(&mut self, addrs: EntityAddrVec) {
        self.server_addrs = addrs;
        self.step(lifecycle::Event::Met(Need::Listening));
    }

    /// The REST server answers at these URIs (by module), or has moved to them.
    pub fn handle_serving(&mut self, services: BTreeMap<String, String>) {
        self.services = services;
        self.step(lifecycle::Event::Met(Need::Serving));
    }

    /// A session with a monitor has begun, maybe under another global id; the addresses that it knows us by.
    pub fn handle_connected(&mut self, gid: u64, addrs: EntityAddrVec, now: UTime) {
        let name = AuthEntity::new(EntityType::MGR, self.state.me.id.clone());
        let rank = EntityName::new(EntityType::MGR, i64::try_from(gid).unwrap_or(i64::MAX));
        self.log.connected(Author { name, rank, addrs });
        let me = Arc::make_mut(&mut self.state.me);
        me.gid = gid;
        self.changed();
        let actions = self.lifecycle.apply_new_gid(gid);
        self.carry_out(actions, now);
    }

    /// The session with the monitor has ended; another one is looked for.
    pub fn handle_disconnected(&mut self) {
        self.log.disconnected();
    }

    /// A line for the cluster log.
    pub fn handle_log(&mut self, channel: &str, priority: LogPriority, text: &str, now: UTime) {
        // As upstream writes it into the log of the process.
        match priority {
            LogPriority::ERROR => tracing::error!("log_channel({channel}) log {priority} : {text}"),
            _ => tracing::info!("log_channel({channel}) log {priority} : {text}"),
        }
        let options = self.options.of(&self.state);
        self.log.write(channel, priority, text, &options, now);
        let lines = self.log.syslog_lines(channel, priority, text, &options);
        self.effects.extend(lines.into_iter().map(|(priority, text)| Effect::Syslog { priority, text }));
    }

    /// Sends the lines of the cluster log that are due; how long others may still wait, if some do.
    pub fn send_log(&mut self, now: UTime) -> Option<Duration> {
        let options = self.options.of(&self.state);
        let entries = self.log.poll_lines(&options, now);
        if !entries.is_empty() {
            let message = MLog { version: 0, fsid: self.state.fsid, entries };
            self.effects.push(Effect::ToMon(message.into()));
        }
        self.log.wait_secs(&options, now).and_then(|secs| Duration::try_from_secs_f64(secs).ok())
    }

    /// An option was set for as long as the manager runs, or is not any more.
    pub fn handle_set_option(&mut self, name: &str, value: Option<String>) {
        self.change_options(|state| {
            let settings = Arc::make_mut(&mut state.settings);
            match value {
                Some(value) => settings.set(Level::Override, name, value),
                None => settings.unset(Level::Override, name),
            }
        });
    }

    /// A native module's health checks, in the place of its earlier ones. Those of one that ended late, after a
    /// deactivation, do not count.
    pub fn handle_module_checks(&mut self, module: &'static str, checks: HealthCheckMap) {
        if self.is_chosen() {
            self.module_checks.insert(module, checks);
        }
    }

    /// What a native module says is under way, in the place of what it said before; the next report tells the monitors.
    pub fn handle_module_progress(&mut self, module: &'static str, events: Progress) {
        if self.is_chosen() {
            self.module_progress.insert(module, events);
        }
    }

    /// The clock moved: beacon, and while active the report to the monitors.
    pub fn handle_tick(&mut self, now: UTime) {
        if let lifecycle::Phase::Activating { missing } = self.lifecycle.phase()
            && now.sec.saturating_sub(self.activated.sec) >= LATE_SECS
        {
            tracing::warn!(?missing, "still becoming active");
        }
        self.send_beacon();
        self.expect_digest(now);
        if self.is_chosen() {
            self.send_report(now);
            self.adjust_pgs();
        }
    }

    /// Between two ticks.
    #[must_use]
    pub fn tick_period(&self) -> Duration {
        // A period of 0 would leave no time for anything else.
        Duration::from_secs(self.state.mgr_options().mgr_tick_period.0.max(1))
    }

    fn step(&mut self, event: lifecycle::Event) {
        let now = self.activated;
        let actions = self.lifecycle.apply(event);
        self.carry_out(actions, now);
    }

    fn carry_out(&mut self, actions: Vec<lifecycle::Action>, now: UTime) {
        for action in actions {
            match action {
                lifecycle::Action::Activate => self.activate(now),
                lifecycle::Action::Deactivate => self.deactivate(),
                lifecycle::Action::Beacon => self.send_beacon(),
            }
        }
    }

    fn activate(&mut self, now: UTime) {
        self.activated = now;
        // When the monitors drop an active manager they stop their timer of digests, until the next one subscribes
        // (`MgrMonitor::drop_active`): to have done so as a standby is not enough.
        self.effects.push(Effect::AskDigest);
        self.reported_osds = Some(BTreeSet::new());
        self.service_map = None;
        self.got_service_map();
        self.effects.push(Effect::Activate);
    }

    fn deactivate(&mut self) {
        self.sessions.clear();
        self.osd_sessions.clear();
        self.reported_osds = None;
        self.service_map = None;
        self.server_addrs = EntityAddrVec::default();
        self.services.clear();
        self.module_checks.clear();
        self.module_progress.clear();
        self.fetching.clear();
        self.cluster.perf_queries().clear();
        self.forget_reports();
        self.effects.push(Effect::Deactivate);
    }

    /// What daemons told counts for one activation: by the next one it is old, and daemons tell it again.
    fn forget_reports(&mut self) {
        Arc::make_mut(&mut self.state.daemons).forget_all();
        Arc::make_mut(&mut self.state.perf).close_all();
        self.state.pg_map = Arc::default();
        self.state.pg_ready = false;
        self.pending = Pending::default();
        if self.state.osd_map.epoch > 0 {
            let stamp = self.state.osd_map.modified;
            self.follow_pools(stamp);
        }
        self.changed();
    }

    fn send(&mut self, session: SessionId, message: impl Into<axon_proto::Message>) {
        self.effects.push(Effect::ToDaemon(session, message.into()));
    }
}

/// An activation that takes so long is told, with what it waits for.
const LATE_SECS: u32 = 5;

/// What Axon tells the monitors that it supports.
pub const MGR_FEATURES: Features = Features(axon_proto::features::SUPPORTED);
