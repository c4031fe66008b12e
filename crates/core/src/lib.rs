//! The manager's knowledge of the cluster and the handles by which modules and the REST API reach it. Pure: no runtime,
//! socket, clock, RNG or thread; `axon-net` feeds events in and carries commands out.

pub mod command;

pub use command::{Command, CommandError, CommandOutput, CommandSink, Target};
