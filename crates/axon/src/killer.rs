//! `axon raise-after PID SIGNAL SECONDS`: the process that sends a manager the signal that `raise … --after` promised
//! (`RaiseHook::Killer::fork`, `src/common/admin_socket.cc`). The manager starts it; it is in no usage text.
//!
//! Invariant: it ends as soon as it is not that manager's child any more, so a process that has the number later gets no signal.

use nix::unistd::{Pid, getppid};
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

pub const WORD: &str = "raise-after";

const POLL: Duration = Duration::from_millis(100);

/// Starts one for this process.
pub fn start(signal: u8, after: Duration) -> io::Result<Child> {
    // Also after the program's file was replaced.
    let mut command = Command::new("/proc/self/exe");
    command.args([
        WORD,
        &std::process::id().to_string(),
        &signal.to_string(),
        &after.as_secs_f64().to_string(),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.into_iter().collect();
    let [pid, signal, secs] = args.as_slice() else { return ExitCode::from(2) };
    let (Ok(pid), Ok(signal), Ok(secs)) = (pid.parse(), signal.parse(), secs.parse::<f64>()) else {
        return ExitCode::from(2);
    };
    let wait = Duration::try_from_secs_f64(secs).unwrap_or_default();
    let (manager, due) = (Pid::from_raw(pid), Instant::now() + wait);
    while getppid() == manager {
        match due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            Some(left) => std::thread::sleep(left.min(POLL)),
            None => {
                return match axon_mgr::deliver(manager, signal) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(_) => ExitCode::FAILURE,
                };
            }
        }
    }
    ExitCode::FAILURE
}
