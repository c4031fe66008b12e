//! Two endpoints over msgr v1.

use super::*;
use crate::v1::wire::{self, Connect, ConnectReply, tag};
use crate::{Decision, Error, Incompatible, Malformed, Misbehaved, judge};
use axon_proto::{AddrType, UTime, features};

/// The password, in the one method that there is.
pub struct LegacyClient(pub &'static [u8]);

impl ClientAuth for LegacyClient {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        let payload = Bytes::from_static(b"hello");
        Ok(AuthRequest { method: METHOD, preferred_modes: vec![con_mode::CRC], payload })
    }
    fn bad_method(&mut self, _: u32, errno: i32, _: &[u32], _: &[u32]) -> Result<AuthRequest, AuthError> {
        Err(AuthError { errno, why: "refused".to_owned() })
    }
    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError> {
        assert_eq!(payload, b"password?");
        Ok(Bytes::from_static(self.0))
    }
    fn done(&mut self, _: u64, mode: u32, proof: &[u8]) -> Result<AuthKeys, AuthError> {
        assert_eq!((mode, proof), (con_mode::CRC, &b"proof"[..]));
        Ok(keys(mode))
    }
    fn global_id(&self) -> u64 {
        GLOBAL_ID
    }
}

pub fn legacy(addr: EntityAddr) -> EntityAddr {
    EntityAddr { kind: AddrType::LEGACY, ..addr }
}

pub fn legacy_client(policy: Policy, password: &'static [u8]) -> Connection {
    let call = connector(con_mode::CRC, policy, password);
    let auth = Box::new(LegacyClient(password));
    Connection::connect(Connector { target: legacy(call.target), auth, ..call }).unwrap()
}

pub fn legacy_server(policies: fn(EntityType) -> Policy) -> Connection {
    let mut call = acceptor(policies, 7);
    call.peer_addr = legacy(call.peer_addr);
    call.local.addrs.0.push(legacy(server_addr()));
    Connection::accept(call).unwrap()
}

fn legacy_pair() -> (Connection, Connection) {
    let (mut a, mut b) = (legacy_client(Policy::lossy_client(0), b"sesame"), legacy_server(stateless));
    settle(&mut a, &mut b);
    (a, b)
}

#[test]
fn both_ends_of_a_v1_session_learn_who_the_other_is() {
    let (mut a, mut b) = legacy_pair();
    let (at_a, at_b) = (connected(&mut a), connected(&mut b));
    assert_eq!(at_a.our_addr, legacy("127.0.0.1:50000".parse().map(EntityAddr::v2).unwrap()));
    assert_eq!((at_a.con_mode, at_a.lossy, at_a.global_id), (con_mode::CRC, true, GLOBAL_ID));
    assert_eq!(at_b.identity.as_ref().unwrap().name.to_string(), "osd.0");
    // The port of one that does not listen is zero, and it is told apart by its nonce.
    assert_eq!(at_b.addrs.to_string(), "v1:127.0.0.1:0/5");
    assert!(at_a.features.has(features::MSG_ADDR2) && a.is_ready() && b.is_ready());
}

#[test]
fn v1_messages_of_every_shape_arrive_whole_in_order_and_signed() {
    let (mut a, mut b) = legacy_pair();
    connected(&mut b);
    let shapes = [(0, 0, 0), (1, 0, 0), (5000, 7, 100_000), (0, 0, 3000), (0, 900, 0)];
    for (i, (front, middle, data)) in shapes.into_iter().enumerate() {
        a.send(message(i as u64, front, middle, data)).unwrap();
    }
    settle(&mut a, &mut b);
    let got = messages(&mut b);
    assert_eq!(got.len(), shapes.len());
    for (i, (front, middle, data)) in shapes.into_iter().enumerate() {
        let mut expected = message(i as u64, front, middle, data);
        expected.header.seq = i as u64 + 1;
        assert_eq!(got[i], expected);
    }
    a.send(message(9, 10, 0, 0)).unwrap();
    let mut bytes = a.poll_transmit().unwrap().to_vec();
    let sig_at = bytes.len() - 9;
    bytes[sig_at] ^= 1;
    assert_eq!(b.handle_bytes(&bytes), Err(Misbehaved::MessageSignature.into()));
}

#[test]
fn a_v1_keepalive_brings_its_time_back_and_a_close_is_heard_but_not_said() {
    let (mut a, mut b) = legacy_pair();
    connected(&mut a);
    connected(&mut b);
    a.keepalive(UTime { sec: 12, nsec: 34 }).unwrap();
    settle(&mut a, &mut b);
    assert!(matches!(&events(&mut a)[..], [Event::KeepaliveAck(UTime { sec: 12, nsec: 34 })]));
    a.close();
    assert!(a.poll_transmit().is_none());
    b.handle_bytes(&[tag::CLOSE]).unwrap_err();
    assert!(matches!(&events(&mut b)[..], [Event::Closed(Some(Error::PeerMisbehaved(Misbehaved::HungUp)))]));
}

#[test]
fn a_refused_authorizer_ends_with_the_methods_reason() {
    let mut a = legacy_client(Policy::lossy_client(0), b"sesame");
    let mut call = acceptor(stateless, 7);
    call.peer_addr = legacy(call.peer_addr);
    call.local.addrs.0.push(legacy(server_addr()));
    call.auth = Box::new(Nobody);
    let mut b = Connection::accept(call).unwrap();
    settle(&mut a, &mut b);
    assert!(matches!(&events(&mut a)[..], [Event::Closed(Some(Error::Auth(e)))] if e.why == "refused"));
    let mut a = legacy_client(Policy::lossy_client(0), b"wrong");
    let mut b = legacy_server(stateless);
    settle(&mut a, &mut b);
    assert!(matches!(&events(&mut b)[..], [Event::Closed(Some(Error::Auth(_)))]));
}

struct Nobody;

impl ServerAuth for Nobody {
    fn request(&mut self, _: EntityType, _: u32, _: &[u32], _: &[u8]) -> Result<ServerStep, AuthError> {
        Ok(ServerStep::BadMethod { errno: 13, allowed_methods: vec![], allowed_modes: vec![] })
    }
    fn request_more(&mut self, _: &[u8]) -> Result<ServerStep, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
}

#[test]
fn a_monitor_is_shown_no_authorizer_and_its_messages_are_not_signed() {
    let mut call = connector(con_mode::CRC, Policy::lossy_client(0), b"sesame");
    (call.peer, call.target) = (EntityType::MON, legacy(server_addr()));
    let mut a = Connection::connect(call).unwrap();
    assert_eq!(a.poll_transmit().unwrap(), wire::BANNER);
    let addr = wire::encode(&server_addr());
    a.handle_bytes(&[wire::BANNER, &addr, &addr].concat()).unwrap();
    let said = a.poll_transmit().unwrap();
    assert_eq!(said.len(), wire::ADDR_BYTES + wire::CONNECT_BYTES);
    let connect: Connect = axon_denc::Reader::new(&said[wire::ADDR_BYTES..]).value().unwrap();
    assert_eq!((connect.protocol_version, connect.authorizer_protocol, connect.authorizer_len), (15, 0, 0));
    let features = connect.features;
    let ready =
        ConnectReply { tag: tag::READY, features, connect_seq: 1, flags: 1, ..ConnectReply::default() };
    a.handle_bytes(&wire::encode(&ready)).unwrap();
    connected(&mut a);
    a.send(message(1, 4, 0, 0)).unwrap();
    let bytes = a.poll_transmit().unwrap();
    assert_eq!(bytes[bytes.len() - 9..], [0, 0, 0, 0, 0, 0, 0, 0, 1], "no signature, complete");
}

#[test]
fn what_an_acceptor_cannot_do_is_named() {
    for (reply, error) in [
        (tag::FEATURES, Error::from(Incompatible::WeLackFeatures(1 << 10))),
        (tag::BADPROTOVER, Incompatible::ProtocolVersion(9).into()),
        (tag::WAIT, Misbehaved::ConnectReply(tag::WAIT).into()),
        (77, Misbehaved::ConnectReply(77).into()),
        (tag::READY, Misbehaved::NotProved.into()),
    ] {
        let policy = Policy { features_supported: !(1 << 10), ..Policy::lossy_client(0) };
        let mut a = legacy_client(policy, b"sesame");
        let addr = wire::encode(&server_addr());
        a.handle_bytes(&[wire::BANNER, &addr, &addr].concat()).unwrap();
        let reply = ConnectReply { tag: reply, features: !0, protocol_version: 9, ..ConnectReply::default() };
        assert_eq!(a.handle_bytes(&wire::encode(&reply)), Err(error));
    }
    let mut a = legacy_client(Policy::lossy_client(0), b"sesame");
    assert_eq!(a.handle_bytes(b"ceph v2\n"), Err(Incompatible::SpeaksV2.into()));
    let mut a = legacy_client(Policy::lossy_client(0), b"sesame");
    assert_eq!(a.handle_bytes(b"SSH-2.0"), Err(Malformed::NotABanner.into()));
}

#[test]
fn a_v1_authorizer_of_4_gb_is_refused_and_nothing_is_reserved() {
    let mut b = legacy_server(stateless);
    let addr = wire::encode(&server_addr());
    b.handle_bytes(&[wire::BANNER, &addr].concat()).unwrap();
    let connect = Connect { features: !0, host_type: 4, authorizer_len: u32::MAX, ..Connect::default() };
    let e = b.handle_bytes(&wire::encode(&connect)).unwrap_err();
    let bytes_max = Limits::default().control_frame_bytes_max;
    assert_eq!(e, Misbehaved::AuthorizerTooLarge { bytes: u32::MAX, bytes_max }.into());
    let mut b = legacy_server(stateless);
    b.handle_bytes(&[wire::BANNER, &addr].concat()).unwrap();
    let connect = Connect { authorizer_len: bytes_max, ..connect };
    b.handle_bytes(&wire::encode(&connect)).unwrap();
    assert!(b.input_buffer(1 << 20).capacity() <= 2 * crate::UNKNOWN_PEER_BYTES);
}

#[test]
fn a_v1_message_header_of_4_gb_is_refused() {
    let (_, mut b) = legacy_pair();
    let header = wire::Header { front_len: u32::MAX, middle_len: u32::MAX, ..wire::Header::default() };
    let bytes = [&[tag::MSG][..], &header.encode_summed().0].concat();
    assert!(matches!(b.handle_bytes(&bytes), Err(Error::PeerMisbehaved(Misbehaved::MessageTooLarge { .. }))));
}

#[test]
fn an_endless_v1_handshake_ends() {
    let mut b = legacy_server(stateless);
    let addr = wire::encode(&server_addr());
    b.handle_bytes(&[wire::BANNER, &addr].concat()).unwrap();
    let connect = Connect { features: !0, host_type: 4, authorizer_len: 20_000, ..Connect::default() };
    let mut rounds = 0;
    while !b.is_closed() {
        let _ = b.handle_bytes(&[&wire::encode(&connect)[..], &[0; 20_000]].concat());
        let _ = b.poll_transmit();
        rounds += 1;
        assert!(rounds < 10);
    }
    assert!(matches!(
        &events(&mut b)[..],
        [Event::Closed(Some(Error::PeerMisbehaved(Misbehaved::HandshakeTooLarge { .. })))]
    ));
}

#[test]
fn who_has_authenticated_cannot_become_somebody_else() {
    let (mut a, mut b) = (legacy_client(Policy::lossless_client(0), b"sesame"), legacy_server(stateful));
    settle(&mut a, &mut b);
    let offered = matches!(&events(&mut b)[..], [Event::Offer { .. }]);
    assert!(offered);
    b.decide(Decision::Wait).unwrap();
    let connect = Connect { features: !0, host_type: 1, ..Connect::default() };
    let e = b.handle_bytes(&wire::encode(&connect)).unwrap_err();
    assert!(matches!(e, Error::PeerMisbehaved(Misbehaved::WrongEntityType { .. })), "{e}");
}

#[test]
fn a_v1_client_whose_session_is_unknown_is_reset_and_begins_anew() {
    let mut a = legacy_client(Policy::lossless_client(0), b"sesame");
    let begin = |a: &mut Connection| {
        let mut b = legacy_server(stateful);
        let mut got = Vec::new();
        for _ in 0..20 {
            settle(a, &mut b);
            for event in events(&mut b) {
                match event {
                    Event::Offer { offer, policy } => {
                        let decision = match judge(None, &offer, &policy) {
                            crate::Verdict::Begin => Decision::Begin,
                            crate::Verdict::Reset { full } => Decision::Reset { full },
                            other => panic!("{other:?}"),
                        };
                        b.decide(decision).unwrap();
                    }
                    Event::Message(m) => got.push(m.header.tid),
                    _ => {}
                }
            }
        }
        got
    };
    begin(&mut a);
    assert!(!connected(&mut a).resumed);
    a.handle_disconnect();
    a.send(message(1, 1, 0, 0)).unwrap();
    a.reconnect(Box::new(LegacyClient(b"sesame")), 2).unwrap();
    assert!(begin(&mut a).is_empty(), "what was queued for the lost session is dropped with it");
    assert!(matches!(&events(&mut a)[..], [Event::Reset, Event::Connected(p)] if !p.resumed));
}
