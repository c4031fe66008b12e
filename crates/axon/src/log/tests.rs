//! Where lines go, with sockets of our own in the place of the machine's daemons.

use super::*;
use axon_core::config::{Level, Variables};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

struct Bench {
    folder: PathBuf,
    settings: Settings,
    syslog: UnixDatagram,
    journald: UnixDatagram,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let folder = std::env::temp_dir().join(format!("axon-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let bind = |name: &str| {
            let _ = std::fs::remove_file(folder.join(name));
            let socket = UnixDatagram::bind(folder.join(name)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (syslog, journald) = (bind("syslog"), bind("journald"));
        let mut settings =
            Settings::new(Variables { name: "mgr.x".parse().unwrap(), ..Variables::default() });
        settings.set(Level::File, "log_file", folder.join("$name.log").display().to_string());
        settings.set(Level::File, "err_to_stderr", "false");
        Bench { folder, settings, syslog, journald }
    }

    fn log(&self) -> Log {
        let sockets = Sockets { syslog: self.folder.join("syslog"), journald: self.folder.join("journald") };
        Log::new(&self.settings, false, sockets).unwrap()
    }

    fn set(&mut self, log: &Log, name: &str, value: &str) {
        self.settings.set(Level::Override, name, value);
        log.configure(&self.settings);
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.folder.join("mgr.x.log")).unwrap_or_default()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn say(log: &Log, priority: i32, text: &str) {
    log.outputs().write(&Line::new(priority, "mgr", text.to_owned(), SystemTime::now()));
}

fn heard(socket: &UnixDatagram) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut bytes = vec![0; 300_000];
    while let Ok(length) = socket.recv(&mut bytes) {
        all.push(bytes[..length].to_vec());
    }
    all
}

#[test]
fn lines_go_to_the_file_until_the_options_say_otherwise() {
    let mut bench = Bench::new("file");
    let log = bench.log();
    say(&log, 1, "one");
    bench.set(&log, "log_to_file", "false");
    say(&log, 1, "two");
    bench.set(&log, "log_to_file", "true");
    say(&log, 1, "three");
    let texts: Vec<String> = bench.file().lines().map(|l| l.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(texts, ["one", "three"]);
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let bench = Bench::new("rotation");
    let log = bench.log();
    let (path, moved) = (bench.folder.join("mgr.x.log"), bench.folder.join("mgr.x.log.1"));
    say(&log, 1, "one");
    std::fs::rename(&path, &moved).unwrap();
    say(&log, 1, "two");
    log.reopen().unwrap();
    say(&log, 1, "three");
    assert_eq!(std::fs::read_to_string(&moved).unwrap().lines().count(), 2);
    assert!(bench.file().ends_with(" three\n"));
}

#[test]
fn a_file_that_cannot_be_opened_leaves_the_one_before() {
    let mut bench = Bench::new("unopened");
    let log = bench.log();
    bench.set(&log, "log_file", "/nowhere/at/all.log");
    say(&log, 1, "still here");
    assert!(bench.file().contains("still here"));
    bench.settings.set(Level::Override, "log_file", "/nowhere/at/all.log");
    assert!(Log::new(&bench.settings, false, Sockets::default()).is_err(), "at the start it is an error");
}

#[test]
fn syslog_gets_all_lines_or_errors_or_none() {
    let mut bench = Bench::new("syslog");
    let log = bench.log();
    say(&log, -1, "nobody asked");
    assert!(heard(&bench.syslog).is_empty());
    bench.set(&log, "err_to_syslog", "true");
    say(&log, 1, "no error");
    say(&log, -1, "an error");
    bench.set(&log, "log_to_syslog", "true");
    say(&log, 10, "a detail");
    let lines: Vec<String> =
        heard(&bench.syslog).into_iter().map(|l| String::from_utf8(l).unwrap()).collect();
    let begin = format!("<14>ceph-mgr[{}]: ", std::process::id());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&begin) && lines[0].ends_with(" -1 an error"), "{lines:?}");
    assert!(lines[1].ends_with(" 10 a detail"), "{lines:?}");
}

#[test]
fn journald_gets_the_fields_of_cephs_daemons() {
    let mut bench = Bench::new("journald");
    let log = bench.log();
    bench.set(&log, "log_to_journald", "true");
    say(&log, -1, "two\nlines");
    say(&log, 20, &"x".repeat(400_000));
    let entries = heard(&bench.journald);
    let first = &entries[0];
    let (fields, message) = first.split_at(first.windows(9).position(|w| w == b"\nMESSAGE\n").unwrap() + 9);
    let fields = String::from_utf8(fields.to_vec()).unwrap();
    for field in ["SYSLOG_IDENTIFIER=ceph-mgr", "PRIORITY=3", "CEPH_SUBSYS=mgr", "CEPH_PRIO=-1"] {
        assert!(fields.lines().any(|line| line == field), "{field}: {fields}");
    }
    assert_eq!(message, [&9u64.to_le_bytes()[..], b"two\nlines\n"].concat());
    assert!(entries[1].len() > 128 * 1024, "a long message is cut, not lost");
}

#[test]
fn a_log_daemon_that_is_away_or_does_not_read_holds_nobody_up() {
    let mut bench = Bench::new("away");
    let log = bench.log();
    bench.set(&log, "log_to_syslog", "true");
    for n in 0..10_000 {
        say(&log, 1, &n.to_string());
    }
    let _ = std::fs::remove_file(bench.folder.join("syslog"));
    bench.syslog = UnixDatagram::bind(bench.folder.join("other")).unwrap();
    say(&log, 1, "to nobody");
    bench.syslog = UnixDatagram::bind(bench.folder.join("syslog")).unwrap();
    bench.syslog.set_nonblocking(true).unwrap();
    say(&log, 1, "to the new one");
    let lines = heard(&bench.syslog);
    assert!(lines.last().unwrap().ends_with(b"to the new one"), "it is found again");
}
