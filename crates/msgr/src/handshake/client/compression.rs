//! COMPRESSION_REQUEST, answered by COMPRESSION_DONE; not with peers before 17.2. Then the session begins or goes on.

use super::{Authenticated, Ident, Reconnect};
use crate::frame::Frame;
use crate::frame::control::{self, CompressionDone, CompressionRequest, Control};
use crate::handshake::{Context, Phase, Step, unexpected};
use crate::{Algorithm, Misbehaved, Result};

pub(crate) struct Compression(Authenticated);

impl Compression {
    pub fn enter(authenticated: Authenticated, ctx: &mut Context<'_>) -> Result<Step> {
        if !ctx.wire.peer_compresses {
            return begin(authenticated, ctx);
        }
        let call = &authenticated.call;
        ctx.wire.send(&CompressionRequest {
            is_compress: call.compression.wanted(call.peer, authenticated.con_mode),
            preferred_methods: call.compression.methods(call.peer),
        })?;
        Ok(Step::Next(Phase::ClientCompression(Compression(authenticated))))
    }

    pub fn step(mut self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        if frame.tag != CompressionDone::TAG {
            return unexpected(frame.tag, "COMPRESSION_DONE");
        }
        let CompressionDone { is_compress, method } = control::decode(frame.payload())?;
        let call = &self.0.call;
        if is_compress && call.compression.wanted(call.peer, self.0.con_mode) {
            let chosen = Algorithm::from_wire(method)
                .filter(|_| call.compression.methods(call.peer).contains(&method));
            let algorithm = chosen.ok_or(Misbehaved::CompressionMethod(method))?;
            ctx.wire.compress(algorithm, call.compression.bytes_min(call.peer));
            self.0.compression = Some(algorithm);
        }
        begin(self.0, ctx)
    }
}

fn begin(authenticated: Authenticated, ctx: &mut Context<'_>) -> Result<Step> {
    if ctx.session.server_cookie == 0 {
        Ident::enter(authenticated, ctx)
    } else {
        Reconnect::enter(authenticated, ctx)
    }
}
