//! Where lines go (`LogObs` in `src/common/ceph_context.cc`, `ceph::logging::Log`): file, standard error, syslog, journald, each all
//! lines, errors only, or none.
//!
//! Invariants: who writes a line never waits for syslog or journald: a line that they do not take at once is lost and counted;
//! what cannot be opened leaves the others alone.

use super::journald::Journald;
use super::line::Line;
use super::syslog::Syslog;
use axon_core::config::Settings;
use nix::unistd::{Gid, Uid};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Which lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Which {
    #[default]
    None,
    Errors,
    All,
}

impl Which {
    fn of(all: bool, errors: bool) -> Which {
        match (all, errors) {
            (true, _) => Which::All,
            (false, true) => Which::Errors,
            (false, false) => Which::None,
        }
    }

    fn has(self, line: &Line) -> bool {
        match self {
            Which::None => false,
            Which::Errors => line.priority < 0,
            Which::All => true,
        }
    }
}

/// The sockets of the machine's log daemons.
#[derive(Clone, Debug)]
pub struct Sockets {
    pub syslog: PathBuf,
    pub journald: PathBuf,
}

impl Default for Sockets {
    fn default() -> Self {
        Sockets { syslog: "/dev/log".into(), journald: "/run/systemd/journal/socket".into() }
    }
}

/// The open outputs.
#[derive(Debug, Default)]
pub struct Outputs {
    sockets: Sockets,
    path: Option<PathBuf>,
    file: Option<File>,
    stderr: Which,
    stderr_prefix: String,
    syslog: (Which, Option<Syslog>),
    /// Open for the cluster log's lines too.
    journald: (Which, Option<Journald>),
    /// Whom the file belongs to.
    owner: Option<(Option<Uid>, Option<Gid>)>,
}

/// Where a manager logs when nothing is said.
const LOG_FILE: &str = "/var/log/ceph/$cluster-$name.log";

/// The options that count here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `log_file`, unless `log_to_file` is off.
    file: Option<PathBuf>,
    /// Nobody asked for that file.
    file_is_default: bool,
    stderr: (bool, bool),
    stderr_prefix: String,
    syslog: (bool, bool),
    journald: (bool, bool),
}

impl Wanted {
    /// Daemons' defaults; `debug` is `-d`: everything to standard error and nowhere else.
    pub fn of(settings: &Settings, debug: bool) -> Wanted {
        let flag = |name: &str, default: bool| match settings.value(name) {
            Some(text) => matches!(text.trim().to_lowercase().as_str(), "true" | "1" | "yes" | "on"),
            None => default,
        };
        if debug {
            return Wanted { stderr: (true, true), ..Wanted::default() };
        }
        let said = settings.value("log_file");
        let file_is_default = said.is_none();
        let path = Some(said.unwrap_or_else(|| settings.expand(LOG_FILE))).filter(|path| !path.is_empty());
        Wanted {
            file: path.filter(|_| flag("log_to_file", true)).map(PathBuf::from),
            file_is_default,
            stderr: (flag("log_to_stderr", false), flag("err_to_stderr", true)),
            stderr_prefix: settings.value("log_stderr_prefix").unwrap_or_default(),
            syslog: (flag("log_to_syslog", false), flag("err_to_syslog", false)),
            journald: (flag("log_to_journald", false), flag("err_to_journald", false)),
        }
    }
}

impl Outputs {
    pub fn new(sockets: Sockets) -> Outputs {
        Outputs { sockets, ..Outputs::default() }
    }

    /// Opens what is wanted and closes what is not. An error names the file that cannot be opened; then lines go to where they went.
    pub fn set(&mut self, wanted: &Wanted) -> io::Result<()> {
        let Wanted { stderr, syslog, journald, .. } = *wanted;
        self.stderr = Which::of(stderr.0, stderr.1);
        self.stderr_prefix.clone_from(&wanted.stderr_prefix);
        self.syslog.0 = Which::of(syslog.0, syslog.1);
        if self.syslog.0 == Which::None {
            self.syslog.1 = None;
        }
        self.journald.0 = Which::of(journald.0, journald.1);
        if self.journald.0 == Which::None {
            self.journald.1 = None;
        }
        if self.path == wanted.file {
            return Ok(());
        }
        let file = match &wanted.file {
            Some(path) => match self.open(path) {
                Ok(file) => Some(file),
                // Nobody asked for a file there: what would be in it goes where it is seen.
                Err(why) if wanted.file_is_default => {
                    let _ =
                        writeln!(io::stderr(), "{}: {why}; the log goes to standard error", path.display());
                    self.stderr = Which::All;
                    None
                }
                Err(why) => return Err(io::Error::new(why.kind(), format!("{}: {why}", path.display()))),
            },
            None => None,
        };
        self.path = wanted.file.clone().filter(|_| file.is_some());
        self.file = file;
        Ok(())
    }

    /// The file is that user's from now on, as the process is; where there is one now, it is given to him.
    pub fn set_owner(&mut self, uid: Option<Uid>, gid: Option<Gid>) -> io::Result<()> {
        self.owner = Some((uid, gid));
        match &self.file {
            Some(file) => Ok(nix::unistd::fchown(file.as_fd(), uid, gid)?),
            None => Ok(()),
        }
    }

    /// Opens the file anew, after it was moved away.
    pub fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = self.path.clone() {
            self.file = Some(self.open(&path)?);
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        if let Some((uid, gid)) = self.owner {
            // In a folder with the set-group-ID bit the file would be the folder's group's.
            let given = nix::unistd::fchown(file.as_fd(), uid, gid);
            // One who is not root may not give away a file of somebody else's.
            if nix::unistd::Uid::effective().is_root() {
                given?;
            }
        }
        Ok(file)
    }

    /// Writes a line to where it belongs.
    pub fn write(&mut self, line: &Line) {
        if let Some(file) = &mut self.file {
            // A full disk must not end the manager.
            let _ = file.write_all(line.text.as_bytes());
        }
        if self.stderr.has(line) {
            let _ = write!(io::stderr(), "{}{}", self.stderr_prefix, line.text);
        }
        if self.syslog.0.has(line) {
            self.send_syslog(Syslog::USER_INFO, line.text.trim_end());
        }
        if self.journald.0.has(line) {
            let socket = self.journald.1.get_or_insert_with(|| Journald::new(&self.sockets.journald));
            socket.send(line);
        }
    }

    /// Writes a text to the file, if there is one.
    pub fn write_file(&mut self, text: &str) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()))
    }

    /// Sends a line to syslog, whatever the log's own options say.
    pub fn send_syslog(&mut self, priority: u8, text: &str) {
        self.syslog.1.get_or_insert_with(|| Syslog::new(&self.sockets.syslog)).send(priority, text);
    }
}
