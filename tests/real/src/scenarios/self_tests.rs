//! Every command of upstream's module `selftest` under Axon, with what it does where it shows.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use axon_core::Command;
use axon_launcher::Release;
use serde_json::{Value, json};

use super::stock_modules::{Ask, until};
use crate::Bench;

/// Modules that have a test of their own, if they run; the rest of the stock ones have none.
const OWN: [&str; 9] = [
    "devicehealth",
    "insights",
    "nfs",
    "orchestrator",
    "prometheus",
    "rbd_support",
    "snap_schedule",
    "telemetry",
    "volumes",
];
/// Native ones, which answer to the same name.
const NATIVE: [&str; 4] = ["balancer", "crash", "iostat", "progress"];
/// What `remote` calls; it runs nowhere else.
const CALLED: &str = "influx";
const CHECKS: [&str; 2] = ["AXON_SELFTEST_A", "AXON_SELFTEST_B"];

struct Tests<'a> {
    bench: &'a Bench,
    ask: &'a Ask,
    passed: Vec<String>,
}

/// Runs them all; leaves the cluster as it was, but for options and keys of `selftest`'s own.
pub(super) fn all(bench: &Bench, ask: &Ask, running: &BTreeSet<&str>) -> Result<()> {
    let release = bench.release();
    let mut tests = Tests { bench, ask, passed: Vec::new() };
    tests.run("run", &[])?;
    let words = [("channel", "cluster"), ("priority", "info"), ("message", "from a module")];
    tests.run("cluster-log", &words)?;
    for module in OWN.into_iter().filter(|module| running.contains(module)).chain(NATIVE) {
        tests.run("module", &[("module", module)])?;
    }
    tests.configuration()?;
    tests.python_version()?;
    tests.remote()?;
    tests.health()?;
    tests.insights()?;
    tests.background()?;
    if release > Release::Pacific {
        tests.eval()?;
    }
    if release >= Release::Tentacle {
        tests.run("logging", &[])?;
    }
    println!("    self-tests passed: {}", tests.passed.join(", "));
    Ok(())
}

impl Tests<'_> {
    fn run(&mut self, what: &str, args: &[(&str, &str)]) -> Result<String> {
        let command = Command::plain(&format!("mgr self-test {what}"));
        let command = args.iter().fold(command, |command, (key, value)| command.arg(key, *value));
        let text = self.ask.text(command)?;
        let name = if what == "module" { args.first().map_or(what, |(_, value)| value) } else { what };
        if !self.passed.iter().any(|passed| passed == name) {
            self.passed.push(name.to_owned());
        }
        Ok(text)
    }

    /// What `run` has set.
    fn configuration(&mut self) -> Result<()> {
        for (what, value) in [("config get", "testvalue"), ("config get_localized", "foo")] {
            let have = self.run(what, &[("key", "testkey")])?;
            ensure!(have == value, "{what}: {have}");
        }
        let none = self.run("config get", &[("key", "roption1")])?;
        ensure!(none == "None", "an option without a value: {none}");
        Ok(())
    }

    fn python_version(&mut self) -> Result<()> {
        let mut python = self.bench.cluster.root().command("/usr/bin/python3");
        let out = python.args(["-c", "import platform; print(platform.python_version())"]).output()?;
        let own = String::from_utf8_lossy(&out.stdout).trim().trim_end_matches('+').to_owned();
        let have = self.run("python-version", &[])?;
        ensure!(have == own, "{have}, the machine has {own}");
        Ok(())
    }

    /// Calls of a module, of one that is not enabled, of one that does not exist, and of a method that does not.
    fn remote(&mut self) -> Result<()> {
        self.bench.enable_module(CALLED)?;
        until("influx is called", || Ok(self.module_test(CALLED).ok()))?;
        let called = self.run("remote", &[]);
        self.bench.mon(json!({"prefix": "mgr module disable", "module": CALLED}))?;
        called?;
        until("influx is gone", || Ok(self.module_test(CALLED).err().map(|_| ())))
    }

    /// 16.2's `influx` has its test as a command, so that anything it answers to shows that it runs.
    fn module_test(&self, module: &str) -> Result<String> {
        match self.bench.release() {
            Release::Pacific => self.ask.text(Command::plain("influx config-show")),
            _ => self.ask.text(Command::plain("mgr self-test module").arg("module", module)),
        }
    }

    fn set(&mut self, check: &str) -> Result<()> {
        let checks = json!({check: {"severity": "warning", "summary": "a test", "detail": ["one", "two"]}});
        self.run("health set", &[("checks", &checks.to_string())]).map(drop)
    }

    fn clear(&mut self, checks: &[&str]) -> Result<()> {
        let mut command = Command::plain("mgr self-test health clear");
        if !checks.is_empty() {
            command = command.arg("checks", checks);
        }
        self.ask.text(command)?;
        self.passed.retain(|passed| passed != "health clear");
        self.passed.push("health clear".to_owned());
        Ok(())
    }

    /// Waits until of our checks the monitors have exactly these.
    fn raised(&self, wanted: &[&str]) -> Result<()> {
        until("the monitors have the module's health checks", || {
            let text = self.bench.mon(json!({"prefix": "health", "detail": "detail", "format": "json"}))?;
            let health: Value = serde_json::from_str(&text)?;
            let have = CHECKS.into_iter().filter(|check| !health["checks"][check].is_null());
            if !have.eq(wanted.iter().copied()) {
                return Ok(None);
            }
            for check in wanted {
                let check = &health["checks"][check];
                let details = check["detail"].as_array().into_iter().flatten().map(|d| &d["message"]);
                ensure!(
                    check["severity"] == "HEALTH_WARN"
                        && check["summary"]["message"] == "a test"
                        && details.eq(["one", "two"].iter()),
                    "{check}"
                );
            }
            Ok(Some(()))
        })
    }

    fn health(&mut self) -> Result<()> {
        let [a, b] = CHECKS;
        self.set(a)?;
        self.set(b)?;
        self.raised(&[a, b])?;
        self.clear(&[a])?;
        self.raised(&[b])?;
        self.clear(&[])?;
        self.raised(&[])
    }

    /// By the offset the module lives two days later: its history of a day has not what was before.
    fn insights(&mut self) -> Result<()> {
        let [a, b] = CHECKS;
        self.ask.text(Command::plain("insights prune-health").arg("hours", 0))?;
        self.set(a)?;
        self.history(&[a])?;
        self.clear(&[])?;
        self.raised(&[])?;
        self.offset(48)?;
        self.set(b)?;
        self.history(&[b])?;
        self.clear(&[])?;
        self.raised(&[])?;
        self.offset(0)?;
        self.set(a)?;
        self.history(&[a])?;
        self.clear(&[])?;
        self.raised(&[])
    }

    fn offset(&mut self, hours: i64) -> Result<()> {
        let command = Command::plain("mgr self-test insights_set_now_offset");
        match self.bench.release() {
            Release::Pacific => self.ask.text(command.arg("hours", hours.to_string()))?,
            _ => self.ask.text(command.arg("hours", hours))?,
        };
        if hours == 0 {
            self.passed.push("insights_set_now_offset".to_owned());
        }
        Ok(())
    }

    fn history(&self, wanted: &[&str]) -> Result<()> {
        until("insights has the health checks in its history", || {
            let report = self.ask.json(Command::json("insights"))?;
            let checks = &report["health"]["history"]["checks"];
            let have = CHECKS.into_iter().filter(|check| !checks[check].is_null());
            Ok(have.eq(wanted.iter().copied()).then_some(()))
        })
    }

    /// One workload sends commands for as long as it may, the other ends the module.
    fn background(&mut self) -> Result<()> {
        let idle = self.run("background stop", &[])?;
        ensure!(idle.is_empty(), "{idle}");
        self.run("background start", &[("workload", "command_spam")])?;
        let weights = || -> Result<Vec<f64>> {
            let dump = self.bench.cluster.ceph_json(&["osd", "dump"])?;
            Ok(dump["osds"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|osd| osd["weight"].as_f64())
                .collect())
        };
        let (before, moved) = (weights()?, "commands change weights");
        until(moved, || Ok((weights()? != before).then_some(())))?;
        self.run("background stop", &[])?;
        until("the workload has stopped", || {
            let have = weights()?;
            std::thread::sleep(std::time::Duration::from_secs(1));
            Ok((weights()? == have).then_some(()))
        })?;
        for osd in ["0", "1", "2"] {
            self.bench.cluster.ceph_ok(&["osd", "reweight", osd, "1"])?;
        }
        let wrong = self.run("background start", &[("workload", "idleness")]);
        ensure!(wrong.is_err(), "there is no such workload");
        self.run("background start", &[("workload", "throw_exception")])?;
        let failed = |wanted: bool| {
            until("a module that throws is told of, and comes back", || {
                let health =
                    self.bench.mon(json!({"prefix": "health", "detail": "detail", "format": "json"}))?;
                let health: Value = serde_json::from_str(&health)?;
                let check = &health["checks"]["MGR_MODULE_ERROR"];
                let told = check.to_string().contains("Synthetic exception in serve");
                Ok((told == wanted && check.is_null() != wanted).then_some(()))
            })
        };
        failed(true)?;
        failed(false)
    }

    fn eval(&mut self) -> Result<()> {
        let name = self.run("eval", &[("s", "print(mgr.get_mgr_id())")])?;
        ensure!(name.trim() == "x", "{name}");
        self.run("eval", &[("s", "remembered = mgr.get('osd_map')['epoch']")])?;
        let epoch = self.run("eval", &[("s", "print(remembered > 0)")])?;
        ensure!(epoch.trim() == "True", "{epoch}");
        let by_input = Command::plain("mgr self-test eval").input("print(6 * 7)");
        ensure!(self.ask.text(by_input)?.trim() == "42");
        let unfinished = self.run("eval", &[("s", "if True:")])?;
        ensure!(unfinished.is_empty(), "half a statement is none: {unfinished}");
        Ok(())
    }
}
