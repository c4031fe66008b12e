//! Stock Python manager modules, unmodified, each in a process of its own (upstream: `src/mgr/PyModuleRegistry.cc`,
//! `ActivePyModules.cc`, `StandbyPyModules.cc`, `BaseMgrModule.cc`). A host process is the machine's `python3`, talks frames
//! over a socket pair (`wire`), and finds in it a `ceph_module` in plain Python (`python/`). Why: docs/decisions/0004.
//!
//! Invariants:
//! - a module that blocks, crashes or leaks costs its own process only;
//! - every call in both directions has a deadline, every queue and frame a bound;
//! - a host process does not outlive Axon.
//!
//! Here: `describe` looks at the modules without running them, `supervise` keeps one running (judged by `limits`, started again by
//! `restarts`), `hosts` knows all of them, `answers` is what they may ask, `board` what they have told. Not here: which modules are wanted, and what becomes of
//! their health checks and commands (`axon-mgr`).

mod answers;
mod board;
mod describe;
mod hosts;
mod limits;
mod link;
mod process;
mod restarts;
mod setup;
mod supervise;
pub mod wire;

pub use board::{Board, ModuleBoard, Phase};
pub use describe::{Description, Descriptions, ModuleCommand, describe, find_modules};
pub use hosts::{Authorize, Hosts, Mode};
pub use link::Refusal;
pub use setup::{Outside, Setup};
