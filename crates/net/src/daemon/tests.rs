//! Sessions with a daemon that is one of our own listeners, over a wire that can be cut, blocked and stopped.

use super::*;
use crate::auth::AuthContext;
use crate::config::Config;
use crate::connection::Detour;
use crate::listener::{Listener, ListenerConfig, Serving, SessionEvent};
use axon_cephx::Credentials;
use axon_core::CommandError;
use axon_msgr::auth::{AuthError, AuthKeys, PeerIdentity, ServerAuth, ServerStep};
use axon_proto::msgs::command_reply::MCommandReply;
use axon_proto::{AuthEntity, EntityAddrVec, EntityType, Message, MonMap};
use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

struct Anybody;
impl ServerAuth for Anybody {
    fn request(&mut self, _: EntityType, _: u32, modes: &[u32], _: &[u8]) -> Result<ServerStep, AuthError> {
        let name = AuthEntity::new(EntityType::CLIENT, "admin");
        let identity = PeerIdentity { name, global_id: 42, allow_all: true, caps: Bytes::new() };
        Ok(ServerStep::Done {
            identity,
            con_mode: modes[0],
            payload: Bytes::new(),
            keys: AuthKeys::default(),
        })
    }
    fn request_more(&mut self, _: &[u8]) -> Result<ServerStep, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
}

struct OneOsd(EntityAddrVec);
impl OsdDirectory for OneOsd {
    fn epoch(&self) -> u32 {
        1
    }
    fn osd(&self, _: i32) -> OsdWhere {
        OsdWhere::Up(self.0.clone())
    }
    fn pg(&self, _: &str) -> PgWhere {
        PgWhere::Unknown
    }
}

/// What the wire does; a new number cuts what is open.
#[derive(Default)]
struct Wire {
    cuts: watch::Sender<u64>,
    /// Bytes pass.
    open: watch::Sender<bool>,
    /// Connections so far.
    accepted: AtomicU64,
    /// So many of the next connections are cut as soon as they are there.
    cut_next: AtomicU64,
}

impl Wire {
    async fn to(self: &Arc<Self>, far: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = listener.local_addr().unwrap();
        self.open.send_replace(true);
        let wire = self.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                wire.accepted.fetch_add(1, Ordering::Relaxed);
                let left = wire.cut_next.load(Ordering::Relaxed);
                if left > 0 {
                    wire.cut_next.store(left - 1, Ordering::Relaxed);
                    continue;
                }
                tokio::spawn(wire.clone().carry(client, far));
            }
        });
        near
    }

    async fn carry(self: Arc<Self>, client: TcpStream, far: SocketAddr) {
        let mut cuts = self.cuts.subscribe();
        let daemon = TcpStream::connect(far).await.unwrap();
        let (client, daemon) = (client.into_split(), daemon.into_split());
        tokio::select! {
            _ = cuts.changed() => {}
            () = self.pump(client.0, daemon.1) => {}
            () = self.pump(daemon.0, client.1) => {}
        }
    }

    async fn pump(&self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let mut buf = vec![0; 16 << 10];
        let mut open = self.open.subscribe();
        loop {
            if open.wait_for(|open| *open).await.is_err() {
                return;
            }
            let Ok(len @ 1..) = from.read(&mut buf).await else { return };
            // What was under way when the wire was blocked waits too.
            if open.wait_for(|open| *open).await.is_err() || to.write_all(&buf[..len]).await.is_err() {
                return;
            }
        }
    }
}

struct Fixture {
    daemons: Daemons,
    wire: Arc<Wire>,
    commands: Arc<Gauge>,
    _maps: watch::Sender<Maps>,
    _serving: Serving,
}

/// An OSD that answers every command, but none with `mute` in it, and hangs up at `hangup`.
async fn fixture() -> Fixture {
    let config = ListenerConfig {
        kind: EntityType::OSD,
        ports: 0..=0,
        ..ListenerConfig::of_manager(0, IpAddr::V4(Ipv4Addr::LOCALHOST), 7)
    };
    let (serving, mut events) = Listener::bind(config).await.unwrap().serve(Arc::new(|_| Box::new(Anybody)));
    let addrs = serving.addrs().clone();
    tokio::spawn(async move {
        let mut sessions = HashMap::new();
        while let Some(event) = events.recv().await {
            match event {
                SessionEvent::Opened { id, handle, .. } => drop(sessions.insert(id, handle)),
                SessionEvent::Message { id, message } => {
                    let Ok(Message::MCommand(command)) = Message::decode(message) else { continue };
                    if command.cmd[0].contains("hangup") {
                        sessions[&id].close();
                    } else if !command.cmd[0].contains("mute") {
                        let reply =
                            MCommandReply { tid: command.tid, r: 0, rs: String::new(), data: command.data };
                        let _ = sessions[&id].send(Message::from(reply)).await;
                    }
                }
                SessionEvent::Closed { id, .. } => drop(sessions.remove(&id)),
                _ => {}
            }
        }
    });
    let wire = Arc::new(Wire::default());
    let near = wire.to(addrs.msgr2().unwrap().sock.unwrap()).await;
    let options = |option: &str| match option {
        "key" => Some("AQBSdFFhAAAAABAAq83vASNFZ4mrze8BI0VniQ==".to_owned()),
        "mon_host" => Some("127.0.0.1".to_owned()),
        _ => None,
    };
    let mut config = Config::load("client.admin".parse().unwrap(), &options).await.unwrap();
    config.detour = Some(Detour::new(move |_| near));
    config.daemon_silence_max = Duration::from_millis(1500);
    config.daemon_idle = Duration::from_millis(500);
    let auth = AuthContext::without_key(config.name.clone());
    let mut credentials = Credentials::default();
    credentials.global_id = 42;
    auth.adopt(credentials);
    let dialer = Arc::new(Dialer::new(Arc::new(config), auth).unwrap());
    let maps = Maps {
        monmap: Some(Arc::new(MonMap::default())),
        osds: Some(Arc::new(OneOsd(addrs))),
        ..Maps::default()
    };
    let (maps, maps_rx) = watch::channel(maps);
    let daemons = Daemons::new(dialer, maps_rx);
    Fixture { daemons, wire, commands: Arc::default(), _maps: maps, _serving: serving }
}

type Answer = oneshot::Receiver<Result<axon_core::CommandOutput, CommandError>>;

impl Fixture {
    async fn start(&self, prefix: &str, input: usize, deadline: Duration) -> Answer {
        let (answer, answered) = oneshot::channel();
        let request = CommandRequest {
            json: format!("{{\"prefix\":\"{prefix}\"}}"),
            input: vec![1; input].into(),
            repeatable: may_run_twice(prefix),
            deadline: std::time::Instant::now() + deadline,
        };
        let waiter = Waiter { answer, secs: deadline.as_secs(), trace: None, _held: self.commands.hold() };
        self.daemons.send(&Daemon::Osd(0), (request, waiter)).await;
        answered
    }

    async fn ask(&self, prefix: &str, deadline: Duration) -> Result<axon_core::CommandOutput, CommandError> {
        self.start(prefix, 0, deadline).await.await.unwrap()
    }
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_link_that_is_cut_is_replaced_at_once() {
    let f = fixture().await;
    f.ask("version", LONG).await.unwrap();
    let waits = f.start("mute", 0, LONG).await;
    let repeats = f.start("status mute status", 0, LONG).await;
    sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    f.wire.cuts.send_modify(|n| *n += 1);
    let lost = waits.await.unwrap().unwrap_err();
    assert!(matches!(lost, CommandError::Lost { .. }), "what may not run twice is not sent again: {lost}");
    f.ask("version", LONG).await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(f.wire.accepted.load(Ordering::Relaxed), 2);
    drop(repeats);
}

/// Three redials are cut too; without hurry that alone would be 140 ms.
#[tokio::test]
async fn a_link_that_is_cut_again_while_it_is_replaced_is_soon_there() {
    let f = fixture().await;
    f.ask("version", LONG).await.unwrap();
    f.wire.cut_next.store(3, Ordering::Relaxed);
    let begun = Instant::now();
    f.wire.cuts.send_modify(|n| *n += 1);
    f.ask("version", LONG).await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(130), "{took:?}");
    assert_eq!(f.wire.accepted.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_daemon_that_hangs_up_on_every_command_is_not_called_without_a_pause() {
    let f = fixture().await;
    f.ask("hangup status", Duration::from_millis(1000)).await.unwrap_err();
    let calls = f.wire.accepted.load(Ordering::Relaxed);
    assert!((2..=6).contains(&calls), "{calls} calls in a second");
}

#[tokio::test]
async fn deadlines_pass_in_time_while_the_daemon_takes_nothing() {
    let f = fixture().await;
    f.ask("version", LONG).await.unwrap();
    f.wire.open.send_replace(false);
    let begun = Instant::now();
    let mut all = Vec::new();
    // More than sockets, the connection and its queue hold.
    let fill = async {
        for _ in 0..120 {
            all.push(f.start("status", 256 << 10, Duration::from_millis(700)).await);
        }
    };
    timeout(Duration::from_millis(1400), fill).await.expect("the session goes on taking commands");
    for answer in all {
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, CommandError::Deadline { .. }), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_millis(1400), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_half_open_link_is_noticed_and_the_command_goes_over_another() {
    let f = fixture().await;
    f.ask("version", LONG).await.unwrap();
    f.wire.open.send_replace(false);
    let begun = Instant::now();
    let answer = f.start("version", 0, LONG).await;
    let mut others = Vec::new();
    let calls = f.wire.accepted.load(Ordering::Relaxed);
    while f.wire.accepted.load(Ordering::Relaxed) == calls {
        assert!(begun.elapsed() < Duration::from_secs(5), "nobody noticed");
        sleep(Duration::from_millis(100)).await;
        // More commands are no sign of life.
        others.push(f.start("version", 0, LONG).await);
    }
    f.wire.open.send_replace(true);
    timeout(Duration::from_secs(5), answer).await.expect("in time").unwrap().unwrap();
}

#[tokio::test]
async fn idle_again_nothing_is_left() {
    let f = fixture().await;
    for _ in 0..20 {
        f.ask("version", LONG).await.unwrap();
    }
    drop(f.start("mute", 1000, LONG).await);
    sleep(Duration::from_millis(3500)).await;
    assert_eq!(
        (f.commands.count(), f.daemons.alive.count(), f.daemons.dialer.connections.count()),
        (0, 0, 0)
    );
}
