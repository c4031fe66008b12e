//! `cargo xtask bench commands-big`: the manager's own commands on a cluster with thousands of OSDs in its maps, upstream's manager
//! and then Axon, in one run on one cluster: time of each answer (asked for the first time, and again of the same maps), the
//! manager's processor time for it and its size, a small command's time while large ones are in flight, and memory. Each manager
//! runs alone while it is measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axon_launcher::{Cluster, Kind, Managers, Options, Release};
use clap::Args;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::progress;

#[derive(Args)]
pub struct CommandsBig {
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value = "/var/tmp/axon-bench-big")]
    dir: PathBuf,
    /// OSDs in the map; the first 3 are real.
    #[arg(long, default_value_t = 10_000)]
    osds: u32,
    /// Placement groups of a pool on the real OSDs, beside those of the other pools.
    #[arg(long, default_value_t = 512)]
    pgs: u32,
    /// Placement groups of a pool below the OSDs that are not real, which a made-up OSD reports; 0: no such pool.
    #[arg(long, default_value_t = 0)]
    reported_pgs: u32,
    /// For each command and way to ask it.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long)]
    port: Option<u16>,
    /// Only one of the managers: `ceph-mgr` or `axon`.
    #[arg(long)]
    only: Option<String>,
    /// The axon program; built (release) when not given.
    #[arg(long)]
    axon: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-commands-big.json")]
    out: PathBuf,
}

/// What is asked: a name, and the command.
fn asked() -> Vec<(&'static str, Value)> {
    let hundred: Vec<String> = (5000..5100).map(|id| id.to_string()).collect();
    let json = |prefix: &str| json!({"prefix": prefix, "format": "json"});
    vec![
        ("osd df", json!({"prefix": "osd df"})),
        ("osd df json", json("osd df")),
        ("osd df tree json", json!({"prefix": "osd df", "output_method": "tree", "format": "json"})),
        ("pg dump", json!({"prefix": "pg dump"})),
        ("pg dump json", json("pg dump")),
        ("pg ls json", json("pg ls")),
        ("pg stat", json!({"prefix": "pg stat"})),
        ("osd ok-to-stop 0", json!({"prefix": "osd ok-to-stop", "ids": ["0"]})),
        ("osd ok-to-stop, 100", json!({"prefix": "osd ok-to-stop", "ids": hundred.clone()})),
        ("osd ok-to-stop 5000", json!({"prefix": "osd ok-to-stop", "ids": ["5000"]})),
        ("osd ok-to-stop 5000, 20 at most", json!({"prefix": "osd ok-to-stop", "ids": ["5000"], "max": 20})),
        ("osd safe-to-destroy 0", json!({"prefix": "osd safe-to-destroy", "ids": ["0"]})),
        ("osd safe-to-destroy, 100", json!({"prefix": "osd safe-to-destroy", "ids": hundred})),
        ("osd perf json", json("osd perf")),
        ("osd pool stats json", json("osd pool stats")),
        ("osd test-reweight-by-utilization", json!({"prefix": "osd test-reweight-by-utilization"})),
        ("osd blocked-by", json!({"prefix": "osd blocked-by"})),
    ]
}

/// The pool whose placement groups a made-up OSD reports.
const REPORTED: &str = "reported";

struct Run<'a> {
    options: &'a CommandsBig,
    bench: PathBuf,
    cluster: Cluster,
}

pub fn run(options: &CommandsBig) -> Result<()> {
    let told = progress();
    told("building axon and axon-bench (release)");
    let axon = match &options.axon {
        Some(given) => given.clone(),
        None => build::axon(Profile::Release)?,
    };
    let bench = build::program("axon-bench", Profile::Release)?;
    let mut up = Options::new(options.release, &options.dir);
    up.managers = Managers::None;
    up.port_base = options.port.unwrap_or(up.port_base);
    up.axon = Some(axon);
    let cluster = Cluster::up(&up, &told)?;
    let mut run = Run { options, bench, cluster };
    let measured = run.all(&told);
    run.cluster.down(false)?;
    let figures = measured?;
    std::fs::create_dir_all(options.out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&options.out, serde_json::to_string_pretty(&figures)?)?;
    told(&format!("figures are in {}", options.out.display()));
    Ok(())
}

impl Run<'_> {
    fn all(&mut self, told: &dyn Fn(&str)) -> Result<Value> {
        let pgs = self.options.pgs.to_string();
        self.ceph(&["config", "set", "global", "mon_max_pg_per_osd", "10000"])?;
        self.ceph(&["osd", "pool", "create", "big", &pgs, &pgs])?;
        told(&format!("adding {} OSDs to the maps", self.options.osds.saturating_sub(3)));
        self.cluster.add_empty_osds(self.options.osds.saturating_sub(3))?;
        if self.options.reported_pgs > 0 {
            self.reported_pool()?;
        }
        let mut managers = Vec::new();
        let all = [(Kind::Ceph, "ceph-mgr"), (Kind::Axon, "axon")];
        let asked = |who: &str| self.options.only.as_ref().is_none_or(|only| only == who);
        for (kind, who) in all.into_iter().filter(|(_, who)| asked(who)) {
            told(&format!("starting {who}"));
            managers.push(self.manager(kind, who, told)?);
        }
        if managers.len() == 2 {
            self.compare(&managers, told)?;
        }
        let options = self.options;
        Ok(json!({"release": options.release.name(), "osds": options.osds, "pgs": options.pgs,
                "reported_pgs": options.reported_pgs, "managers": managers}))
    }

    /// A pool whose rule leads to OSDs that are down, so that nobody makes its placement groups.
    fn reported_pool(&self) -> Result<()> {
        // For the monitors its placement groups are being made for ever; others must have room beside them.
        const OTHERS: u32 = 1024;
        let pgs = self.options.reported_pgs.to_string();
        let creating = (self.options.reported_pgs + OTHERS).to_string();
        for (option, value) in [
            ("mon_max_pool_pg_num", &pgs),
            ("mon_osd_max_initial_pgs", &pgs),
            ("mon_osd_max_creating_pgs", &creating),
        ] {
            self.ceph(&["config", "set", "global", option, value])?;
        }
        self.ceph(&["osd", "crush", "rule", "create-replicated", "empty", "empty", "host"])?;
        self.ceph(&["osd", "pool", "create", REPORTED, &pgs, &pgs, "replicated", "empty"])?;
        self.ceph(&["osd", "pool", "set", REPORTED, "pg_autoscale_mode", "off"]).map(drop)
    }

    fn manager(&mut self, kind: Kind, who: &str, told: &dyn Fn(&str)) -> Result<Value> {
        let (id, other) = if kind == Kind::Axon { ("x", "y") } else { ("y", "x") };
        if self.cluster.manager(other).is_some() {
            self.cluster.stop(&format!("mgr.{other}"))?;
        }
        self.cluster.start_manager(kind, id)?;
        self.cluster.wait_manager(id, Duration::from_secs(180))?;
        self.wait_pgs()?;
        let mut bench = Command::new(&self.bench);
        bench.args(["mgr", "--cluster"]).arg(self.cluster.dir());
        bench.args(["--seconds", &self.options.seconds.to_string()]);
        for (_, command) in asked() {
            bench.args(["--command", &command.to_string()]);
        }
        bench.args(["--pid", &self.cluster.process(&format!("mgr.{id}"))?.pid.to_string()]);
        if self.options.reported_pgs > 0 {
            bench.args(["--reported-pool", REPORTED, "--pgs", &self.options.reported_pgs.to_string()]);
            bench.args(["--osds", &self.options.osds.to_string()]);
        }
        bench.args(["--small", r#"{"prefix":"pg stat"}"#]);
        bench.args(["--large", r#"{"prefix":"pg dump","format":"json"}"#]);
        let out = bench.output().context("cannot run axon-bench")?;
        ensure!(out.status.success(), "{who}: {}", String::from_utf8_lossy(&out.stderr).trim());
        let mut figures: Value = serde_json::from_slice(&out.stdout)?;
        let rss_kib =
            self.cluster.process(&format!("mgr.{id}"))?.rss_kib().context("the manager has ended")?;
        told(&format!("{who}: {} MiB, small command {}", rss_kib / 1024, figures["beside"]));
        figures["rss_kib"] = rss_kib.into();
        figures["who"] = who.into();
        Ok(figures)
    }

    /// All that is there has been reported to the new manager: no PG is unknown.
    fn wait_pgs(&self) -> Result<()> {
        for _ in 0..180 {
            let stat: Value = serde_json::from_slice(&self.ceph(&["pg", "stat", "--format", "json"])?)?;
            let states = stat["pg_summary"]["num_pg_by_state"].as_array().cloned().unwrap_or_default();
            let to_come = u64::from(self.options.reported_pgs);
            let known =
                |s: &Value| s["name"] == "active+clean" || s["name"] == "unknown" && s["num"] == to_come;
            if !states.is_empty() && states.iter().all(known) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        bail!("the placement groups do not become active and clean")
    }

    fn compare(&self, managers: &[Value], told: &dyn Fn(&str)) -> Result<()> {
        let rows = |at: usize| managers.get(at).and_then(|m| m["commands"].as_array()).context("no figures");
        for ((name, _), (theirs, ours)) in asked().iter().zip(rows(0)?.iter().zip(rows(1)?)) {
            let of = |row: &Value, how: &str, what: &str| row[how][what].as_f64().unwrap_or_default();
            let pair = |how, what| {
                let (theirs, ours) = (of(theirs, how, what), of(ours, how, what));
                format!("{theirs:9.3} {ours:9.3} {:6.1}x", theirs / ours.max(0.001))
            };
            told(&format!(
                "{name:32} ms {}, cpu {}, again {}, cpu {}; {:>8} and {:>8} bytes, {} and {}",
                pair("fresh", "p50_ms"),
                pair("fresh", "cpu_ms"),
                pair("again", "p50_ms"),
                pair("again", "cpu_ms"),
                theirs["answer_bytes"],
                ours["answer_bytes"],
                theirs["retval"],
                ours["retval"],
            ));
        }
        Ok(())
    }

    fn ceph(&self, args: &[&str]) -> Result<Vec<u8>> {
        let out = self.cluster.ceph(args)?;
        ensure!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr).trim());
        Ok(out.stdout)
    }
}
