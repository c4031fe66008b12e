//! What tests and measurements on real clusters share: a client of a launcher's cluster, a proxy that harms its links, and the
//! run of commands under faults.

mod cluster;
pub mod failover;
pub mod faults;
pub mod frames;
pub mod http;
pub mod latency;
pub mod link;
mod manager_session;
pub mod maps;
pub mod modules;
pub mod pg_reporter;
pub mod process;
pub mod reporters;
mod rng;
pub mod soak;

pub use cluster::{config, follow_osd_map, host_python_modules, with_cluster};
pub use rng::Rng;
