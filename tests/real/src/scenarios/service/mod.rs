//! Axon as a service of a systemd that runs ([`crate::systemd`]): the distribution's `ceph-mgr@.service` with the drop-in of
//! `packaging/systemd`, put there by the very lines of `docs/install.md`, on a host where `ceph-mgr` has run, and taken away again.
//!
//! Files: here the order of things and how a service is looked at; then one for what is put where, what runs, what is forbidden, the log,
//! and the end. Beside it: `unit.rs`, which needs no systemd and sees each line that the manager tells it.

mod ends;
mod install;
mod rotation;
mod sandbox;
mod serving;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Kind;
use serde_json::{Value, json};

use crate::Bench;
use crate::systemd::{self, Systemd};

const UNIT: &str = "ceph-mgr@x.service";
/// Where the lines of `docs/install.md` are run.
const CHECKOUT: &str = "/root/axon";
/// Always on in all releases and not native.
const ALWAYS_ON: [&str; 5] = ["devicehealth", "orchestrator", "rbd_support", "telemetry", "volumes"];
const AT_MOST: Duration = Duration::from_secs(60);

pub fn lives_under_systemd(bench: &mut Bench) -> Result<()> {
    if let Some(why) = systemd::impossible(bench.cluster.root())? {
        println!(
            "    no systemd can run on this machine ({why}): axon_runs_under_the_distributions_unit has to do"
        );
        return Ok(());
    }
    // Its key and ports are made when it is started first.
    bench.only(Kind::Axon)?;
    bench.only(Kind::Ceph)?;
    let host = Systemd::boot(&bench.cluster)?;
    let done = Service { bench, host: &host }.lives();
    if done.is_err() {
        let mut all = host.command("journalctl");
        let all =
            all.args(["--no-pager", "--no-hostname", "-o", "short-precise", "-u", UNIT]).output()?.stdout;
        fs::write(bench.cluster.dir().join("log/service.journal"), all)?;
    }
    drop(host);
    let _ = bench.mon(json!({"prefix": "mgr module disable", "module": sandbox::MODULE}));
    let _ = bench.cluster.start("mon.a");
    done?;
    bench.only(Kind::Axon)
}

struct Service<'a> {
    bench: &'a Bench,
    host: &'a Systemd,
}

impl Service<'_> {
    fn lives(&self) -> Result<()> {
        let begun = Instant::now();
        type Step<'a> = (&'static str, fn(&Service<'a>) -> Result<()>);
        let steps: [Step; 10] = [
            ("a host with ceph-mgr", install::host_of_upstreams),
            ("installed, started", install::is_installed),
            ("standby, active", Service::becomes_active),
            ("sandbox", sandbox::holds),
            ("modules and REST", serving::serves),
            ("reload and rotation", rotation::works),
            ("killed, hung, given up", ends::is_started_again),
            ("stopped", ends::hands_over),
            ("no key", ends::is_not_started_without_a_key),
            ("ceph-mgr again", install::makes_room),
        ];
        for (name, step) in steps {
            step(self).with_context(|| format!("{name} ({:.0} s)", begun.elapsed().as_secs_f32()))?;
            println!("    {name}: {:.1} s", begun.elapsed().as_secs_f32());
        }
        Ok(())
    }

    fn becomes_active(&self) -> Result<()> {
        self.says("standby")?;
        self.leads()
    }

    /// Makes it active and waits until it serves.
    fn leads(&self) -> Result<()> {
        if self.bench.active()?.as_deref() != Some("x") {
            self.bench.mon(json!({"prefix": "mgr fail"}))?;
        }
        self.says("active")?;
        self.wait_ok(|| self.is_available())
    }

    fn is_available(&self) -> Result<()> {
        let dump: Value =
            serde_json::from_str(&self.bench.mon(json!({"prefix": "mgr dump", "format": "json"}))?)?;
        let (name, available) = (&dump["active_name"], &dump["available"]);
        ensure!(name == "x" && available == true, "mgr.{name} is active, available: {available}");
        Ok(())
    }

    /// The main process, as this machine counts.
    fn main(&self) -> Result<i32> {
        let inside: i32 = self.host.show(UNIT)?.of("MainPID").parse()?;
        let pid = self.host.processes(UNIT)?.get(&inside).copied();
        pid.with_context(|| format!("the main process {inside} is gone"))
    }

    /// Names and pids of the modules' processes.
    fn modules(&self) -> Result<Vec<(String, i32)>> {
        let name = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let all = self.host.processes(UNIT)?;
        let named =
            all.values().filter_map(|pid| Some((name(*pid).trim().strip_prefix("axon:")?.to_owned(), *pid)));
        Ok(named.collect())
    }

    /// Waits until the main process is that program.
    fn runs(&self, program: &str) -> Result<()> {
        self.wait(&format!("{program} does not run"), || {
            let Ok(pid) = self.main() else { return Ok(false) };
            let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            Ok(exe.file_name().is_some_and(|name| name == program))
        })
    }

    /// Waits for that status.
    fn says(&self, status: &str) -> Result<()> {
        self.wait(&format!("it does not say {status:?}"), || {
            Ok(self.host.show(UNIT)?.of("StatusText") == status)
        })
    }

    /// Waits until systemd has started it once more by itself than so many times, and it is ready; how often it has now.
    fn restarted(&self, before: u32) -> Result<u32> {
        let mut times = before;
        self.wait("it is not started again", || {
            let unit = self.host.show(UNIT)?;
            times = unit.of("NRestarts").parse()?;
            Ok(times > before && unit.of("ActiveState") == "active" && unit.of("SubState") == "running")
        })?;
        Ok(times)
    }

    /// To the main process alone.
    fn signal(&self, name: &str) -> Result<()> {
        let pid = self.main()?.to_string();
        ensure!(Command::new("kill").args(["-s", name, &pid]).status()?.success(), "{pid} is gone");
        Ok(())
    }

    fn wait(&self, why: &str, mut until: impl FnMut() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !until()? {
            if begun.elapsed() > AT_MOST {
                let unit = self.host.show(UNIT)?;
                bail!(
                    "{why}: {}, {}, {:?}",
                    unit.of("ActiveState"),
                    unit.of("SubState"),
                    unit.of("StatusText")
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn wait_ok<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            match attempt() {
                Err(_) if begun.elapsed() < AT_MOST => std::thread::sleep(Duration::from_millis(300)),
                done => return done,
            }
        }
    }
}
