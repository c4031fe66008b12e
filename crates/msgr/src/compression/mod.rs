//! On-wire compression (`src/msg/async/compression_onwire.*`, `src/msg/compressor_registry.*`; peers since 17.2): agreed after the
//! signature by COMPRESSION_REQUEST and COMPRESSION_DONE, then any frame of enough bytes may have its segments compressed,
//! each by itself, and says so in its preamble.
//!
//! Invariants: who is not an OSD is never compressed towards (so decides upstream's registry); a compressed frame without an
//! agreement is refused; what a frame may unpack to is bounded by the limit that the frame itself has, see `codec`.

mod codec;

pub use codec::{compress, decompress};

use crate::auth::con_mode;
use axon_proto::EntityType;

/// `Compressor::CompressionAlgorithm`. Brotli, which the distributions do not build, is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Algorithm {
    Snappy = 1,
    Zlib = 2,
    Zstd = 3,
    Lz4 = 4,
}

impl Algorithm {
    pub const ALL: [Algorithm; 4] = [Algorithm::Snappy, Algorithm::Zlib, Algorithm::Zstd, Algorithm::Lz4];

    /// The algorithm of that number on the wire.
    #[must_use]
    pub fn from_wire(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|a| *a as u32 == number)
    }

    /// Upstream's name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Snappy => "snappy",
            Algorithm::Zlib => "zlib",
            Algorithm::Zstd => "zstd",
            Algorithm::Lz4 => "lz4",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// What the options `ms_osd_compress_*` and `ms_compress_secure` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// `ms_osd_compress_mode` is not `none`.
    pub osds: bool,
    /// `ms_osd_compression_algorithm`, in order of preference.
    pub algorithms: Vec<Algorithm>,
    /// `ms_osd_compress_min_size`: smaller frames go as they are.
    pub bytes_min: u64,
    /// `ms_compress_secure`: encrypted connections too.
    pub secure: bool,
}

impl Default for Compression {
    fn default() -> Self {
        Compression { osds: false, algorithms: vec![Algorithm::Snappy], bytes_min: 1024, secure: false }
    }
}

impl Compression {
    /// Whether we want frames from and to a peer of this kind compressed (`CompressorRegistry::get_mode`).
    #[must_use]
    pub fn wanted(&self, peer: EntityType, mode: u32) -> bool {
        peer == EntityType::OSD && self.osds && (mode != con_mode::SECURE || self.secure)
    }

    /// The numbers of what we can do towards a peer of this kind (`get_methods`).
    #[must_use]
    pub fn methods(&self, peer: EntityType) -> Vec<u32> {
        if peer != EntityType::OSD {
            return Vec::new();
        }
        self.algorithms.iter().map(|a| *a as u32).collect()
    }

    /// An acceptor's choice: the peer's first that we can do (`pick_method`).
    #[must_use]
    pub fn pick(&self, peer: EntityType, preferred: &[u32]) -> Option<Algorithm> {
        let ours = self.methods(peer);
        preferred.iter().find(|m| ours.contains(m)).and_then(|m| Algorithm::from_wire(*m))
    }

    /// The threshold towards a peer of this kind (`get_min_compression_size`).
    #[must_use]
    pub fn bytes_min(&self, peer: EntityType) -> u64 {
        if peer == EntityType::OSD { self.bytes_min } else { 0 }
    }
}
