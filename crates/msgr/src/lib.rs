//! Sans-IO messenger: msgr v2.1 state machines, bytes and events in, bytes and events out.

pub mod auth;
