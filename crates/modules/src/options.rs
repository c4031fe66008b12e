//! Modules' options: how they are announced and how they are read.

use axon_core::State;
use axon_core::config::typed::Secs;
use axon_proto::mgr_map::{ModuleOption, OptionLevel, OptionType};
use std::str::FromStr;

/// An option with its type and default as upstream prints it.
#[must_use]
pub fn option(name: &str, kind: OptionType, default: &str) -> ModuleOption {
    ModuleOption {
        name: name.to_owned(),
        kind,
        level: OptionLevel::ADVANCED,
        default_value: default.to_owned(),
        ..Default::default()
    }
}

/// The same, in effect without a restart.
pub(crate) fn runtime(name: &str, kind: OptionType, default: &str, desc: &str) -> ModuleOption {
    ModuleOption { flags: ModuleOption::FLAG_RUNTIME, desc: desc.to_owned(), ..option(name, kind, default) }
}

/// Seconds that are set, or the default.
pub(crate) fn secs(state: &State, module: &str, name: &str, default: u64) -> u64 {
    value(state, module, name, Secs(default)).0
}

/// What is set, or the default; what cannot be read is the default.
pub(crate) fn value<T: FromStr>(state: &State, module: &str, name: &str, default: T) -> T {
    state.module_option(module, name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
}

/// Whether a switch is on, or the default; the words that upstream takes for a yes.
pub(crate) fn flag(state: &State, module: &str, name: &str, default: bool) -> bool {
    let yes = |text: &str| ["true", "1", "yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word));
    state.module_option(module, name).map_or(default, |text| yes(text.trim()))
}
