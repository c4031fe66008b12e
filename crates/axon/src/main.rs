//! The `axon` binary: arguments → config → build → run → drain. Wiring only.

mod mgr;
mod mgr_args;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("mgr") => mgr::main(args),
        Some("-v" | "--version") => {
            println!("axon {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: axon mgr -i ID [options]   run the manager (axon mgr --help)");
            ExitCode::from(2)
        }
    }
}
