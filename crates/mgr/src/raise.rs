//! `raise` at work (`RaiseHook`, `src/common/admin_socket.cc`): a signal to the process itself, now, or later from a process of its own, so
//! that it reaches a manager that is stopped.
//!
//! Invariants: one signal is pending at most, a new one takes its place; one that was delivered or taken back leaves a mark until it is
//! asked about once, which upstream's answers show.

use crate::tell::Process;
use axon_core::tell::{Raise, strsignal};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the first of two signals has to arrive, see [`deliver`].
const SECOND_AFTER: Duration = Duration::from_millis(20);

/// How long the process may take to end by a signal.
const END_WITHIN: Duration = Duration::from_secs(1);

const EAGAIN: i32 = 11;

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Raised {
    /// An errno is negative; 1 stands for other failures.
    pub retval: i32,
    pub outs: String,
}

struct Pending {
    signal: u8,
    due: Instant,
    killer: Child,
}

impl Pending {
    fn describe(&self) -> String {
        let secs = self.due.saturating_duration_since(Instant::now()).as_secs();
        format!("pending signal ({}) due in {secs}", strsignal(self.signal))
    }

    /// Whether it was still to come.
    fn cancel(&mut self) -> bool {
        let runs = matches!(self.killer.try_wait(), Ok(None));
        runs && self.killer.kill().is_ok() && self.killer.wait().is_ok_and(|status| status.code().is_none())
    }
}

/// The signal that waits.
#[derive(Default)]
pub struct Raiser(Mutex<Option<Pending>>);

impl Raiser {
    pub fn run(&self, raise: Raise, process: &dyn Process) -> Raised {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match raise {
            Raise::Now { signal } => now(signal, process),
            Raise::After { signal, secs } => after(&mut pending, signal, secs, process),
            Raise::Cancel { signal } => cancel(&mut pending, signal),
        }
    }
}

fn now(signal: u8, process: &dyn Process) -> Raised {
    let text = strsignal(signal);
    tracing::info!(signal, "raising: {text}");
    if is_fatal(signal) {
        process.dying(signal);
    }
    let delivered = deliver(Pid::this(), signal);
    if delivered.is_ok() && is_fatal(signal) {
        // Another thread may take it; who asked gets no answer in any case, as upstream.
        std::thread::sleep(END_WITHIN);
    }
    match delivered {
        Ok(()) => Raised { retval: 0, outs: format!("raised signal  ({text})\n") },
        Err(why) => {
            Raised { retval: 1, outs: format!("couldn't raise signal  ({text}). Error: {}\n", why.desc()) }
        }
    }
}

fn after(pending: &mut Option<Pending>, signal: u8, secs: f64, process: &dyn Process) -> Raised {
    let mut outs = String::new();
    if let Some(earlier) = pending
        && earlier.cancel()
    {
        let _ = writeln!(outs, "cancelled {}", earlier.describe());
    }
    *pending = None;
    let wait = Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or(Duration::from_secs(u32::MAX.into()));
    match process.killer(signal, wait) {
        Ok(killer) => {
            let new = pending.insert(Pending { signal, due: Instant::now() + wait, killer });
            let _ = writeln!(outs, "scheduled {}", new.describe());
            Raised { retval: 0, outs }
        }
        Err(why) => {
            tracing::warn!(%why, "nobody can be started to send the signal");
            outs.push_str("couldn't fork the killer\n");
            Raised { retval: -EAGAIN, outs }
        }
    }
}

fn cancel(pending: &mut Option<Pending>, signal: Option<u8>) -> Raised {
    let Some(same) = pending else { return Raised { retval: 1, outs: "no pending signal\n".to_owned() } };
    if signal.is_none_or(|signal| signal == same.signal) {
        if same.cancel() {
            return Raised { retval: 0, outs: format!("cancelled {}\n", same.describe()) };
        }
        *pending = None;
    }
    let outs = signal.map_or_else(String::new, |signal| format!("signal {signal} is not pending\n"));
    Raised { retval: 1, outs }
}

/// Signals that upstream's daemons report as a crash (`install_standard_sighandlers`).
fn is_fatal(signal: u8) -> bool {
    let fatal = [
        Signal::SIGSEGV,
        Signal::SIGABRT,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
        Signal::SIGSYS,
    ];
    fatal.into_iter().any(|known| known as i32 == i32::from(signal))
}

/// Sends a signal. Rust's own handler for faults of memory takes the first of these that no fault has sent, and no further one.
///
/// # Errors
/// The system's.
pub fn deliver(pid: Pid, signal: u8) -> Result<(), Errno> {
    match Signal::try_from(i32::from(signal)) {
        Ok(known) => {
            kill(pid, known)?;
            if matches!(known, Signal::SIGSEGV | Signal::SIGBUS) {
                std::thread::sleep(SECOND_AFTER);
                // Gone already is what was wanted.
                let _ = kill(pid, known);
            }
            Ok(())
        }
        // Real-time signals have no name there.
        Err(_) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", "kill -\"$0\" \"$1\""]).args([signal.to_string(), pid.to_string()]);
            shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            match shell.status() {
                Ok(status) if status.success() => Ok(()),
                _ => Err(Errno::EINVAL),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sleeper;
    impl Process for Sleeper {
        fn reopen(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn killer(&self, _: u8, after: Duration) -> std::io::Result<Child> {
            Command::new("sleep").arg(after.as_secs().to_string()).spawn()
        }
    }

    #[test]
    fn one_signal_is_pending_and_can_be_taken_back_once() {
        let raiser = Raiser::default();
        let run = |raise| {
            let Raised { retval, outs } = raiser.run(raise, &Sleeper);
            (retval, outs)
        };
        let after = |signal, secs| Raise::After { signal, secs };
        let cancel = |signal| Raise::Cancel { signal };
        assert_eq!(run(cancel(None)), (1, "no pending signal\n".to_owned()));
        let (retval, outs) = run(after(18, 600.0));
        assert!(retval == 0 && outs.starts_with("scheduled pending signal (Continued) due in "), "{outs}");
        assert_eq!(run(cancel(Some(10))), (1, "signal 10 is not pending\n".to_owned()));
        let (_, outs) = run(after(28, 600.0));
        assert!(outs.starts_with("cancelled pending signal (Continued)"), "{outs}");
        assert!(outs.contains("\nscheduled pending signal (Window changed)"), "{outs}");
        let (retval, outs) = run(cancel(Some(28)));
        assert!(retval == 0 && outs.starts_with("cancelled pending signal (Window changed)"), "{outs}");
        assert_eq!(run(cancel(None)), (1, String::new()), "once more, of one that is gone");
        assert_eq!(run(cancel(None)), (1, "no pending signal\n".to_owned()));
    }

    #[test]
    fn signals_arrive() {
        for signal in [18, 28] {
            assert_eq!(now(signal, &Sleeper).retval, 0);
        }
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(other.id()).unwrap());
        deliver(pid, 40).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(other.wait().unwrap().signal(), Some(40));
    }
}
