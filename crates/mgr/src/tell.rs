//! Runs commands to this process itself (`ceph tell mgr.x …` and the admin socket; table and handlers in `axon_core::tell`):
//! fetches the descriptions of options that a command needs, and carries out what it wants done.
//!
//! The descriptions are asked for each time, one option of a monitor, all of them of an OSD: they are a megabyte that is seldom
//! needed, and an upgrade of the cluster changes them.

use crate::raise::{Raised, Raiser};
use crate::run::{Report, now};
use axon_core::config::{Level, OptionDesc, Schema, Settings};
use axon_core::tell::{self, Action, Counter, Needs, OpTracker, Own, OwnPerf};
use axon_core::{Cluster, Command, CommandError, CommandOutput, State, Target};
use axon_net::Client;
use axon_net::listener::ListenerView;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use std::fmt;
use std::process::Child;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Descriptions that are asked for at once.
const FETCHES_MAX: usize = 16;

/// How long the cluster has to describe options.
const DESCRIBE_SECS_MAX: u64 = 5;

/// How long a command that set an option waits until it counts, and how often it looks.
const SET_WAIT_MS_MAX: u64 = 2_000;
const SET_POLL_MS: u64 = 5;

/// What `leak_some_memory` takes.
const LEAK_BYTES: usize = 1234;

const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const EINVAL: i32 = 22;

/// What the manager is in: the process with its log, and who looks after it.
pub trait Process: fmt::Debug + Send + Sync {
    /// Opens the log's file anew, after it was moved away.
    fn reopen(&self) -> std::io::Result<()>;

    /// Writes the lines that it has kept to the log.
    fn dump_log(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// Options have changed: those of the log count at once.
    fn configure(&self, _settings: &Settings) {}

    /// A line for the machine's syslog; facility and level as `syslog(3)` has them.
    fn syslog(&self, _priority: u8, _text: &str) {}

    /// The cluster's release, as daemons give it in their metadata.
    fn identify(&self, _ceph_version: &str) {}

    /// What the manager does now, in words.
    fn status(&self, _text: &str) {}

    /// The manager's owner task works. Called at each tick.
    fn alive(&self) {}

    /// The manager is ending.
    fn stopping(&self) {}

    /// An assertion has failed: leaves a crash report with these words and ends the process, as `abort(3)` does.
    fn crash(&self, _condition: &str) -> ! {
        std::process::abort()
    }

    /// The process will get a signal that ends it as a crash does.
    fn dying(&self, _signal: u8) {}

    /// Starts who sends this process a signal later.
    fn killer(&self, _signal: u8, _after: Duration) -> std::io::Result<Child> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// What answers them. There is one, before the first session with a monitor already.
pub struct Tell {
    cluster: OnceLock<Cluster>,
    client: OnceLock<Client>,
    /// That of this activation.
    listening: Mutex<ListenerView>,
    raiser: Raiser,
    /// What is known before the cluster is.
    first: Arc<State>,
    reports: mpsc::Sender<Report>,
    process: Arc<dyn Process>,
    pub perf: OwnPerf,
    pub ops: OpTracker,
}

impl Tell {
    pub fn new(settings: Settings, reports: mpsc::Sender<Report>, process: Arc<dyn Process>) -> Self {
        let first = Arc::new(State { settings: Arc::new(settings), ..State::default() });
        let (perf, ops) = (OwnPerf::default(), OpTracker::default());
        let (cluster, client) = (OnceLock::new(), OnceLock::new());
        let (listening, raiser) = (Mutex::default(), Raiser::default());
        Tell { cluster, client, listening, raiser, first, reports, process, perf, ops }
    }

    /// Gives the handle that commands read from, and who the manager is towards the cluster. Once.
    pub fn attach(&self, cluster: Cluster, client: Client) {
        let _ = self.cluster.set(cluster);
        let _ = self.client.set(client);
    }

    /// Daemons' connections are seen there from now on.
    pub fn listens(&self, view: ListenerView) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn client(&self) -> Result<&Client, (i32, String)> {
        self.client.get().ok_or_else(|| (EAGAIN, "no monitor has been reached yet".to_owned()))
    }

    fn own(&self) -> Own {
        let Some(client) = self.client.get() else { return Own::default() };
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let messengers = [client.messenger()].into_iter().chain(listening.messenger()).collect();
        Own { addr: client.my_addrs().0.first().copied(), command_ops: client.command_ops(), messengers }
    }

    /// The newest snapshot, or what is known before the first.
    pub fn state(&self) -> Arc<State> {
        self.cluster.get().map_or_else(|| self.first.clone(), Cluster::state)
    }

    /// Runs a command whose caller may do it.
    pub async fn run(&self, command: &Command) -> CommandOutput {
        self.perf.inc(Counter::TellCommands);
        let state = self.state();
        let schema = match self.schema(tell::needs(command, &state.settings)).await {
            Ok(schema) => schema,
            Err(why) => match tell::undescribed(command, &state.settings) {
                Some(schema) => schema,
                None => {
                    let words = format!("nobody can be asked what options there are: {why}");
                    return CommandOutput::failed(why.errno(), words);
                }
            },
        };
        let (perf, ops) = (&self.perf, &self.ops);
        let own = if tell::reads_own(command) { &self.own() } else { &Own::default() };
        let done =
            tell::run(&tell::Ask { command, state: &state, schema: &schema, perf, ops, own, now: now() });
        let mut output = done.output;
        for action in done.actions {
            if let Action::Raise(raise) = action {
                let Raised { retval, outs } = self.raiser.run(raise, &*self.process);
                (output.retval, output.outs) = (retval, outs);
            } else if let Err((errno, why)) = self.carry_out(action).await {
                return CommandOutput::failed(errno, why);
            }
        }
        output
    }

    async fn carry_out(&self, action: Action) -> Result<(), (i32, String)> {
        let eio = |why| (EIO, why);
        match action {
            Action::ReopenLog => {
                self.process.reopen().map_err(|why| eio(format!("the log file cannot be opened anew: {why}")))
            }
            Action::DumpLog => {
                self.process.dump_log().map_err(|why| eio(format!("the log file cannot be written: {why}")))
            }
            Action::RotateKey(key) => {
                let rotated = self.client()?.auth().rotate_key(&key.0).map_err(|why| (EINVAL, why));
                rotated.inspect(|()| tracing::info!("the manager's own key was replaced"))
            }
            Action::WipeSecrets => {
                tracing::info!("rotating keys and tickets are forgotten");
                self.client()?.auth().wipe();
                Ok(())
            }
            // Upstream's words.
            Action::FailAssertion => {
                self.process.crash("!(command == \"assert\" && _conf->debug_asok_assert_abort)")
            }
            Action::Abort => self.process.crash("abort() called"),
            Action::Leak => {
                std::mem::forget(std::hint::black_box(vec![0_u8; LEAK_BYTES]));
                Ok(())
            }
            // See `run`.
            Action::Raise(_) => Ok(()),
            Action::SetOption { name, value } => {
                tracing::info!(name, set = value.is_some(), "option changed at runtime");
                let report = Report::SetOption { name: name.clone(), value: value.clone() };
                self.reports.send(report).await.map_err(|_| eio("the manager is stopping".to_owned()))?;
                for _ in 0..SET_WAIT_MS_MAX / SET_POLL_MS {
                    let state = self.state();
                    let set = state.settings.levels(&name).and_then(|levels| levels.get(&Level::Override));
                    if set == value.as_ref() {
                        return Ok(());
                    }
                    tokio::time::sleep(Duration::from_millis(SET_POLL_MS)).await;
                }
                Err(eio(format!("{name} was not taken over in time")))
            }
        }
    }

    async fn schema(&self, needs: Needs) -> Result<Schema, CommandError> {
        let Needs::Options(names) = needs else {
            return match needs {
                Needs::AllOptions => self.all_options().await,
                Needs::Nothing | Needs::Options(_) => Ok(Schema::new()),
            };
        };
        self.options(names).await
    }

    async fn options(&self, names: Vec<String>) -> Result<Schema, CommandError> {
        let cluster = self.cluster()?;
        let fetches = names.into_iter().map(|name| option(cluster, name));
        let found: Vec<Option<(String, OptionDesc)>> =
            stream::iter(fetches).buffered(FETCHES_MAX).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// All that an OSD lists, and the levels of logging subsystems, which it does not list but shows.
    async fn all_options(&self) -> Result<Schema, CommandError> {
        let cluster = self.cluster()?;
        let osds = cluster.state().osd_map.clone();
        let Some(osd) = (0..osds.max_osd).find(|id| osds.is_up(*id)) else {
            return Err(CommandError::Unreachable {
                target: "osd".to_owned(),
                errno: EAGAIN,
                why: "all options are listed by an OSD, and none is up".to_owned(),
            });
        };
        let ask = async |prefix| cluster.command(Target::Osd(osd), described(prefix)).await?.json();
        let mut help = ask("config help").await?;
        let shown = ask("config show").await?;
        let listed = match help.get_mut("options").map(Value::take) {
            Some(Value::Array(listed)) => listed,
            _ => return Err(CommandError::BadOutput("config help has no options".to_owned())),
        };
        let mut schema = Schema::new();
        for (place, (name, mut desc)) in listed.into_iter().filter_map(OptionDesc::from_json).enumerate() {
            desc.place = place;
            schema.insert(name, desc);
        }
        let names = shown.as_object().into_iter().flatten().map(|(name, _)| name);
        let unlisted =
            names.filter(|name| name.starts_with("debug_") && !schema.contains_key(*name)).cloned().collect();
        schema.extend(self.options(unlisted).await?);
        Ok(schema)
    }

    fn cluster(&self) -> Result<&Cluster, CommandError> {
        self.cluster.get().ok_or_else(|| CommandError::Unreachable {
            target: "mon".to_owned(),
            errno: EAGAIN,
            why: "none has been reached yet".to_owned(),
        })
    }
}

/// A question whose answer does not take long where there is somebody to ask.
fn described(prefix: &str) -> Command {
    Command { deadline: Duration::from_secs(DESCRIBE_SECS_MAX), ..Command::json(prefix) }
}

/// One option; `None` where there is none of that name.
async fn option(cluster: &Cluster, name: String) -> Result<Option<(String, OptionDesc)>, CommandError> {
    // Options of modules are no options of the process.
    if name.contains('/') || name.is_empty() {
        return Ok(None);
    }
    let command = described("config help").arg("key", name.as_str());
    match cluster.command(Target::Mon, command).await?.json() {
        Ok(json) => Ok(OptionDesc::from_json(json).filter(|(found, _)| *found == name)),
        Err(CommandError::Daemon { errno: 2, .. }) => Ok(None),
        Err(why) => Err(why),
    }
}
