//! One file per message, named as upstream's header under `src/messages/`. Each has its row in `message.rs`.

pub mod auth;
pub mod auth_reply;
pub mod command;
pub mod command_reply;
pub mod config;
pub mod get_config;
pub mod kv_data;
pub mod log_ack;
pub mod mgr_beacon;
pub mod mgr_close;
pub mod mgr_command;
pub mod mgr_command_reply;
pub mod mgr_digest;
pub mod mgr_map;
pub mod mgr_open;
pub mod mgr_update;
pub mod mon_command;
pub mod mon_command_ack;
pub mod mon_get_map;
pub mod mon_get_version;
pub mod mon_get_version_reply;
pub mod mon_map;
pub mod mon_subscribe;
pub mod mon_subscribe_ack;
mod paxos;
pub mod ping;
