//! The cluster's configuration: what `ceph.conf` and the monitors say, and who wins.

pub mod conf_file;
pub mod expand;
pub mod mon_host;
pub mod schema;
pub mod settings;
pub mod typed;

pub use conf_file::{ConfError, ConfFile, normalized};
pub use expand::{Variables, expand};
pub use mon_host::{BadMonHost, MonHost, MonHostAddr, parse_mon_host};
pub(crate) use schema::truth;
pub use schema::{OptionDesc, OptionValue, Schema, size_bytes};
pub use settings::{Level, Settings, cluster_of, conf_paths, module_key};
