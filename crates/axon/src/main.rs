//! The `axon` binary: arguments → config → build → run → drain. Wiring only.

mod mgr_args;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("mgr") => mgr(args),
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

fn mgr(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match mgr_args::parse(args) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("axon mgr: {why}");
            return ExitCode::from(22);
        }
    };
    if args.help {
        print!("{}", mgr_args::HELP);
        return ExitCode::SUCCESS;
    }
    if args.id.is_none() {
        eprintln!("axon mgr: which manager? Give -i ID or -n mgr.ID");
        return ExitCode::from(22);
    }
    eprintln!("axon mgr: not built in yet");
    ExitCode::FAILURE
}
