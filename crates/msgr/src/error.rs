//! Why a connection ended, by who is at fault.

use crate::auth::AuthError;
use crate::frame::Tag;
use axon_denc::DecodeError;
use axon_proto::{EntityAddr, EntityAddrVec, EntityType};

pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of the protocol. After one the connection is finished; a lossless session may go on over another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that are not the protocol, or were damaged on the way.
    #[error("malformed: {0}")]
    Malformed(Malformed),
    /// Well-formed frames that the protocol does not allow here.
    #[error("peer misbehaved: {0}")]
    PeerMisbehaved(Misbehaved),
    /// Both sides are right, but have nothing in common.
    #[error("peer is incompatible: {0}")]
    PeerIncompatible(Incompatible),
    /// One side does not accept the other's identity.
    #[error("authentication failed: {0}")]
    Auth(AuthError),
    /// The caller broke this crate's contract.
    #[error("misuse: {0}")]
    ApiMisuse(Misuse),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the peer does not open with msgr's banner")]
    NotABanner,
    #[error("the banner's payload has {0} bytes, 16 or a little more were expected")]
    BannerPayload(u16),
    #[error("preamble checksum {found:#010x}, computed {computed:#010x}")]
    PreambleCrc { found: u32, computed: u32 },
    #[error("checksum of segment {segment} is {found:#010x}, computed {computed:#010x}")]
    SegmentCrc { segment: usize, found: u32, computed: u32 },
    #[error("a frame of {0} segments")]
    SegmentCount(u8),
    #[error("the last segment is empty")]
    LastSegmentEmpty,
    #[error("epilogue status {0:#04x}")]
    LateStatus(u8),
    #[error("message header checksum {found:#010x}, computed {computed:#010x}")]
    HeaderCrc { found: u32, computed: u32 },
    #[error("unknown frame tag {0}")]
    UnknownTag(u8),
    #[error("a frame's authentication tag does not match")]
    AuthTag,
    #[error("a segment is not what {0} makes")]
    Compressed(&'static str),
    #[error(transparent)]
    Payload(#[from] DecodeError),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaved {
    #[error("{tag:?} while expecting {expecting}")]
    UnexpectedFrame { tag: Tag, expecting: &'static str },
    #[error("a {tag:?} frame of {bytes} bytes, {bytes_max} are allowed here")]
    FrameTooLarge { tag: Tag, bytes: u64, bytes_max: u64 },
    #[error("a compressed frame although compression was not agreed")]
    Compressed,
    #[error("a frame unpacks to more than {bytes_max} bytes, which is what is left of its limit")]
    UnpacksTooLarge { bytes_max: usize },
    #[error("the peer chose compression method {0}, which was not offered")]
    CompressionMethod(u32),
    #[error("a message of {bytes} bytes, {bytes_max} are allowed")]
    MessageTooLarge { bytes: u64, bytes_max: u64 },
    #[error("an authorizer of {bytes} bytes, {bytes_max} are allowed")]
    AuthorizerTooLarge { bytes: u32, bytes_max: u32 },
    #[error("the signature of a message does not match")]
    MessageSignature,
    #[error("the peer aborts a message")]
    Aborted,
    #[error("the peer closes the session")]
    HungUp,
    #[error("tag {0} in answer to our connect message")]
    ConnectReply(u8),
    #[error("the peer opens the session without having proved itself")]
    NotProved,
    #[error("the peer counts this as connection {theirs} of the session, it is {ours}")]
    ConnectSeq { ours: u64, theirs: u32 },
    #[error("the handshake takes more than {bytes_max} bytes")]
    HandshakeTooLarge { bytes_max: usize },
    #[error("the handshake's signature does not match what was sent")]
    SignatureMismatch,
    #[error("the peer claims to be a {claimed:?}, a {expected:?} was called")]
    WrongEntityType { claimed: EntityType, expected: EntityType },
    #[error("the peer at {target} says that its addresses are {claimed}")]
    NotWhoWasCalled { target: EntityAddr, claimed: EntityAddrVec },
    #[error("the peer wants to reach {target}, which is not us ({ours})")]
    WrongTarget { target: EntityAddr, ours: EntityAddrVec },
    #[error("the peer gives no address of its own")]
    NoAddress,
    #[error("the connection secret has {0} bytes, a secure connection needs 40")]
    ShortSecret(usize),
    #[error("the peer chose connection mode {0}, which was not offered")]
    ConMode(u32),
    #[error("the peer asked to retry more than {0} times")]
    TooManyRetries(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    #[error("it speaks msgr v1 at this address; check that the address is the v2 one")]
    SpeaksV1,
    #[error("it speaks msgr v2 at this address; check that the address is the v1 one")]
    SpeaksV2,
    #[error("only encrypted connections are allowed here (ms_*_mode), msgr v1 has none")]
    OnlySecure,
    #[error("it speaks version {0} of its protocol, which is not ours")]
    ProtocolVersion(u32),
    #[error("it refuses our authorizer")]
    Authorizer,
    #[error(
        "it speaks msgr v2.0 only, whose SECURE mode counts nonces in 32 bits only and is not spoken here, and CRC mode \
         is not allowed (ms_*_mode); Ceph 15.2.5 and later speak v2.1"
    )]
    SpeaksV20,
    #[error("it requires protocol features {0:#x}")]
    ProtocolFeatures(u64),
    #[error("it requires features {0:#x} that we lack")]
    WeLackFeatures(u64),
    #[error("it lacks the features {0:#x} that we require")]
    PeerLacksFeatures(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    #[error("the connection is closed")]
    Closed,
    #[error("a decision without an offer")]
    NothingToDecide,
    #[error("out of nonces for this key")]
    OutOfNonces,
    #[error("a message of {bytes} bytes, {bytes_max} are allowed")]
    MessageTooLarge { bytes: usize, bytes_max: usize },
    #[error("a cookie is zero")]
    ZeroCookie,
}

macro_rules! into_error {
    ($($name:ident($from:ty)),*) => {$(
        impl From<$from> for Error {
            fn from(e: $from) -> Error {
                Error::$name(e)
            }
        }
    )*};
}
into_error!(
    Malformed(Malformed),
    PeerMisbehaved(Misbehaved),
    PeerIncompatible(Incompatible),
    Auth(AuthError),
    ApiMisuse(Misuse)
);

impl From<DecodeError> for Error {
    fn from(e: DecodeError) -> Error {
        Error::Malformed(Malformed::Payload(e))
    }
}
