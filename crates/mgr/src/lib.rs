//! The running manager: owner tasks, beacons, daemon sessions, standby and active.

pub mod sysinfo;
