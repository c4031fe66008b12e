//! Rules for every resource.

use super::{May, Rule};

pub const ALL: &[Rule] = &[
    Rule { on: "**", at: "body.request_id", may: May::Move, why: "a new one each time" },
    Rule { on: "**", at: "body.traceback", may: May::Differ, why: "a Python traceback" },
];
