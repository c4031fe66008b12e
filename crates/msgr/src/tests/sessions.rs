use super::*;
use crate::{Error, Misbehaved};
use axon_proto::{AddrType, EntityName, UTime};

fn pair(mode: u32) -> (Connection, Connection) {
    let mut a = client(mode, Policy::lossy_client(0), b"sesame");
    let mut b = server(stateless, 7);
    settle(&mut a, &mut b);
    (a, b)
}

#[test]
fn both_ends_learn_who_the_other_is() {
    for mode in [con_mode::CRC, con_mode::SECURE] {
        let (mut a, mut b) = pair(mode);
        let (of_a, of_b) = (connected(&mut a), connected(&mut b));
        assert_eq!(of_a.name, EntityName::new(EntityType::MGR, 9));
        assert_eq!(of_a.addrs.0, [server_addr()]);
        assert_eq!((of_a.con_mode, of_a.global_id, of_a.lossy, of_a.resumed), (mode, GLOBAL_ID, true, false));
        // Our number is the global id, our address the one that the peer saw.
        assert_eq!(of_b.name, EntityName::new(EntityType::MGR, 4711));
        assert_eq!(of_b.addrs.0, [EntityAddr::new(AddrType::ANY, "127.0.0.1:0".parse().unwrap(), 5)]);
        assert_eq!(of_b.identity.unwrap().name.to_string(), "osd.0");
    }
}

#[test]
fn messages_of_every_shape_arrive_whole_and_in_order() {
    for mode in [con_mode::CRC, con_mode::SECURE] {
        let (mut a, mut b) = pair(mode);
        connected(&mut b);
        let shapes =
            [(0, 0, 0), (1, 0, 0), (0, 0, 5), (3, 16, 0), (0, 7, 4096), (5000, 0, 100_000), (1 << 20, 1, 1)];
        for (i, (front, middle, data)) in shapes.into_iter().enumerate() {
            a.send(message(i as u64, front, middle, data)).unwrap();
        }
        settle(&mut a, &mut b);
        let got = messages(&mut b);
        assert_eq!(got.len(), shapes.len());
        for (i, (front, middle, data)) in shapes.into_iter().enumerate() {
            let mut expected = message(i as u64, front, middle, data);
            expected.header.seq = i as u64 + 1;
            assert_eq!(got[i], expected, "{:?} in mode {mode}", shapes[i]);
        }
    }
}

#[test]
fn a_keepalive_brings_its_time_back() {
    let (mut a, mut b) = pair(con_mode::SECURE);
    connected(&mut a);
    a.keepalive(UTime { sec: 12, nsec: 34 }).unwrap();
    settle(&mut a, &mut b);
    assert!(matches!(&events(&mut a)[..], [Event::KeepaliveAck(UTime { sec: 12, nsec: 34 })]));
}

#[test]
fn a_wrong_password_ends_both_sides_without_a_session() {
    let mut a = client(con_mode::CRC, Policy::lossy_client(0), b"wrong");
    let mut b = server(stateless, 7);
    settle(&mut a, &mut b);
    assert!(matches!(&events(&mut b)[..], [Event::Closed(Some(Error::Auth(_)))]));
    assert!(events(&mut a).is_empty());
}

#[test]
fn a_changed_byte_of_the_negotiation_is_noticed_by_the_signature() {
    let mut a = client(con_mode::CRC, Policy::lossy_client(0), b"sesame");
    let mut b = server(stateless, 7);
    let mut banner = a.poll_transmit().unwrap().to_vec();
    // A further feature bit that nobody checks.
    banner[10] |= 4;
    b.handle_bytes(&banner).unwrap();
    settle(&mut a, &mut b);
    let seen: Vec<_> = events(&mut a).into_iter().chain(events(&mut b)).collect();
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Closed(Some(Error::PeerMisbehaved(Misbehaved::SignatureMismatch))))),
        "{seen:?}"
    );
    assert!(!a.is_ready() && !b.is_ready());
}

#[test]
fn a_server_that_keeps_no_sessions_makes_a_lossless_client_lossy() {
    let mut a = client(con_mode::CRC, Policy::lossless_client(0), b"sesame");
    let mut b = server(stateless, 7);
    settle(&mut a, &mut b);
    assert!(connected(&mut a).lossy);
    assert!(!a.is_lossless());
}

#[test]
fn a_peer_without_a_required_feature_is_told_so() {
    fn demanding(_: EntityType) -> Policy {
        Policy { features_required: 1 << 27, features_supported: u64::MAX, ..Policy::stateless_server(0) }
    }
    let policy =
        Policy { features_supported: crate::frame::control::FEATURES_REQUIRED, ..Policy::lossy_client(0) };
    let mut a = client(con_mode::CRC, policy, b"sesame");
    let mut b = server(demanding, 7);
    settle(&mut a, &mut b);
    let missing = Error::PeerIncompatible(crate::Incompatible::WeLackFeatures(1 << 27));
    assert!(matches!(&events(&mut a)[..], [Event::Closed(Some(e))] if *e == missing));
}
