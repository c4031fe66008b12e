//! The frame parser and both protocols' endpoints.
//!
//! An input is a list of items, see [`item`]: raw bytes, or the payload of a frame that is given right checksums, for a fuzzer finds
//! no checksum by chance. The peers use no key (method `none`), so every phase behind the authentication can be reached.

use axon_msgr::auth::{
    AuthError, AuthKeys, AuthRequest, ClientAuth, PeerIdentity, ServerAuth, ServerStep, con_mode,
};
use axon_msgr::frame::{FrameReader, Preamble, SizeLimits, Tag};
use axon_msgr::v1::wire;
use axon_msgr::{
    Acceptor, Algorithm, Compression, Connection, Connector, Decision, Event, Limits, Local, Policy, Verdict,
    judge,
};
use axon_proto::{AddrType, EntityAddr, EntityAddrVec, EntityName, EntityType, RawMessage, UTime};
use bytes::{Bytes, BytesMut};

/// A message in an input: v1's tag.
const V1_MESSAGE: u8 = 255;

/// One item of an input: 0 = raw bytes; a v2 tag = a frame of one segment; 128 + tag = a frame of up to four segments of equal
/// length; 255 = a v1 message.
#[must_use]
pub fn item(kind: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut out = vec![kind];
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(payload.get(..usize::from(len)).unwrap_or_default());
    out
}

fn items(mut data: &[u8]) -> Vec<(u8, &[u8])> {
    let mut out = Vec::new();
    while let [kind, a, b, rest @ ..] = data {
        let len = usize::from(u16::from_le_bytes([*a, *b])).min(rest.len());
        let (payload, behind) = rest.split_at(len);
        out.push((*kind, payload));
        data = behind;
    }
    out
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// What an item is on the wire.
fn on_wire(kind: u8, payload: &[u8]) -> Vec<u8> {
    if kind == 0 {
        return payload.to_vec();
    }
    if kind == V1_MESSAGE {
        return v1_message(payload);
    }
    let Some(tag) = Tag::from_wire(kind & 0x7f) else { return payload.to_vec() };
    let count = if kind & 0x80 == 0 { 1 } else { 4 };
    let chunk = payload.len().div_ceil(count).max(1);
    let mut segments = payload.chunks(chunk);
    let segments: [&[u8]; 4] = std::array::from_fn(|_| segments.next().unwrap_or_default());
    let preamble = Preamble::of(tag, segments.map(|s| s.len() as u32));
    let mut out = preamble.encode().to_vec();
    let [first, rest @ ..] = segments;
    if !first.is_empty() {
        out.extend_from_slice(first);
        out.extend_from_slice(&crc(u32::MAX, first).to_le_bytes());
    }
    if preamble.segment_count > 1 {
        let mut epilogue = vec![0xe];
        for (i, segment) in rest.into_iter().enumerate() {
            out.extend_from_slice(segment);
            let sum = if i + 1 < preamble.segment_count { crc(u32::MAX, segment) } else { 0 };
            epilogue.extend_from_slice(&sum.to_le_bytes());
        }
        out.extend_from_slice(&epilogue);
    }
    out
}

fn v1_message(payload: &[u8]) -> Vec<u8> {
    let mut kind = [0; 2];
    kind.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
    let header = wire::Header {
        seq: u64::from(payload.first().copied().unwrap_or(1)),
        kind: u16::from_le_bytes(kind),
        front_len: payload.len() as u32,
        src: EntityName::new(EntityType::OSD, 1),
        ..wire::Header::default()
    };
    let footer = wire::Footer { front_crc: crc(0, payload), flags: 1, ..wire::Footer::default() };
    [&[wire::tag::MSG][..], &header.encode_summed().0, payload, &footer.encode(true)].concat()
}

/// The frame parser in CRC mode. The first byte chooses whether frames may be compressed, and how.
pub fn frames(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let mut reader = FrameReader::default();
    if let Some(algorithm) = Algorithm::from_wire(u32::from(choice % 8)) {
        reader.compressed(algorithm);
    }
    let limits = SizeLimits { control_bytes_max: 4096, message_bytes_max: Some(1 << 16) };
    let mut input = BytesMut::new();
    for (kind, payload) in items(data) {
        let mut bytes = on_wire(kind, payload);
        if choice & 0x80 != 0 && kind != 0 {
            mark_compressed(&mut bytes);
        }
        input.extend_from_slice(&bytes);
        loop {
            match reader.poll(&mut input, limits) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Sets the preamble's flag.
fn mark_compressed(frame: &mut [u8]) {
    let Some((preamble, _)) = frame.split_at_mut_checked(32) else { return };
    if let [head @ .., _, _, _, _] = preamble
        && let Some(flags) = head.get_mut(26)
    {
        *flags |= 1;
        let sum = crc(0, head).to_le_bytes();
        if let Some(to) = preamble.get_mut(28..) {
            to.copy_from_slice(&sum);
        }
    }
}

struct Keyless;

impl ClientAuth for Keyless {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        Ok(AuthRequest {
            method: 1,
            preferred_modes: vec![con_mode::CRC],
            payload: Bytes::from_static(b"me"),
        })
    }
    fn bad_method(&mut self, _: u32, _: i32, methods: &[u32], _: &[u32]) -> Result<AuthRequest, AuthError> {
        if methods.contains(&1) { ClientAuth::request(self) } else { Err(AuthError::denied("no method")) }
    }
    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError> {
        Ok(Bytes::copy_from_slice(payload))
    }
    fn done(&mut self, _: u64, _: u32, _: &[u8]) -> Result<AuthKeys, AuthError> {
        Ok(AuthKeys::default())
    }
}

impl ServerAuth for Keyless {
    fn request(
        &mut self,
        _: EntityType,
        method: u32,
        _: &[u32],
        payload: &[u8],
    ) -> Result<ServerStep, AuthError> {
        if method == 2 {
            return Ok(ServerStep::More(Bytes::copy_from_slice(payload)));
        }
        self.request_more(payload)
    }
    fn request_more(&mut self, _: &[u8]) -> Result<ServerStep, AuthError> {
        let (identity, keys) = (PeerIdentity::default(), AuthKeys::default());
        Ok(ServerStep::Done { identity, con_mode: con_mode::CRC, payload: Bytes::new(), keys })
    }
}

fn addr(kind: AddrType, port: u16) -> EntityAddr {
    EntityAddr::new(kind, ([127, 0, 0, 1], port).into(), 0)
}

fn limits() -> Limits {
    Limits { message_bytes_max: 1 << 20, ..Limits::default() }
}

fn compression() -> Compression {
    Compression { osds: true, algorithms: Algorithm::ALL.to_vec(), bytes_min: 0, secure: true }
}

/// An acceptor that keeps sessions, as it is before anybody has spoken.
#[must_use]
pub fn acceptor(kind: AddrType) -> Connection {
    let call = Acceptor {
        local: Local {
            kind: EntityType::OSD,
            num: Some(1),
            addrs: EntityAddrVec(vec![addr(AddrType::MSGR2, 6800), addr(AddrType::LEGACY, 6801)]),
            nonce: 0,
        },
        peer_addr: addr(kind, 50_000),
        policies: |_| Policy::stateful_server(0),
        limits: limits(),
        compression: compression(),
        auth: Box::new(Keyless),
        global_seq: 1,
        cookie: 7,
    };
    Connection::accept(call).expect("the cookie is not zero")
}

fn connector(kind: AddrType) -> Connection {
    let call = Connector {
        local: Local { kind: EntityType::OSD, num: Some(2), addrs: EntityAddrVec::default(), nonce: 5 },
        peer: EntityType::OSD,
        target: addr(kind, if kind == AddrType::LEGACY { 6801 } else { 6800 }),
        policy: Policy::lossless_client(0),
        limits: limits(),
        compression: compression(),
        auth: Box::new(Keyless),
        global_seq: 1,
        cookie: 9,
    };
    Connection::connect(call).expect("the cookie is not zero")
}

/// Lets a connection work off what it has, as its owner would.
fn work(conn: &mut Connection) {
    while let Some(event) = conn.poll_event() {
        if let Event::Offer { offer, policy } = event {
            let decision = match judge(None, &offer, &policy) {
                Verdict::Reset { full } => Decision::Reset { full },
                Verdict::Begin => Decision::Begin,
                _ => Decision::Wait,
            };
            let _ = conn.decide(decision);
        }
    }
    while conn.poll_transmit().is_some() {}
}

fn speak(conn: &mut Connection, data: &[u8]) {
    let _ = conn.send(RawMessage { front: Bytes::from_static(b"text"), ..RawMessage::default() });
    for (kind, payload) in items(data) {
        if conn.handle_bytes(&on_wire(kind, payload)).is_err() {
            break;
        }
        work(conn);
        let _ = conn.keepalive(UTime { sec: 1, nsec: 2 });
    }
    work(conn);
    conn.handle_disconnect();
    if conn.reconnect(Box::new(Keyless), 2).is_ok() {
        // The same bytes once more, for an earlier session.
        for (kind, payload) in items(data) {
            if conn.handle_bytes(&on_wire(kind, payload)).is_err() {
                return;
            }
            work(conn);
        }
    }
}

/// A peer of our v2 listener.
pub fn v2_accept(data: &[u8]) {
    speak(&mut acceptor(AddrType::MSGR2), data);
}

/// A daemon that we called over v2.
pub fn v2_connect(data: &[u8]) {
    speak(&mut connector(AddrType::MSGR2), data);
}

/// A peer of our v1 listener.
pub fn v1_accept(data: &[u8]) {
    speak(&mut acceptor(AddrType::LEGACY), data);
}

/// A daemon that we called over v1.
pub fn v1_connect(data: &[u8]) {
    speak(&mut connector(AddrType::LEGACY), data);
}

/// What an honest peer says from its banner to a few messages, as items. `to_acceptor`: the connecting side's part.
#[must_use]
pub fn seeds(legacy: bool, to_acceptor: bool) -> Vec<Vec<u8>> {
    let kind = if legacy { AddrType::LEGACY } else { AddrType::MSGR2 };
    let (mut a, mut b) = (connector(kind), acceptor(kind));
    let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
    for round in 0..20u8 {
        if round > 10 {
            let text = Bytes::from(vec![round; 64 * usize::from(round)]);
            let _ = a.send(RawMessage { front: text.clone(), data: text, ..RawMessage::default() });
            let _ = a.keepalive(UTime { sec: 1, nsec: 2 });
            let _ = b.send(RawMessage::default());
        }
        let (there, back) = (a.poll_transmit().unwrap_or_default(), b.poll_transmit().unwrap_or_default());
        let _ = b.handle_bytes(&there);
        let _ = a.handle_bytes(&back);
        from_a.push(there);
        from_b.push(back);
        for conn in [&mut a, &mut b] {
            while let Some(event) = conn.poll_event() {
                if let Event::Offer { .. } = event {
                    let _ = conn.decide(Decision::Begin);
                }
            }
        }
    }
    let said = if to_acceptor { from_a } else { from_b };
    let said: Vec<Bytes> = said.into_iter().filter(|bytes| !bytes.is_empty()).collect();
    let raw: Vec<u8> = said.iter().flat_map(|bytes| item(0, bytes)).collect();
    let mut out = vec![raw.clone(), [&[4][..], &raw].concat(), [&[0x83][..], &raw].concat()];
    if !legacy {
        out.push(framed(&said.concat()));
    }
    out
}

/// The same with frames as items, so that a fuzzer can change their payloads.
fn framed(said: &[u8]) -> Vec<u8> {
    const BANNER_BYTES: usize = 26;
    let Some((banner, frames)) = said.split_at_checked(BANNER_BYTES) else { return Vec::new() };
    let mut out = item(0, banner);
    let mut input = BytesMut::from(frames);
    let mut reader = FrameReader::default();
    reader.compressed(Algorithm::Snappy);
    let limits = SizeLimits { control_bytes_max: 1 << 20, message_bytes_max: Some(1 << 20) };
    while let Ok(Some(frame)) = reader.poll(&mut input, limits) {
        let many = frame.segments.iter().filter(|s| !s.is_empty()).count() > 1;
        let payload = frame.segments.concat();
        out.extend(item(frame.tag as u8 | if many { 0x80 } else { 0 }, &payload));
    }
    out
}
