//! All modules' hosts: which are wanted, notifications and commands to them, calls from one to another
//! (`PyModuleRegistry`, `ActivePyModules`).

use crate::answers::{Caller, Desk, Documents, Schemas};
use crate::board::{Board, Phase, Writer};
use crate::describe::Descriptions;
use crate::link::{Answer, Link, LinkError, Refusal};
use crate::restarts::Restarts;
use crate::setup::{Outside, Setup};
use crate::supervise::{Reach, Supervisor};
use axon_core::{Cluster, CommandOutput};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// As what a module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Active,
    Standby,
}

/// Whether the caller of a command may do it with these arguments (`ActivePyModule::is_authorized`).
pub type Authorize = Arc<dyn Fn(&BTreeMap<String, String>) -> bool + Send + Sync>;

/// How long a command waits for its module to be up.
const START_SECS_MAX: u64 = 30;
/// By how many processes of a module a command is tried that none of them began with.
const PROCESSES_MAX: usize = 3;
/// How long a question to a module's process may take.
const ASK_SECS_MAX: u64 = 20;
/// How long the kernel may take to end what was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

const EINVAL: i32 = 22;
const EIO: i32 = 5;
const EOPNOTSUPP: i32 = 95;
const ETIMEDOUT: i32 = 110;

/// How many modules start at a time: each takes a core for a second or two.
fn starting_max() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4)
}

struct Host {
    wanted: watch::Sender<Option<Mode>>,
    reach: watch::Receiver<Reach>,
    caller: Arc<Caller>,
}

/// A command that its module may ask about, for as long as it is worked on.
struct Known<'a> {
    caller: &'a Caller,
    token: u64,
}

impl<'a> Known<'a> {
    fn new(caller: &'a Caller, token: u64, authorize: Authorize) -> Self {
        caller.commands.lock().unwrap_or_else(PoisonError::into_inner).insert(token, authorize);
        Known { caller, token }
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        self.caller.commands.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

struct Inner {
    desk: Arc<Desk>,
    hosts: std::sync::OnceLock<BTreeMap<String, Host>>,
    tokens: AtomicU64,
    /// Those that run because somebody asked for them, as long as this manager is active.
    summoned: Mutex<BTreeSet<String>>,
}

/// A handle to all of them. Cheap to clone.
#[derive(Clone)]
pub struct Hosts(Arc<Inner>);

impl Hosts {
    /// A supervisor for each module that can run; none of them is wanted yet.
    #[must_use]
    pub fn new(
        setup: Setup,
        cluster: Cluster,
        outside: Arc<dyn Outside>,
        descriptions: Arc<Descriptions>,
    ) -> Self {
        let desk = Arc::new(Desk {
            setup,
            cluster,
            outside,
            descriptions,
            board: Writer::default(),
            documents: Documents::default(),
            schemas: Schemas::default(),
            starting: Arc::new(Semaphore::new(starting_max())),
            hurry: watch::Sender::new(false),
        });
        let inner = Inner {
            desk,
            hosts: std::sync::OnceLock::new(),
            tokens: AtomicU64::new(1),
            summoned: Mutex::default(),
        };
        let hosts = Hosts(Arc::new(inner));
        let all = hosts.0.desk.descriptions.iter().filter(|(_, d)| d.loaded && d.info.can_run);
        let started = all.map(|(name, _)| (name.clone(), hosts.supervised(name))).collect();
        let _ = hosts.0.hosts.set(started);
        hosts
    }

    fn supervised(&self, name: &str) -> Host {
        let (wanted, wanted_rx) = watch::channel(None);
        let (reach, reach_rx) = watch::channel(Reach::Off);
        let caller = Arc::new(Caller { module: name.to_owned(), ..Caller::default() });
        let supervisor = Supervisor {
            name: name.to_owned(),
            desk: self.0.desk.clone(),
            hosts: self.clone(),
            wanted: wanted_rx,
            reach,
            caller: caller.clone(),
            restarts: Restarts::default(),
            epoch: Instant::now(),
            silent: false,
        };
        tokio::spawn(supervisor.run());
        Host { wanted, reach: reach_rx, caller }
    }

    fn host(&self, name: &str) -> Option<&Host> {
        self.0.hosts.get()?.get(name)
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Host)> {
        self.0.hosts.get().into_iter().flatten()
    }

    /// What the modules have told.
    #[must_use]
    pub fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.0.desk.board.subscribe()
    }

    /// Starts what is wanted and ends what is not. On a standby only modules with a part for standbys run.
    pub fn want(&self, names: &BTreeSet<String>, mode: Mode) {
        let summoned = {
            let mut summoned = self.0.summoned.lock().unwrap_or_else(PoisonError::into_inner);
            if mode == Mode::Standby {
                summoned.clear();
            }
            summoned.clone()
        };
        for (name, host) in self.all() {
            let has_part =
                mode == Mode::Active || self.0.desk.descriptions.get(name).is_some_and(|d| d.standby);
            let named = names.contains(name) || summoned.contains(name);
            let wanted = (named && has_part).then_some(mode);
            host.wanted.send_if_modified(|now| std::mem::replace(now, wanted) != wanted);
        }
    }

    /// Ends all of them; those that have not ended by themselves within `grace` are killed.
    pub async fn stop(&self, grace: Duration) {
        self.0.summoned.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.want(&BTreeSet::new(), Mode::Active);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            self.0.desk.hurry.send_replace(true);
            let _ = tokio::time::timeout(KILLED_WITHIN, self.ended()).await;
        }
    }

    /// Resolves when no process runs.
    async fn ended(&self) {
        for (_, host) in self.all() {
            let mut reach = host.reach.clone();
            let _ = reach.wait_for(|reach| matches!(reach, Reach::Off | Reach::Failed(_))).await;
        }
    }

    fn running(&self) -> impl Iterator<Item = (&String, Arc<Link>)> {
        self.all().filter_map(|(name, host)| match &*host.reach.borrow() {
            Reach::Running(link) => Some((name, link.clone())),
            Reach::Off | Reach::Starting | Reach::Failed(_) => None,
        })
    }

    /// Tells those modules that want to hear of it.
    pub fn notify(&self, kind: &str, id: &str) {
        for (name, link) in self.running() {
            let wants = self.0.desk.descriptions.get(name).is_some_and(|d| d.wants(kind));
            if wants && !link.note(json!(["notify", kind, id])) {
                tracing::warn!(module = %name, kind, "module does not take its notifications; one is lost");
            }
        }
    }

    /// Tells all modules that options may have changed.
    pub fn config_notify(&self) {
        for (name, link) in self.running() {
            if !link.note(json!(["config_notify"])) {
                tracing::warn!(module = %name, "module does not hear of changed options");
            }
        }
    }

    /// Whether a command's module is one of these.
    #[must_use]
    pub fn has(&self, module: &str) -> bool {
        self.host(module).is_some()
    }

    /// The link to a module that runs; waits while it starts. After `ended` for the module's next process, though it has failed.
    async fn link(
        &self,
        module: &str,
        command: &str,
        ended: Option<&Arc<Link>>,
    ) -> Result<Arc<Link>, CommandOutput> {
        let off = || {
            let why = format!(
                "Module '{module}' is not enabled/loaded (required by command '{command}'): use `ceph mgr module enable {module}` to enable it"
            );
            CommandOutput::failed(EOPNOTSUPP, why)
        };
        let host = self.host(module).ok_or_else(off)?;
        let mut reach = host.reach.clone();
        // One that is wanted and has not begun to start, as at the moment of an activation, is about to.
        let wanted = host.wanted.subscribe();
        let settled = reach.wait_for(|reach| match reach {
            Reach::Starting => false,
            Reach::Off => *wanted.borrow() != Some(Mode::Active),
            Reach::Running(link) => ended.is_none_or(|ended| !Arc::ptr_eq(ended, link)),
            Reach::Failed(_) => ended.is_none(),
        });
        let settled = tokio::time::timeout(Duration::from_secs(START_SECS_MAX), settled).await;
        let settled = settled.map(|reach| reach.map(|reach| reach.clone()));
        let failed = |why: &str| {
            CommandOutput::failed(
                EIO,
                format!("Module '{module}' has experienced an error and cannot handle commands: {why}"),
            )
        };
        match settled {
            // A standby's module has no commands.
            Ok(Ok(_)) if *wanted.borrow() != Some(Mode::Active) => Err(off()),
            Ok(Ok(Reach::Running(link))) => Ok(link),
            Ok(Ok(Reach::Failed(why))) => Err(failed(&why)),
            Ok(Ok(Reach::Off | Reach::Starting) | Err(_)) => Err(off()),
            Err(_) => match &*host.reach.borrow() {
                Reach::Failed(why) => Err(failed(why)),
                _ => Err(CommandOutput::failed(
                    ETIMEDOUT,
                    format!("Module '{module}' did not initialize in time (required by command '{command}')"),
                )),
            },
        }
    }

    /// Where the stock dashboard serves. Starts it on an active manager when it does not run, and waits for it.
    pub async fn door(&self, module: &str) -> Result<PathBuf, String> {
        let host = self.host(module).ok_or("Python modules do not run here")?;
        self.0.summoned.lock().unwrap_or_else(PoisonError::into_inner).insert(module.to_owned());
        host.wanted.send_if_modified(|now| now.replace(Mode::Active) != Some(Mode::Active));
        let mut board = self.board();
        let open = board.wait_for(|board| match board.modules.get(module) {
            Some(known) => known.door.is_some() || matches!(known.phase, Phase::Failed { .. }),
            None => false,
        });
        let open = tokio::time::timeout(Duration::from_secs(START_SECS_MAX), open).await;
        let board = match open {
            Ok(Ok(board)) => board.clone(),
            Ok(Err(_)) => return Err("this manager ends".to_owned()),
            Err(_) => return Err(format!("it does not serve after {START_SECS_MAX} s")),
        };
        let known = board.modules.get(module).cloned().unwrap_or_default();
        match (known.door, known.phase) {
            (Some(door), _) => Ok(door),
            (None, Phase::Failed { why }) => Err(format!("it has failed and is started again: {why}")),
            (None, _) => Err("it does not serve".to_owned()),
        }
    }

    /// Asks a running module's process; its answer, or why there is none.
    pub async fn ask(&self, module: &str, what: &str, argument: Value) -> Result<Value, String> {
        let link = self.running().find(|(name, _)| *name == module).map(|(_, link)| link);
        let link = link.ok_or("it does not run")?;
        let call = link.call(json!(["ask", what, argument]), Bytes::new(), Duration::from_secs(ASK_SECS_MAX));
        let answer = call.await.map_err(|why| why.to_string())?;
        Ok(answer.head.get(0).cloned().unwrap_or_default())
    }

    /// Runs a module's command. One that the module had not begun when its process ended goes to its next process.
    pub async fn command(
        &self,
        module: &str,
        args: &Map<String, Value>,
        input: Bytes,
        authorize: Authorize,
    ) -> CommandOutput {
        let prefix = args.get("prefix").and_then(Value::as_str).unwrap_or_default();
        let Some(host) = self.host(module) else { return CommandOutput::failed(EINVAL, "no such module") };
        let token = self.0.tokens.fetch_add(1, Ordering::Relaxed);
        let _known = Known::new(&host.caller, token, authorize);
        let mut ended = None;
        for _ in 0..PROCESSES_MAX {
            let link = match self.link(module, prefix, ended.as_ref()).await {
                Ok(link) => link,
                Err(output) => return output,
            };
            let secs_max = self.0.desk.limits(module).command_secs_max;
            let (words, deadline) = (json!(["command", token, args]), Duration::from_secs(secs_max));
            match link.call(words, input.clone(), deadline).await {
                Ok(Answer { head, tail }) => {
                    let retval = head.get(0).and_then(Value::as_i64).and_then(|r| i32::try_from(r).ok());
                    let outs = head.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
                    return CommandOutput { retval: retval.unwrap_or(-EINVAL), outs, outbl: tail };
                }
                Err(LinkError::Refused(refusal)) => return CommandOutput::failed(EINVAL, refusal.message),
                Err(LinkError::Deadline(secs)) => {
                    let why = format!(
                        "Module '{module}' has not answered within {secs} s; the command may still run"
                    );
                    return CommandOutput::failed(ETIMEDOUT, why);
                }
                Err(LinkError::Gone { begun: true }) => {
                    let why = format!(
                        "Module '{module}' has ended while it worked on the command; it is not known whether that was done. \
                         Why it ended: ceph axon module ls"
                    );
                    return CommandOutput::failed(EIO, why);
                }
                Err(LinkError::Gone { begun: false }) => {
                    tracing::info!(
                        module,
                        prefix,
                        "the module has ended before it began with a command, which waits for its next process"
                    );
                    ended = Some(link);
                }
            }
        }
        let why =
            format!("Module '{module}' has ended {PROCESSES_MAX} times before it began with the command");
        CommandOutput::failed(EIO, why)
    }

    /// A method of another module (`dispatch_remote`); arguments and result are pickles.
    pub(crate) async fn remote(&self, module: &str, method: &str, args: Bytes) -> Result<Answer, Refusal> {
        let missing = || Refusal::new("ImportError", "Module not found");
        let host = self.host(module).ok_or_else(missing)?;
        let mut reach = host.reach.clone();
        let settled = reach.wait_for(|reach| !matches!(reach, Reach::Starting));
        let settled = tokio::time::timeout(Duration::from_secs(START_SECS_MAX), settled).await;
        let link = match settled.map(|reach| reach.map(|reach| reach.clone())) {
            Ok(Ok(Reach::Running(link))) => link,
            _ => return Err(missing()),
        };
        let secs_max = self.0.desk.limits(module).call_secs_max;
        let call = link.call(json!(["remote", method]), args, Duration::from_secs(secs_max));
        match call.await {
            Ok(answer) => Ok(answer),
            Err(LinkError::Refused(refusal)) => Err(refusal),
            Err(why) => Err(Refusal::new("RuntimeError", format!("{module}.{method}: {why}"))),
        }
    }
}
