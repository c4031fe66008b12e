//! Payloads of control frames: fields in order, without an envelope. Addresses are always in their versioned form
//! (`msgr2_frame_assumed`).

use super::Tag;
use axon_denc::{Decode, Features, Reader, Writer, denc_struct};
use axon_proto::{EntityAddr, EntityAddrVec, UTime, features};
use bytes::Bytes;

/// What every v2 peer is taken to understand in control frames.
pub const FEATURES_ASSUMED: Features = Features(features::MSG_ADDR2 | features::SERVER_NAUTILUS);
/// What every v2 peer must have.
pub const FEATURES_REQUIRED: u64 = features::MSG_ADDR2;
/// `CEPH_MSG_CONNECT_LOSSY` in the ident frames' flags.
pub const FLAG_LOSSY: u64 = 1;

/// A control frame's payload and its tag.
pub trait Control: axon_denc::Encode + Decode {
    const TAG: Tag;
}

macro_rules! control {
    ($($(#[$doc:meta])* $name:ident = $tag:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $(pub $field: $type),* }
        denc_struct!($name; $name { $($field),* });
        impl Control for $name {
            const TAG: Tag = Tag::$tag;
        }
    )*};
}
control! {
    Hello = Hello { entity_type: u8, peer_addr: EntityAddr }
    AuthRequest = AuthRequest { method: u32, preferred_modes: Vec<u32>, payload: Bytes }
    AuthBadMethod = AuthBadMethod {
        method: u32,
        result: i32,
        allowed_methods: Vec<u32>,
        allowed_modes: Vec<u32>,
    }
    AuthReplyMore = AuthReplyMore { payload: Bytes }
    AuthRequestMore = AuthRequestMore { payload: Bytes }
    AuthDone = AuthDone { global_id: u64, con_mode: u32, payload: Bytes }
    AuthSignature = AuthSignature { signature: [u8; 32] }
    ClientIdent = ClientIdent {
        addrs: EntityAddrVec,
        target_addr: EntityAddr,
        gid: i64,
        global_seq: u64,
        supported_features: u64,
        required_features: u64,
        flags: u64,
        cookie: u64,
    }
    ServerIdent = ServerIdent {
        addrs: EntityAddrVec,
        gid: i64,
        global_seq: u64,
        supported_features: u64,
        required_features: u64,
        flags: u64,
        cookie: u64,
    }
    IdentMissingFeatures = IdentMissingFeatures { features: u64 }
    Reconnect = SessionReconnect {
        addrs: EntityAddrVec,
        client_cookie: u64,
        server_cookie: u64,
        global_seq: u64,
        connect_seq: u64,
        msg_seq: u64,
    }
    Reset = SessionReset { full: bool }
    Retry = SessionRetry { connect_seq: u64 }
    RetryGlobal = SessionRetryGlobal { global_seq: u64 }
    ReconnectOk = SessionReconnectOk { msg_seq: u64 }
    Wait = Wait {}
    Keepalive2 = Keepalive2 { timestamp: UTime }
    Keepalive2Ack = Keepalive2Ack { timestamp: UTime }
    Ack = Ack { seq: u64 }
    CompressionRequest = CompressionRequest { is_compress: bool, preferred_methods: Vec<u32> }
    CompressionDone = CompressionDone { is_compress: bool, method: u32 }
}

/// Encodes a payload.
pub fn encode<C: Control>(control: &C) -> Bytes {
    let mut w = Writer::new();
    control.encode(&mut w, FEATURES_ASSUMED);
    w.into_bytes()
}

/// Decodes a payload; what a newer peer appends is ignored.
pub fn decode<C: Control>(payload: &[u8]) -> axon_denc::Result<C> {
    C::decode(&mut Reader::named(payload, "msgr2 control frame"))
}
