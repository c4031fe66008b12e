//! `MonCommand` (`src/mon/MonCommand.h`, version 1 in all supported releases): the description of one command in a
//! daemon's table, as managers announce theirs and `get_command_descriptions` prints it. Not the message that carries a
//! command: that is `MMonCommand`.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::Serialize;

/// One command: signature, help, the service it belongs to, permissions (`r`, `rw`, …) and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MonCommandDesc {
    pub cmdstring: String,
    pub helpstring: String,
    pub module: String,
    pub req_perms: String,
    pub flags: u64,
}

impl MonCommandDesc {
    pub const FLAG_NOFORWARD: u64 = 1;
    pub const FLAG_OBSOLETE: u64 = 1 << 1;
    pub const FLAG_DEPRECATED: u64 = 1 << 2;
    /// Runs in the manager.
    pub const FLAG_MGR: u64 = 1 << 3;
    pub const FLAG_POLL: u64 = 1 << 4;
    pub const FLAG_HIDDEN: u64 = 1 << 5;

    /// A removed field, filled with what old readers expect.
    const AVAILABILITY: &'static str = "cli,rest";
}

impl Encode for MonCommandDesc {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.envelope(1, 1, |w| {
            for field in [&self.cmdstring, &self.helpstring, &self.module, &self.req_perms] {
                w.string(field);
            }
            w.string(Self::AVAILABILITY);
            w.u64(self.flags);
        });
    }
}

impl Decode for MonCommandDesc {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope(1, "MonCommand")?;
        let (cmdstring, helpstring, module, req_perms) = (r.value()?, r.value()?, r.value()?, r.value()?);
        r.blob()?;
        Ok(MonCommandDesc { cmdstring, helpstring, module, req_perms, flags: r.u64()? })
    }
}
