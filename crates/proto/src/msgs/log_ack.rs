//! `MLogAck` (`src/messages/MLogAck.h`, version 1): the monitor has stored the cluster log's entries up to `last`.

use crate::Fsid;

/// Entries up to `last` of a channel are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MLogAck {
    pub fsid: Fsid,
    pub last: u64,
    pub channel: String,
}
crate::message::payload_fields!(MLogAck = 53, version 1; fsid, last, channel; samples [MLogAck { fsid: Fsid([1; 16]), last: 9, channel: "cluster".into() }]);
