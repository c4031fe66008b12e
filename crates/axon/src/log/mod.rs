//! The process's log (`ceph::logging::Log`), with the options of Ceph's daemons: where it goes (`outputs.rs`), what is said
//! (`levels.rs`), both changed at run time; opened anew at SIGHUP and by `log reopen`, as logrotate needs it. The newest lines are kept
//! (`recent.rs`), with more detail where an option says so, and written to the file by `log dump`.
//!
//! `AXON_LOG` in the environment (`info,axon_net=debug`) goes before the levels of the options.

mod datagrams;
mod journald;
mod levels;
mod line;
mod outputs;
mod recent;
mod syslog;

use anyhow::Context;
use axon_core::config::Settings;
use line::Line;
use nix::unistd::{Gid, Uid};
use outputs::{Outputs, Sockets, Wanted};
use recent::Recent;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of this process.
pub struct Log {
    outputs: Mutex<Outputs>,
    recent: Mutex<Recent>,
    levels: Option<Box<dyn Fn(Targets) + Send + Sync>>,
    /// `-d`.
    debug: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("outputs", &self.outputs).finish_non_exhaustive()
    }
}

/// What the tracing crates hand events to.
struct Pen(&'static Log);

impl<S: Subscriber> Layer<S> for Pen {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let line = Line::of(event, SystemTime::now());
        let said = self.0.recent().keep(&line, event.metadata());
        if said {
            self.0.outputs().write(&line);
        }
    }
}

impl Log {
    /// A log that goes where the options say. Nobody's events come to it yet.
    fn new(settings: &Settings, debug: bool, sockets: Sockets) -> anyhow::Result<Log> {
        let mut outputs = Outputs::new(sockets);
        outputs
            .set(&Wanted::of(settings, debug))
            .context("the log cannot be opened; check its folder and log_file")?;
        let recent = Mutex::new(Recent::new(settings));
        Ok(Log { outputs: Mutex::new(outputs), recent, levels: None, debug })
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the lines that were kept to the file, and forgets them.
    pub fn dump(&self) -> io::Result<()> {
        let text = self.recent().take();
        self.outputs().write_file(&text)
    }

    /// The options have changed.
    pub fn configure(&self, settings: &Settings) {
        let set = self.outputs().set(&Wanted::of(settings, self.debug));
        if let Err(why) = set {
            tracing::error!(%why, "the log file cannot be opened; lines go to where they went");
        }
        if let Some(set_levels) = &self.levels {
            self.recent().configure(settings, Some(levels::filter(settings)));
            set_levels(levels::kept(settings));
        }
    }

    /// Opens the file anew, after it was moved away.
    pub fn reopen(&self) -> io::Result<()> {
        self.outputs().reopen()
    }

    /// The process becomes that user: the file is his.
    pub fn set_owner(&self, uid: Option<Uid>, gid: Option<Gid>) -> io::Result<()> {
        self.outputs().set_owner(uid, gid)
    }

    /// A line for syslog alone.
    pub fn syslog(&self, priority: u8, text: &str) {
        self.outputs().send_syslog(priority, text);
    }
}

/// Starts the log; it is there as long as the process.
pub fn start(settings: &Settings, debug: bool) -> anyhow::Result<&'static Log> {
    let mut log = Log::new(settings, debug, Sockets::default())?;
    let given: Option<Targets> = std::env::var("AXON_LOG").ok().and_then(|text| text.parse().ok());
    let levels = given.clone().unwrap_or_else(|| levels::kept(settings));
    let (levels, handle) = reload::Layer::new(levels);
    if given.is_none() {
        log.recent().configure(settings, Some(levels::filter(settings)));
        log.levels = Some(Box::new(move |levels| {
            let _ = handle.reload(levels);
        }));
    }
    let log: &'static Log = Box::leak(Box::new(log));
    tracing_subscriber::registry().with(levels).with(Pen(log)).init();
    Ok(log)
}

/// The beginning of a text, of whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= bytes_max).last();
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
