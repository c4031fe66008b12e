//! The listener against real daemons: a stand-in for a manager takes its place in the MgrMap by beacons, and the cluster's
//! OSDs and the CLI connect to it, in CRC and in SECURE mode; a session that we drop comes back by itself.
//!
//! `AXON_REAL_DIR`: a folder with running clusters (without a manager) named after their releases; without it each test
//! starts one of its own.

use anyhow::{Context, Result, bail, ensure};
use axon_cephx::{KeyRing, Principal};
use axon_launcher::{Cluster, Options, Release};
use axon_msgr::auth::con_mode;
use axon_msgr::{Compression, Limits, Local, Policy};
use axon_net::auth::{AuthContext, AuthPolicy, CephxServerAuth, MonClientAuth};
use axon_net::connection::{
    Bounds, Connected, ConnectionEvent, ConnectionHandle, Dial, GlobalSeq, connect, nonce,
};
use axon_net::listener::{Listener, ListenerConfig, Serving, SessionEvent, SessionId};
use axon_proto::msgs::{auth::MAuth, auth_reply::MAuthReply, mgr_beacon::MMgrBeacon, mgr_open::MMgrOpen};
use axon_proto::msgs::{mgr_command::MMgrCommand, pg_stats::MPGStats};
use axon_proto::{
    AuthEntity, EntityAddr, EntityType, Fsid, Message, MessageHeader, Payload, RawMessage, features,
};
use axon_testkit::with_cluster;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

const NAME: &str = "mgr.listener-test";
const OSDS: usize = 2;

#[test]
#[ignore = "needs a real cluster"]
fn daemons_of_pacific_connect() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn daemons_of_reef_connect() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn daemons_of_tentacle_connect() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let options = |options| Options { osds: OSDS as _, mds: 0, data: false, ..options };
    with_cluster(release, options, scenario).unwrap();
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    for mode in [con_mode::CRC, con_mode::SECURE] {
        let mut stand_in = StandIn::join(cluster, mode).await?;
        stand_in.meet_the_osds().await.with_context(|| format!("{:?}, mode {mode}", cluster.release()))?;
        stand_in.drop_and_meet_again().await?;
        stand_in.meet_the_cli(cluster).await?;
        println!("{:?}, mode {mode}: {} sessions seen", cluster.release(), stand_in.sessions.len());
    }
    Ok(())
}

/// What a manager needs to be one for the monitors and the daemons.
struct StandIn {
    mode: u32,
    sessions: BTreeMap<SessionId, (AuthEntity, ConnectionHandle)>,
    events: mpsc::Receiver<SessionEvent>,
    beacons: tokio::task::JoinHandle<()>,
    _serving: Serving,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.beacons.abort();
    }
}

impl StandIn {
    async fn join(cluster: &Cluster, mode: u32) -> Result<Self> {
        let caps = ["auth", "get-or-create", NAME, "mon", "allow profile mgr", "osd", "allow *"];
        let keyring = KeyRing::parse(&cluster.ceph_ok(&caps)?, Path::new("auth"))?;
        let name: AuthEntity = NAME.parse()?;
        let key = keyring.key(&name, Path::new("auth"))?;
        let context = AuthContext::new(Principal { name, key }, 0x17);
        let policy = Arc::new(AuthPolicy::new(EntityType::MGR).with_mode(mode));
        let mut session = login(cluster, &context, &policy).await?;
        rotating_keys(&mut session, &context).await?;

        let gid = context.global_id();
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listener = Listener::bind(ListenerConfig::of_manager(gid, ip, nonce()?)).await?;
        let beacon = MMgrBeacon {
            gid,
            server_addrs: listener.addrs().clone(),
            name: NAME.trim_start_matches("mgr.").to_owned(),
            fsid: cluster.ceph_ok(&["fsid"])?.trim().parse::<Fsid>()?,
            mgr_features: features::SUPPORTED,
            ..MMgrBeacon::default()
        };
        let (serving, events) = listener
            .serve(Arc::new(move |_| Box::new(CephxServerAuth::new(context.clone(), policy.clone()))));
        let beacons = tokio::spawn(beat(session, beacon));
        Ok(StandIn { mode, sessions: BTreeMap::new(), events, beacons, _serving: serving })
    }

    /// The next message of a kind, with its sender.
    async fn expect(&mut self, kind: u16) -> Result<(SessionId, AuthEntity)> {
        loop {
            let event = timeout(Duration::from_secs(60), self.events.recv()).await;
            match event.context("no daemon connects")?.context("the listener is gone")? {
                SessionEvent::Opened { id, peer, handle } => {
                    ensure!(peer.con_mode == self.mode, "mode {} of {}", peer.con_mode, peer.name);
                    let who = peer.identity.context("an accepted peer has an identity")?.name;
                    ensure!(who.kind == peer.name.kind, "{who} calls itself {}", peer.name);
                    self.sessions.insert(id, (who, handle));
                }
                SessionEvent::Message { id, message } => {
                    let (who, _) = self.sessions.get(&id).context("a message before Opened")?;
                    if message.header.kind == kind {
                        Message::decode(message).with_context(|| format!("from {who}"))?;
                        return Ok((id, who.clone()));
                    }
                }
                SessionEvent::Closed { .. } | SessionEvent::KeepaliveAck { .. } => {}
                SessionEvent::Resumed { .. } => bail!("a manager keeps no sessions"),
            }
        }
    }

    /// The monitors come too, so only OSDs are counted.
    async fn meet_the_osds(&mut self) -> Result<()> {
        let mut met = BTreeSet::new();
        while met.len() < OSDS {
            let (id, who) = self.expect(MMgrOpen::TYPE).await?;
            if who.kind == EntityType::OSD {
                let (_, handle) = self.sessions.get(&id).context("the session is known")?;
                handle.send(report_every_second()).await?;
                met.insert(who);
            }
        }
        // More than a first message: they do as they are told, and go on talking.
        let (_, who) = self.expect(MPGStats::TYPE).await?;
        ensure!(who.kind == EntityType::OSD, "{who}");
        Ok(())
    }

    async fn drop_and_meet_again(&mut self) -> Result<()> {
        let osd = self.sessions.iter().find(|(_, (who, _))| who.kind == EntityType::OSD);
        let (old, (who, handle)) = osd.context("an OSD's session")?;
        let (old, who) = (*old, who.clone());
        handle.close();
        loop {
            let (id, again) = self.expect(MMgrOpen::TYPE).await?;
            if again == who && id != old {
                return Ok(());
            }
        }
    }

    /// `ceph pg stat` asks the manager, which here does not answer.
    async fn meet_the_cli(&mut self, cluster: &Cluster) -> Result<()> {
        let mut command = cluster.ceph_command(&["pg", "stat"]);
        let mut cli = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let met = self.expect(MMgrCommand::TYPE).await;
        cli.kill()?;
        cli.wait()?;
        let (_, who) = met?;
        ensure!(who.to_string() == "client.admin", "{who}");
        Ok(())
    }
}

/// `MMgrConfigure` in its first version, which every release reads: the seconds between reports.
fn report_every_second() -> RawMessage {
    let header = MessageHeader {
        kind: 0x701,
        priority: 127,
        version: 1,
        compat_version: 1,
        ..MessageHeader::default()
    };
    RawMessage { header, front: Bytes::copy_from_slice(&1u32.to_le_bytes()), ..RawMessage::default() }
}

async fn login(cluster: &Cluster, context: &Arc<AuthContext>, policy: &Arc<AuthPolicy>) -> Result<Connected> {
    let (auth, slot) = MonClientAuth::new(context.clone(), policy.clone());
    let dial = Dial {
        local: Local { kind: EntityType::MGR, nonce: nonce()?, ..Local::default() },
        peer: EntityType::MON,
        target: EntityAddr::v2(SocketAddr::from(([127, 0, 0, 1], cluster.state().ports.mon(0)))),
        policy: Policy::lossy_client(0),
        limits: Limits::default(),
        compression: Compression::default(),
        bounds: Bounds::default(),
        deadline: Duration::from_secs(10),
        global_seq: Arc::new(GlobalSeq::default()),
        connections: Default::default(),
        detour: None,
    };
    let session = connect(dial, Box::new(auth)).await?;
    context.adopt(slot.take().context("the login left no credentials")?);
    Ok(session)
}

async fn rotating_keys(session: &mut Connected, context: &AuthContext) -> Result<()> {
    let auth_payload = context.rotating_request().context("rotating keys are due at first")?;
    let request = MAuth { protocol: 2, auth_payload, ..MAuth::default() };
    session.handle.send(Message::from(request)).await?;
    loop {
        match timeout(Duration::from_secs(10), session.events.recv()).await?.context("the session is gone")? {
            ConnectionEvent::Message(raw) if raw.header.kind == MAuthReply::TYPE => {
                let reply = MAuthReply::decode(&raw)?;
                context.handle_reply(reply.result, &reply.result_bl)?;
                return Ok(());
            }
            ConnectionEvent::Closed(why) => bail!("the monitor closed the session: {why:?}"),
            _ => {}
        }
    }
}

/// Tells the monitor every second that the manager lives; that it is available only after the monitor has had time to
/// make it the active one, for a manager that claims to be active too early is ignored.
async fn beat(mut session: Connected, mut beacon: MMgrBeacon) {
    const BEACONS_BEFORE: u32 = 6;
    let mut sent = 0;
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {
                beacon.available = sent >= BEACONS_BEFORE;
                sent += 1;
                if session.handle.send(Message::from(beacon.clone())).await.is_err() {
                    return;
                }
            }
            event = session.events.recv() => if let Some(ConnectionEvent::Closed(why)) = event {
                println!("the monitor's session ended: {why:?}");
                return;
            }
        }
    }
}
