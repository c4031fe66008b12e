//! What Ceph's daemons say to each other: entities, features, maps and messages, in upstream's encodings.
//!
//! One file per type or message. A wire message is a file under `msgs/` plus a row in [`message`]'s table; everything that
//! depends on the table (dispatch, tests over all messages) is derived from it.

pub mod addr;
#[cfg(test)]
pub(crate) mod corpus;
pub mod crush;
pub mod daemon_config;
pub mod entity;
pub mod features;
pub mod fs_map;
pub mod fsid;
pub mod health;
pub mod json;
pub mod log_entry;
pub mod message;
pub mod mgr_map;
pub mod mon_command_desc;
pub mod mon_feature;
pub mod mon_map;
pub mod msgs;
pub mod osd_map;
pub mod perf_metric;
pub mod pg;
pub mod pg_map_digest;
pub mod release;
pub mod service_map;
pub mod time;

pub use addr::{AddrType, EntityAddr, EntityAddrVec};
pub use entity::{AuthEntity, EntityName, EntityType};
pub use fs_map::FsMap;
pub use fsid::Fsid;
pub use message::{Message, MessageHeader, Payload, RawMessage};
pub use mgr_map::MgrMap;
pub use mon_command_desc::MonCommandDesc;
pub use mon_map::MonMap;
pub use osd_map::OSDMap;
pub use release::{Dump, Dumped, Release};
pub use service_map::ServiceMap;
pub use time::UTime;
