//! One daemon as a plain process: started in the foreground, recorded, ended by its own pid.
//!
//! A pid alone can be reused; a record also keeps the start time (field 22 of `/proc/<pid>/stat`, clock ticks since
//! boot), and nothing is signalled unless both agree.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    /// As Ceph names the daemon: `mon.a`, `osd.0`, `mgr.x`.
    pub name: String,
    pub pid: i32,
    pub start_ticks: u64,
}

impl Process {
    /// Starts `command` detached from the terminal, its output in `log/<name>.out`, and records it.
    pub(crate) fn spawn(dir: &Path, name: &str, mut command: Command) -> Result<Process> {
        let out_path = dir.join("log").join(format!("{name}.out"));
        let out = File::options().create(true).append(true).open(&out_path);
        let out = out.with_context(|| format!("cannot write {}", out_path.display()))?;
        let ending = ENDING.read().unwrap_or_else(PoisonError::into_inner);
        if *ending {
            bail!("{name} is not started: everything is being ended");
        }
        // Its own process group: Ctrl-C in the terminal is for the launcher, which then ends the daemons in order.
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child =
            command.spawn().with_context(|| format!("cannot start {name}: {:?}", command.get_program()))?;
        let pid = i32::try_from(child.id()).context("pid out of range")?;
        let Some(stat) = Stat::of(pid) else { bail!("{name} ended at once; see {}", out_path.display()) };
        let process = Process { name: name.to_owned(), pid, start_ticks: stat.start_ticks };
        std::fs::write(record_path(dir, name), serde_json::to_vec(&process)?)?;
        drop(ending);
        Ok(process)
    }

    /// From now on this program starts no daemon, so that what is on record is all there is to end.
    pub fn start_no_more() {
        *ENDING.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub fn load(dir: &Path, name: &str) -> Option<Process> {
        serde_json::from_slice(&std::fs::read(record_path(dir, name)).ok()?).ok()
    }

    /// Every process on record in `dir`, by name.
    pub fn all(dir: &Path) -> Vec<Process> {
        let Ok(entries) = std::fs::read_dir(dir.join("proc")) else { return Vec::new() };
        let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
        let mut all: Vec<Process> =
            names.filter_map(|n| Process::load(dir, n.strip_suffix(".json")?)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub fn is_alive(&self) -> bool {
        // If it is our child and has ended, this takes it out of the process table; otherwise it changes nothing.
        let waited = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
        if let Ok(end @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) = waited {
            let mut ends = ENDS.lock().unwrap_or_else(PoisonError::into_inner);
            ends.get_or_insert_default().insert(self.pid, end);
        }
        Stat::of(self.pid).is_some_and(|s| s.start_ticks == self.start_ticks && s.state != 'Z')
    }

    /// How it ended, where it was a child of this program: daemons mostly exit with an errno.
    pub fn end(&self) -> Option<String> {
        let ends = ENDS.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match *ends.as_ref()?.get(&self.pid)? {
            WaitStatus::Exited(_, code) => match Errno::from_raw(code) {
                Errno::UnknownErrno => format!("exit code {code}"),
                errno => format!("exit code {code} ({errno})"),
            },
            WaitStatus::Signaled(_, signal, _) => format!("ended by {signal}"),
            _ => return None,
        })
    }

    /// Sends `signal` if the process is still the recorded one; tells whether it was.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        if !self.is_alive() {
            return Ok(false);
        }
        kill(Pid::from_raw(self.pid), signal).with_context(|| format!("cannot signal {}", self.name))?;
        Ok(true)
    }

    /// SIGTERM, and SIGKILL once `grace` is over.
    pub fn stop(&self, grace: Duration) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        if !self.wait_ended(grace) {
            self.kill()?;
        }
        Ok(())
    }

    /// SIGKILL, as `kill -9`.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        if !self.wait_ended(Duration::from_secs(10)) {
            bail!("{} (pid {}) does not end", self.name, self.pid);
        }
        Ok(())
    }

    pub fn wait_ended(&self, at_most: Duration) -> bool {
        let begun = Instant::now();
        while self.is_alive() {
            if begun.elapsed() > at_most {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Resident memory in KiB, if it is alive.
    pub fn rss_kib(&self) -> Option<u64> {
        if !self.is_alive() {
            return None;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
    }
}

/// Set once this program is to end what it started.
static ENDING: RwLock<bool> = RwLock::new(false);
/// How the children that were waited for ended, by pid.
static ENDS: Mutex<Option<HashMap<i32, WaitStatus>>> = Mutex::new(None);

fn record_path(dir: &Path, name: &str) -> PathBuf {
    dir.join("proc").join(format!("{name}.json"))
}

/// The two fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    start_ticks: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Stat> {
        Stat::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The program's name stands in parentheses and may contain anything, so fields are counted after the last one.
    fn parse(text: &str) -> Option<Stat> {
        let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
        let state = fields.next()?.chars().next()?;
        // `state` is field 3 and `starttime` field 22.
        Some(Stat { state, start_ticks: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_name_with_parentheses() {
        let line = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2";
        assert_eq!(Stat::parse(line), Some(Stat { state: 'S', start_ticks: 4242 }));
        assert_eq!(Stat::parse("7 (short) S 1"), None);
    }

    #[test]
    fn a_reused_pid_is_not_taken_for_the_recorded_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        let ticks = Stat::of(own).unwrap().start_ticks;
        let real = Process { name: "self".into(), pid: own, start_ticks: ticks };
        let other = Process { start_ticks: ticks + 1, ..real.clone() };
        assert!(real.is_alive());
        assert!(!other.is_alive());
        assert!(!other.signal(Signal::SIGKILL).unwrap(), "a stranger is never signalled");
    }

    #[test]
    fn how_a_child_ended_is_known() {
        let dir = std::env::temp_dir().join(format!("axon-process-end-{}", std::process::id()));
        for sub in ["log", "proc"] {
            std::fs::create_dir_all(dir.join(sub)).unwrap();
        }
        let mut command = Command::new("sh");
        command.args(["-c", "exit 28"]);
        let process = Process::spawn(&dir, "sh.a", command).unwrap();
        assert!(process.wait_ended(Duration::from_secs(20)));
        assert_eq!(process.end().unwrap(), "exit code 28 (ENOSPC: No space left on device)");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn an_ended_child_counts_as_ended() {
        let dir = std::env::temp_dir().join(format!("axon-process-{}", std::process::id()));
        for sub in ["log", "proc"] {
            std::fs::create_dir_all(dir.join(sub)).unwrap();
        }
        let mut command = Command::new("sleep");
        command.arg("60");
        let process = Process::spawn(&dir, "sleep.a", command).unwrap();
        assert!(process.is_alive());
        assert_eq!(Process::all(&dir).len(), 1);
        process.kill().unwrap();
        assert!(!process.is_alive());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
