//! Runs the manager: connects, feeds the owner, carries out what it wants done, and stops when told to.
//!
//! One task owns the state (see `owner`); everything that waits for somebody else is a task of its own that reports back by
//! a channel. `active.rs` is what exists only while this manager is active.

use crate::active::Active;
use crate::admin_socket::AdminSocket;
use crate::dispatch::{Dispatcher, Sink};
use crate::hosting::{Hosting, HostingConfig};
use crate::identity;
use crate::log::Log;
use crate::modules::Modules;
use crate::owner::{About, Effect, LISTS, Owner, SUBSCRIPTIONS, Session, SessionId};
use crate::tell::{Process, Tell};
use anyhow::Context;
use axon_core::caps::MgrCap;
use axon_core::config::{Level, Settings};
use axon_core::daemons::DaemonKey;
use axon_core::tell::Counter;
use axon_core::{Cluster, Command, CommandOutput, Identity, State, Target};
use axon_modules::Progress;
use axon_net::connection::ConnectionHandle;
use axon_net::listener::SessionEvent;
use axon_net::mon::MonError;
use axon_net::{Client, Event};
use axon_proto::health::HealthCheckMap;
use axon_proto::log_entry::LogPriority;
use axon_proto::{EntityAddrVec, EntityType, Message, Release, UTime};
use axon_pyhost::{Descriptions, Mode};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// What `axon mgr` was told.
#[derive(Clone, Debug)]
pub struct Config {
    pub id: String,
    pub net: axon_net::Config,
    /// The stock modules.
    pub hosting: HostingConfig,
    /// `public_addr`; `None`: the address that the monitors see.
    pub public_ip: Option<std::net::IpAddr>,
    /// What `ceph.conf`, the environment and the command line say.
    pub settings: Settings,
    /// Its log, and who looks after it.
    pub process: Arc<dyn Process>,
}

/// What tasks report back to the owner.
pub(crate) enum Report {
    AllMetadata(Vec<(&'static str, Value)>),
    Metadata {
        key: DaemonKey,
        answer: Option<Value>,
        addr: Option<String>,
    },
    Listening(EntityAddrVec),
    Serving(BTreeMap<String, String>),
    /// A command wants a message sent to an OSD's session.
    ToOsd {
        osd: i32,
        message: Message,
    },
    /// An option is set at runtime, or that is taken back.
    SetOption {
        name: String,
        value: Option<String>,
    },
    /// The health checks of a native module; they replace its earlier ones.
    ModuleChecks {
        module: &'static str,
        checks: HealthCheckMap,
    },
    /// The operations under way that a native module tells of; they replace its earlier ones.
    ModuleProgress {
        module: &'static str,
        events: Progress,
    },
    /// A line for the cluster log.
    Log {
        channel: String,
        priority: LogPriority,
        text: String,
    },
    /// The daemons' address cannot be bound: nothing can be done but give up.
    Fatal(String),
}

/// Reports that may wait for the owner.
const REPORTS_MAX: usize = 1024;

/// Messages of the monitors that are applied before a snapshot is published.
const BATCH_EVENTS_MAX: usize = 64;

/// How long an ending manager waits for commands that run, and for the monitors to take it out of the map.
const LEAVE_COMMANDS_MAX: Duration = Duration::from_secs(2);
const LEAVE_MAP_MAX: Duration = Duration::from_secs(4);

/// Runs until `stop` resolves or nothing can be done any more.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(stop);
    let (client, mut events) = axon_net::connect(config.net.clone())?;
    let reports = mpsc::channel(REPORTS_MAX);
    let tell = Arc::new(Tell::new(config.settings.clone(), reports.0.clone(), config.process.clone()));
    // Before the monitors: who runs without them can be asked why.
    let _admin_socket = AdminSocket::start(tell.clone()).await;
    // Meanwhile: the first beacon says what modules there are.
    let stock = {
        let (hosting, id) = (config.hosting.clone(), config.id.clone());
        tokio::spawn(async move { hosting.describe(&id).await })
    };
    config.process.status("looking for a monitor");
    let process = config.process.clone();
    let begin = async {
        let open = first_session(&client).await?;
        anyhow::Ok((open, Arc::new(stock.await.context("the modules cannot be looked at")?)))
    };
    let (open, stock) = tokio::select! {
        begun = begin => begun?,
        () = alive(&*process) => return Ok(()),
        () = &mut stop => {
            process.stopping();
            return Ok(());
        }
    };
    let mut runner = Runner::new(config, client, open, tell, reports, stock).await?;
    let mut next_tick = Instant::now();
    let mut settle_within = None;
    let mut leaving = None;
    loop {
        tokio::select! {
            biased;
            () = &mut stop, if leaving.is_none() => {
                runner.config.process.stopping();
                leaving = Some(runner.leave());
            }
            () = ended(&mut leaving) => break,
            () = tokio::time::sleep_until(next_tick) => {
                runner.owner.handle_tick(now());
                runner.config.process.alive();
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                runner.tell.perf.set(Counter::Tasks, tasks as u64);
                // The period may have changed.
                next_tick = Instant::now() + runner.owner.tick_period();
            }
            event = events.recv() => {
                let Some(event) = event else { anyhow::bail!("the monitors' session has ended") };
                runner.handle_event(event);
                // What waits with it makes one snapshot.
                for event in std::iter::from_fn(|| events.try_recv().ok()).take(BATCH_EVENTS_MAX) {
                    runner.handle_event(event);
                }
            }
            event = runner.active.next_event() => runner.handle_session_event(event),
            () = runner.queries_changed.notified() => runner.owner.handle_perf_queries_changed(),
            board = runner.hosting.next_board() => runner.owner.handle_board(board),
            Some(report) = runner.reports.recv() => runner.handle_report(report)?,
            () = after(settle_within) => {}
        }
        settle_within = runner.settle().await;
    }
    info!("stopping");
    runner.dispatcher.set_leads(false);
    runner.active.stop();
    runner.hosting.stop().await;
    runner.client.shutdown();
    Ok(())
}

/// Resolves when the task has ended; never without one.
async fn ended(task: &mut Option<JoinHandle<()>>) {
    match task {
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}

/// Resolves after that time; never without one.
async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Says again and again that this task works.
async fn alive(process: &dyn Process) {
    loop {
        process.alive();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits for the first session. What can pass is waited for and logged; a refusal is final.
async fn first_session(client: &Client) -> anyhow::Result<axon_net::mon::OpenSession> {
    loop {
        match client.ready(Duration::from_secs(30)).await {
            Ok(open) => return Ok(open),
            Err(why @ (MonError::Refused { .. } | MonError::WrongCluster { .. } | MonError::Closed)) => {
                return Err(why.into());
            }
            Err(why) => warn!(%why, "no session with a monitor yet, still trying"),
        }
    }
}

struct Runner {
    config: Config,
    client: Client,
    cluster: Cluster,
    dispatcher: Arc<Dispatcher>,
    tell: Arc<Tell>,
    owner: Owner,
    active: Active,
    hosting: Hosting,
    handles: HashMap<SessionId, ConnectionHandle>,
    /// The options that our own connections go by.
    settings: Arc<Settings>,
    reports: mpsc::Receiver<Report>,
    reports_tx: mpsc::Sender<Report>,
    queries_changed: Arc<Notify>,
}

impl Runner {
    async fn new(
        config: Config,
        client: Client,
        open: axon_net::mon::OpenSession,
        tell: Arc<Tell>,
        (reports_tx, reports): (mpsc::Sender<Report>, mpsc::Receiver<Report>),
        stock: Arc<Descriptions>,
    ) -> anyhow::Result<Self> {
        let fsid = client.fsid().context("the monitors have not told the cluster's fsid")?;
        let modules = Modules::new(stock.clone());
        let metadata = identity::metadata(&client, &open).await;
        let me = Identity {
            id: config.id.clone(),
            gid: client.my_global_id(),
            hostname: metadata.get("hostname").cloned().unwrap_or_default(),
            ceph_version: metadata.get("ceph_version").cloned().unwrap_or_default(),
        };
        config.process.identify(&me.ceph_version);
        config.process.status("standby");
        info!(id = %me.id, gid = me.gid, %fsid, monitor = %open.mon, "connected");
        let major = metadata.get("ceph_version_short").and_then(|v| v.split('.').next()?.parse().ok());
        let release = major.and_then(Release::from_number).unwrap_or(Release::NEWEST);
        let mut settings = config.settings.clone();
        settings.set(Level::Override, "fsid", fsid.to_string());
        if release >= Release::Reef {
            let host = settings.variables().host.clone();
            settings.set(Level::Override, "host", host);
        }
        let settings = Arc::new(settings);
        let state = State { fsid, me: Arc::new(me), release, settings: settings.clone(), ..State::default() };
        let dispatcher = Arc::new(Dispatcher::new(modules.clone(), reports_tx.clone(), tell.clone()));
        let sink = Sink { client: client.clone(), dispatcher: dispatcher.clone() };
        let cluster = Cluster::new(state.clone(), Arc::new(sink));
        dispatcher.attach(cluster.clone());
        tell.attach(cluster.clone(), client.clone());
        let hosting = Hosting::new(
            &config.hosting,
            &config.id,
            cluster.clone(),
            client.clone(),
            Log::new(reports_tx.clone()),
            dispatcher.native().operations(),
            stock,
        );
        dispatcher.attach_hosts(hosting.hosts().clone());
        let about = About { metadata };
        let owner = Owner::new(cluster.clone(), state, about, modules);
        for what in SUBSCRIPTIONS {
            client.subscribe(what, 0).await;
        }
        let active = Active::standby(cluster.clone(), config.public_ip);
        let queries_changed = Arc::new(Notify::new());
        let changed = queries_changed.clone();
        cluster.perf_queries().on_change(move || changed.notify_one());
        Ok(Runner {
            config,
            client,
            cluster,
            dispatcher,
            tell,
            owner,
            active,
            hosting,
            handles: HashMap::new(),
            settings,
            reports,
            reports_tx,
            queries_changed,
        })
    }

    /// Gets out of the manager map, so that a standby takes over at once: commands that run are answered first, later ones are for
    /// the next manager. Meanwhile everything else goes on. Upstream's manager exits at once and leaves it to the monitors to
    /// miss its beacons.
    fn leave(&mut self) -> JoinHandle<()> {
        self.owner.handle_leaving();
        let (farewell, dispatcher, cluster) =
            (self.owner.farewell(), self.dispatcher.clone(), self.cluster.clone());
        info!(hands_over = farewell.is_some(), "ending");
        tokio::spawn(async move {
            if tokio::time::timeout(LEAVE_COMMANDS_MAX, dispatcher.leave()).await.is_err() {
                warn!("commands still run; they are left");
            }
            let Some(mut command) = farewell else { return };
            command.deadline = LEAVE_MAP_MAX;
            match cluster.command(Target::Mon, command).await.and_then(CommandOutput::success) {
                Ok(_) => info!("the monitors know"),
                Err(why) => warn!(%why, "the monitors will miss this manager's beacons"),
            }
        })
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected(open) => {
                info!(monitor = %open.mon, "session with a monitor");
                self.owner.handle_connected(self.client.my_global_id(), self.client.my_addrs(), now());
            }
            Event::Message(message) => {
                self.tell.perf.inc(Counter::MonMessages);
                self.owner.handle_mon_message(message, now());
            }
            Event::Disconnected { why } => {
                warn!(%why, "session with the monitor lost, looking for another");
                self.owner.handle_disconnected();
            }
        }
    }

    fn handle_session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Opened { id, peer, handle } => match session_of(&peer) {
                Ok(session) => {
                    self.handles.insert(id, handle);
                    self.owner.handle_session(id, session);
                }
                Err(why) => {
                    warn!(peer = %peer.name, %why, "capabilities cannot be read; session closed");
                    handle.close();
                }
            },
            SessionEvent::Message { id, message } => match Message::decode(message) {
                Ok(message) => {
                    self.tell.perf.inc(Counter::DaemonMessages);
                    self.owner.handle_monotonic_clock(monotonic_secs());
                    self.owner.handle_daemon_message(id, message, now());
                }
                Err(why) => {
                    self.tell.perf.inc(Counter::MalformedMessages);
                    warn!(?id, %why, "malformed message; session closed");
                    self.close(id);
                    self.owner.handle_session_end(id);
                }
            },
            SessionEvent::Closed { id, .. } => {
                self.handles.remove(&id);
                self.owner.handle_session_end(id);
            }
            SessionEvent::KeepaliveAck { .. } | SessionEvent::Resumed { .. } => {}
        }
    }

    fn handle_report(&mut self, report: Report) -> anyhow::Result<()> {
        match report {
            Report::AllMetadata(lists) => self.owner.handle_all_metadata(lists),
            Report::Metadata { key, answer, addr } => self.owner.handle_metadata(&key, answer.as_ref(), addr),
            Report::Listening(addrs) => self.owner.handle_listening(addrs),
            Report::Serving(services) => self.owner.handle_serving(services),
            Report::ToOsd { osd, message } => self.owner.handle_to_osd(osd, message),
            Report::SetOption { name, value } => self.owner.handle_set_option(&name, value),
            Report::ModuleChecks { module, checks } => self.owner.handle_module_checks(module, checks),
            Report::ModuleProgress { module, events } => self.owner.handle_module_progress(module, events),
            Report::Log { channel, priority, text } => {
                self.owner.handle_log(&channel, priority, &text, now());
            }
            Report::Fatal(why) => anyhow::bail!(why),
        }
        Ok(())
    }

    /// Publishes what is due and carries out what the owner wants done; how long what still waits may wait.
    async fn settle(&mut self) -> Option<Duration> {
        let now = now();
        let waits = [self.owner.publish(now), self.owner.send_log(now)];
        self.tell.perf.set(Counter::Snapshots, self.owner.publications());
        self.tell.perf.set(Counter::Sessions, self.handles.len() as u64);
        let state = self.cluster.state();
        self.client.set_osd_map(state.osd_map.clone());
        if !Arc::ptr_eq(&self.settings, &state.settings) {
            self.settings = state.settings.clone();
            self.client.set_options(&|name| state.settings.value(name));
            self.config.process.configure(&state.settings);
        }
        let mode = self.owner.module_mode();
        self.dispatcher.follow(&state);
        self.dispatcher.set_leads(mode != Some(Mode::Standby));
        self.hosting.follow(&state, mode);
        for effect in self.owner.take_effects() {
            match effect {
                Effect::ToMon(message) => self.client.send_mon(message).await,
                Effect::ToDaemon(id, message) => {
                    if let Some(handle) = self.handles.get(&id)
                        && !matches!(handle.try_send(message), Ok(true))
                    {
                        // A peer that does not read costs its own session.
                        warn!(?id, "a peer does not take its messages; session closed");
                        self.close(id);
                    }
                }
                Effect::Close(id) => self.close(id),
                Effect::Activate => self.activate().await,
                Effect::Deactivate => {
                    info!("no longer active");
                    self.config.process.status("standby");
                    self.handles.clear();
                    self.dispatcher.set_dashboard(None);
                    self.dispatcher.native().stop();
                    self.active.stand_by(&self.cluster, self.config.public_ip).await;
                }
                Effect::FetchMetadata { key, command, addr } => self.fetch_metadata(key, command, addr),
                Effect::Notify(kind) => {
                    self.hosting.hosts().notify(kind, "");
                    self.dispatcher.native().notify(kind);
                }
                Effect::ConfigNotify => {
                    self.hosting.hosts().config_notify();
                    self.dispatcher.native().options_changed();
                }
                Effect::FullOsdMap => self.client.subscribe("osdmap", 0).await,
                Effect::AskDigest => {
                    self.client.unsubscribe("mgrdigest").await;
                    self.client.subscribe("mgrdigest", 0).await;
                }
                Effect::Run(request) => {
                    let (Some(session), Some(handle)) =
                        (self.owner.session(request.session), self.handles.get(&request.session))
                    else {
                        continue;
                    };
                    self.dispatcher.clone().answer(request, session.clone(), handle.clone());
                }
                Effect::MonCommand(command) => self.send_command(command),
                Effect::Syslog { priority, text } => self.config.process.syslog(priority, &text),
            }
        }
        waits.into_iter().flatten().min()
    }

    fn send_command(&self, command: Command) {
        let cluster = self.cluster.clone();
        tokio::spawn(async move {
            let text = command.to_json();
            match cluster.command(Target::Mon, command).await.and_then(CommandOutput::success) {
                Ok(_) => info!(command = text, "sent to the monitors"),
                Err(why) => warn!(command = text, %why, "refused by the monitors"),
            }
        });
    }

    fn close(&mut self, id: SessionId) {
        if let Some(handle) = self.handles.remove(&id) {
            handle.close();
        }
    }

    async fn activate(&mut self) {
        info!("chosen as the active manager");
        self.config.process.status("active");
        let gid = self.cluster.state().me.gid;
        self.active
            .start(
                &self.client,
                &self.cluster,
                gid,
                self.config.public_ip,
                &self.dispatcher,
                &self.reports_tx,
            )
            .await;
        self.dispatcher.native().start(&self.cluster);
        let (cluster, reports) = (self.cluster.clone(), self.reports_tx.clone());
        tokio::spawn(async move {
            let mut lists = Vec::new();
            for (kind, prefix, _) in LISTS {
                lists.push((kind, list_until_answered(&cluster, prefix).await));
            }
            let _ = reports.send(Report::AllMetadata(lists)).await;
        });
    }

    fn fetch_metadata(&self, key: DaemonKey, command: Command, addr: Option<String>) {
        let (cluster, reports) = (self.cluster.clone(), self.reports_tx.clone());
        tokio::spawn(async move {
            let answer = match cluster.command(Target::Mon, command).await.and_then(|o| o.json()) {
                Ok(answer) => Some(answer),
                Err(why) => {
                    warn!(daemon = %key, %why, "the monitors do not describe it");
                    None
                }
            };
            let _ = reports.send(Report::Metadata { key, answer, addr }).await;
        });
    }
}

/// An activation cannot go on without these lists, so it asks until it has them.
async fn list_until_answered(cluster: &Cluster, prefix: &str) -> Value {
    loop {
        match cluster.command(Target::Mon, Command::json(prefix)).await.and_then(|o| o.json()) {
            Ok(list) => return list,
            Err(why) => error!(prefix, %why, "cannot list daemons, asking again"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn session_of(peer: &axon_msgr::Peer) -> Result<Session, String> {
    let identity = peer.identity.as_ref().ok_or("it has not authenticated")?;
    // Monitors come with no capabilities of their own and are trusted by their key.
    let caps = if identity.allow_all || identity.name.kind == EntityType::MON {
        MgrCap::allow_all()
    } else if identity.caps.is_empty() {
        MgrCap::default()
    } else {
        let text =
            axon_denc::Reader::named(&identity.caps, "AuthCapsInfo").string().map_err(|e| e.to_string())?;
        MgrCap::parse(&text).map_err(|e| e.to_string())?
    };
    Ok(Session {
        entity: identity.name.clone(),
        name: peer.name,
        addrs: peer.addrs.clone(),
        caps,
        configured: false,
    })
}

/// `CLOCK_MONOTONIC_COARSE`, the clock of `MDSPerfMetricCollector`; 0 on a machine without.
fn monotonic_secs() -> f64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)
        .map_or(0.0, |t| t.tv_sec() as f64 + t.tv_nsec() as f64 / 1e9)
}

pub(crate) fn now() -> UTime {
    SystemTime::now().into()
}
