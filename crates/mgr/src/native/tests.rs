//! Modules that panic, take too long, are off.

use super::*;
use crate::run::Report;
use axon_core::{CommandError, CommandSink, Kv, KvUpdate};
use axon_modules::{Memory, Tick, Work};
use axon_proto::health::HealthCheckMap;
use axon_proto::mgr_map::MgrMap;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicU32, Ordering};

struct Nobody;
impl CommandSink for Nobody {
    fn command(&self, _: Target, _: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(async { Ok(CommandOutput::failed(1, "nobody is there")) })
    }
}

fn cluster(enabled: &str) -> Cluster {
    let mgr_map = MgrMap { modules: [enabled.to_owned()].into(), ..MgrMap::default() };
    let mut kv = Kv::default();
    kv.apply(KvUpdate { prefix: "mgr/".to_owned(), version: 1, incremental: false, data: BTreeMap::new() });
    let state = State { mgr_map: Arc::new(mgr_map), kv, pg_ready: true, ..State::default() };
    Cluster::new(state, Arc::new(Nobody))
}

static RUNS: AtomicU32 = AtomicU32::new(0);
static UNSTABLE: Module = Module {
    name: "unstable",
    options: |_| Vec::new(),
    commands: &[],
    tick: Some(Tick {
        period_secs: |_| 1,
        watches: &[],
        run: |_, _, _| {
            assert!(RUNS.fetch_add(1, Ordering::SeqCst) > 0, "the first time it fails");
            Work::default()
        },
    }),
};

async fn next(reports: &mut mpsc::Receiver<Report>) -> HealthCheckMap {
    loop {
        match reports.recv().await {
            Some(Report::ModuleChecks { checks, .. }) => return checks,
            Some(Report::ModuleProgress { .. }) => {}
            _ => panic!("another report"),
        }
    }
}

#[tokio::test]
async fn a_module_that_panics_warns_until_it_works_again() {
    let (tx, mut reports) = mpsc::channel(8);
    let tick = UNSTABLE.tick.unwrap();
    let running = Running {
        module: &UNSTABLE,
        tick,
        cluster: cluster("unstable"),
        reports: tx,
        workers: Arc::default(),
    };
    let task = tokio::spawn(running.run(Arc::default()));
    let checks = next(&mut reports).await.checks;
    assert!(checks["MGR_MODULE_ERROR"].summary.starts_with("Module 'unstable' has failed"));
    assert!(next(&mut reports).await.checks.is_empty());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_disabled_module_neither_works_nor_warns() {
    let (tx, mut reports) = mpsc::channel(8);
    let tick = Tick { period_secs: |_| 1, watches: &[], run: |_, _, _| panic!("it is off") };
    let running =
        Running { module: &UNSTABLE, tick, cluster: cluster("other"), reports: tx, workers: Arc::default() };
    let task = tokio::spawn(running.run(Arc::default()));
    assert!(next(&mut reports).await.checks.is_empty());
    task.abort();
}

#[tokio::test]
async fn commands_of_a_disabled_module_say_how_to_enable_it() {
    let native = Native::new(mpsc::channel(8).0);
    let (module, row) = axon_modules::find_command("iostat", axon_proto::Release::NEWEST).unwrap();
    let ask = async |enabled| native.command(&cluster(enabled), module, row, &Command::plain("iostat")).await;
    let refused = ask("crash").await;
    assert_eq!(refused.retval, -95);
    assert!(refused.outs.ends_with("use `ceph mgr module enable iostat` to enable it"), "{}", refused.outs);
    assert_eq!(ask("iostat").await.retval, 0);
}

#[tokio::test]
async fn what_a_module_cannot_store_is_the_commands_answer() {
    let native = Native::new(mpsc::channel(8).0);
    let (module, row) = axon_modules::find_command("crash post", axon_proto::Release::NEWEST).unwrap();
    let report = r#"{"crash_id": "x", "timestamp": "2026-11-20T10:00:00.0Z"}"#;
    let command = Command::plain("crash post").input(report);
    let output = native.command(&cluster("crash"), module, row, &command).await;
    assert_eq!((output.retval, output.outs.contains("nobody is there")), (-1, true));
}

#[tokio::test]
async fn modules_are_woken_by_what_they_watch_and_by_options() {
    let native = Native::new(mpsc::channel(8).0);
    let is_awake = async |module: &str| {
        tokio::time::timeout(Duration::from_millis(1), native.wake[module].notified()).await.is_ok()
    };
    native.notify("osd_map");
    assert_eq!([is_awake("progress").await, is_awake("crash").await], [true, false]);
    native.options_changed();
    assert_eq!([is_awake("progress").await, is_awake("crash").await], [true, true]);
}

#[tokio::test]
async fn what_a_module_remembers_goes_with_the_activation() {
    let native = Native::new(mpsc::channel(8).0);
    let ask = async || {
        let given = native.workers.remembering("progress", |_: &mut Memory| std::thread::current().id());
        given.unwrap().answer.await.unwrap()
    };
    let (first, second) = (ask().await, ask().await);
    native.stop();
    assert_eq!((first == second, first == ask().await), (true, false));
}

static BLOCKED: Module = Module {
    name: "blocked",
    options: |_| Vec::new(),
    commands: &[],
    tick: Some(Tick {
        period_secs: |_| 1,
        watches: &[],
        run: |_, _, _| loop {
            std::thread::park();
        },
    }),
};

#[tokio::test]
async fn a_module_that_blocks_warns_until_it_is_disabled_and_begins_anew_when_enabled() {
    let (tx, mut reports) = mpsc::channel(8);
    let cluster = cluster("blocked");
    let with = |modules: &str, secs: &str| {
        let mut state = (*cluster.state()).clone();
        state.mgr_map = Arc::new(MgrMap { modules: [modules.to_owned()].into(), ..MgrMap::default() });
        let settings = Arc::make_mut(&mut state.settings);
        settings.set(axon_core::config::Level::File, "axon_module_secs_max", secs);
        cluster.publish(state);
    };
    with("blocked", "0");
    let tick = BLOCKED.tick.unwrap();
    let workers = Arc::new(Workers::default());
    let running =
        Running { module: &BLOCKED, tick, cluster: cluster.clone(), reports: tx, workers: workers.clone() };
    let task = tokio::spawn(running.run(Arc::default()));
    let checks = next(&mut reports).await.checks;
    assert_eq!(checks["MGR_MODULE_ERROR"].summary, "Module 'blocked' has failed: it takes too long");
    assert_eq!(checks["MGR_MODULE_ERROR"].severity, axon_proto::health::HealthStatus::WARN);
    with("other", "0");
    assert!(next(&mut reports).await.checks.is_empty(), "who is disabled does not warn");
    let answer = workers.remembering("blocked", |_| "a new thread").unwrap().answer;
    assert_eq!(timeout(Duration::from_secs(5), answer).await.unwrap().unwrap(), "a new thread");
    task.abort();
}
