//! The cluster's configuration: what `ceph.conf` says.

pub mod mon_host;

pub use mon_host::{BadMonHost, MonHost, MonHostAddr, parse_mon_host};
