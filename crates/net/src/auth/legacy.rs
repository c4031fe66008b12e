//! What msgr v1 asks of the authentication and v2 does not: signatures of messages by the session key
//! (`CephxSessionHandler`), and the login at a monitor by messages over an open session (`MonConnection::start`,
//! `handle_auth`).

use super::MonClientAuth;
use crate::connection::{Connected, ConnectionEvent};
use crate::{Error, Result};
use axon_cephx::{CryptoKey, SignedPart, message_signature};
use axon_msgr::auth::{AuthError, AuthKeys, AuthRequest, ClientAuth, MessageSigner, Signed, con_mode};
use axon_proto::msgs::auth::MAuth;
use axon_proto::msgs::auth_reply::MAuthReply;
use axon_proto::{Message, Payload};
use bytes::Bytes;

/// A session key that signs messages.
pub(super) struct SessionSigner(pub CryptoKey);

impl MessageSigner for SessionSigner {
    fn sign(&self, signed: &Signed) -> Option<u64> {
        let part = |p: axon_msgr::auth::SignedPart| SignedPart { crc: p.crc, len_bytes: p.len_bytes };
        let (front, middle, data) = (part(signed.front), part(signed.middle), part(signed.data));
        message_signature(&self.0, signed.header_crc, front, middle, data, signed.seq_low).ok()
    }
}

/// The handshake with a monitor over v1, which asks for nothing: [`log_in`] comes behind it.
pub(crate) struct InSession;

fn never<T>() -> std::result::Result<T, AuthError> {
    Err(AuthError::denied("the monitor asks for an authorizer, which monitors never do"))
}

impl ClientAuth for InSession {
    fn request(&mut self) -> std::result::Result<AuthRequest, AuthError> {
        never()
    }
    fn bad_method(
        &mut self,
        _: u32,
        _: i32,
        _: &[u32],
        _: &[u32],
    ) -> std::result::Result<AuthRequest, AuthError> {
        never()
    }
    fn reply_more(&mut self, _: &[u8]) -> std::result::Result<Bytes, AuthError> {
        never()
    }
    fn done(&mut self, _: u64, _: u32, _: &[u8]) -> std::result::Result<AuthKeys, AuthError> {
        never()
    }
}

/// Logs in over an open session. What else the monitor says meanwhile is left out: it is its map, which is asked for next.
pub(crate) async fn log_in(connected: &mut Connected, auth: &mut MonClientAuth) -> Result<()> {
    let peer = connected.handle.peer_addr();
    let refused = |e: AuthError| Error::Protocol { peer, source: e.into() };
    let auth_payload = auth.negotiate().map_err(refused)?;
    connected.handle.send(Message::from(MAuth { auth_payload, ..MAuth::default() })).await?;
    let mut chosen = None;
    loop {
        let reply = next_reply(connected).await?;
        let used = match chosen {
            Some(used) => used,
            None => {
                auth.negotiated(reply.protocol).map_err(refused)?;
                *chosen.insert(reply.protocol)
            }
        };
        if reply.result < 0 {
            // Another method is not tried: the monitor chose among all of ours.
            let errno = reply.result.saturating_abs();
            let why = match auth.bad_method(used, errno, &[], &[]) {
                Err(e) => e,
                Ok(_) => AuthError { errno, why: format!("the monitor refuses method {used}") },
            };
            return Err(refused(why));
        }
        if !auth.expects_challenge() {
            auth.done(reply.global_id, con_mode::CRC, &reply.result_bl).map_err(refused)?;
            connected.peer.global_id = reply.global_id;
            return Ok(());
        }
        let auth_payload = auth.reply_more(&reply.result_bl).map_err(refused)?;
        let answer = MAuth { protocol: used, auth_payload, ..MAuth::default() };
        connected.handle.send(Message::from(answer)).await?;
    }
}

async fn next_reply(connected: &mut Connected) -> Result<MAuthReply> {
    let peer = connected.handle.peer_addr();
    loop {
        match connected.events.recv().await {
            Some(ConnectionEvent::Message(raw)) if raw.header.kind == MAuthReply::TYPE => {
                return MAuthReply::decode(&raw).map_err(|e| Error::Protocol { peer, source: e.into() });
            }
            Some(ConnectionEvent::Closed(Some(e))) => return Err(e),
            Some(ConnectionEvent::Closed(None)) | None => return Err(Error::Closed { peer }),
            Some(_) => {}
        }
    }
}
