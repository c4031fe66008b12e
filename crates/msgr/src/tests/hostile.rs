//! Bytes that nobody should send: each gives an error, none a panic, and none makes us hold more than stated.

use super::*;
use crate::frame::{Preamble, Tag};
use crate::{Error, Malformed, Misbehaved};

/// Everything that a client sends until it is connected, and a message.
fn recording(mode: u32) -> Vec<Bytes> {
    let mut a = client(mode, Policy::lossy_client(0), b"sesame");
    let mut b = server(stateless, 7);
    a.send(message(1, 100, 3, 50)).unwrap();
    let mut sent = Vec::new();
    loop {
        let (from_a, from_b) = (a.poll_transmit(), b.poll_transmit());
        if from_a.is_none() && from_b.is_none() {
            break;
        }
        let from_a = from_a.unwrap_or_default();
        b.handle_bytes(&from_a).unwrap();
        a.handle_bytes(&from_b.unwrap_or_default()).unwrap();
        sent.push(from_a);
    }
    assert_eq!(messages(&mut b).len(), 1);
    sent
}

fn replay(sent: &[Bytes], change: impl Fn(usize, &mut Vec<u8>)) -> Connection {
    let mut b = server(stateless, 7);
    let mut at = 0;
    for part in sent {
        let mut bytes = part.to_vec();
        change(at, &mut bytes);
        at += part.len();
        let _ = b.handle_bytes(&bytes);
        let _ = b.poll_transmit();
    }
    b
}

#[test]
fn every_truncation_waits_and_no_flipped_bit_gives_a_damaged_message_or_a_panic() {
    for mode in [con_mode::CRC, con_mode::SECURE] {
        let sent = recording(mode);
        let total: usize = sent.iter().map(Bytes::len).sum();
        for at in 0..total {
            let mut b = replay(&sent, |start, bytes| {
                bytes.truncate(at.saturating_sub(start).min(bytes.len()));
            });
            assert!(!b.is_closed(), "a truncation at {at} is only a wait");
            assert!(messages(&mut b).is_empty());
            let mut b = replay(&sent, |start, bytes| {
                if let Some(byte) = at.checked_sub(start).and_then(|i| bytes.get_mut(i)) {
                    *byte ^= 1 << (at % 8);
                }
            });
            // Flips in what only the client's check of our signature covers let the message through; it is intact then.
            let mut expected = message(1, 100, 3, 50);
            expected.header.seq = 1;
            let damaged = |m: &RawMessage| {
                mode == con_mode::SECURE && *m != expected
                    || [&m.front, &m.middle, &m.data] != [&expected.front, &expected.middle, &expected.data]
            };
            assert!(!messages(&mut b).iter().any(damaged), "byte {at}");
        }
    }
}

#[test]
fn a_frame_of_4_gb_is_refused_by_its_preamble_and_nothing_is_reserved() {
    let mut b = server(stateless, 7);
    b.handle_bytes(&crate::banner::ours(1)).unwrap();
    let preamble = Preamble::of(Tag::Hello, [u32::MAX, 0, 0, 0]).encode();
    let e = b.handle_bytes(&preamble).unwrap_err();
    let bytes_max = u64::from(Limits::default().control_frame_bytes_max);
    assert_eq!(
        e,
        Misbehaved::FrameTooLarge { tag: Tag::Hello, bytes: u64::from(u32::MAX), bytes_max }.into()
    );
    assert!(b.input_buffer(1 << 16).capacity() <= 1 << 13);
}

#[test]
fn a_preamble_of_200_segments_and_a_message_before_the_session_are_refused() {
    let mut b = server(stateless, 7);
    b.handle_bytes(&crate::banner::ours(1)).unwrap();
    let mut preamble = Preamble::of(Tag::Hello, [1, 0, 0, 0]).encode();
    preamble[1] = 200;
    let crc = crate::frame::crc32c(0, &preamble[..28]);
    preamble[28..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(b.handle_bytes(&preamble), Err(Malformed::SegmentCount(200).into()));
    assert!(matches!(&events(&mut b)[..], [Event::Closed(Some(Error::Malformed(_)))]));

    let mut b = server(stateless, 7);
    b.handle_bytes(&crate::banner::ours(1)).unwrap();
    let preamble = Preamble::of(Tag::Message, [41, 1, 0, 0]).encode();
    let e = b.handle_bytes(&preamble).unwrap_err();
    assert!(matches!(e, Error::PeerMisbehaved(Misbehaved::UnexpectedFrame { tag: Tag::Message, .. })));
}

#[test]
fn an_endless_handshake_ends() {
    let mut a = client(con_mode::CRC, Policy::lossy_client(0), b"sesame");
    let mut b = server(stateless, 7);
    b.handle_bytes(&a.poll_transmit().unwrap()).unwrap();
    a.handle_bytes(&b.poll_transmit().unwrap()).unwrap();
    let hello = a.poll_transmit().unwrap();
    b.handle_bytes(&hello).unwrap();
    let request = crate::frame::control::AuthRequest {
        method: 1,
        preferred_modes: vec![1],
        payload: Bytes::from(vec![0; 20_000]),
    };
    let mut wire = crate::handshake::Wire::new(Limits::default());
    let mut rounds = 0;
    while !b.is_closed() {
        wire.send(&request).unwrap();
        let _ = b.handle_bytes(&wire.out.take());
        rounds += 1;
        assert!(rounds < 10);
    }
    let seen = events(&mut b);
    assert!(matches!(
        &seen[..],
        [Event::Closed(Some(Error::PeerMisbehaved(Misbehaved::HandshakeTooLarge { .. })))]
    ));
}

#[test]
fn a_message_that_its_sender_aborted_is_skipped() {
    let mut a = client(con_mode::CRC, Policy::lossy_client(0), b"sesame");
    let mut b = server(stateless, 7);
    settle(&mut a, &mut b);
    connected(&mut b);
    a.send(message(1, 10, 0, 0)).unwrap();
    let mut frame = a.poll_transmit().unwrap().to_vec();
    let status = frame.len() - 13;
    assert_eq!(frame[status], 0xe);
    frame[status] = 0x1;
    b.handle_bytes(&frame).unwrap();
    frame[status] = 0xe;
    b.handle_bytes(&frame).unwrap();
    assert_eq!(messages(&mut b).len(), 1);
    frame[status] = 0xf;
    assert_eq!(b.handle_bytes(&frame), Err(Malformed::LateStatus(0xf).into()));
}
