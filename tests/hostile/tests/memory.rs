//! What a peer can make us hold before it has authenticated: what it has sent, at most `HELD_BYTES_MAX` more.

use allocation_counter::measure;
use axon_hostile_tests::{acceptor, item};
use axon_msgr::frame::{Preamble, Tag};
use axon_msgr::v1::wire::{self, Connect};
use axon_proto::AddrType;

/// The state machine itself, its banner and hello, and the room that is made for the next bytes.
const HELD_BYTES_MAX: u64 = 12 << 10;
const BANNER_V2: &[u8] = b"ceph v2\n\x10\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn crc(seed: u32, bytes: &[u8]) -> [u8; 4] {
    (!crc32c::crc32c_append(!seed, bytes)).to_le_bytes()
}

/// A frame of one segment.
fn frame(tag: Tag, payload: &[u8]) -> Vec<u8> {
    let preamble = Preamble::of(tag, [payload.len() as u32, 0, 0, 0]).encode();
    [&preamble[..], payload, &crc(u32::MAX, payload)].concat()
}

/// The most that is held at once while these bytes come in through the driver's buffer, 1,000 at a time.
fn held(kind: AddrType, bytes: &[u8]) -> u64 {
    let info = measure(|| {
        let mut conn = acceptor(kind);
        for chunk in bytes.chunks(1000) {
            conn.input_buffer(256 << 10).extend_from_slice(chunk);
            let _ = conn.handle_input();
            while conn.poll_transmit().is_some() {}
            while conn.poll_event().is_some() {}
        }
        let _ = conn.input_buffer(256 << 10);
    });
    info.bytes_max
}

fn check(kind: AddrType, what: &str, bytes: &[u8]) {
    let held = held(kind, bytes);
    let allowed = HELD_BYTES_MAX + 4 * bytes.len() as u64;
    assert!(held <= allowed, "{what}: {held} bytes held, {} came, {allowed} are allowed", bytes.len());
    println!("{what}: {held} bytes held, {} came", bytes.len());
}

#[test]
fn a_preamble_with_200_segments_reserves_nothing() {
    let mut preamble = Preamble::of(Tag::Hello, [u32::MAX, u32::MAX, u32::MAX, u32::MAX]).encode();
    preamble[1] = 200;
    let sum = crc(0, &preamble[..28]);
    preamble[28..].copy_from_slice(&sum);
    check(AddrType::MSGR2, "200 segments", &[BANNER_V2, &preamble].concat());
}

#[test]
fn a_length_of_4_gb_reserves_nothing() {
    for lengths in [[u32::MAX, 0, 0, 0], [1, u32::MAX, u32::MAX, u32::MAX], [32 << 10, 0, 0, 0]] {
        let preamble = Preamble::of(Tag::Hello, lengths).encode();
        check(AddrType::MSGR2, "a length", &[BANNER_V2, &preamble].concat());
    }
    let greeting = [wire::BANNER, &[0; wire::ADDR_BYTES]].concat();
    for authorizer_len in [u32::MAX, 32 << 10] {
        let connect = Connect { features: !0, host_type: 4, authorizer_len, ..Connect::default() };
        check(AddrType::LEGACY, "an authorizer's length", &[&greeting[..], &wire::encode(&connect)].concat());
    }
}

#[test]
fn a_huge_banner_payload_reserves_nothing() {
    check(AddrType::MSGR2, "a banner of 64 KiB", b"ceph v2\n\xff\xff");
    check(AddrType::MSGR2, "no banner", &[0xff; 100_000]);
    check(AddrType::LEGACY, "no v1 banner", &[0xff; 100_000]);
}

#[test]
fn an_auth_bomb_reserves_nothing() {
    // HELLO as an OSD, then an AUTH_REQUEST that claims 4 billion connection modes, and one with a payload of 4 GB.
    let hello = frame(Tag::Hello, &[&[4][..], &[0; wire::ADDR_BYTES]].concat());
    for request in [
        [&2u32.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat(),
        [&2u32.to_le_bytes()[..], &0u32.to_le_bytes(), &u32::MAX.to_le_bytes()].concat(),
    ] {
        let bytes = [BANNER_V2, &hello, &frame(Tag::AuthRequest, &request)].concat();
        check(AddrType::MSGR2, "an auth bomb", &bytes);
    }
    // An endless login: what is kept of it for the signature is bounded.
    let request =
        [&2u32.to_le_bytes()[..], &0u32.to_le_bytes(), &20_000u32.to_le_bytes(), &[0; 20_000]].concat();
    let mut bytes = [BANNER_V2, &hello].concat();
    for tag in [Tag::AuthRequest].into_iter().chain([Tag::AuthRequestMore; 40]) {
        let payload = if tag == Tag::AuthRequest { &request[..] } else { &request[8..] };
        bytes.extend(frame(tag, payload));
    }
    let held = held(AddrType::MSGR2, &bytes);
    println!("an endless login: {held} bytes held, {} came", bytes.len());
    assert!(held < 700 << 10 && bytes.len() > 800_000, "{held}");
}

#[test]
fn a_compression_bomb_before_the_authentication_is_not_unpacked() {
    let mut preamble = Preamble { compressed: true, ..Preamble::of(Tag::Hello, [30_000, 0, 0, 0]) }.encode();
    let sum = crc(0, &preamble[..28]);
    preamble[28..].copy_from_slice(&sum);
    check(AddrType::MSGR2, "a compression bomb", &[BANNER_V2, &preamble, &[0; 3000]].concat());
    assert_eq!(item(0, b"x"), [0, 1, 0, b'x']);
}
