//! `MLog` (`src/messages/MLog.h`, version 1): lines for the cluster log, to a monitor or from it to a subscriber of a
//! channel (`log-info`, …).

use super::paxos;
use crate::Fsid;
use crate::log_entry::LogEntry;
use crate::message::{Parts, Payload, RawMessage};
use axon_denc::{Features, Result};
use std::collections::VecDeque;

/// Lines of the cluster log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MLog {
    /// Of the log as a whole, from a monitor.
    pub version: u64,
    pub fsid: Fsid,
    pub entries: VecDeque<LogEntry>,
}

impl Payload for MLog {
    const TYPE: u16 = 52;
    const NAME: &'static str = "MLog";
    const VERSION: u16 = 1;
    const COMPAT: u16 = 1;

    fn encode(&self, out: &mut Parts, features: Features) {
        paxos::put(&mut out.front, self.version);
        out.front.value(&self.fsid, features);
        out.front.value(&self.entries, features);
    }

    fn decode(raw: &RawMessage) -> Result<Self> {
        let mut r = raw.front_reader(Self::NAME);
        Ok(MLog { version: paxos::version(&mut r)?, fsid: r.value()?, entries: r.value()? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let entry = LogEntry {
            name: crate::AuthEntity::new(crate::EntityType::MGR, "x"),
            seq: 3,
            message: "m".into(),
            channel: LogEntry::CHANNEL_AUDIT.into(),
            ..LogEntry::default()
        };
        vec![MLog { version: 2, fsid: Fsid([5; 16]), entries: [entry].into() }]
    }
}
