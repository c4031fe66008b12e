//! `LogEntry` (`src/common/LogEntry.{h,cc}`, version 5 in all supported releases): a line of the cluster log.

use crate::{AuthEntity, EntityAddrVec, EntityName, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// `clog_type`. Unknown values survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPriority(pub u16);

impl LogPriority {
    pub const DEBUG: LogPriority = LogPriority(0);
    pub const INFO: LogPriority = LogPriority(1);
    pub const SEC: LogPriority = LogPriority(2);
    pub const WARN: LogPriority = LogPriority(3);
    pub const ERROR: LogPriority = LogPriority(4);
}

/// Upstream's text: `[INF]`.
impl fmt::Display for LogPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::DEBUG => "[DBG]",
            Self::INFO => "[INF]",
            Self::SEC => "[SEC]",
            Self::WARN => "[WRN]",
            Self::ERROR => "[ERR]",
            _ => "[???]",
        })
    }
}

impl Encode for LogPriority {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u16(self.0);
    }
}
impl Decode for LogPriority {
    const BYTES_MIN: usize = 2;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.u16().map(LogPriority)
    }
}

/// A line of the cluster log; `channel` is `cluster` or `audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEntry {
    pub name: AuthEntity,
    pub rank: EntityName,
    pub addrs: EntityAddrVec,
    pub stamp: UTime,
    pub seq: u64,
    pub priority: LogPriority,
    pub message: String,
    pub channel: String,
}
denc_struct!(LogEntry, 5, 5; LogEntry { name, rank, addrs, stamp, seq, priority, message, channel });

impl LogEntry {
    pub const CHANNEL_CLUSTER: &'static str = "cluster";
    pub const CHANNEL_AUDIT: &'static str = "audit";
}

/// As `ceph log last` prints it.
impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogEntry { stamp, name, rank, seq, channel, priority, message, .. } = self;
        write!(f, "{stamp} {name} ({rank}) {seq} : {channel} {priority} {message}")
    }
}

/// `LogEntry::dump`.
impl Serialize for LogEntry {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("LogEntry", 8)?;
        out.serialize_field("name", &self.name.to_string())?;
        out.serialize_field("rank", &self.rank.to_string())?;
        out.serialize_field("addrs", &self.addrs)?;
        out.serialize_field("stamp", &self.stamp)?;
        out.serialize_field("seq", &self.seq)?;
        out.serialize_field("channel", &self.channel)?;
        out.serialize_field("priority", &self.priority.to_string())?;
        out.serialize_field("message", &self.message)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn what_ceph_encoded_is_written_back_byte_for_byte() {
        corpus::round_trips_newest::<LogEntry>("LogEntry");
    }

    #[test]
    fn text_is_upstreams() {
        let entry = LogEntry {
            name: "mgr.x".parse().unwrap(),
            rank: EntityName::new(crate::EntityType::MGR, 4100),
            seq: 7,
            priority: LogPriority::WARN,
            message: "m".into(),
            channel: "cluster".into(),
            ..LogEntry::default()
        };
        assert_eq!(entry.to_string(), "0.000000 mgr.x (mgr.4100) 7 : cluster [WRN] m");
        assert_eq!(LogPriority(9).to_string(), "[???]");
    }
}
