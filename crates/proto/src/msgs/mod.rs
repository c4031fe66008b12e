//! One file per message, named as upstream's header under `src/messages/`. Each has its row in `message.rs`.

pub mod ping;
