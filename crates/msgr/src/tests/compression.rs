//! Compression agreed between two endpoints, and frames that unpack to more than they may.

use super::*;
use crate::compression::{Algorithm, compress};
use crate::frame::{FrameReader, FrameWriter, SizeLimits, Tag};
use crate::{Error, Misbehaved};

fn forced(algorithms: &[Algorithm]) -> Compression {
    Compression { osds: true, algorithms: algorithms.to_vec(), bytes_min: 0, secure: false }
}

/// Two OSDs, which are the only ones that upstream compresses between.
fn osds(mode: u32, a: Compression, b: Compression) -> (Connection, Connection) {
    let mut call = connector(mode, Policy::lossless_client(0), b"sesame");
    (call.local.kind, call.peer, call.compression) = (EntityType::OSD, EntityType::OSD, a);
    let mut accept = acceptor(stateless, 7);
    (accept.local.kind, accept.compression) = (EntityType::OSD, b);
    let (mut a, mut b) = (Connection::connect(call).unwrap(), Connection::accept(accept).unwrap());
    settle(&mut a, &mut b);
    (a, b)
}

#[test]
fn osds_agree_on_the_first_algorithm_that_both_have_and_messages_arrive_as_they_were() {
    for algorithm in Algorithm::ALL {
        let theirs = forced(&[algorithm]);
        let (mut a, mut b) = osds(con_mode::CRC, forced(&Algorithm::ALL), theirs);
        assert_eq!(connected(&mut a).compression, Some(algorithm));
        assert_eq!(connected(&mut b).compression, Some(algorithm));
        let shapes = [(0, 0, 0), (1, 0, 0), (5000, 7, 100_000), (0, 0, 3000), (0, 900, 0)];
        for (i, (front, middle, data)) in shapes.into_iter().enumerate() {
            a.send(message(i as u64, front, middle, data)).unwrap();
        }
        let wire = a.poll_transmit().unwrap();
        assert!(wire.len() < 20_000, "{algorithm:?}: {} bytes", wire.len());
        b.handle_bytes(&wire).unwrap();
        for (got, (i, shape)) in messages(&mut b).iter().zip(shapes.into_iter().enumerate()) {
            let mut expected = message(i as u64, shape.0, shape.1, shape.2);
            expected.header.seq = i as u64 + 1;
            assert_eq!(*got, expected, "{algorithm:?} {shape:?}");
        }
        b.send(message(9, 2000, 0, 0)).unwrap();
        settle(&mut a, &mut b);
        assert_eq!(messages(&mut a).len(), 1);
    }
}

#[test]
fn nothing_is_compressed_unless_both_want_it_and_never_towards_others_than_osds() {
    let never = Compression::default;
    for (mode, a, b) in [
        (con_mode::CRC, forced(&Algorithm::ALL), never()),
        (con_mode::CRC, never(), forced(&Algorithm::ALL)),
        (con_mode::CRC, forced(&[Algorithm::Lz4]), forced(&[Algorithm::Zstd])),
        (con_mode::SECURE, forced(&Algorithm::ALL), forced(&Algorithm::ALL)),
    ] {
        let (mut a, mut b) = osds(mode, a, b);
        assert_eq!(connected(&mut a).compression, None);
        assert_eq!(connected(&mut b).compression, None);
    }
    let both = Compression { secure: true, ..forced(&[Algorithm::Zstd]) };
    let (mut a, _) = osds(con_mode::SECURE, both.clone(), both.clone());
    assert_eq!(connected(&mut a).compression, Some(Algorithm::Zstd));
    let manager = connector(con_mode::CRC, Policy::lossy_client(0), b"sesame");
    let accept = acceptor(stateless, 7);
    let mut a = Connection::connect(Connector { compression: both.clone(), ..manager }).unwrap();
    let mut b = Connection::accept(Acceptor { compression: both, ..accept }).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(connected(&mut a).compression, None);
}

/// Method `none`: no key, so the signatures are zero and a changed banner is not noticed.
struct Keyless;

impl ClientAuth for Keyless {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        Ok(AuthRequest { method: 1, preferred_modes: vec![con_mode::CRC], payload: Bytes::new() })
    }
    fn bad_method(&mut self, _: u32, _: i32, _: &[u32], _: &[u32]) -> Result<AuthRequest, AuthError> {
        Err(AuthError::denied("no other method"))
    }
    fn reply_more(&mut self, _: &[u8]) -> Result<Bytes, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
    fn done(&mut self, _: u64, _: u32, _: &[u8]) -> Result<AuthKeys, AuthError> {
        Ok(AuthKeys::default())
    }
}

impl ServerAuth for Keyless {
    fn request(&mut self, _: EntityType, _: u32, _: &[u32], _: &[u8]) -> Result<ServerStep, AuthError> {
        let (identity, keys) = (PeerIdentity::default(), AuthKeys::default());
        Ok(ServerStep::Done { identity, con_mode: con_mode::CRC, payload: Bytes::new(), keys })
    }
    fn request_more(&mut self, _: &[u8]) -> Result<ServerStep, AuthError> {
        Err(AuthError::denied("nothing more"))
    }
}

#[test]
fn a_peer_of_16_2_that_knows_nothing_of_compression_is_not_asked() {
    let call = connector(con_mode::CRC, Policy::lossy_client(0), b"");
    let accept = acceptor(stateless, 7);
    let mut a = Connection::connect(Connector { auth: Box::new(Keyless), ..call }).unwrap();
    let mut b = Connection::accept(Acceptor { auth: Box::new(Keyless), ..accept }).unwrap();
    let old = |banner: Bytes| {
        let mut banner = banner.to_vec();
        assert_eq!(banner[10], 3);
        banner[10] = 1;
        banner
    };
    b.handle_bytes(&old(a.poll_transmit().unwrap())).unwrap();
    // The hello follows the banner in the same piece.
    a.handle_bytes(&old(b.poll_transmit().unwrap())).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(connected(&mut a).compression, None);
    assert_eq!(connected(&mut b).compression, None);
}

#[test]
fn a_compression_bomb_is_refused_at_the_limit_of_its_frame() {
    const BYTES_MAX: u32 = 1 << 20;
    let limits = SizeLimits { control_bytes_max: 4096, message_bytes_max: Some(BYTES_MAX) };
    for algorithm in Algorithm::ALL {
        let zeros = Bytes::from(vec![0; 64 << 20]);
        for (tag, left) in [(Tag::Message, BYTES_MAX - 41), (Tag::Hello, 4096 - 41)] {
            let header = Bytes::from(vec![0; 41]);
            let mut out = crate::transmit::Transmit::default();
            let mut writer = FrameWriter::default();
            writer.compress(algorithm, 0);
            let bomb = if tag == Tag::Message { zeros.clone() } else { zeros.slice(..20_000) };
            writer.put_all(tag, &header, &[bomb, Bytes::new(), Bytes::new()], &mut out).unwrap();
            let mut reader = FrameReader::default();
            reader.compressed(algorithm);
            let mut input = bytes::BytesMut::from(&out.take()[..]);
            let size = input.len();
            let e = reader.poll(&mut input, limits).unwrap_err();
            match e {
                Error::PeerMisbehaved(Misbehaved::UnpacksTooLarge { bytes_max }) => {
                    assert_eq!(bytes_max, left as usize, "{algorithm:?}");
                }
                // Snappy gains too little: the frame is too large as it comes.
                Error::PeerMisbehaved(Misbehaved::FrameTooLarge { bytes_max, .. }) => {
                    assert!(algorithm == Algorithm::Snappy && size as u64 > bytes_max);
                }
                other => panic!("{algorithm:?}: {other}"),
            }
        }
    }
}

#[test]
fn a_compressed_frame_without_an_agreement_is_refused_by_its_preamble() {
    let mut b = server(stateless, 7);
    b.handle_bytes(&crate::banner::ours(1)).unwrap();
    let mut out = crate::transmit::Transmit::default();
    let mut writer = FrameWriter::default();
    writer.compress(Algorithm::Zlib, 0);
    writer.put(Tag::Hello, &[0; 3000], &mut out).unwrap();
    let preamble = out.take().slice(..32);
    assert_eq!(b.handle_bytes(&preamble), Err(Misbehaved::Compressed.into()));
    assert!(compress(Algorithm::Zlib, &[0; 3000]).unwrap().len() < 100);
}
