//! Peers that speak msgr v2.0: in CRC mode they are served, in SECURE mode refused.

use super::*;
use crate::auth::con_mode;
use crate::frame::{FrameReader, FrameWriter, SizeLimits, Tag};
use crate::{Error, Incompatible};
use axon_proto::UTime;
use bytes::BytesMut;

/// A connecting and an accepting side, one of which does not know v2.1.
fn pairs(mode: u32) -> [(Connection, Connection); 2] {
    let old = Limits { revision_max: 0, ..Limits::default() };
    let connector = || connector(mode, Policy::lossy_client(0), b"sesame");
    let new_acceptor = acceptor(stateless, 7);
    let old_acceptor = Acceptor { limits: old, ..acceptor(stateless, 7) };
    [
        (
            Connection::connect(Connector { limits: old, ..connector() }).unwrap(),
            Connection::accept(new_acceptor).unwrap(),
        ),
        (Connection::connect(connector()).unwrap(), Connection::accept(old_acceptor).unwrap()),
    ]
}

#[test]
fn a_v20_peer_is_spoken_to_in_crc_mode_both_ways() {
    for (mut a, mut b) in pairs(con_mode::CRC) {
        settle(&mut a, &mut b);
        let (there, back) = (connected(&mut a), connected(&mut b));
        assert_eq!((there.con_mode, back.con_mode), (con_mode::CRC, con_mode::CRC));
        let sent: Vec<RawMessage> =
            (1..40).map(|n| message(n, (n * 7) as usize, (n % 3) as usize, (n * 400) as usize)).collect();
        for m in &sent {
            a.send(m.clone()).unwrap();
            b.send(m.clone()).unwrap();
        }
        a.keepalive(UTime { sec: 1, nsec: 0 }).unwrap();
        settle(&mut a, &mut b);
        for side in [&mut a, &mut b] {
            let got: Vec<RawMessage> = messages(side)
                .into_iter()
                .map(|m| RawMessage { header: MessageHeader { seq: 0, ..m.header }, ..m })
                .collect();
            assert_eq!(got, sent);
        }
    }
}

#[test]
fn a_v20_peer_is_refused_where_only_secure_is_allowed() {
    for (mut a, mut b) in pairs(con_mode::SECURE) {
        settle(&mut a, &mut b);
        let refused = |c: &mut Connection| {
            events(c)
                .iter()
                .any(|e| matches!(e, Event::Closed(Some(Error::PeerIncompatible(Incompatible::SpeaksV20)))))
        };
        assert!(refused(&mut a) || refused(&mut b));
        assert!(!a.is_ready() && !b.is_ready());
    }
}

#[test]
fn a_frame_of_v20_has_all_checksums_behind_its_segments() {
    let mut writer = FrameWriter::default();
    writer.speak_v20();
    let mut out = crate::transmit::Transmit::default();
    let rest = [Bytes::from_static(b"front"), Bytes::new(), Bytes::from_static(b"data")];
    writer.put_all(Tag::Message, b"header", &rest, &mut out).unwrap();
    let bytes = out.take();
    assert_eq!(bytes.len(), 32 + 6 + 5 + 4 + 17);
    assert_eq!(&bytes[32..47], b"headerfrontdata");
    let crc = |bytes: &[u8]| crate::frame::crc32c(u32::MAX, bytes).to_le_bytes();
    let epilogue = [&[0][..], &crc(b"header"), &crc(b"front"), &crc(b""), &crc(b"data")].concat();
    assert_eq!(&bytes[47..], epilogue);

    let limits = SizeLimits { control_bytes_max: 4096, message_bytes_max: Some(4096) };
    let read = |bytes: &[u8]| {
        let mut reader = FrameReader::default();
        reader.speak_v20();
        reader.poll(&mut BytesMut::from(bytes), limits)
    };
    let frame = read(&bytes).unwrap().unwrap();
    assert_eq!(frame.segments[3], &b"data"[..]);
    for at in 32..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x10;
        // Of the flags only the last bit has a meaning.
        assert!(at == 47 || read(&damaged).is_err(), "byte {at}");
    }
    let mut aborted = bytes.to_vec();
    aborted[47] = 1;
    assert_eq!(read(&aborted).unwrap(), None, "it is skipped");
}
