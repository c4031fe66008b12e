//! COMPRESSION_REQUEST, answered by COMPRESSION_DONE; not from peers before 17.2.

use super::{Authenticated, Ident};
use crate::Result;
use crate::frame::Frame;
use crate::frame::control::{self, CompressionDone, CompressionRequest, Control};
use crate::handshake::{Context, Phase, Step, unexpected};

pub(crate) struct Compression(Authenticated);

impl Compression {
    pub fn enter(authenticated: Authenticated, ctx: &Context<'_>) -> Step {
        match ctx.wire.peer_compresses {
            true => Step::Next(Phase::ServerCompression(Compression(authenticated))),
            false => Step::Next(Phase::ServerIdent(Ident::enter(authenticated))),
        }
    }

    pub fn step(mut self, frame: &Frame, ctx: &mut Context<'_>) -> Result<Step> {
        if frame.tag != CompressionRequest::TAG {
            return unexpected(frame.tag, "COMPRESSION_REQUEST");
        }
        let request: CompressionRequest = control::decode(frame.payload())?;
        let (kind, ours) = (self.0.greeted.kind, &self.0.greeted.call.compression);
        if request.is_compress && ours.wanted(kind, self.0.con_mode) {
            self.0.compression = ours.pick(kind, &request.preferred_methods);
        }
        let chosen = self.0.compression;
        ctx.wire.send(&CompressionDone {
            is_compress: chosen.is_some(),
            method: chosen.map_or(0, |algorithm| algorithm as u32),
        })?;
        if let Some(algorithm) = chosen {
            ctx.wire.compress(algorithm, ours.bytes_min(kind));
        }
        Ok(Step::Next(Phase::ServerIdent(Ident::enter(self.0))))
    }
}
