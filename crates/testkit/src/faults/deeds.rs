//! The harm: to links, and to daemons. One deed at a time; each is undone before the next, except that a daemon that was killed may
//! take longer to be back.

use crate::Rng;
use crate::link::{Cut, Flow, Wires};
use anyhow::Result;
use axon_core::trace::{self, Trace};
use axon_core::{Command, Target};
use axon_launcher::Cluster;
use axon_net::Client;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How a link that was cut was replaced.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Until a command had gone out over a new one: what is ours, and the daemon's side of the login.
    pub sent: Duration,
    /// Until its answer.
    pub answered: Duration,
    /// The command's hops.
    pub hops: String,
}

pub struct Deeds {
    cluster: Arc<Cluster>,
    wires: Wires,
    clients: Vec<Client>,
    rng: Rng,
    done: BTreeMap<&'static str, u64>,
    recovery: Vec<Recovery>,
    cuts_only: bool,
    /// Until then the cluster recovers from a deed to a daemon, and how soon a link is replaced says nothing.
    unwell_until: Instant,
    turn: u64,
}

impl Deeds {
    pub fn new(
        cluster: Arc<Cluster>,
        wires: Wires,
        clients: Vec<Client>,
        rng: Rng,
        cuts_only: bool,
    ) -> Deeds {
        let (done, recovery) = (BTreeMap::new(), Vec::new());
        Deeds {
            cluster,
            wires,
            clients,
            rng,
            done,
            recovery,
            cuts_only,
            unwell_until: Instant::now(),
            turn: 0,
        }
    }

    pub fn total(&self) -> u64 {
        self.done.values().sum()
    }

    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.done.iter().map(|(name, n)| (*name, *n)).collect()
    }

    /// The quickest first.
    pub fn recoveries(&self) -> Vec<Recovery> {
        let mut all = self.recovery.clone();
        all.sort_by_key(|recovery| recovery.answered);
        all
    }

    /// Does one thing and waits a little. Every kind has its turn.
    pub async fn next(&mut self) -> Result<()> {
        self.turn += 1;
        // Cuts go first and most often; daemons are harmed in between.
        let turn = if self.cuts_only { self.turn % 5 + 1 } else { self.turn % 12 };
        match turn {
            1 | 3 => self.cut(Cut::AfterFrame, "link cut after a frame").await,
            2 | 5 => {
                let bytes = usize::try_from(self.rng.below(200)).unwrap_or_default();
                self.cut(Cut::InFrame { bytes }, "link cut in a frame").await;
            }
            4 => self.cut(Cut::Now, "link cut anywhere").await,
            6 => self.flow(Flow::Blocked, "link half-open").await,
            7 => self.flow(Flow::SlowReader { bytes_per_sec: 20_000 }, "slow reader").await,
            8 => self.kill("osd", "OSD killed").await?,
            9 => self.kill("mon", "monitor killed").await?,
            10 => self.pause().await?,
            11 => self.kill("mds", "MDS killed").await?,
            // A short run comes as far as the first of these.
            _ if self.turn % 24 == 12 => self.lose_quorum().await?,
            _ => self.cut(Cut::AfterFrame, "link cut after a frame").await,
        }
        sleep(Duration::from_millis(300 + self.rng.below(700))).await;
        Ok(())
    }

    /// Everything as it was.
    pub async fn heal(&mut self) -> Result<()> {
        for addr in self.wires.addrs() {
            self.wires.set_flow(addr, Flow::Open);
        }
        let cluster = self.cluster.clone();
        tokio::task::spawn_blocking(move || cluster.start_all()).await?
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// The address of a daemon that has a link, and a target to ask it by: the monitor in use, or an OSD.
    async fn victim(&mut self) -> Option<(SocketAddr, Client, Target)> {
        let client = self.rng.one(&self.clients)?.clone();
        if self.rng.below(2) == 0 {
            let axon_net::mon::SessionState::Open(open) = client.state() else { return None };
            return Some((open.addr.sock?, client, Target::Mon));
        }
        let osd = i32::try_from(self.rng.below(3)).ok()?;
        let find = Command::json("osd find").arg("id", osd);
        let found = client.command(Target::Mon, find).await.ok()?.json().ok()?;
        let addrs = found["addrs"]["addrvec"].as_array()?;
        let v2 = addrs.iter().find(|a| a["type"] == "v2")?["addr"].as_str()?.parse().ok()?;
        Some((v2, client, Target::Osd(osd)))
    }

    async fn cut(&mut self, how: Cut, name: &'static str) {
        let Some((addr, client, target)) = self.victim().await else { return };
        let Some(at) = self.wires.cut(addr, how, Duration::from_secs(2)).await else { return };
        self.count(name);
        let ask = Command { deadline: Duration::from_secs(5), ..Command::json("version") };
        let trace = Trace::root(format!("{name}: version of {target}"), at.into_std());
        let answer = trace::scope(trace.clone(), client.command(target, ask)).await;
        let answered = at.elapsed();
        trace.end(Instant::now().into_std());
        if answer.is_ok_and(|output| output.retval == 0) && at > self.unwell_until {
            let last = trace.hops().into_iter().rfind(|hop| hop.name.ends_with(" answers"));
            let sent = last.map_or(answered, |hop| hop.begun.saturating_duration_since(at.into_std()));
            self.recovery.push(Recovery { sent, answered, hops: trace.text() });
        }
    }

    async fn flow(&mut self, flow: Flow, name: &'static str) {
        let Some((addr, _, _)) = self.victim().await else { return };
        self.count(name);
        self.wires.set_flow(addr, flow);
        sleep(Duration::from_millis(2000 + self.rng.below(5000))).await;
        self.wires.set_flow(addr, Flow::Open);
        self.unwell_until = Instant::now() + Duration::from_secs(2);
    }

    async fn kill(&mut self, kind: &str, name: &'static str) -> Result<()> {
        let Some(daemon) = self.daemon(kind) else { return Ok(()) };
        self.count(name);
        self.on_cluster({
            let daemon = daemon.clone();
            move |cluster| cluster.kill(&daemon)
        })
        .await?;
        sleep(Duration::from_millis(500 + self.rng.below(2500))).await;
        self.on_cluster(move |cluster| cluster.start(&daemon).map(drop)).await
    }

    async fn pause(&mut self) -> Result<()> {
        let kind = ["osd", "mon", "mds"].get(usize::try_from(self.turn / 12 % 3)?).copied().unwrap_or("osd");
        let Some(daemon) = self.daemon(kind) else { return Ok(()) };
        self.count("daemon stopped and continued");
        let process = self.cluster.process(&daemon)?;
        process.signal(Signal::SIGSTOP)?;
        sleep(Duration::from_millis(1500 + self.rng.below(5000))).await;
        process.signal(Signal::SIGCONT)?;
        self.unwell_until = Instant::now() + Duration::from_secs(5);
        Ok(())
    }

    async fn lose_quorum(&mut self) -> Result<()> {
        self.count("quorum lost");
        for name in ["mon.b", "mon.c"] {
            self.on_cluster(move |cluster| cluster.kill(name)).await?;
        }
        sleep(Duration::from_millis(2000 + self.rng.below(3000))).await;
        for name in ["mon.b", "mon.c"] {
            self.on_cluster(move |cluster| cluster.start(name).map(drop)).await?;
        }
        self.on_cluster(Cluster::wait_quorum).await
    }

    fn daemon(&mut self, kind: &str) -> Option<String> {
        let names: Vec<String> = self.cluster.processes().into_iter().map(|p| p.name).collect();
        let of_kind: Vec<&String> = names.iter().filter(|n| n.split('.').next() == Some(kind)).collect();
        self.rng.one(&of_kind).map(|name| (*name).clone())
    }

    async fn on_cluster(&mut self, work: impl FnOnce(&Cluster) -> Result<()> + Send + 'static) -> Result<()> {
        let cluster = self.cluster.clone();
        tokio::task::spawn_blocking(move || work(&cluster)).await??;
        self.unwell_until = Instant::now() + Duration::from_secs(6);
        Ok(())
    }
}
