//! Crash reports of a panic (`generate_crash_dump` in `src/global/signal_handler.cc`; `handle_pyerror` in `src/mgr/PyUtil.cc` for modules):
//! `crash_dir/<id>/meta` in upstream's JSON, then an empty `done`, which ceph-crash posts.
//!
//! Invariants: a report is written by the thread that panics and never fails the process further; at most one a place and hour, and
//! [`REPORTS_MAX`] a process, so that a panic that comes again and again fills no disk. Of signals there is a report only when the manager
//! itself is told to send one (`raise`); safe Rust raises none by itself.

use axon_core::config::Settings;
use axon_proto::UTime;
use serde_json::{Map, Value, json};
use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Reports of one process.
const REPORTS_MAX: usize = 100;
const SAME_PLACE: Duration = Duration::from_secs(3600);
/// Upstream's default.
const CRASH_DIR: &str = "/var/lib/ceph/crash";
/// Threads of native modules are called so.
const MODULE_THREAD: &str = "mod-";

/// Who writes reports.
#[derive(Debug)]
pub struct Crashes {
    /// Empty: none are written.
    folder: PathBuf,
    entity: String,
    version: Mutex<String>,
    /// By place: when the last one was written; and how many there were.
    written: Mutex<(BTreeMap<String, Instant>, usize)>,
}

/// What is known of a panic.
struct Panic {
    message: String,
    file: String,
    line: u32,
    thread: String,
    backtrace: String,
}

impl Crashes {
    /// From now on panics are logged, and reported below `crash_dir`.
    pub fn install(settings: &Settings) -> Arc<Crashes> {
        let crashes = Arc::new(Crashes::new(settings));
        let (before, own) = (std::panic::take_hook(), crashes.clone());
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            let panic = Panic::of(info);
            let Panic { message, file, line, thread, backtrace } = &panic;
            tracing::error!("panic in thread {thread} at {file}:{line}: {message}\n{backtrace}");
            match own.report(&panic, SystemTime::now()) {
                Ok(Some(id)) => tracing::error!(id, "crash report written"),
                Ok(None) => {}
                Err(why) => tracing::error!(%why, "no crash report can be written"),
            }
        }));
        crashes
    }

    fn new(settings: &Settings) -> Crashes {
        let folder = settings.value("crash_dir").unwrap_or_else(|| CRASH_DIR.to_owned());
        let entity = settings.variables().name.to_string();
        Crashes { folder: folder.into(), entity, version: Mutex::default(), written: Mutex::default() }
    }

    /// The cluster's release, by the long text of daemons' metadata: `ceph version 20.2.4 (…) …`.
    pub fn identify(&self, ceph_version: &str) {
        let short = ceph_version.split_whitespace().nth(2).unwrap_or_default();
        short.clone_into(&mut self.version.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The process is about to end by that signal: a report without an assertion.
    pub fn signalled(&self, signal: u8) {
        let words = axon_core::tell::strsignal(signal);
        tracing::error!("*** Caught signal ({words}) **");
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let backtrace = Backtrace::force_capture().to_string();
        let signal = Panic { message: words, file: String::new(), line: 0, thread, backtrace };
        match self.report(&signal, SystemTime::now()) {
            Ok(id) => tracing::error!(id, "crash report written"),
            Err(why) => tracing::error!(%why, "no crash report can be written"),
        }
    }

    /// Writes a report, unless there was one of that place lately; its id.
    fn report(&self, panic: &Panic, now: SystemTime) -> io::Result<Option<String>> {
        let place =
            format!("{}:{}", if panic.file.is_empty() { &panic.message } else { &panic.file }, panic.line);
        if self.folder.as_os_str().is_empty() || !self.is_due(&place) {
            return Ok(None);
        }
        let stamp = UTime::from(now).to_string().replace("+0000", "Z");
        let id = format!("{stamp}_{}", uuid::Uuid::new_v4());
        let folder = self.folder.join(&id);
        DirBuilder::new().mode(0o700).create(&folder)?;
        let create = |name: &str, mode| {
            OpenOptions::new().write(true).create_new(true).mode(mode).open(folder.join(name))
        };
        let text = serde_json::to_string_pretty(&self.meta(panic, &id, &stamp)).map_err(io::Error::other)?;
        create("meta", 0o600)?.write_all(text.as_bytes())?;
        create("done", 0o444)?;
        Ok(Some(id))
    }

    fn is_due(&self, place: &str) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (places, count) = &mut *written;
        if *count >= REPORTS_MAX || places.get(place).is_some_and(|at| at.elapsed() < SAME_PLACE) {
            return false;
        }
        *count += 1;
        places.insert(place.to_owned(), Instant::now());
        true
    }

    fn meta(&self, panic: &Panic, id: &str, stamp: &str) -> Value {
        let Panic { message, file, line, thread, backtrace } = panic;
        let mut meta = Map::new();
        let mut put = |key: &str, value: Value| drop(meta.insert(key.to_owned(), value));
        put("crash_id", id.into());
        put("timestamp", stamp.into());
        put("process_name", "ceph-mgr".into());
        put("entity_name", self.entity.clone().into());
        put("ceph_version", self.version.lock().unwrap_or_else(PoisonError::into_inner).clone().into());
        if let Ok(system) = nix::sys::utsname::uname() {
            let text = |value: &std::ffi::OsStr| Value::from(value.to_string_lossy());
            put("utsname_hostname", text(system.nodename()));
            put("utsname_sysname", text(system.sysname()));
            put("utsname_release", text(system.release()));
            put("utsname_version", text(system.version()));
            put("utsname_machine", text(system.machine()));
        }
        let os = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        for (key, name) in
            [("os_name", "NAME"), ("os_id", "ID"), ("os_version_id", "VERSION_ID"), ("os_version", "VERSION")]
        {
            if let Some(value) = os.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('=')) {
                put(key, value.trim_matches('"').into());
            }
        }
        put(
            "backtrace",
            frames(backtrace).into_iter().map(|name| json!(format!("({name}) [0x0]"))).collect(),
        );
        if let Some(module) = thread.strip_prefix(MODULE_THREAD) {
            put("mgr_module", module.into());
            put("mgr_module_caller", "native module".into());
        }
        // A signal.
        if file.is_empty() {
            return meta.into();
        }
        let words = message.lines().next().unwrap_or_default();
        put("assert_condition", words.into());
        put("assert_file", file.clone().into());
        put("assert_line", (*line).into());
        put("assert_thread_name", thread.clone().into());
        // In the form that upstream's crash module takes apart.
        let function = frames(backtrace).into_iter().next().unwrap_or_default();
        put(
            "assert_msg",
            format!(
                "{file}: In function '{function}' thread {thread} time {stamp}\n{file}: {line}: FAILED {words}\n"
            )
            .into(),
        );
        meta.into()
    }
}

impl Panic {
    fn of(info: &PanicHookInfo<'_>) -> Panic {
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        let (file, line) = info.location().map_or((String::new(), 0), |l| (l.file().to_owned(), l.line()));
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        Panic { message, file, line, thread, backtrace: Backtrace::force_capture().to_string() }
    }
}

/// The functions of a backtrace, from the panic outwards, without those that only carry the panic.
fn frames(backtrace: &str) -> Vec<String> {
    let names = backtrace.lines().filter_map(|line| {
        let (number, name) = line.trim_start().split_once(": ")?;
        number.parse::<u32>().is_ok().then(|| name.trim().to_owned())
    });
    let names: Vec<String> = names.collect();
    let panicked = |name: &String| name.contains("panic_fmt") || name.contains("panicking::panic");
    let from = names.iter().rposition(panicked).map_or(0, |at| at + 1);
    names.into_iter().skip(from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::config::{Level, Variables};

    fn panic(line: u32) -> Panic {
        let backtrace = "   0: std::panicking::begin\n   1: core::panicking::panic_fmt\n             at /x.rs:1\n   \
                         2: axon_mgr::run::work\n   3: main\n";
        Panic {
            message: "it broke".to_owned(),
            file: "crates/mgr/src/run.rs".to_owned(),
            line,
            thread: "mod-balancer".to_owned(),
            backtrace: backtrace.to_owned(),
        }
    }

    #[test]
    fn a_report_is_whole_and_one_of_a_place() {
        let folder = std::env::temp_dir().join(format!("axon-crash-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut settings =
            Settings::new(Variables { name: "mgr.x".parse().unwrap(), ..Variables::default() });
        settings.set(Level::File, "crash_dir", folder.display().to_string());
        let crashes = Crashes::new(&settings);
        crashes.identify("ceph version 18.2.7 (abc) reef (stable)");
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_793_000_000_123_456);
        let id = crashes.report(&panic(7), at).unwrap().unwrap();
        assert!(id.starts_with("2026-10-26T07:33:20.123456Z_") && id.len() == 28 + 36, "{id}");
        assert_eq!(crashes.report(&panic(7), at).unwrap(), None, "the same place");
        assert!(crashes.report(&panic(8), at).unwrap().is_some());
        assert!(folder.join(&id).join("done").exists());
        let meta: Value =
            serde_json::from_slice(&std::fs::read(folder.join(&id).join("meta")).unwrap()).unwrap();
        let text = |key: &str| meta[key].as_str().unwrap_or_default();
        assert_eq!([text("crash_id"), text("entity_name"), text("ceph_version")], [&id, "mgr.x", "18.2.7"]);
        assert_eq!(meta["backtrace"], json!(["(axon_mgr::run::work) [0x0]", "(main) [0x0]"]));
        assert_eq!([text("mgr_module"), text("assert_condition")], ["balancer", "it broke"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
