//! What the manager's process is to those who look after it: systemd (`Type=notify`: ready, reloading, stopping, status, watchdog), and
//! logrotate (SIGHUP opens the log anew).
//!
//! Invariant: without `NOTIFY_SOCKET` in the environment nothing is sent; nothing here fails for want of systemd.

use crate::crash::Crashes;
use crate::killer;
use crate::log::Log;
use axon_core::config::Settings;
use sd_notify::NotifyState;
use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// The process.
#[derive(Debug)]
pub struct Process {
    log: &'static Log,
    crashes: Arc<Crashes>,
    /// How often the watchdog wants to hear of us, and when it did last.
    watchdog: Option<(Duration, Mutex<Instant>)>,
}

impl Process {
    pub fn new(log: &'static Log, crashes: Arc<Crashes>) -> Process {
        let period = sd_notify::watchdog_enabled();
        Process { log, crashes, watchdog: period.map(|period| (period / 3, Mutex::new(Instant::now()))) }
    }
}

impl axon_mgr::Process for Process {
    fn reopen(&self) -> io::Result<()> {
        self.log.reopen()
    }

    fn dump_log(&self) -> io::Result<()> {
        self.log.dump()
    }

    fn configure(&self, settings: &Settings) {
        self.log.configure(settings);
    }

    fn syslog(&self, priority: u8, text: &str) {
        self.log.syslog(priority, text);
    }

    fn identify(&self, ceph_version: &str) {
        self.crashes.identify(ceph_version);
    }

    fn status(&self, text: &str) {
        tell(&[NotifyState::Status(text)]);
    }

    fn alive(&self) {
        let Some((period, last)) = &self.watchdog else { return };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= *period {
            *last = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }

    fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    fn crash(&self, condition: &str) -> ! {
        // The panic's hook writes the report; its own words would not add to it.
        let _ = std::panic::catch_unwind(|| panic!("{condition}"));
        let _ = self.log.dump();
        std::process::abort()
    }

    fn dying(&self, signal: u8) {
        self.crashes.signalled(signal);
        let _ = self.log.dump();
    }

    fn killer(&self, signal: u8, after: Duration) -> io::Result<Child> {
        killer::start(signal, after)
    }
}

/// The manager works: what kept it from that would have been told by now. A monitor that cannot be reached does not, as with upstream's.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(state) {
        tracing::debug!(%why, "systemd cannot be told");
    }
}

/// Opens the log anew at each SIGHUP.
pub async fn reopen_at_hangup(process: Arc<Process>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
        match process.log.reopen() {
            Ok(()) => tracing::info!("log opened anew"),
            Err(why) => tracing::error!(%why, "the log file cannot be opened anew"),
        }
        tell(&[NotifyState::Ready]);
    }
}
