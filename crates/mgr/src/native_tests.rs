//! Modules that panic, take too long, are off.

use super::*;
use axon_core::{CommandError, CommandSink, Kv, KvUpdate};
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

#[tokio::test(start_paused = true)]
async fn a_module_that_panics_warns_until_it_works_again() {
    let (tx, mut reports) = mpsc::channel(8);
    let tick = UNSTABLE.tick.unwrap();
    let running = Running {
        module: &UNSTABLE,
        tick,
        cluster: cluster("unstable"),
        reports: tx,
        memory: SharedMemory::default(),
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
    let running = Running {
        module: &UNSTABLE,
        tick,
        cluster: cluster("other"),
        reports: tx,
        memory: SharedMemory::default(),
    };
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
async fn a_module_remembers_until_the_manager_is_no_longer_active() {
    let native = Native::new(mpsc::channel(8).0);
    let memory = native.memory("progress");
    assert!(Arc::ptr_eq(&memory, &native.memory("progress")));
    native.stop();
    assert!(!Arc::ptr_eq(&memory, &native.memory("progress")));
}
