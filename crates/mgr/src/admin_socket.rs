//! The admin socket (`AdminSocket`, `src/common/admin_socket.cc`): `ceph daemon mgr.x …` on the manager's host, without a key
//! and without monitors.
//!
//! Invariants: a request is bounded in size and time; the socket file goes with the process; a file that another living process
//! answers on is left alone.

use crate::tell::Tell;
use axon_core::{Command, CommandOutput};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

const REQUEST_BYTES_MAX: usize = 64 * 1024;
const CONNECTIONS_MAX: usize = 16;
const REQUEST_SECS_MAX: u64 = 30;

/// The served socket; it ends with this value.
pub struct AdminSocket {
    path: PathBuf,
    task: AbortHandle,
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl AdminSocket {
    /// Serves at the configured path; nothing where it is empty. A socket that cannot be made is logged: as upstream, the
    /// manager does without.
    pub async fn start(tell: Arc<Tell>) -> Option<AdminSocket> {
        let settings = tell.state().settings.clone();
        let path = PathBuf::from(settings.value("admin_socket").filter(|path| !path.is_empty())?);
        match bind(&path, settings.value("admin_socket_mode").as_deref()).await {
            Ok(listener) => {
                tracing::info!(path = %path.display(), "admin socket");
                let task = tokio::spawn(accept(listener, tell)).abort_handle();
                Some(AdminSocket { path, task })
            }
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "no admin socket; check its folder and who else uses it");
                None
            }
        }
    }
}

async fn bind(path: &Path, mode: Option<&str>) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).await.is_ok() {
                return Err(io::Error::new(why.kind(), "another process answers there"));
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    if let Some(mode) = mode.filter(|mode| !mode.is_empty()) {
        match u32::from_str_radix(mode, 8) {
            Ok(mode) => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?,
            Err(_) => tracing::error!(mode, "admin_socket_mode is no octal number; the mode stays"),
        }
    }
    Ok(listener)
}

async fn accept(listener: UnixListener, tell: Arc<Tell>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let tell = tell.clone();
                tokio::spawn(async move {
                    let limit = Duration::from_secs(REQUEST_SECS_MAX);
                    match tokio::time::timeout(limit, serve(stream, &tell)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(why)) => tracing::debug!(%why, "admin socket: the client left"),
                        Err(_) => tracing::warn!("admin socket: a request took too long"),
                    }
                    drop(place);
                });
            }
            Err(why) => {
                tracing::error!(%why, "admin socket: cannot accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, tell: &Tell) -> io::Result<()> {
    let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
    let answer = answer(match serde_json::from_slice::<Map<String, Value>>(&request) {
        Ok(args) => tell.run(&Command { args, input: Bytes::new(), deadline: Command::DEADLINE }).await,
        Err(_) => CommandOutput::failed(22, "invalid json"),
    });
    let length = u32::try_from(answer.len()).map_err(|_| io::Error::other("the answer is too long"))?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// The text before a NUL or newline. An old client sends four bytes instead, a number with a name each.
async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Ok(None);
        }
        request.extend(piece.iter().take(length));
        if request.first() == Some(&0) {
            if let Some(number) = request.get(3) {
                let name = match number {
                    0 => "0",
                    1 => "perf dump",
                    2 => "perf schema",
                    _ => "unknown",
                };
                return Ok(Some(Command::plain(name).to_json().into_bytes()));
            }
        } else if let Some(end) = request.iter().position(|byte| matches!(byte, 0 | b'\n')) {
            request.truncate(end);
            return Ok(Some(request));
        }
        if request.len() > REQUEST_BYTES_MAX {
            return Err(io::Error::other("the request is too long"));
        }
    }
}

/// The protocol has no room for an errno, so a failure is told in the text.
fn answer(output: CommandOutput) -> Vec<u8> {
    if output.retval >= 0 {
        return output.outbl.to_vec();
    }
    let errno = nix::errno::Errno::from_raw(-output.retval);
    let mut text = format!("ERROR: ({}) {}\n{}\n", -output.retval, errno.desc(), output.outs).into_bytes();
    text.extend_from_slice(&output.outbl);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::Process;
    use axon_core::config::{Level, Settings, Variables};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::mpsc;

    #[derive(Debug, Default)]
    struct Log(AtomicU32);

    impl Process for Log {
        fn reopen(&self) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    struct Bench {
        path: PathBuf,
        log: Arc<Log>,
        tell: Arc<Tell>,
    }

    fn bench(name: &str) -> Bench {
        let path = std::env::temp_dir().join(format!("axon-{}-{name}.asok", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut settings = Settings::new(Variables::default());
        settings.set(Level::File, "admin_socket", path.display().to_string());
        settings.set(Level::File, "admin_socket_mode", "600");
        let log = Arc::new(Log::default());
        let (reports, _) = mpsc::channel(1);
        let tell = Arc::new(Tell::new(settings, reports, log.clone()));
        Bench { path, log, tell }
    }

    async fn ask(path: &Path, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(request).await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(usize::try_from(length).unwrap(), text.len());
        text
    }

    #[tokio::test]
    async fn it_answers_before_any_monitor_does() {
        let bench = bench("early");
        let socket = AdminSocket::start(bench.tell.clone()).await.unwrap();
        let help = ask(&bench.path, b"{\"prefix\": \"help\"}\0").await;
        assert!(help.contains("\"config show\": \"dump current config settings\""), "{help}");
        assert_eq!(ask(&bench.path, b"{\"prefix\": \"log reopen\"}\n").await, "{}\n");
        assert_eq!(bench.log.0.load(Ordering::Relaxed), 1);
        let mode = std::fs::metadata(&bench.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(socket);
        assert!(!bench.path.exists(), "the file goes with the process");
    }

    #[tokio::test]
    async fn what_fails_is_told_in_the_text() {
        let bench = bench("fails");
        let _socket = AdminSocket::start(bench.tell.clone()).await.unwrap();
        let unknown = ask(&bench.path, b"{\"prefix\": \"frob\"}\0").await;
        assert_eq!(unknown, "ERROR: (22) Invalid argument\nunknown command prefix frob\n");
        assert_eq!(ask(&bench.path, b"help\n").await, "ERROR: (22) Invalid argument\ninvalid json\n");
        let get = async |name: &str| {
            ask(&bench.path, format!("{{\"prefix\": \"config get\", \"var\": \"{name}\"}}\0").as_bytes())
                .await
        };
        assert!(get("host").await.contains("none has been reached yet"));
        assert_eq!(get("admin_socket_mode").await, "{\n    \"admin_socket_mode\": \"600\"\n}\n");
    }

    #[tokio::test]
    async fn an_old_client_sends_four_bytes() {
        let bench = bench("old");
        let _socket = AdminSocket::start(bench.tell.clone()).await.unwrap();
        assert_eq!(ask(&bench.path, &[0, 0, 0, 0]).await, "2");
        assert!(ask(&bench.path, &[0, 0, 0, 1]).await.contains("mon_messages"));
    }

    #[tokio::test]
    async fn a_file_that_nobody_answers_on_is_taken_over_and_a_living_one_is_not() {
        let bench = bench("stale");
        drop(std::os::unix::net::UnixListener::bind(&bench.path).unwrap());
        let first = AdminSocket::start(bench.tell.clone()).await;
        assert!(first.is_some());
        assert!(AdminSocket::start(bench.tell.clone()).await.is_none());
        assert_eq!(ask(&bench.path, &[0, 0, 0, 0]).await, "2", "the first one still answers");
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_cut_off() {
        let bench = bench("long");
        let _socket = AdminSocket::start(bench.tell.clone()).await.unwrap();
        let mut stream = UnixStream::connect(&bench.path).await.unwrap();
        let _ = stream.write_all(&vec![b'x'; 2 * REQUEST_BYTES_MAX]).await;
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).await.map_or(true, |length| length == 0));
    }
}
