//! The running manager: owner task, beacons, daemon sessions, standby and active. `run` is the way in.

mod active;
mod dispatch;
mod identity;
mod log;
mod modules;
mod owner;
mod run;
mod sysinfo;

pub use modules::MODULE_PATH;
pub use run::{Config, run};
