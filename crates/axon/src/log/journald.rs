//! Lines to journald in its own protocol (`src/common/Journald.cc`), with the fields that Ceph's daemons send.

use super::cut;
use super::datagrams::Datagrams;
use super::line::Line;
use super::syslog::IDENT;
use std::path::Path;

/// The connection.
#[derive(Debug)]
pub struct Journald(Datagrams);

/// A longer message is cut, so that it fits into a datagram; upstream hands over a file then.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

impl Journald {
    pub fn new(path: &Path) -> Journald {
        Journald(Datagrams::new(path))
    }

    pub fn send(&mut self, line: &Line) {
        let message = cut(&line.message, MESSAGE_BYTES_MAX);
        let Line { subsystem, priority, thread, stamp_nanos, .. } = line;
        let mut out = format!(
            "SYSLOG_IDENTIFIER={IDENT}\nPRIORITY={}\nCEPH_SUBSYS={subsystem}\nTIMESTAMP={stamp_nanos}\n\
             CEPH_PRIO={priority}\nTHREAD={thread:016x}\nMESSAGE\n",
            syslog_level(*priority)
        )
        .into_bytes();
        // A message may have several lines, so its length goes before it.
        out.extend_from_slice(&(message.len() as u64).to_le_bytes());
        out.extend_from_slice(message.as_bytes());
        out.push(b'\n');
        self.0.send(&out);
    }
}

/// `map_prio`: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
fn syslog_level(priority: i32) -> u8 {
    match priority {
        ..0 => 3,
        0 => 4,
        1..5 => 5,
        5..10 => 6,
        10.. => 7,
    }
}
