//! What the protocol asks of an authentication method (`AuthClient`/`AuthServer` in `src/auth/`): opaque payloads in and
//! out, and at the end a session key and a connection secret. The protocol never looks inside; `axon-net` implements
//! these traits with `axon-cephx`.

use axon_proto::{AuthEntity, EntityType};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// `CEPH_AUTH_*`.
pub mod method {
    pub const NONE: u32 = 1;
    pub const CEPHX: u32 = 2;
}

/// `CEPH_CON_MODE_*`: how frames are protected once the handshake is done.
pub mod con_mode {
    pub const CRC: u32 = 1;
    pub const SECURE: u32 = 2;

    /// `ceph_con_mode_name`.
    #[must_use]
    pub fn name(mode: u32) -> &'static str {
        match mode {
            CRC => "crc",
            SECURE => "secure",
            _ => "???",
        }
    }
}

/// An authentication that failed; `errno` is upstream's (positive), sent to the peer where the protocol allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthError {
    pub errno: i32,
    pub why: String,
}

impl AuthError {
    #[must_use]
    pub fn denied(why: impl Into<String>) -> Self {
        AuthError { errno: 13, why: why.into() }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (errno {})", self.why, self.errno)
    }
}
impl std::error::Error for AuthError {}

/// What a client opens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequest {
    pub method: u32,
    /// Connection modes in order of preference.
    pub preferred_modes: Vec<u32>,
    pub payload: Bytes,
}

/// Keys that an authentication yields. `connection_secret` is empty in CRC mode.
#[derive(Clone, Default)]
pub struct AuthKeys {
    pub session_key: Zeroizing<Vec<u8>>,
    pub connection_secret: Zeroizing<Vec<u8>>,
    /// Signs the messages of a v1 session; `None` when they are not signed.
    pub signer: Option<Arc<dyn MessageSigner>>,
}

/// Length and checksum of a part of a v1 message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedPart {
    pub crc: u32,
    pub len_bytes: u32,
}

/// What the signature of a v1 message covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    pub header_crc: u32,
    pub front: SignedPart,
    pub middle: SignedPart,
    pub data: SignedPart,
    /// The low half of the sequence number.
    pub seq_low: u32,
}

/// A session key's signatures (`AuthSessionHandler`).
pub trait MessageSigner: Send + Sync {
    /// The footer's `sig`; `None` when the key cannot make one.
    fn sign(&self, signed: &Signed) -> Option<u64>;
}

impl fmt::Debug for AuthKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKeys(..)")
    }
}

/// The connecting side's method.
pub trait ClientAuth: Send {
    /// The opening request.
    fn request(&mut self) -> Result<AuthRequest, AuthError>;
    /// The peer refused the method (`AUTH_BAD_METHOD`); another request, or an error that names the reason.
    fn bad_method(
        &mut self,
        method: u32,
        errno: i32,
        allowed_methods: &[u32],
        allowed_modes: &[u32],
    ) -> Result<AuthRequest, AuthError>;
    /// `AUTH_REPLY_MORE` → payload of `AUTH_REQUEST_MORE`.
    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError>;
    /// `AUTH_DONE`: the keys, once the peer has proved itself.
    fn done(&mut self, global_id: u64, con_mode: u32, payload: &[u8]) -> Result<AuthKeys, AuthError>;
    /// v1: our global id, which no frame brings; 0 when there is none yet.
    fn global_id(&self) -> u64 {
        0
    }
}

/// Who has authenticated at an acceptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    pub name: AuthEntity,
    pub global_id: u64,
    /// `AuthCapsInfo`: allowed everything, or the encoded capability string for this service.
    pub allow_all: bool,
    pub caps: Bytes,
}

/// An acceptor's answer to one auth frame.
#[derive(Clone, Debug)]
pub enum ServerStep {
    /// `AUTH_REPLY_MORE`.
    More(Bytes),
    /// `AUTH_DONE`.
    Done { identity: PeerIdentity, con_mode: u32, payload: Bytes, keys: AuthKeys },
    /// `AUTH_BAD_METHOD`.
    BadMethod { errno: i32, allowed_methods: Vec<u32>, allowed_modes: Vec<u32> },
}

/// The accepting side's method. `peer` is the entity type that the peer claimed in HELLO.
pub trait ServerAuth: Send {
    /// `AUTH_REQUEST`. An error closes the connection.
    fn request(
        &mut self,
        peer: EntityType,
        method: u32,
        preferred_modes: &[u32],
        payload: &[u8],
    ) -> Result<ServerStep, AuthError>;
    /// `AUTH_REQUEST_MORE`.
    fn request_more(&mut self, payload: &[u8]) -> Result<ServerStep, AuthError>;
}
