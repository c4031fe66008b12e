//! Managers that take over from each other again and again, Axon from Axon and from `ceph-mgr` and back, by `ceph mgr fail`, SIGTERM,
//! SIGKILL and a hang, while commands, REST requests and I/O go on. Nothing may be refused or answered wrongly by Axon, every
//! daemon must report to the new manager, and how long it takes is measured, from the map that names it.
//!
//! `ask` has the questions, `load` asks them, `map` follows the manager map, `figures` adds up.

mod ask;
mod figures;
mod load;
mod map;

pub use ask::{Outcome, Question, Truth, core as core_questions, judge, stock as stock_question};
pub use figures::{Report, Times};
pub use load::bench_objects;
pub use map::{MapWatch, Mark};

use crate::{Rng, config, http};
use anyhow::{Context, Result, bail, ensure};
use axon_core::{Command, Target};
use axon_launcher::{Cluster, Kind};
use axon_net::{Client, connect};
use load::{Load, REST};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep, timeout};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub rounds: usize,
    pub seed: u64,
    /// Whether the managers run stock modules.
    pub stock: bool,
    /// What is done, in turn.
    pub deeds: Vec<Deed>,
}

/// What ends a manager's being active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `ceph mgr fail`.
    Fail,
    Term,
    Kill,
    /// It stands still for longer than the monitors wait for beacons, and then goes on.
    Hang,
}

impl Deed {
    pub const ALL: [Deed; 4] = [Deed::Fail, Deed::Term, Deed::Kill, Deed::Hang];

    fn name(self) -> &'static str {
        match self {
            Deed::Fail => "mgr fail",
            Deed::Term => "SIGTERM",
            Deed::Kill => "SIGKILL",
            Deed::Hang => "SIGSTOP",
        }
    }
}

/// Two Axons and one of upstream's.
const MANAGERS: [(Kind, &str); 3] = [(Kind::Axon, "x"), (Kind::Axon, "z"), (Kind::Ceph, "y")];
/// Instead of upstream's 30 s, so that a hundred rounds take minutes.
const BEACON_GRACE_SECS: u64 = 8;
/// For a killed manager to be replaced and to answer, on a loaded machine.
const TAKEOVER_AT_MOST: Duration = Duration::from_secs(90);
/// From SIGTERM to the map that names the standby: much less than the beacon grace.
const HANDOVER_AT_MOST: Duration = Duration::from_secs(5);
/// For every daemon to report to a new manager.
const REPORTS_AT_MOST: Duration = Duration::from_secs(60);
/// For the pool of the stock modules to be made; 16.2 makes it only where there are devices.
const MODULES_POOL_AT_MOST: Duration = Duration::from_secs(30);
/// For the groups of a pool that was just made to be reported clean.
const CLEAN_AT_MOST: Duration = Duration::from_secs(60);
const USER: &str = "failover-loop";
const PASSWORD: &str = "Failover-Loop-1!";

/// Registers the managers and makes the first one active. It is to run before [`run`].
///
/// # Errors
/// When one does not start.
pub fn prepare(cluster: &mut Cluster) -> Result<()> {
    for (kind, id) in MANAGERS {
        if cluster.manager(id).is_none() {
            cluster.start_manager(kind, id)?;
            cluster.stop(&format!("mgr.{id}"))?;
        }
        cluster.stop(&format!("mgr.{id}"))?;
    }
    cluster.start("mgr.x")?;
    cluster.wait_manager("x", TAKEOVER_AT_MOST)?;
    let grace = BEACON_GRACE_SECS.to_string();
    cluster.ceph_ok(&["config", "set", "mon", "mon_mgr_beacon_grace", &grace])?;
    cluster.ceph_ok(&["balancer", "mode", "upmap"])?;
    let file = cluster.dir().join("failover-loop.password");
    std::fs::write(&file, PASSWORD)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    cluster.ceph_ok(&["dashboard", "ac-user-create", USER, "-i", file, "administrator"])?;
    Ok(())
}

/// Puts back what [`prepare`] set; the managers end.
///
/// # Errors
/// When a manager does not end.
pub fn tidy(cluster: &Cluster) -> Result<()> {
    cluster.ceph_ok(&["dashboard", "ac-user-delete", USER])?;
    cluster.ceph_ok(&["config", "rm", "mon", "mon_mgr_beacon_grace"])?;
    for (_, id) in MANAGERS {
        cluster.process(&format!("mgr.{id}"))?.signal(Signal::SIGCONT)?;
        cluster.stop(&format!("mgr.{id}"))?;
    }
    Ok(())
}

/// Runs on a cluster that is well and was prepared.
///
/// # Errors
/// When the run cannot go on; what was wrong on the way is in the report.
pub async fn run(cluster: &Arc<Cluster>, options: &Options, told: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let (client, events) = connect(config(cluster, "client.admin", &[]).await?)?;
    let map = MapWatch::start(client.clone(), events);
    client.ready(Duration::from_secs(30)).await?;
    let truth = truth(&client, options.stock).await?;
    let load = Arc::new(Load::new(client, map, truth, cluster));
    let mut workers = JoinSet::new();
    let mut kinds = Vec::new();
    let mut questions = ask::core();
    if options.stock {
        questions.push(ask::stock());
    }
    for question in questions {
        kinds.push(question.kind);
        workers.spawn(load.clone().ask(question));
    }
    let url = cluster.manager("x").context("no mgr.x")?.url();
    let token = http::login(&url, USER, PASSWORD).await?;
    let expected = flags(&url, &token).await?;
    workers.spawn(load.clone().ask_rest(token, expected));
    let (at_disks, disks) = (load.clone(), cluster.clone());
    let io = tokio::task::spawn_blocking(move || at_disks.input_and_output(&disks));

    let mut rounds = Rounds {
        cluster,
        load: load.clone(),
        kinds,
        rng: Rng::new(options.seed),
        report: Report::default(),
        active: "x",
    };
    let mut result = Ok(());
    for n in 0..options.rounds {
        rounds.report.rounds = n + 1;
        let deed = options.deeds.get(n % options.deeds.len().max(1)).copied().context("nothing to do")?;
        result = rounds.round(deed, told).await;
        if result.is_err() {
            break;
        }
    }
    load.stop.store(true, Ordering::Relaxed);
    while workers.join_next().await.is_some() {}
    io.await?;
    rounds.settle_answers();
    let mut report = rounds.report;
    report.io = load.io_runs();
    if report.io.1 > 0 {
        report.violate(format!("{} runs of rados bench failed", report.io.1));
    }
    if let Err(why) = result {
        report.violate(format!("round {}: {why:#}", report.rounds));
    }
    load.client.shutdown();
    Ok(report)
}

/// What is true of a cluster that is well. Waits until its manager says so too: a pool that was made a moment ago counts, and its
/// groups are unknown until their OSDs report them, under every manager.
///
/// # Errors
/// When no monitor answers, or groups do not become clean.
pub async fn truth(client: &Client, stock: bool) -> Result<Truth> {
    let begun = Instant::now();
    let map = loop {
        let map = client.command(Target::Mon, Command::json("osd dump")).await?.json()?;
        // Stock modules make a pool of their own when they run for the first time.
        let mut names = map["pools"].as_array().into_iter().flatten().map(|pool| &pool["pool_name"]);
        if !stock
            || names.any(|name| name == ".mgr" || name == "device_health_metrics")
            || begun.elapsed() > MODULES_POOL_AT_MOST
        {
            break map;
        }
        sleep(Duration::from_millis(500)).await;
    };
    let pools = map["pools"].as_array().into_iter().flatten();
    let truth = Truth {
        osds: map["osds"].as_array().map_or(0, Vec::len),
        pgs: pools.filter_map(|pool| pool["pg_num"].as_u64()).sum(),
        balancer_mode: "upmap".to_owned(),
    };
    let begun = Instant::now();
    loop {
        let answer = client.command(Target::Mgr, Command::json("pg stat")).await?.json()?;
        if ask::pgs_are_whole(&answer, &truth) {
            return Ok(truth);
        }
        ensure!(begun.elapsed() < CLEAN_AT_MOST, "not all of {} groups become clean: {answer}", truth.pgs);
        sleep(Duration::from_millis(500)).await;
    }
}

async fn flags(url: &str, token: &str) -> Result<Value> {
    let authorization = format!("Bearer {token}");
    let headers = [http::ACCEPT, ("authorization", authorization.as_str())];
    let answer =
        http::ask(url, "GET", "/api/osd/flags", &headers, Vec::new(), Duration::from_secs(30)).await?;
    ensure!(answer.status == 200, "GET /api/osd/flags answered {}", answer.status);
    Ok(answer.json())
}

struct Rounds<'a> {
    cluster: &'a Cluster,
    load: Arc<Load>,
    kinds: Vec<&'static str>,
    rng: Rng,
    report: Report,
    active: &'static str,
}

impl Rounds<'_> {
    async fn round(&mut self, deed: Deed, told: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let old = self.active;
        let next = self.choose();
        self.only_standby(next).await?;
        // Not always at the same moment after the standby is there.
        sleep(Duration::from_millis(self.rng.below(1000))).await;
        let before = self.osd_reports().await.unwrap_or_default();
        let (from, to) = (kind_name(kind(old)), kind_name(kind(next)));
        let what = format!("{from} → {to} by {}", deed.name());
        self.settle_answers();
        self.load.map.forget(Instant::now());
        let begun = Instant::now();
        self.carry_out(deed, old).await?;
        let cli = self.ask_by_cli(next);

        let named = timeout(TAKEOVER_AT_MOST, self.load.map.until(|m| m.active == next && m.at >= begun));
        named.await.context("no map names the standby")?;
        let serves = timeout(TAKEOVER_AT_MOST, self.load.map.until(|m| m.serving() == Some(next)));
        serves.await.with_context(|| format!("mgr.{next} does not become available"))?;
        let first = |fits: fn(&Mark, &str) -> bool| self.load.map.first(begun, |m| fits(m, next));
        let named = first(|m, next| m.active == next).context("the map was lost")?.at;
        let served = first(|m, next| m.serving() == Some(next)).context("the map was lost")?.at;
        self.active = next;
        self.report.time(&format!("{what}: until the map names it"), named - begun);
        self.report.time(&format!("→ {to}: from that map until the map says available"), served - named);
        if deed == Deed::Term && kind(old) == Kind::Axon && named - begun > HANDOVER_AT_MOST {
            let line =
                format!("round {}: SIGTERM handed over only after {:?}", self.report.rounds, named - begun);
            self.report.violate(line);
        }
        let mut shown = format!("round {:3}: {what}: map after {:?}", self.report.rounds, named - begun);
        for kind in self.kinds.clone() {
            let answered = self.answered(kind, served).await?;
            self.report.time(&format!("→ {to}: from that map to the first answer, {kind}"), answered - named);
            shown.push_str(&format!(", {:?}", answered - named));
        }
        self.everybody_reports(next, &before, served).await?;
        self.cli_answered(cli.await?, next);
        if self.rest_is_there(next) {
            let answered = self.answered(REST, served).await?;
            self.report.time(&format!("→ {to}: from that map to the first answer, {REST}"), answered - named);
        }
        self.come_back(deed, old).await?;
        *self.report.deeds.entry(what).or_default() += 1;
        told(&shown);
        Ok(())
    }

    /// Whoever is not active; upstream's as often as the other Axon.
    fn choose(&mut self) -> &'static str {
        let others: Vec<&'static str> =
            MANAGERS.iter().map(|(_, id)| *id).filter(|id| *id != self.active).collect();
        match kind(self.active) {
            Kind::Axon if self.rng.below(2) == 0 => "y",
            Kind::Axon => others.into_iter().find(|id| *id != "y").unwrap_or("y"),
            Kind::Ceph => others.get(usize::try_from(self.rng.below(2)).unwrap_or(0)).copied().unwrap_or("x"),
        }
    }

    /// Starts `next` and ends the third one; waits until the map has no other standby, and this one as the process that runs.
    async fn only_standby(&self, next: &str) -> Result<()> {
        for (_, id) in MANAGERS {
            if id != next && id != self.active {
                block_in_place(|| self.cluster.stop(&format!("mgr.{id}")))?;
            }
        }
        let process = self.cluster.process(&format!("mgr.{next}"))?;
        let running = block_in_place(|| process.is_alive());
        let ghosts: Vec<u64> = self.load.map.newest().map_or_else(Vec::new, |m| {
            let gone = m.standbys.iter().filter(|(_, name)| !running || *name != next);
            gone.map(|(gid, _)| *gid).collect()
        });
        for gid in ghosts {
            self.mon(Command::json("mgr fail").arg("who", gid.to_string())).await?;
        }
        block_in_place(|| self.cluster.start(&format!("mgr.{next}")))?;
        let alone = |m: &Mark| m.standbys.len() == 1 && m.standbys.values().all(|name| name == next);
        timeout(TAKEOVER_AT_MOST, self.load.map.until(alone)).await.with_context(|| {
            format!("mgr.{next} does not become the only standby: {:?}", self.load.map.newest())
        })?;
        Ok(())
    }

    async fn carry_out(&self, deed: Deed, old: &str) -> Result<()> {
        let process = self.cluster.process(&format!("mgr.{old}"))?;
        let signal = match deed {
            Deed::Fail => return self.mon(Command::json("mgr fail")).await,
            Deed::Term => Signal::SIGTERM,
            Deed::Kill => Signal::SIGKILL,
            Deed::Hang => Signal::SIGSTOP,
        };
        ensure!(block_in_place(|| process.signal(signal))?, "mgr.{old} was not running");
        Ok(())
    }

    /// The old one ends, or becomes a standby again.
    async fn come_back(&self, deed: Deed, old: &str) -> Result<()> {
        let process = self.cluster.process(&format!("mgr.{old}"))?;
        match deed {
            Deed::Term | Deed::Kill => {
                let ended = block_in_place(|| process.wait_ended(Duration::from_secs(20)));
                ensure!(ended, "mgr.{old} did not end after {}", deed.name());
            }
            Deed::Hang => {
                block_in_place(|| process.signal(Signal::SIGCONT))?;
                self.standby_again(old).await?;
            }
            Deed::Fail => self.standby_again(old).await?,
        }
        Ok(())
    }

    async fn standby_again(&self, old: &str) -> Result<()> {
        let there = self.load.map.until(|m| m.standbys.values().any(|name| name == old));
        let what = || format!("mgr.{old} does not become a standby: {:?}", self.load.map.newest());
        timeout(Duration::from_secs(40), there).await.with_context(what)?;
        Ok(())
    }

    async fn mon(&self, command: Command) -> Result<()> {
        self.load.client.command(Target::Mon, command).await?.success()?;
        Ok(())
    }

    async fn answered(&self, kind: &str, after: Instant) -> Result<Instant> {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.load.first_right(kind, after) {
                return Ok(at);
            }
            if begun.elapsed() > TAKEOVER_AT_MOST {
                bail!("no right answer to {kind}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// REST is there with every Axon, and with upstream's where its dashboard loads.
    fn rest_is_there(&self, name: &str) -> bool {
        kind(name) == Kind::Axon || self.cluster.release().stock_modules_load()
    }

    async fn osd_reports(&self) -> Result<BTreeMap<i64, u64>> {
        let dump = Command::json("pg dump").arg("dumpcontents", json!(["osds"]));
        Ok(ask::osd_reports(&self.load.client.command(Target::Mgr, dump).await?.json()?))
    }

    /// Every OSD, and every MDS, has reported to the new manager since.
    async fn everybody_reports(
        &mut self,
        name: &str,
        before: &BTreeMap<i64, u64>,
        served: Instant,
    ) -> Result<()> {
        let begun = Instant::now();
        let modules = kind(name) == Kind::Axon || self.cluster.release().stock_modules_load();
        let ranks = usize::from(self.cluster.state().mds > 0 && modules);
        loop {
            let now = self.osd_reports().await.unwrap_or_default();
            let newer = now.iter().filter(|(osd, seq)| before.get(osd).is_none_or(|old| seq > &old)).count();
            let status = self.load.client.command(Target::Mgr, Command::json("fs status")).await;
            let status = status.and_then(|o| o.json()).unwrap_or(Value::Null);
            let mds = if ranks == 0 { 0 } else { ask::mds_that_report(&status) };
            if newer == self.load.truth.osds && mds >= ranks {
                let whose = kind_name(kind(name));
                let what = format!("→ {whose}: from available until every OSD and MDS has reported");
                self.report.time(&what, Instant::now() - served);
                return Ok(());
            }
            ensure!(
                begun.elapsed() < REPORTS_AT_MOST,
                "sessions are lost: {newer} of {} OSDs, {mds} of {ranks} MDSs report to mgr.{name}",
                self.load.truth.osds
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The release's own client asks for a module's answer right behind the deed.
    fn ask_by_cli(&self, next: &str) -> tokio::task::JoinHandle<std::io::Result<std::process::Output>> {
        let asks: &[&str] = if kind(next) == Kind::Axon { &["balancer", "status"] } else { &["osd", "df"] };
        let command = self.cluster.ceph_command(&[asks, &["-f", "json"]].concat());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        tokio::spawn(async move {
            let at_most = Duration::from_secs(100);
            timeout(at_most, command.output())
                .await
                .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        })
    }

    fn cli_answered(&mut self, done: std::io::Result<std::process::Output>, next: &str) {
        let end = match &done {
            Ok(out) if out.status.success() => "right".to_owned(),
            Ok(out) => format!("{}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()),
            Err(why) => why.to_string(),
        };
        let whose = kind_name(kind(next));
        if end != "right" {
            let line = format!("round {}: ceph (→ {whose}): {end}", self.report.rounds);
            match kind(next) {
                Kind::Axon => self.report.violate(line),
                Kind::Ceph => *self.report.upstreams.entry(line).or_default() += 1,
            }
        }
        *self.report.answers.entry(format!("ceph CLI behind the deed: {end}, → {whose}")).or_default() += 1;
    }

    fn settle_answers(&mut self) {
        for answer in self.load.take_answers() {
            let by = answer.by.as_deref().and_then(|name| self.load.kind_of(name));
            self.report.count(&answer, by);
        }
    }
}

fn kind(id: &str) -> Kind {
    MANAGERS.iter().find(|(_, name)| *name == id).map_or(Kind::Axon, |(kind, _)| *kind)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Axon => "axon",
        Kind::Ceph => "ceph-mgr",
    }
}
