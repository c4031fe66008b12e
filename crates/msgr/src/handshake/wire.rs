//! Both halves of the frame layer and the record of what was sent until the signature.

use crate::auth::{AuthKeys, con_mode};
use crate::crypto::ciphers;
use crate::frame::control::{self, Control};
use crate::frame::{FrameReader, FrameWriter, Tag, message_header};
use crate::transmit::Transmit;
use crate::{Algorithm, Incompatible, Limits, Misbehaved, Result};
use axon_proto::RawMessage;

pub(crate) struct Wire {
    pub reader: FrameReader,
    writer: FrameWriter,
    pub out: Transmit,
    sent: Option<Vec<u8>>,
    pub limits: Limits,
    /// The peer's banner says that it negotiates compression.
    pub peer_compresses: bool,
    is_v20: bool,
}

impl Wire {
    pub fn new(limits: Limits) -> Self {
        Wire {
            reader: FrameReader::default(),
            writer: FrameWriter::default(),
            out: Transmit::default(),
            sent: Some(Vec::new()),
            limits,
            peer_compresses: false,
            is_v20: false,
        }
    }

    /// Sends bytes that are not a frame (the banner).
    pub fn put_raw(&mut self, bytes: &[u8]) {
        if let Some(sent) = &mut self.sent {
            sent.extend_from_slice(bytes);
        }
        self.out.put(bytes);
    }

    /// Sends a control frame.
    pub fn send<C: Control>(&mut self, control: &C) -> Result<()> {
        let payload = control::encode(control);
        let Some(sent) = &mut self.sent else {
            return self.writer.put(C::TAG, &payload, &mut self.out);
        };
        let mut frame = Transmit::default();
        self.writer.put(C::TAG, &payload, &mut frame)?;
        let frame = frame.take();
        sent.extend_from_slice(&frame);
        self.out.put(&frame);
        Ok(())
    }

    /// Sends a message frame; its number is in its header, `ack_seq` is the last message received.
    pub fn send_message(&mut self, message: RawMessage, ack_seq: u64) -> Result<()> {
        let header = message_header(&message.header, ack_seq);
        let rest = [message.front, message.middle, message.data];
        self.writer.put_all(Tag::Message, &header, &rest, &mut self.out)
    }

    /// Everything sent so far, and no more recording.
    pub fn take_sent(&mut self) -> Vec<u8> {
        self.sent.take().unwrap_or_default()
    }

    /// Bounds what a handshake may take.
    pub fn check_handshake(&self) -> Result<()> {
        let bytes_max = self.limits.handshake_bytes_max;
        let sent = self.sent.as_ref().map_or(0, Vec::len);
        if self.reader.recorded().max(sent) > bytes_max {
            return Err(Misbehaved::HandshakeTooLarge { bytes_max }.into());
        }
        Ok(())
    }

    /// From now on frames in both directions may be compressed.
    pub fn compress(&mut self, algorithm: Algorithm, bytes_min: u64) {
        self.reader.compressed(algorithm);
        self.writer.compress(algorithm, bytes_min);
    }

    /// Whether frames are those of v2.1.
    pub fn is_rev1(&self) -> bool {
        !self.is_v20
    }

    /// From now on frames are those of v2.0.
    pub fn speak_v20(&mut self) {
        self.is_v20 = true;
        self.peer_compresses = false;
        self.reader.speak_v20();
        self.writer.speak_v20();
    }

    /// The modes that may be negotiated. SECURE of v2.0 counts nonces in 32 bits, so that they may repeat.
    pub fn modes(&self, modes: Vec<u32>) -> Result<Vec<u32>> {
        if !self.is_v20 {
            return Ok(modes);
        }
        match modes.contains(&con_mode::CRC) {
            true => Ok(vec![con_mode::CRC]),
            false => Err(Incompatible::SpeaksV20.into()),
        }
    }

    /// From now on both directions are protected as `mode` asks for.
    pub fn protect(&mut self, mode: u32, keys: &AuthKeys, acceptor: bool) -> Result<()> {
        match mode {
            con_mode::CRC => Ok(()),
            con_mode::SECURE if self.is_v20 => Err(Incompatible::SpeaksV20.into()),
            con_mode::SECURE => {
                let (rx, tx) = ciphers(&keys.connection_secret, acceptor)?;
                self.reader.secure(rx);
                self.writer.secure(tx);
                Ok(())
            }
            other => Err(Misbehaved::ConMode(other).into()),
        }
    }
}
