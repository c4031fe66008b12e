//! Cephx against real monitors and OSDs, in CRC and in SECURE mode: login, reclaim of the global id, rotating keys, renewal over the
//! session, an authorizer at an OSD, and our verifier with a real monitor, OSD and CLI.
//!
//! `AXON_REAL_DIR`: a folder with running clusters named after their releases; without it each test starts one of its own.

use anyhow::{Context, Result, anyhow, bail, ensure};
use axon_cephx::wire::request;
use axon_cephx::{Credentials, KeyRing, KeyType, Principal};
use axon_launcher::{Cluster, Options, Release};
use axon_msgr::auth::{ClientAuth, con_mode};
use axon_msgr::{Acceptor, Compression, Connection, Connector, Event, Limits, Local, Peer, Policy};
use axon_net::auth::{AuthContext, AuthPolicy, CephxServerAuth, MonClientAuth, Renewed, ServiceClientAuth};
use axon_net::connection::{Bounds, Connected, ConnectionEvent, Dial, GlobalSeq, connect};
use axon_proto::msgs::{auth::MAuth, auth_reply::MAuthReply, mgr_beacon::MMgrBeacon};
use axon_proto::{AddrType, AuthEntity, EntityAddr, EntityAddrVec, EntityType, Message, Payload};
use axon_testkit::with_cluster;
use bytes::Bytes;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};

/// mon, mds, osd, mgr: what a manager wants tickets for.
const WANT: u32 = 0x01 | 0x02 | 0x04 | 0x10;
const CEPHX: u32 = 2;

#[test]
#[ignore = "needs a real cluster"]
fn cephx_with_pacific() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn cephx_with_reef() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn cephx_with_tentacle() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let options = |options| Options { osds: 1, mds: 0, data: false, ..options };
    with_cluster(release, options, scenario).unwrap();
}

/// A manager's identity in the cluster.
struct Site<'a> {
    cluster: &'a Cluster,
    context: Arc<AuthContext>,
    policy: Arc<AuthPolicy>,
    global_seq: Arc<GlobalSeq>,
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    for mode in [con_mode::CRC, con_mode::SECURE] {
        let site = Site::new(cluster, mode, principal(cluster, NAME, &[])?);
        site.run(mode).await.with_context(|| format!("{:?}, mode {mode}", cluster.release()))?;
        site.lost_ticket().await?;
    }
    if cluster.release() == Release::Tentacle {
        // As in a cluster that was upgraded to 20.2: an older key beside the newer ones of the service.
        cluster.ceph_ok(&["mon", "set", "auth_allowed_ciphers", "aes,aes256k"])?;
        cluster.ceph_ok(&["config", "set", "mon", "mon_auth_allow_insecure_key", "true"])?;
        sleep(Duration::from_secs(2)).await;
        let old = principal(cluster, "mgr.cephx-old", &["--key_type", "aes"])?;
        ensure!(old.key.kind() == KeyType::AES);
        Site::new(cluster, con_mode::SECURE, old).run(con_mode::SECURE).await?;
    }
    wrong_key(cluster).await
}

const NAME: &str = "mgr.cephx-test";

fn principal(cluster: &Cluster, name: &str, more: &[&str]) -> Result<Principal> {
    let mut call = vec!["auth", "get-or-create", name, "mon", "allow profile mgr", "osd", "allow *"];
    call.extend(more);
    let text = cluster.ceph_ok(&call)?;
    let name: AuthEntity = name.parse()?;
    let key = KeyRing::parse(&text, Path::new("auth"))?.key(&name, Path::new("auth"))?;
    println!("{:?}: {name} has {key:?}", cluster.release());
    Ok(Principal { name, key })
}

impl<'a> Site<'a> {
    fn new(cluster: &'a Cluster, mode: u32, principal: Principal) -> Self {
        let context = AuthContext::new(principal, WANT);
        let policy = Arc::new(AuthPolicy::new(EntityType::MGR).with_mode(mode));
        Site { cluster, context, policy, global_seq: Arc::default() }
    }

    /// Without the ticket that proves it, a global id is refused; the next login gets another one.
    async fn lost_ticket(&self) -> Result<()> {
        let mut lost = Credentials::default();
        lost.global_id = self.context.global_id();
        self.context.adopt(lost);
        let id = self.context.global_id();
        let e = self.login().await.err().context("a global id was given away without its ticket")?;
        ensure!(e.to_string().contains("keep its global id"), "{e}");
        self.login().await?;
        ensure!(self.context.global_id() != id && self.context.global_id() != 0);
        Ok(())
    }

    fn mon(&self) -> EntityAddr {
        EntityAddr::v2(SocketAddr::from(([127, 0, 0, 1], self.cluster.state().ports.mon(0))))
    }

    async fn dial(
        &self,
        peer: EntityType,
        target: EntityAddr,
        auth: impl ClientAuth + 'static,
    ) -> Result<Connected> {
        let dial = Dial {
            local: Local { kind: EntityType::MGR, ..Local::default() },
            peer,
            target,
            policy: Policy::lossy_client(0),
            limits: Limits::default(),
            compression: Compression::default(),
            bounds: Bounds::default(),
            deadline: Duration::from_secs(10),
            global_seq: self.global_seq.clone(),
            connections: Default::default(),
            detour: None,
        };
        Ok(connect(dial, Box::new(auth)).await?)
    }

    async fn login(&self) -> Result<Connected> {
        let (auth, slot) = MonClientAuth::new(self.context.clone(), self.policy.clone());
        let session = self.dial(EntityType::MON, self.mon(), auth).await?;
        self.context.adopt(slot.take().context("the login left no credentials")?);
        Ok(session)
    }

    async fn run(&self, mode: u32) -> Result<()> {
        let mut session = self.login().await?;
        ensure!(session.peer.con_mode == mode && self.context.global_id() != 0);
        ensure!(session.peer.global_id == self.context.global_id());

        let request = self.context.rotating_request().context("rotating keys are due at first")?;
        let got = self.ask(&mut session, request).await?;
        ensure!(got == Renewed::RotatingKeys && self.context.has_rotating_keys());
        ensure!(self.context.rotating_request().is_none());

        let osd = self.osd_addr()?;
        let auth = ServiceClientAuth::new(self.context.clone(), self.policy.clone(), EntityType::OSD);
        let at_osd = self.dial(EntityType::OSD, osd, auth).await?;
        ensure!(at_osd.peer.con_mode == mode);
        at_osd.handle.close();

        self.verify_ourselves(mode)?;

        let id = self.context.global_id();
        session.handle.close();
        session = self.login().await?;
        ensure!(self.context.global_id() == id, "the global id is kept over a reconnect");

        self.accept_daemons(&mut session, mode).await?;
        self.renew(&mut session, "auth_service_ticket_ttl", request::PRINCIPAL_SESSION_KEY).await?;
        self.renew(&mut session, "auth_mon_ticket_ttl", request::AUTH_SESSION_KEY).await?;
        self.verify_ourselves(mode)?;
        println!("{:?}, mode {mode}: global id {id}", self.cluster.release());
        Ok(())
    }

    /// Gets tickets that live 8 seconds, and renews them when they are due.
    async fn renew(&self, session: &mut Connected, lifetime: &str, kind: u16) -> Result<()> {
        self.cluster.ceph_ok(&["config", "set", "mon", lifetime, "8"])?;
        sleep(Duration::from_secs(1)).await;
        *session = self.login().await?;
        ensure!(self.context.renewal_request()?.is_none(), "{lifetime}: fresh tickets are not due");
        sleep(Duration::from_secs(7)).await;
        let request =
            self.context.renewal_request()?.with_context(|| format!("{lifetime}: tickets are due"))?;
        ensure!(request.starts_with(&kind.to_le_bytes()), "{lifetime}: {:x?}", request.get(..2));
        self.cluster.ceph_ok(&["config", "rm", "mon", lifetime])?;
        sleep(Duration::from_secs(1)).await;
        ensure!(self.ask(session, request).await? == Renewed::Tickets);
        ensure!(self.context.renewal_request()?.is_none(), "{lifetime}: renewed tickets are not due");
        Ok(())
    }

    async fn ask(&self, session: &mut Connected, auth_payload: Bytes) -> Result<Renewed> {
        let request = MAuth { protocol: CEPHX, auth_payload, ..MAuth::default() };
        session.handle.send(Message::from(request)).await?;
        let answer = async {
            loop {
                match session.events.recv().await {
                    Some(ConnectionEvent::Message(raw)) if raw.header.kind == MAuthReply::TYPE => {
                        return Ok(MAuthReply::decode(&raw)?);
                    }
                    Some(ConnectionEvent::Closed(why)) => bail!("the monitor closed the session: {why:?}"),
                    None => bail!("the connection is gone"),
                    Some(_) => {}
                }
            }
        };
        let reply = timeout(Duration::from_secs(10), answer).await??;
        Ok(self.context.handle_reply(reply.result, &reply.result_bl)?)
    }

    /// Becomes the active manager as far as the monitors see, and verifies the monitor, the OSD and the CLI that connect for it.
    async fn accept_daemons(&self, session: &mut Connected, mode: u32) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr =
            EntityAddr::new(AddrType::MSGR2, listener.local_addr()?, std::process::id() ^ (mode << 24));
        let mut beacon = MMgrBeacon {
            gid: self.context.global_id(),
            server_addrs: EntityAddrVec(vec![addr]),
            name: self.context.name().id.clone(),
            fsid: self.cluster.state().fsid.parse()?,
            ..MMgrBeacon::default()
        };
        let mut wanted = vec!["mon.", "osd.0", "client.admin"];
        let mut cli = None;
        let accept = async {
            let mut beat = interval(Duration::from_secs(1));
            for beats in 0.. {
                tokio::select! {
                    _ = beat.tick() => {
                        // The first makes us active, the second tells where, the third that we serve.
                        beacon.available = beats >= 4;
                        session.handle.send(Message::from(beacon.clone())).await?;
                    }
                    socket = listener.accept() => {
                        let peer = self.accept(socket?.0, addr).await?;
                        let who = peer.identity.context("an accepted peer has an identity")?;
                        let name = who.name.to_string();
                        // Monitors come with neither a global id nor caps: their name is what counts.
                        let known = name == "mon." || (who.global_id != 0 && !who.caps.is_empty());
                        ensure!(peer.con_mode == mode && known, "{who:?}");
                        println!("accepted {name}, caps {:?}", String::from_utf8_lossy(&who.caps));
                        wanted.retain(|w| *w != name);
                    }
                }
                if !wanted.contains(&"osd.0") && cli.is_none() {
                    let mut call = self.cluster.ceph_command(&["pg", "stat"]);
                    cli = Some(call.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
                }
                if wanted.is_empty() {
                    break;
                }
            }
            Ok(())
        };
        let result = timeout(Duration::from_secs(40), accept).await;
        if let Some(mut cli) = cli {
            // It waits for an answer that this test does not give.
            cli.kill()?;
            cli.wait()?;
        }
        result.with_context(|| format!("nobody came as {wanted:?}"))?
    }

    async fn accept(&self, mut socket: TcpStream, addr: EntityAddr) -> Result<Peer> {
        let mut server = Connection::accept(Acceptor {
            local: Local {
                kind: EntityType::MGR,
                num: Some(self.context.global_id().cast_signed()),
                addrs: EntityAddrVec(vec![addr]),
                nonce: 0,
            },
            peer_addr: EntityAddr::new(AddrType::ANY, socket.peer_addr()?, 0),
            policies: |_| Policy::stateless_server(0),
            limits: Limits::default(),
            compression: Compression::default(),
            auth: Box::new(CephxServerAuth::new(self.context.clone(), self.policy.clone())),
            global_seq: 1,
            cookie: 2,
        })?;
        let mut buf = vec![0; 1 << 16];
        loop {
            while let Some(bytes) = server.poll_transmit() {
                socket.write_all(&bytes).await?;
            }
            let len = socket.read(&mut buf).await?;
            ensure!(len > 0, "the peer hung up while it shook hands");
            server.handle_bytes(&buf[..len])?;
            while let Some(event) = server.poll_event() {
                match event {
                    Event::Connected(peer) => return Ok(*peer),
                    Event::Offer { .. } => server.decide(axon_msgr::Decision::Begin)?,
                    other => bail!("unexpected {other:?}"),
                }
            }
        }
    }

    fn osd_addr(&self) -> Result<EntityAddr> {
        let dump = self.cluster.ceph_json(&["osd", "dump"])?;
        let addrs = dump["osds"][0]["public_addrs"]["addrvec"].as_array().context("osd.0 has addresses")?;
        let v2 = addrs.iter().find(|a| a["type"] == "v2").context("osd.0 speaks msgr v2")?;
        let sock: SocketAddr = v2["addr"].as_str().context("address")?.parse()?;
        Ok(EntityAddr::new(AddrType::MSGR2, sock, u32::try_from(v2["nonce"].as_u64().context("nonce")?)?))
    }

    /// The real ticket for managers, shown to our own verifier with the real rotating keys.
    fn verify_ourselves(&self, mode: u32) -> Result<()> {
        let target = EntityAddr::v2(SocketAddr::from(([127, 0, 0, 1], 6800)));
        let auth = ServiceClientAuth::new(self.context.clone(), self.policy.clone(), EntityType::MGR);
        let mut client = Connection::connect(Connector {
            local: Local { kind: EntityType::CLIENT, ..Local::default() },
            peer: EntityType::MGR,
            target,
            policy: Policy::lossy_client(0),
            limits: Limits::default(),
            compression: Compression::default(),
            auth: Box::new(auth),
            global_seq: 1,
            cookie: 1,
        })?;
        let mut server = Connection::accept(Acceptor {
            local: Local {
                kind: EntityType::MGR,
                num: Some(1),
                addrs: EntityAddrVec(vec![target]),
                nonce: 0,
            },
            peer_addr: target,
            policies: |_| Policy::stateless_server(0),
            limits: Limits::default(),
            compression: Compression::default(),
            auth: Box::new(CephxServerAuth::new(self.context.clone(), self.policy.clone())),
            global_seq: 1,
            cookie: 2,
        })?;
        let peer = shake_hands(&mut client, &mut server)?;
        let who = peer.identity.context("an accepted peer has an identity")?;
        ensure!(peer.con_mode == mode && who.name == *self.context.name());
        ensure!(who.global_id == self.context.global_id());
        Ok(())
    }
}

/// Passes bytes between the two until the server is connected.
fn shake_hands(client: &mut Connection, server: &mut Connection) -> Result<Peer> {
    for _ in 0..50 {
        while let Some(bytes) = client.poll_transmit() {
            server.handle_bytes(&bytes)?;
        }
        while let Some(bytes) = server.poll_transmit() {
            client.handle_bytes(&bytes)?;
        }
        while let Some(event) = server.poll_event() {
            match event {
                Event::Connected(peer) => return Ok(*peer),
                Event::Offer { .. } => server.decide(axon_msgr::Decision::Begin)?,
                other => bail!("unexpected {other:?}"),
            }
        }
    }
    bail!("the handshake does not end")
}

async fn wrong_key(cluster: &Cluster) -> Result<()> {
    let other = principal(cluster, "mgr.cephx-other", &[])?;
    let wrong = Principal { name: NAME.parse()?, key: other.key };
    let site = Site::new(cluster, con_mode::SECURE, wrong);
    let e = site.login().await.err().ok_or_else(|| anyhow!("a wrong key was accepted"))?;
    let said = format!("{e:#}");
    println!("{said}");
    ensure!(said.contains("wrong key for mgr.cephx-test"), "{said}");
    Ok(())
}
