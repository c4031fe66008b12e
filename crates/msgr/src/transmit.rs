//! Bytes on their way to the socket: small ones gathered, large payloads kept as they are (no copy in CRC mode).

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Payloads from this size on are not copied.
const BYTES_BY_REFERENCE_MIN: usize = 4096;

/// Largest buffer that is kept when nothing waits.
const BYTES_KEPT_MAX: usize = 64 << 10;

#[derive(Debug, Default)]
pub struct Transmit {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    chunk_bytes: usize,
}

impl Transmit {
    /// Number of bytes that wait.
    pub fn len(&self) -> usize {
        self.chunk_bytes + self.tail.len()
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Queues `bytes`, without a copy when they are large.
    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < BYTES_BY_REFERENCE_MIN {
            return self.put(bytes);
        }
        self.seal();
        self.chunk_bytes += bytes.len();
        self.chunks.push_back(bytes.clone());
    }

    /// The buffer that small pieces are gathered in, for building a frame in place.
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.chunk_bytes += tail.len();
            self.chunks.push_back(tail);
        }
    }

    /// The next bytes to write, at most `N` slices.
    pub fn slices<const N: usize>(&self) -> ([IoSlice<'_>; N], usize) {
        let mut out = [IoSlice::new(&[]); N];
        let mut used = 0;
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        for (slot, piece) in out.iter_mut().zip(self.chunks.iter().map(|c| &c[..]).chain(tail)) {
            *slot = IoSlice::new(piece);
            used += 1;
        }
        (out, used)
    }

    /// Forgets `bytes` that were written.
    pub fn advance(&mut self, mut bytes: usize) {
        while let Some(front) = self.chunks.front_mut() {
            let step = bytes.min(front.len());
            front.advance(step);
            self.chunk_bytes -= step;
            bytes -= step;
            if !front.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
        self.tail.advance(bytes.min(self.tail.len()));
        // The buffer is used again, unless it was an unusually large one.
        if self.tail.is_empty() && self.tail.capacity() > BYTES_KEPT_MAX {
            self.tail = BytesMut::new();
        }
    }

    /// Takes everything as one piece (a test's or a simple driver's way).
    pub fn take(&mut self) -> Bytes {
        self.seal();
        let mut out = BytesMut::with_capacity(self.chunk_bytes);
        for chunk in self.chunks.drain(..) {
            out.extend_from_slice(&chunk);
        }
        self.chunk_bytes = 0;
        out.freeze()
    }

    pub fn clear(&mut self) {
        *self = Transmit::default();
    }
}
