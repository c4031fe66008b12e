//! The client's side of the monitors (`src/mon/MonClient.{h,cc}`): who to ask (`hunt`), what to be told (`subs`), what was
//! asked and not answered yet (`commands`). These three know no socket and no clock; `session` drives them.

pub mod commands;
pub mod hunt;
pub mod repeat;
pub mod subs;
