//! What precedes the fields of every message to a paxos service of the monitors (`src/messages/PaxosServiceMessage.h`):
//! the version that the sender has, and two fields that nobody reads since Luminous.

use axon_denc::{Reader, Result, Writer};

/// Length of the prefix.
pub(super) const BYTES: usize = 18;

/// Writes the prefix.
pub(super) fn put(w: &mut Writer, version: u64) {
    w.u64(version);
    w.i16(-1);
    w.u64(0);
}

/// Reads the prefix; the version.
pub(super) fn version(r: &mut Reader<'_>) -> Result<u64> {
    let version = r.u64()?;
    r.skip(2 + 8)?;
    Ok(version)
}
