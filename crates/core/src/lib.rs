//! The manager's knowledge of the cluster and the handles by which modules and the REST API reach it. Pure: no runtime,
//! socket, clock, RNG or thread; `axon-net` feeds events in and carries commands out.

pub mod adjust_pgs;
pub mod caps;
pub mod cluster;
pub mod cluster_log;
pub mod command;
pub mod commands;
pub mod config;
pub mod daemons;
pub mod fs_status;
pub mod health;
pub mod kv;
pub mod lifecycle;
pub mod mgr_options;
pub mod module_processes;
pub mod osd_places;
pub mod perf;
pub mod perf_queries;
pub mod pg_map;
pub mod pool_history;
pub mod primaries;
pub mod state;
pub mod tell;
pub mod text;
pub mod trace;
pub mod upmap;

pub use cluster::Cluster;
pub use command::{Command, CommandError, CommandOutput, CommandSink, Commands, Target};
pub use kv::{Kv, KvUpdate};
pub use mgr_options::MgrOptions;
pub use state::{Identity, State};
