//! The running manager: owner task, beacons, daemon sessions, standby and active. `run` is the way in.

mod active;
mod admin_socket;
mod dispatch;
mod door;
mod hosting;
mod identity;
mod log;
mod modules;
mod native;
mod owner;
mod raise;
mod remote;
mod run;
mod sysinfo;
mod tell;

#[cfg(debug_assertions)]
pub use axon_modules::with_hostile_module;
pub use hosting::HostingConfig;
pub use modules::MODULE_PATH;
pub use raise::deliver;
pub use run::{Config, run};
pub use tell::Process;
