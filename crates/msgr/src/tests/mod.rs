//! A pair of endpoints on a virtual wire, with an authentication that knows one password.

mod compression;
mod faults;
mod hostile;
mod legacy;
mod revision0;
mod sessions;
mod simulation;

use crate::auth::{
    AuthError, AuthKeys, AuthRequest, ClientAuth, MessageSigner, PeerIdentity, ServerAuth, ServerStep,
    Signed, con_mode,
};
use crate::{Acceptor, Compression, Connection, Connector, Event, Limits, Local, Peer, Policy};
use axon_proto::{AuthEntity, EntityAddr, EntityAddrVec, EntityType, MessageHeader, RawMessage};
use bytes::Bytes;
use std::sync::Arc;
use zeroize::Zeroizing;

const METHOD: u32 = 77;
const GLOBAL_ID: u64 = 4711;

fn keys(mode: u32) -> AuthKeys {
    let secret = if mode == con_mode::SECURE { (0..64).collect() } else { Vec::new() };
    AuthKeys {
        session_key: Zeroizing::new(b"session key".to_vec()),
        connection_secret: Zeroizing::new(secret),
        signer: Some(Arc::new(FakeSigner)),
    }
}

/// Adds everything up; a changed sequence number or checksum changes the sum.
struct FakeSigner;

impl MessageSigner for FakeSigner {
    fn sign(&self, signed: &Signed) -> Option<u64> {
        let parts = [signed.front, signed.middle, signed.data];
        let sum = parts.iter().fold(u64::from(signed.header_crc) << 9, |sum, part| {
            sum.wrapping_mul(31) + u64::from(part.crc) + u64::from(part.len_bytes)
        });
        Some(sum.wrapping_add(u64::from(signed.seq_low) << 32))
    }
}

/// Sends the password in two steps.
pub struct FakeClient {
    pub mode: u32,
    pub password: &'static [u8],
}

impl FakeClient {
    fn first(&self, method: u32) -> AuthRequest {
        AuthRequest { method, preferred_modes: vec![self.mode], payload: Bytes::from_static(b"hello") }
    }
}

impl ClientAuth for FakeClient {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        // The wrong method first, so that every handshake goes through AUTH_BAD_METHOD.
        Ok(self.first(METHOD + 1))
    }
    fn bad_method(
        &mut self,
        _: u32,
        errno: i32,
        methods: &[u32],
        _: &[u32],
    ) -> Result<AuthRequest, AuthError> {
        assert_eq!(errno, 95);
        Ok(self.first(methods[0]))
    }
    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError> {
        assert_eq!(payload, b"password?");
        Ok(Bytes::from_static(self.password))
    }
    fn done(&mut self, global_id: u64, mode: u32, _: &[u8]) -> Result<AuthKeys, AuthError> {
        assert_eq!((global_id, mode), (GLOBAL_ID, self.mode));
        Ok(keys(mode))
    }
}

#[derive(Default)]
pub struct FakeServer {
    mode: u32,
}

impl ServerAuth for FakeServer {
    fn request(
        &mut self,
        _: EntityType,
        method: u32,
        modes: &[u32],
        _: &[u8],
    ) -> Result<ServerStep, AuthError> {
        if method != METHOD {
            return Ok(ServerStep::BadMethod {
                errno: 95,
                allowed_methods: vec![METHOD],
                allowed_modes: vec![1, 2],
            });
        }
        self.mode = modes.first().copied().unwrap_or(con_mode::CRC);
        Ok(ServerStep::More(Bytes::from_static(b"password?")))
    }
    fn request_more(&mut self, payload: &[u8]) -> Result<ServerStep, AuthError> {
        if payload != b"sesame" {
            return Err(AuthError::denied("wrong password"));
        }
        let name = AuthEntity::new(EntityType::OSD, "0");
        let identity = PeerIdentity { name, global_id: GLOBAL_ID, allow_all: true, caps: Bytes::new() };
        Ok(ServerStep::Done {
            identity,
            con_mode: self.mode,
            payload: Bytes::from_static(b"proof"),
            keys: keys(self.mode),
        })
    }
}

pub fn server_addr() -> EntityAddr {
    EntityAddr::v2("127.0.0.1:6800".parse().unwrap())
}

pub fn client(mode: u32, policy: Policy, password: &'static [u8]) -> Connection {
    Connection::connect(connector(mode, policy, password)).unwrap()
}

pub fn connector(mode: u32, policy: Policy, password: &'static [u8]) -> Connector {
    Connector {
        local: Local { kind: EntityType::MGR, num: None, addrs: EntityAddrVec::default(), nonce: 5 },
        peer: EntityType::MGR,
        target: server_addr(),
        policy,
        limits: Limits::default(),
        compression: Compression::default(),
        auth: Box::new(FakeClient { mode, password }),
        global_seq: 1,
        cookie: 0xc11e,
    }
}

pub fn server(policies: fn(EntityType) -> Policy, cookie: u64) -> Connection {
    Connection::accept(acceptor(policies, cookie)).unwrap()
}

pub fn acceptor(policies: fn(EntityType) -> Policy, cookie: u64) -> Acceptor {
    Acceptor {
        local: Local {
            kind: EntityType::MGR,
            num: Some(9),
            addrs: EntityAddrVec(vec![server_addr()]),
            nonce: 0,
        },
        peer_addr: EntityAddr::v2("127.0.0.1:50000".parse().unwrap()),
        policies,
        limits: Limits::default(),
        compression: Compression::default(),
        auth: Box::new(FakeServer::default()),
        global_seq: 1,
        cookie,
    }
}

pub fn stateless(_: EntityType) -> Policy {
    Policy::stateless_server(0)
}

pub fn stateful(_: EntityType) -> Policy {
    Policy::stateful_server(0)
}

/// Carries bytes both ways until nobody has any left.
pub fn settle(a: &mut Connection, b: &mut Connection) {
    loop {
        let (from_a, from_b) = (a.poll_transmit(), b.poll_transmit());
        if from_a.is_none() && from_b.is_none() {
            return;
        }
        // In odd pieces, so that nothing depends on how the bytes arrive.
        for piece in from_a.unwrap_or_default().chunks(37) {
            let _ = b.handle_bytes(piece);
        }
        for piece in from_b.unwrap_or_default().chunks(41) {
            let _ = a.handle_bytes(piece);
        }
    }
}

pub fn events(c: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| c.poll_event()).collect()
}

pub fn connected(c: &mut Connection) -> Peer {
    match c.poll_event() {
        Some(Event::Connected(peer)) => *peer,
        other => panic!("expected Connected, got {other:?}"),
    }
}

pub fn messages(c: &mut Connection) -> Vec<RawMessage> {
    events(c)
        .into_iter()
        .filter_map(|e| match e {
            Event::Message(m) => Some(m),
            _ => None,
        })
        .collect()
}

pub fn message(tid: u64, front: usize, middle: usize, data: usize) -> RawMessage {
    let fill = |len| Bytes::from(vec![tid as u8; len]);
    RawMessage {
        header: MessageHeader { seq: 0, tid, kind: 50, priority: 127, version: 3, compat_version: 1 },
        front: fill(front),
        middle: fill(middle),
        data: fill(data),
    }
}
