//! `hostile`: a module that does what no module should, on demand, so that a test can see that nobody else is hurt. Only in
//! programs built with debug assertions, and there only where `axon_test_modules` is set.
//!
//! Its option `deed` says what the next ticks do: nothing, `panic`, `spin` (keeps a processor busy until `deed` is another one for
//! the process: see [`SPIN_SECS`]) or `block` (for ever). Its commands do the same once.

use crate::{Done, Memory, Module, Row, Tick, Work, option};
use axon_core::State;
use axon_core::commands::Ask;
use axon_proto::UTime;
use axon_proto::mgr_map::OptionType;
use std::time::{Duration, Instant};

pub const MODULE: Module = Module {
    name: "hostile",
    options: |_| vec![option("deed", OptionType::STR, "")],
    commands: ROWS,
    tick: Some(Tick { period_secs: |_| 1, watches: &[], run: tick }),
};

const ROWS: &[Row] = &[
    Row::new("hostile panic", "Panic", "rw", |_| panic!("hostile command")),
    Row::remembering("hostile ask", "Answer, by the module's own thread", "r", asked),
];

/// How long it spins: longer than the test's patience with a module, and no longer.
const SPIN_SECS: u64 = 8;

fn asked(_: &Ask<'_>, _: &mut Memory) -> Done {
    Done::out("here")
}

fn tick(state: &State, _: UTime, _: &mut Memory) -> Work {
    match state.module_option("hostile", "deed") {
        Some("panic") => panic!("hostile tick"),
        Some("spin") => {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(SPIN_SECS) {
                std::hint::spin_loop();
            }
        }
        Some("block") => loop {
            std::thread::park();
        },
        _ => {}
    }
    Work::default()
}
