//! The process's log (`ceph::logging::Log`): `log_file`, or standard error. Opened anew at SIGHUP and by `log reopen`, as
//! logrotate needs it.

use anyhow::Context;
use axon_core::config::Settings;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Where lines go.
#[derive(Debug, Default)]
pub struct Log {
    /// `None`: standard error.
    file: Option<(PathBuf, Mutex<File>)>,
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl axon_mgr::LogFile for Log {
    fn reopen(&self) -> io::Result<()> {
        if let Some((path, file)) = &self.file {
            let new = open(path)?;
            *file.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }
}

impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.file {
            Some((_, file)) => file.lock().unwrap_or_else(PoisonError::into_inner).write(line),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.file {
            Some((_, file)) => file.lock().unwrap_or_else(PoisonError::into_inner).flush(),
            None => io::stderr().flush(),
        }
    }
}

/// Logs to `log_file`, or to standard error in the foreground without one.
pub fn start(settings: &Settings, debug: bool) -> anyhow::Result<Arc<Log>> {
    let filter = EnvFilter::try_from_env("AXON_LOG").unwrap_or_else(|_| EnvFilter::new(level(settings)));
    let file = match settings.value("log_file").filter(|f| !f.is_empty() && !debug).map(PathBuf::from) {
        Some(path) => {
            let file = open(&path)
                .with_context(|| format!("the log {} cannot be opened; check its folder", path.display()))?;
            Some((path, Mutex::new(file)))
        }
        None => None,
    };
    let log = Arc::new(Log { file });
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).init();
    Ok(log)
}

/// Upstream's `debug_ms` (`level` or `level/level kept in memory`) shows what happens on connections.
fn level(settings: &Settings) -> &'static str {
    let debug_ms = settings.value("debug_ms").unwrap_or_default();
    match debug_ms.split('/').next().and_then(|level| level.trim().parse::<u8>().ok()) {
        Some(1..) => "info,axon_net=debug,axon_msgr=debug",
        _ => "info",
    }
}

/// Opens the log anew at each SIGHUP.
pub async fn reopen_at_hangup(log: Arc<Log>) {
    use axon_mgr::LogFile;
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        if let Err(why) = log.reopen() {
            tracing::error!(%why, "the log file cannot be opened anew");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_mgr::LogFile;

    #[test]
    fn after_a_rotation_lines_go_to_the_new_file() {
        let path = std::env::temp_dir().join(format!("axon-log-{}", std::process::id()));
        let moved = path.with_extension("1");
        let log = Log { file: Some((path.clone(), Mutex::new(open(&path).unwrap()))) };
        (&log).write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        (&log).write_all(b"two\n").unwrap();
        log.reopen().unwrap();
        (&log).write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        for file in [path, moved] {
            std::fs::remove_file(file).unwrap();
        }
    }
}
