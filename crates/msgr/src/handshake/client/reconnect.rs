//! An earlier session over a new socket: SESSION_RECONNECT, answered by RECONNECT_OK, RETRY, RETRY_GLOBAL or RESET.

use super::{Authenticated, Ident, addrs};
use crate::frame::control::{self, ReconnectOk, Reset, Retry, RetryGlobal};
use crate::frame::{Frame, Tag};
use crate::handshake::{Context, Peer, Phase, Step, unexpected};
use crate::{Misbehaved, Result};

/// A server that is replacing a socket asks to retry a few times; more is a loop.
const RETRIES_MAX: u32 = 64;

pub(crate) struct Reconnect {
    authenticated: Authenticated,
    retries: u32,
}

impl Reconnect {
    pub fn enter(authenticated: Authenticated, ctx: &mut Context<'_>) -> Result<Step> {
        Reconnect { authenticated, retries: 0 }.send(ctx)
    }

    fn send(self, ctx: &mut Context<'_>) -> Result<Step> {
        if self.retries > RETRIES_MAX {
            return Err(Misbehaved::TooManyRetries(RETRIES_MAX).into());
        }
        let session = &ctx.session;
        ctx.wire.send(&control::Reconnect {
            addrs: addrs(&self.authenticated.call.local, &self.authenticated.our_addr),
            client_cookie: session.client_cookie,
            server_cookie: session.server_cookie,
            global_seq: session.global_seq,
            connect_seq: session.connect_seq,
            msg_seq: session.in_seq,
        })?;
        Ok(Step::Next(Phase::ClientReconnect(self)))
    }

    pub fn step(mut self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        self.retries += 1;
        match frame.tag {
            Tag::SessionReconnectOk => self.done(&control::decode(frame.payload())?, ctx),
            Tag::SessionRetry => {
                let retry: Retry = control::decode(frame.payload())?;
                ctx.session.connect_seq = retry.connect_seq.wrapping_add(1);
                self.send(ctx)
            }
            Tag::SessionRetryGlobal => {
                let retry: RetryGlobal = control::decode(frame.payload())?;
                ctx.session.global_seq = ctx.session.global_seq.max(retry.global_seq).wrapping_add(1);
                self.send(ctx)
            }
            Tag::SessionReset => {
                let reset: Reset = control::decode(frame.payload())?;
                self.reset(&reset, ctx)
            }
            other => unexpected(other, "an answer to SESSION_RECONNECT"),
        }
    }

    fn done(self, ok: &ReconnectOk, ctx: &mut Context<'_>) -> Result<Step> {
        ctx.session.handle_ack(ok.msg_seq);
        let Authenticated { our_addr, global_id, con_mode, compression, .. } = self.authenticated;
        // A session that can be resumed has had its ident, and so a peer.
        match ctx.session.peer.clone() {
            Some(peer) => Ok(Step::Done(Peer {
                con_mode,
                rev1: ctx.wire.is_rev1(),
                compression,
                global_id,
                our_addr,
                resumed: true,
                ..peer
            })),
            None => unexpected(Tag::SessionReconnectOk, "SERVER_IDENT"),
        }
    }

    fn reset(self, reset: &Reset, ctx: &mut Context<'_>) -> Result<Step> {
        ctx.session.handle_reset(reset.full);
        let next = Ident::enter(self.authenticated, ctx)?;
        Ok(match next {
            Step::Next(phase) if reset.full => Step::SessionReset(phase),
            other => other,
        })
    }
}
