//! Lines to the machine's syslog daemon, as `syslog(3)` sends them: a datagram each. Without the time, which daemons take from when it
//! comes, so that the machine's time zone does not matter.

use super::cut;
use super::datagrams::Datagrams;
use std::path::Path;

/// The connection.
#[derive(Debug)]
pub struct Syslog(Datagrams);

/// Under which name lines stand: filters that look for the manager find it.
pub const IDENT: &str = "ceph-mgr";

/// A longer line is cut.
const LINE_BYTES_MAX: usize = 8192;

impl Syslog {
    /// `LOG_USER | LOG_INFO`, of every line of the process's own log.
    pub const USER_INFO: u8 = 8 | 6;

    pub fn new(path: &Path) -> Syslog {
        Syslog(Datagrams::new(path))
    }

    pub fn send(&mut self, priority: u8, text: &str) {
        let text = cut(text, LINE_BYTES_MAX);
        self.0.send(format!("<{priority}>{IDENT}[{}]: {text}", std::process::id()).as_bytes());
    }
}
