//! The `axon` binary: arguments → config → build → run → drain. Wiring only.

fn main() {}
