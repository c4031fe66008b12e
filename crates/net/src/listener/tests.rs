//! Real sockets on loopback, with a wire between them that breaks.

use super::*;
use crate::connection::{Connected, ConnectionEvent, Dial, connect, connect_lossless};
use axon_msgr::auth::{AuthError, AuthKeys, AuthRequest, ClientAuth, PeerIdentity, ServerStep, con_mode};
use axon_proto::{AuthEntity, MessageHeader};
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

fn keys() -> AuthKeys {
    AuthKeys { session_key: b"key".to_vec().into(), connection_secret: vec![3; 64].into(), signer: None }
}

struct Client;
impl ClientAuth for Client {
    fn request(&mut self) -> std::result::Result<AuthRequest, AuthError> {
        Ok(AuthRequest {
            method: 5,
            preferred_modes: vec![con_mode::SECURE, con_mode::CRC],
            payload: Bytes::from_static(b"me"),
        })
    }
    fn bad_method(
        &mut self,
        _: u32,
        _: i32,
        _: &[u32],
        _: &[u32],
    ) -> std::result::Result<AuthRequest, AuthError> {
        Err(AuthError::denied("no other method"))
    }
    fn reply_more(&mut self, _: &[u8]) -> std::result::Result<Bytes, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
    fn done(&mut self, _: u64, _: u32, _: &[u8]) -> std::result::Result<AuthKeys, AuthError> {
        Ok(keys())
    }
}

struct Server;
impl ServerAuth for Server {
    fn request(
        &mut self,
        _: EntityType,
        _: u32,
        modes: &[u32],
        _: &[u8],
    ) -> std::result::Result<ServerStep, AuthError> {
        let name = AuthEntity::new(EntityType::OSD, "3");
        let identity = PeerIdentity { name, global_id: 42, allow_all: true, caps: Bytes::new() };
        let (con_mode, payload) = (modes[0], Bytes::from_static(b"proof"));
        Ok(ServerStep::Done { identity, con_mode, payload, keys: keys() })
    }
    fn request_more(&mut self, _: &[u8]) -> std::result::Result<ServerStep, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
}

async fn listen(policies: fn(EntityType) -> Policy) -> (Serving, mpsc::Receiver<SessionEvent>) {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = ListenerConfig { ports: 0..=0, policies, ..ListenerConfig::of_manager(9, ip, 77) };
    Listener::bind(config).await.unwrap().serve(Arc::new(|_| Box::new(Server)))
}

fn dial(target: EntityAddr, policy: Policy) -> Dial {
    Dial {
        local: Local { kind: EntityType::OSD, num: Some(3), addrs: EntityAddrVec::default(), nonce: 1 },
        peer: EntityType::MGR,
        target,
        policy,
        limits: Limits::default(),
        compression: Compression::default(),
        bounds: Bounds::default(),
        deadline: Duration::from_secs(5),
        global_seq: Arc::default(),
        connections: Arc::default(),
        detour: None,
    }
}

fn message(tid: u64) -> RawMessage {
    let header = MessageHeader { tid, kind: 99, ..MessageHeader::default() };
    RawMessage { header, front: vec![tid as u8; (tid % 5000) as usize].into(), ..RawMessage::default() }
}

async fn next(events: &mut mpsc::Receiver<SessionEvent>) -> SessionEvent {
    timeout(Duration::from_secs(10), events.recv())
        .await
        .expect("an event in time")
        .expect("the listener lives")
}

async fn opened(events: &mut mpsc::Receiver<SessionEvent>) -> (SessionId, Box<Peer>, ConnectionHandle) {
    match next(events).await {
        SessionEvent::Opened { id, peer, handle } => (id, peer, handle),
        other => panic!("expected Opened, got {other:?}"),
    }
}

#[tokio::test]
async fn a_session_opens_carries_messages_both_ways_and_closes() {
    let (serving, events) = listen(Policy::of_manager_towards).await;
    session_with(serving.addrs().0[0], con_mode::SECURE, events).await;
}

#[tokio::test]
async fn a_session_over_v1_does_the_same_at_the_v1_address() {
    let (serving, events) = listen(Policy::of_manager_towards).await;
    let kinds: Vec<AddrType> = serving.addrs().0.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [AddrType::MSGR2, AddrType::LEGACY]);
    session_with(serving.addrs().0[1], con_mode::CRC, events).await;
}

async fn session_with(target: EntityAddr, mode: u32, mut events: mpsc::Receiver<SessionEvent>) {
    let Connected { handle, events: mut answers, peer, .. } =
        connect(dial(target, Policy::lossy_client(0)), Box::new(Client)).await.unwrap();
    // Only v2 tells the number.
    assert!(peer.con_mode == mode && (peer.name.num == 9 || target.kind == AddrType::LEGACY));
    let (id, peer, back) = opened(&mut events).await;
    assert_eq!(peer.identity.unwrap().name.to_string(), "osd.3");
    handle.send(message(17)).await.unwrap();
    assert!(
        matches!(next(&mut events).await, SessionEvent::Message { id: of, message: m } if of == id && m.header.tid == 17)
    );
    back.send(message(18)).await.unwrap();
    assert!(matches!(answers.recv().await, Some(ConnectionEvent::Message(m)) if m.header.tid == 18));
    handle.keepalive().await.unwrap();
    assert!(matches!(answers.recv().await, Some(ConnectionEvent::KeepaliveAck(_))));
    handle.send(message(19)).await.unwrap();
    drop(handle);
    assert!(
        matches!(next(&mut events).await, SessionEvent::Message { message: m, .. } if m.header.tid == 19)
    );
    assert!(matches!(next(&mut events).await, SessionEvent::Closed { id: of, .. } if of == id));
    assert!(back.send(message(20)).await.is_err());
}

/// `pg dump` of a large cluster is larger than anything that a daemon may send.
#[tokio::test]
async fn an_answer_may_be_larger_than_what_is_taken() {
    let (serving, mut events) = listen(Policy::of_manager_towards).await;
    let bytes_max =
        ListenerConfig::of_manager(9, IpAddr::V4(Ipv4Addr::LOCALHOST), 77).limits.message_bytes_max;
    let large = vec![7; bytes_max as usize + 1];
    for target in serving.addrs().0.clone() {
        let mut there = connect(dial(target, Policy::lossy_client(0)), Box::new(Client)).await.unwrap();
        let (_, _, back) = opened(&mut events).await;
        back.send(RawMessage { data: large.clone().into(), ..message(1) }).await.unwrap();
        let got = timeout(Duration::from_secs(60), there.events.recv()).await.expect("an answer in time");
        assert!(matches!(got, Some(ConnectionEvent::Message(m)) if m.data == large), "{target}");
        drop(there);
        assert!(matches!(next(&mut events).await, SessionEvent::Closed { .. }));
    }
}

#[tokio::test]
async fn a_bad_peer_harms_only_itself() {
    let (serving, mut events) = listen(Policy::of_manager_towards).await;
    let target = serving.addrs().0[0];
    let good = connect(dial(target, Policy::lossy_client(0)), Box::new(Client)).await.unwrap();
    let (id, _, _back) = opened(&mut events).await;
    for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 3000], b"ceph v2\n\x10\0", b"ceph v027"] {
        let mut bad = TcpStream::connect(target.sock.unwrap()).await.unwrap();
        // It may have hung up already.
        let _ = bad.write_all(noise).await;
        let _ = bad.shutdown().await;
        // The listener hangs up, whatever it was; what it wrote before is at most its banner and its hello.
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(5), bad.read_to_end(&mut rest)).await.expect("hung up");
        assert!(rest.len() < 200);
    }
    good.handle.send(message(1)).await.unwrap();
    assert!(matches!(next(&mut events).await, SessionEvent::Message { id: of, .. } if of == id));
}

#[tokio::test]
async fn a_second_listener_takes_the_next_port() {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let any = ListenerConfig { ports: 0..=0, ..ListenerConfig::of_manager(9, ip, 77) };
    let first = Listener::bind(any.clone()).await.unwrap();
    let port = first.addrs().0[0].sock.unwrap().port();
    let taken = Listener::bind(ListenerConfig { ports: port..=port, ..any.clone() }).await.err();
    assert!(matches!(taken, Some(Error::Bind { .. })), "{taken:?}");
    let second =
        Listener::bind(ListenerConfig { ports: port..=port.saturating_add(50), ..any }).await.unwrap();
    assert!(second.addrs().0[0].sock.unwrap().port() > port);
}

#[tokio::test]
async fn a_silent_daemon_is_given_up_in_time() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = EntityAddr::v2(mute.local_addr().unwrap());
    let dial = Dial { deadline: Duration::from_millis(200), ..dial(target, Policy::lossy_client(0)) };
    let e = connect(dial, Box::new(Client)).await.unwrap_err();
    assert!(matches!(e, Error::Timeout { .. }), "{e}");
}

/// A wire that breaks every connection after some bytes, until it is healed.
async fn breaking_wire(to: SocketAddr, healed: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut round = 0u64;
        loop {
            let (near, _) = listener.accept().await.unwrap();
            round += 1;
            // The first one lets the session begin; the others break in and after the handshake.
            let bytes_max = if round == 1 { 30_000 } else { round.wrapping_mul(7919) % 20_000 };
            let healed = healed.clone();
            tokio::spawn(async move {
                let far = TcpStream::connect(to).await.unwrap();
                let (mut near_rx, mut near_tx) = near.into_split();
                let (mut far_rx, mut far_tx) = far.into_split();
                let mut left = bytes_max;
                let (mut there, mut back) = (vec![0; 1500], vec![0; 1500]);
                loop {
                    let (len, to_far) = tokio::select! {
                        len = near_rx.read(&mut there) => (len.unwrap_or(0), true),
                        len = far_rx.read(&mut back) => (len.unwrap_or(0), false),
                    };
                    let broken = !healed.load(Ordering::Relaxed) && (len as u64) > left;
                    if len == 0 || broken {
                        return;
                    }
                    left = left.saturating_sub(len as u64);
                    let written = match to_far {
                        true => far_tx.write_all(&there[..len]).await,
                        false => near_tx.write_all(&back[..len]).await,
                    };
                    if written.is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

#[tokio::test]
async fn a_lossless_session_survives_sockets_that_break_without_loss_or_doubles() {
    lossless(0).await;
}

#[tokio::test]
async fn a_lossless_v1_session_survives_sockets_that_break_without_loss_or_doubles() {
    lossless(1).await;
}

async fn lossless(address: usize) {
    const MESSAGES: u64 = 60;
    let healed = Arc::new(AtomicBool::new(false));
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // The listener says that it is where the wire begins, as one behind a forwarded port would.
    let config = ListenerConfig {
        ports: 0..=0,
        policies: |_| Policy::stateful_server(0),
        ..ListenerConfig::of_manager(9, ip, 0)
    };
    let mut listener = Listener::bind(config).await.unwrap();
    let behind = listener.addrs.0[address].sock.unwrap();
    listener.addrs.0[address].sock = Some(breaking_wire(behind, healed.clone()).await);
    let target = listener.addrs.0[address];
    let (_serving, mut events) = listener.serve(Arc::new(|_| Box::new(Server)));

    let mut connected =
        connect_lossless(dial(target, Policy::lossless_client(0)), Box::new(|| Ok(Box::new(Client))))
            .await
            .unwrap();
    let (_, _, back) = opened(&mut events).await;
    let there = connected.handle.clone();
    tokio::spawn(async move {
        for tid in 1..=MESSAGES {
            there.send(message(tid * 97)).await.unwrap();
            back.send(message(tid * 31)).await.unwrap();
            sleep(Duration::from_millis(3)).await;
            if tid == MESSAGES {
                healed.store(true, Ordering::Relaxed);
                // Both handles stay until the end of the test.
                sleep(Duration::from_secs(60)).await;
            }
        }
    });
    let (mut got, mut got_back, mut resumed) = (Vec::new(), Vec::new(), 0);
    let both = async {
        while got.len() < MESSAGES as usize || got_back.len() < MESSAGES as usize {
            tokio::select! {
                Some(event) = events.recv() => match event {
                    SessionEvent::Message { message, .. } => got.push(message.header.tid),
                    SessionEvent::Resumed { .. } => resumed += 1,
                    other => panic!("{other:?}"),
                },
                Some(event) = connected.events.recv() => match event {
                    ConnectionEvent::Message(message) => got_back.push(message.header.tid),
                    ConnectionEvent::Reconnected(peer) => assert!(peer.resumed),
                    other => panic!("{other:?}"),
                },
            }
        }
    };
    timeout(Duration::from_secs(30), both).await.expect("all messages in time");
    assert_eq!(got, (1..=MESSAGES).map(|t| t * 97).collect::<Vec<_>>());
    assert_eq!(got_back, (1..=MESSAGES).map(|t| t * 31).collect::<Vec<_>>());
    assert!(resumed > 2, "the wire did break: {resumed}");
}
