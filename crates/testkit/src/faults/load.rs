//! Workers that send commands to every kind of daemon and keep account of how each ended.

use crate::Rng;
use anyhow::{Context, Result};
use axon_core::{Command, CommandError, CommandOutput, Target};
use axon_net::Client;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How commands ended.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// By kind of end.
    pub outcomes: BTreeMap<String, u64>,
    /// How long after its deadline the latest one ended.
    pub latest_ms: u64,
}

impl Account {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// A deadline may be seen this late on a machine that is busy.
const LATE_MAX: Duration = Duration::from_millis(1000);
const VALUE_BYTES: usize = 50_000;

pub struct Load {
    account: Mutex<Account>,
    violations: Mutex<Vec<String>>,
    /// `osd create`: answered, and perhaps run.
    created: [AtomicU64; 2],
    created_ids: Mutex<Vec<u64>>,
    monitors: Vec<String>,
}

impl Load {
    pub async fn new(clients: &[Client]) -> Result<Load> {
        let monmap = clients.first().and_then(Client::monmap).context("no monmap")?;
        Ok(Load {
            account: Mutex::default(),
            violations: Mutex::default(),
            created: Default::default(),
            created_ids: Mutex::default(),
            monitors: monmap.mon_info.keys().cloned().collect(),
        })
    }

    pub fn account(&self) -> Account {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// OSDs that were surely made, and that perhaps were.
    pub fn created(&self) -> (u64, u64) {
        let [surely, perhaps] = &self.created;
        (surely.load(Ordering::Relaxed), perhaps.load(Ordering::Relaxed))
    }

    /// Sends one command after the other until `stop`.
    pub async fn work(self: Arc<Self>, n: usize, client: Client, mut rng: Rng, stop: Arc<AtomicBool>) {
        let key = format!("axon-faults/{n}");
        let mut value = Value::default();
        while !stop.load(Ordering::Relaxed) {
            match n {
                0 => self.create(&client, &mut rng).await,
                _ if rng.below(8) == 0 => self.store(&client, &key, &mut value, &mut rng).await,
                _ => self.read(&client, &mut rng).await,
            }
            sleep(Duration::from_millis(rng.below(40))).await;
        }
    }

    /// Removes what the run has left in the cluster.
    pub async fn tidy(&self, clients: &[Client]) -> Result<()> {
        let client = clients.first().context("no client")?;
        let ls = client.command(Target::Mon, Command::json("osd tree")).await?.json()?;
        let stray = ls["stray"].as_array().cloned().unwrap_or_default();
        for id in stray.iter().filter_map(|osd| osd["id"].as_i64()) {
            let purge = Command::plain("osd purge-new").arg("id", id).arg("yes_i_really_mean_it", true);
            client.command(Target::Mon, purge).await?.success()?;
        }
        for key in 0..256 {
            let rm = Command::plain("config-key rm").arg("key", format!("axon-faults/{key}"));
            client.command(Target::Mon, rm).await?.success()?;
        }
        Ok(())
    }

    /// A command that makes one more OSD each time it runs.
    async fn create(&self, client: &Client, rng: &mut Rng) {
        let answer = self.ask(client, Target::Mon, Command::json("osd create"), rng).await;
        let [surely, perhaps] = &self.created;
        match answer.map(|output| output.json()) {
            Ok(Ok(made)) => {
                let id = made["osdid"].as_u64().unwrap_or(u64::MAX);
                surely.fetch_add(1, Ordering::Relaxed);
                let mut ids = self.created_ids.lock().unwrap_or_else(PoisonError::into_inner);
                if ids.contains(&id) {
                    self.violation(format!("osd create gave {id} twice"));
                }
                ids.push(id);
            }
            Err(CommandError::Lost { .. } | CommandError::Deadline { sent: true, .. }) => {
                perhaps.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        sleep(Duration::from_millis(500)).await;
    }

    /// A value with input data is what was last set, or one whose fate is not known.
    async fn store(&self, client: &Client, key: &str, value: &mut Value, rng: &mut Rng) {
        value.next += 1;
        let text = format!("{}-", value.next).repeat(VALUE_BYTES / 8);
        let set = Command::plain("config-key set").arg("key", key).input(text);
        match self.ask(client, Target::Mon, set, rng).await {
            Ok(output) if output.retval == 0 => value.possible = vec![value.next],
            // A resend may still be under way when its deadline passes.
            _ => value.possible.push(value.next),
        }
        let get = Command::plain("config-key get").arg("key", key);
        if let Ok(output) = self.ask(client, Target::Mon, get, rng).await
            && output.retval == 0
        {
            let found = output.outbl.split(|b| *b == b'-').next().unwrap_or_default();
            let found: u64 = String::from_utf8_lossy(found).parse().unwrap_or_default();
            if !value.possible.contains(&found) {
                self.violation(format!("{key} is {found}, expected one of {:?}", value.possible));
            }
        }
    }

    async fn read(&self, client: &Client, rng: &mut Rng) {
        let osd = i32::try_from(rng.below(3)).unwrap_or_default();
        let mon = rng.one(&self.monitors).cloned().unwrap_or_default();
        let pg = format!("1.{:x}", rng.below(8));
        let (target, prefix) = match rng.below(14) {
            0 | 1 => (Target::Mon, "status"),
            2 => (Target::Mon, "osd dump"),
            3 => (Target::Mon, "report"),
            4 | 5 => (Target::MonNamed(mon.clone()), "mon_status"),
            6 | 7 => (Target::Osd(osd), "perf dump"),
            8 => (Target::Osd(osd), "version"),
            // May not run twice.
            9 => (Target::Osd(osd), "cache drop"),
            10 | 11 => (Target::Pg(pg.clone()), "query"),
            12 => (Target::Mds("0".to_owned()), "session ls"),
            _ => (Target::Mds("demo:0".to_owned()), "perf dump"),
        };
        let answer = self.ask(client, target.clone(), Command::json(prefix), rng).await;
        let Ok(output) = answer else { return };
        if output.retval < 0 || prefix == "cache drop" {
            return;
        }
        let right = match (output.json(), &target) {
            (Err(_), _) => false,
            (Ok(json), Target::MonNamed(name)) => json["name"] == *name,
            (Ok(json), Target::Pg(pg)) => {
                json["pgid"].as_str().or(json["info"]["pgid"].as_str()).is_none_or(|id| id == pg)
            }
            (Ok(json), _) => !json.is_null(),
        };
        if !right {
            self.violation(format!("{target}: {prefix} was answered with something else"));
        }
    }

    async fn ask(
        &self,
        client: &Client,
        target: Target,
        command: Command,
        rng: &mut Rng,
    ) -> Result<CommandOutput, CommandError> {
        let deadline = Duration::from_millis(1500 + rng.below(15_000));
        let command = Command { deadline, ..command };
        let what = format!("{} to {target}", command.prefix());
        let begun = Instant::now();
        let answer = timeout(deadline + 5 * LATE_MAX, client.command(target, command)).await;
        let late = begun.elapsed().saturating_sub(deadline);
        if late > LATE_MAX {
            self.violation(format!("{what} ended {late:?} after its deadline of {deadline:?}"));
        }
        let answer = answer.unwrap_or(Err(CommandError::BadOutput("it never ended".to_owned())));
        let outcome = match &answer {
            Ok(output) if output.retval >= 0 => "answered".to_owned(),
            Ok(output) => format!("answered with errno {}", -output.retval),
            Err(CommandError::Unreachable { errno, .. }) => format!("not reached, errno {errno}"),
            Err(CommandError::Lost { .. }) => "unknown whether it ran: session lost".to_owned(),
            Err(CommandError::Deadline { sent: true, .. }) => "unknown whether it ran: deadline".to_owned(),
            Err(CommandError::Deadline { sent: false, .. }) => "deadline, never sent".to_owned(),
            Err(other) => {
                self.violation(format!("{what}: {other}"));
                "something else".to_owned()
            }
        };
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        *account.outcomes.entry(outcome).or_default() += 1;
        account.latest_ms = account.latest_ms.max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        answer
    }

    fn violation(&self, what: String) {
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        if violations.len() < 50 {
            violations.push(what);
        }
    }
}

#[derive(Default)]
struct Value {
    next: u64,
    /// What the key may hold.
    possible: Vec<u64>,
}
