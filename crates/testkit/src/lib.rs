//! What tests and measurements on real clusters share: a client of a launcher's cluster, a proxy that harms its links, and the
//! run of commands under faults.

mod cluster;
pub mod faults;
pub mod frames;
pub mod link;
mod rng;

pub use cluster::{config, follow_osd_map};
pub use rng::Rng;
