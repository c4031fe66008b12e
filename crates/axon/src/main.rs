//! The `axon` binary: arguments → config → build → run → drain. Wiring only.

mod mgr_args;

fn main() {}
