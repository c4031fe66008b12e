//! Starting a host process and measuring it. It gets one descriptor beside its output: the socket, as standard input.

use crate::limits::Sample;
use crate::setup::Setup;
use serde_json::{Value, json};
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::OnceLock;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const BOOT: &str = include_str!("python/boot.py");

/// In the order in which they are loaded.
const SOURCES: [(&str, &str); 6] = [
    ("axon_link", include_str!("python/axon_link.py")),
    ("axon_counters", include_str!("python/axon_counters.py")),
    ("ceph_module", include_str!("python/ceph_module.py")),
    ("axon_dashboard", include_str!("python/axon_dashboard.py")),
    ("axon_describe", include_str!("python/axon_describe.py")),
    ("axon_host", include_str!("python/axon_host.py")),
];

/// What a host process is given to run.
pub fn sources() -> impl std::hash::Hash {
    (BOOT, SOURCES)
}

/// A line of a module's output is cut here.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// A process that has been given its sources and its setup.
pub struct Started {
    pub child: Child,
    pub stream: UnixStream,
}

/// Starts one; `words` is what it is told first, `name` stands in its arguments and in the log.
pub async fn start(setup: &Setup, name: &str, words: Value) -> io::Result<Started> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(ours)?;
    let mut command = Command::new(&setup.python);
    command
        .args(["-B", "-c", BOOT, "axon-module", name])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A terminal's ^C is for Axon, which then ends its hosts.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = spawn(command).await?;
    log_lines(name, child.stdout.take());
    log_lines(name, child.stderr.take());
    let sources = json!(SOURCES).to_string();
    let length = u32::try_from(sources.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_le_bytes()).await?;
    stream.write_all(sources.as_bytes()).await?;
    let frame = crate::wire::Frame {
        kind: crate::wire::Kind::Note,
        number: 0,
        head: words,
        tail: bytes::Bytes::new(),
    };
    stream.write_all(&frame.encode().map_err(io::Error::other)?).await?;
    Ok(Started { child, stream })
}

type Job = (Command, oneshot::Sender<io::Result<Child>>);

/// Spawns on a thread that lives as long as Axon: the kernel's "end with your parent" means the thread that forked.
async fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<std::sync::mpsc::Sender<(Handle, Job)>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, work) = std::sync::mpsc::channel::<(Handle, Job)>();
        let run = move || {
            for (runtime, (mut command, answer)) in work {
                let _inside = runtime.enter();
                let _ = answer.send(command.spawn());
            }
        };
        // Without this thread every start fails with the reason below.
        let _ = std::thread::Builder::new().name("axon-spawner".to_owned()).spawn(run);
        jobs
    });
    let (answer, spawned) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    spawner.send((Handle::current(), (command, answer))).map_err(|_| gone())?;
    spawned.await.map_err(|_| gone())?
}

/// What a module prints goes to Axon's log.
fn log_lines(name: &str, from: Option<impl AsyncRead + Unpin + Send + 'static>) {
    let Some(from) = from else { return };
    let name = name.to_owned();
    tokio::spawn(async move {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    tracing::info!(module = %name, "{}", text.trim_end());
                }
            }
        }
    });
}

/// What a process takes; `None` once it has gone.
#[must_use]
pub fn usage(pid: u32) -> Option<Sample> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let resident_pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name in brackets, which may hold anything: state is field 3, user and system time 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Sample {
        rss_bytes: resident_pages.saturating_mul(page_bytes()),
        cpu_ms: (ticks(14)? + ticks(15)?).saturating_mul(TICK_MS),
    })
}

/// The kernel shows times in hundredths of a second to everybody (`USER_HZ`).
const TICK_MS: u64 = 10;

fn page_bytes() -> u64 {
    use nix::unistd::{SysconfVar, sysconf};
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// Ends a process that has not been waited for, with those that it started.
pub async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::SIGKILL);
    }
    let _ = child.kill().await;
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_is_measured_while_it_is_there() {
        let before = super::usage(std::process::id()).unwrap();
        assert!(before.rss_bytes > 1 << 20);
        let begun = std::time::Instant::now();
        let mut after = before;
        // A loaded machine gives it little of its processors.
        while after.cpu_ms < before.cpu_ms + 50 && begun.elapsed().as_secs() < 60 {
            after = super::usage(std::process::id()).unwrap();
        }
        assert!(after.cpu_ms >= before.cpu_ms + 50, "{before:?} {after:?}");
        assert!(super::usage(u32::MAX).is_none());
    }
}
