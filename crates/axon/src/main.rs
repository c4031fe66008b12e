//! The `axon` binary: arguments → config → build → run → drain. Wiring only.

mod command;
mod crash;
mod dencoder;
mod killer;
mod log;
mod mgr;
mod mgr_args;
mod service;
mod settings;
mod trace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("mgr") => mgr::main(args),
        Some(killer::WORD) => killer::main(args),
        Some("command") => command::main(args),
        Some("trace") => trace::main(args),
        Some("dencoder") => dencoder::main(args),
        Some("-v" | "--version") => {
            println!("axon {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprint!(
                "usage: axon mgr -i ID [options]        run the manager (axon mgr --help)\n       \
                 axon command [options] WORDS…   ask a daemon (axon command --help)\n       \
                 axon trace [options] WORDS…     where the time of a command or REST request goes (axon trace --help)\n       \
                 axon dencoder …                 decode Ceph's types (axon dencoder --help)\n"
            );
            ExitCode::from(2)
        }
    }
}
