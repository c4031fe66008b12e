//! How the service ends: killed and hung, when systemd starts it again; stopped, when another manager follows; and not started at all.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axon_launcher::Kind;

use super::{ALWAYS_ON, Service, UNIT};
use crate::Bench;

/// A drop-in that is the test's: the same faults in less time.
const HURRY: &str = "/etc/systemd/system/ceph-mgr@x.service.d";
/// The manager tells it of itself at every tick, of two seconds.
const WATCHDOG_SECS: u64 = 6;
/// A manager that says goodbye is followed at once, one that does not after 30 s.
const HANDOVER_AT_MOST: Duration = Duration::from_secs(5);

/// `Restart=on-failure`, the watchdog, `StartLimitBurst=3`.
pub fn is_started_again(service: &Service) -> Result<()> {
    let host = service.host;
    let hurry = format!("[Service]\nRestartSec=1\nWatchdogSec={WATCHDOG_SECS}\n");
    fs::create_dir_all(host.path(HURRY))?;
    let drop_in = host.path(&format!("{HURRY}/hurry.conf"));
    fs::write(&drop_in, hurry)?;
    host.systemctl(&["daemon-reload"])?;
    // The count of starts begins anew.
    host.systemctl(&["reset-failed", UNIT])?;

    let before = host.processes(UNIT)?;
    ensure!(before.len() > ALWAYS_ON.len(), "no modules: {before:?}");
    service.signal("KILL")?;
    let times = service.restarted(0)?;
    let gone = |pid: &i32| !Path::new(&format!("/proc/{pid}")).exists();
    ensure!(before.values().all(gone), "processes of the one that was killed are there: {before:?}");

    let begun = Instant::now();
    service.signal("STOP")?;
    let times = service.restarted(times)?;
    println!("    replaced {:.1} s after it hung", begun.elapsed().as_secs_f32());
    let journal = host.journal(UNIT)?;
    for words in ["Watchdog timeout", "Failed with result 'watchdog'"] {
        ensure!(journal.contains(words), "systemd does not say: {words}");
    }

    service.signal("KILL")?;
    service.restarted(times)?;
    service.signal("KILL")?;
    service.wait("it is started for ever", || Ok(host.show(UNIT)?.of("ActiveState") == "failed"))?;
    ensure!(host.journal(UNIT)?.contains("repeated too quickly"), "systemd says nothing");
    ensure!(host.processes(UNIT)?.is_empty(), "{:?}", host.processes(UNIT)?);

    fs::remove_file(&drop_in)?;
    host.systemctl(&["daemon-reload"])?;
    host.systemctl(&["reset-failed", UNIT])?;
    host.systemctl(&["start", UNIT])?;
    Ok(())
}

/// An active manager that is stopped says goodbye, and nothing of it stays.
pub fn hands_over(service: &Service) -> Result<()> {
    let host = service.host;
    service
        .wait("it is not known", || Ok(["standby", "active"].contains(&host.show(UNIT)?.of("StatusText"))))?;
    service.leads()?;
    service.wait("no modules run", || Ok(service.modules()?.len() >= ALWAYS_ON.len()))?;
    let said = host.journal(UNIT)?.len();
    let begun = Instant::now();
    host.systemctl(&["stop", "--no-block", UNIT])?;
    service
        .wait("nobody follows", || Ok(service.bench.active()?.as_deref() == Some(Bench::id(Kind::Ceph))))?;
    let followed = begun.elapsed();
    ensure!(followed < HANDOVER_AT_MOST, "followed after {followed:?}");
    host.systemctl(&["stop", UNIT])?;
    let (followed, stopped) = (followed.as_secs_f32(), begun.elapsed().as_secs_f32());
    println!("    followed after {followed:.1} s, ended after {stopped:.1} s");
    ensure!(host.processes(UNIT)?.is_empty(), "still there: {:?}", host.processes(UNIT)?);
    let journal = host.journal(UNIT)?;
    // A unit that is stopped may be forgotten with its properties.
    let journal = journal.get(said..).unwrap_or_default();
    ensure!(journal.contains("Deactivated successfully"), "{journal}");
    ensure!(!journal.contains("Killing process"), "systemd had to end what the manager has left");
    ensure!(host.show(UNIT)?.of("ActiveState") == "inactive", "{:?}", host.show(UNIT)?);
    let status = host.command("systemctl").args(["status", UNIT]).output()?;
    ensure!(status.status.code() == Some(3), "{status:?}");
    Ok(())
}

/// What is not ready is not active.
pub fn is_not_started_without_a_key(service: &Service) -> Result<()> {
    let host = service.host;
    let (key, away) = ("/var/lib/ceph/mgr/ceph-x/keyring", "/var/lib/ceph/mgr/ceph-x/away");
    fs::rename(host.path(key), host.path(away))?;
    let started = host.command("systemctl").args(["start", UNIT]).output()?;
    ensure!(!started.status.success(), "it has started without a key");
    ensure!(host.show(UNIT)?.of("ActiveState") != "active", "active without a key");
    let journal = host.journal(UNIT)?;
    let told = journal.lines().any(|line| line.starts_with("axon mgr: ") && line.contains(key));
    ensure!(told, "the journal does not say why");
    fs::rename(host.path(away), host.path(key))?;
    host.systemctl(&["stop", UNIT])?;
    // With the unit its count of starts may have been forgotten already.
    host.command("systemctl").args(["--quiet", "reset-failed", UNIT]).output()?;
    Ok(())
}
