//! Made-up daemons that report performance counters to the active manager, for measuring what many of them cost.
//!
//! They are daemons of a service (`rgw`), for a manager takes reports of OSDs only with the metadata that real ones tell the monitors. All
//! share one session: upstream's manager keeps declared counters by session, Axon by daemon, so each one declares them all in its first report.

use crate::manager_session::ManagerSession;
use anyhow::{Context, Result, bail, ensure};
use axon_launcher::Cluster;
use axon_net::connection::ConnectionEvent;
use axon_proto::msgs::mgr_configure::MMgrConfigure;
use axon_proto::msgs::mgr_open::MMgrOpen;
use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
use axon_proto::{Message, Payload};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, interval_at};

/// What the managers know them as.
pub const SERVICE: &str = "rgw";
/// As daemons report (`mgr_stats_period`).
const PERIOD: Duration = Duration::from_secs(5);
/// They do not all report at once.
const PARTS: usize = 50;
const DAEMONS_ON_A_HOST: usize = 24;
/// Daemons that wait for the manager to tell them how to report: each hears it by the one session.
const OPENING_MAX: usize = 16;

/// A counter, with what it shows first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub declared: PerfCounterType,
    pub value: u64,
    pub count: u64,
}

impl Counter {
    /// One of `[path, description, nick, type, priority, unit, value, count]`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(row: &Value) -> Result<Counter> {
        let text =
            |at: usize| row[at].as_str().map(str::to_owned).with_context(|| format!("no counter: {row}"));
        let number = |at: usize| row[at].as_u64().with_context(|| format!("no counter: {row}"));
        let declared = PerfCounterType {
            path: text(0)?,
            description: text(1)?,
            nick: text(2)?,
            kind: number(3)?.try_into()?,
            priority: number(4)?.try_into()?,
            unit: number(5)?.try_into()?,
        };
        Ok(Counter { declared, value: number(6)?, count: number(7)? })
    }
}

/// The daemons; they stop reporting when this is dropped.
pub struct Reporters {
    runtime: Option<tokio::runtime::Runtime>,
    rounds: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Drop for Reporters {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Reporters {
    /// Opens the session with the manager that is active now; `counters` in the order of their paths.
    ///
    /// # Errors
    /// When the manager cannot be reached.
    pub fn start(cluster: &Cluster, count: usize, counters: Vec<Counter>) -> Result<Reporters> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let session = runtime.block_on(ManagerSession::open(cluster, "client.admin", &[]))?;
        let rounds = Arc::new(AtomicU64::new(0));
        let task = runtime.spawn(report(session, count, counters, rounds.clone()));
        Ok(Reporters { runtime: Some(runtime), rounds, task })
    }

    /// How often all of them have reported.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn rounds(&self) -> Result<u64> {
        ensure!(!self.task.is_finished(), "the session with the manager has ended");
        Ok(self.rounds.load(Ordering::Relaxed))
    }
}

async fn report(
    mut session: ManagerSession,
    count: usize,
    counters: Vec<Counter>,
    rounds: Arc<AtomicU64>,
) -> Result<()> {
    let (stopped, mut stops) = mpsc::channel(1);
    let handle = session.connected.handle.clone();
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let room = opening.clone();
    tokio::spawn(async move {
        while let Some(event) = session.connected.events.recv().await {
            match event {
                ConnectionEvent::Message(raw) if raw.header.kind == MMgrConfigure::TYPE => {
                    room.add_permits(1)
                }
                ConnectionEvent::Closed(why) => {
                    let _ = stopped.send(why).await;
                }
                _ => {}
            }
        }
    });
    let names: Vec<String> = (0..count).map(|at| at.to_string()).collect();
    for (at, name) in names.iter().enumerate() {
        tokio::select! {
            room = opening.acquire() => room?.forget(),
            why = stops.recv() => bail!("the manager closed the session: {why:?}"),
        }
        handle.send(Message::from(introduction(at, name))).await?;
    }
    let declared: Vec<PerfCounterType> = counters.iter().map(|counter| counter.declared.clone()).collect();
    let pause = PERIOD / u32::try_from(PARTS)?;
    let mut ticks = interval_at(Instant::now(), pause);
    for round in 0.. {
        let packed = packed(&counters, round);
        for part in names.chunks(count.div_ceil(PARTS).max(1)) {
            tokio::select! {
                _ = ticks.tick() => {}
                why = stops.recv() => bail!("the manager closed the session: {why:?}"),
            }
            for name in part {
                let declare_types = if round == 0 { declared.clone() } else { Vec::new() };
                let report = MMgrReport {
                    daemon_name: name.clone(),
                    service_name: SERVICE.to_owned(),
                    declare_types,
                    packed: packed.clone(),
                    ..MMgrReport::default()
                };
                handle.send(Message::from(report)).await?;
            }
        }
        rounds.store(round + 1, Ordering::Relaxed);
    }
    Ok(())
}

fn introduction(at: usize, name: &str) -> MMgrOpen {
    let host = format!("host-{}", at / DAEMONS_ON_A_HOST);
    let metadata = [("hostname", host.as_str()), ("id", name), ("ceph_version", "ceph version of nobody")];
    MMgrOpen {
        daemon_name: name.to_owned(),
        service_name: SERVICE.to_owned(),
        service_daemon: true,
        daemon_metadata: metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..MMgrOpen::default()
    }
}

/// The values behind an envelope, as daemons pack them; all have grown since the round before.
fn packed(counters: &[Counter], round: u64) -> Bytes {
    let mut body = BytesMut::new();
    for counter in counters {
        body.put_u64_le(counter.value + round);
        if counter.declared.kind & PerfCounterType::LONGRUNAVG != 0 {
            // The count once more: the daemon's guard against torn reads.
            body.put_u64_le(counter.count + round);
            body.put_u64_le(counter.count + round);
        }
    }
    let mut out = BytesMut::with_capacity(6 + body.len());
    out.put_slice(&[1, 1]);
    out.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.put(body);
    out.freeze()
}
