//! The client's side of the monitors (`src/mon/MonClient.{h,cc}`): who to ask (`hunt`), what to be told (`subs`), what was
//! asked and not answered yet (`commands`), what may be asked twice (`repeat`). These four know no socket and no clock;
//! `session` drives them with `login` (one round of the hunt) and `inbound` (what a monitor says).

pub mod commands;
pub(crate) mod hops;
pub mod hunt;
mod inbound;
mod login;
pub mod repeat;
pub(crate) mod session;
mod status;
pub mod subs;

pub use hops::record_steps;
pub use status::{MonError, OpenSession, SessionState};
