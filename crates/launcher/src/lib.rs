//! Real Ceph clusters as plain processes in a folder: no systemd, no containers.
//!
//! A release's daemons come from the machine's own packages or from a root folder made with debootstrap
//! ([`install`]). A [`Cluster`] is one folder: configuration, data, logs, and a record of each process, so that
//! another program can open the folder later and end exactly what was started.
//!
//! Invariants: a process is signalled only if its pid still has the start time on record; nothing outside the
//! cluster's folder and the cache is written; every wait has a deadline.
//! Not here: what a test asserts (`tests/real`), the command line (`xtask`).

mod archive;
mod batch;
mod cluster;
mod conf;
mod data;
mod health;
pub mod install;
mod manager;
mod monitors;
mod mount;
mod osd;
mod ports;
mod process;
mod release;
mod rich;
mod root;

pub use batch::{Op, Reply};
pub use cluster::{Cluster, Options, State};
pub use conf::{Family, WITHOUT_PYTHON};
pub use health::Health;
pub use install::ensure_installed;
pub use manager::{Kind, ManagerRecord, Managers};
pub use process::Process;
pub use release::Release;
pub use root::Root;

/// Where progress lines go: one short sentence per call.
pub type Progress<'a> = &'a dyn Fn(&str);
