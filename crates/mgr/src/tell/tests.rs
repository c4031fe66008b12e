use super::*;
use axon_core::config::{Level, Variables};
use axon_core::{CommandError, CommandSink, Identity, State, Target};
use futures::future::BoxFuture;
use std::sync::Arc;

/// A monitor that describes one option.
struct Mon;

impl CommandSink for Mon {
    fn command(&self, _: Target, command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        let known = command.args.get("key").is_some_and(|key| key == "mgr_stats_period");
        let schema = r#"{"name": "mgr_stats_period", "type": "int", "default": 5, "daemon_default": "", "min": "", "max": ""}"#;
        let out = if known { CommandOutput::ok(schema) } else { CommandOutput::failed(2, "not recognized") };
        Box::pin(async move { Ok(out) })
    }
}

fn run(release: Release, command: Command) -> (i32, Value, String) {
    let version = "ceph version 18.2.7 (abc) reef (stable)".to_owned();
    let me = Identity { id: "x".to_owned(), ceph_version: version, ..Default::default() };
    let state = State { me: Arc::new(me), release, ..State::default() };
    let cluster = Cluster::new(state.clone(), Arc::new(Mon));
    let mut settings = Settings::new(Variables { name: "mgr.x".parse().unwrap(), ..Variables::default() });
    settings.set(Level::File, "key", "secret");
    settings.set(Level::File, "log_file", "/l/$name.log");
    let counters = Counters::default();
    Counters::count(&counters.commands);
    let (reports, mut taken) = mpsc::channel(4);
    let owner = {
        let cluster = cluster.clone();
        async move {
            while let Some(Report::Override { name, value }) = taken.recv().await {
                let mut state = State::clone(&cluster.state());
                let overrides = Arc::make_mut(&mut state.overrides);
                value.map(|value| overrides.insert(name, value));
                cluster.publish(state);
            }
        }
    };
    let tell = Tell { cluster: &cluster, settings: &settings, counters: &counters, reports: &reports };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let out = runtime.block_on(async {
        let owner = tokio::spawn(owner);
        let out = tell.run(&command).await;
        owner.abort();
        out
    });
    let json = serde_json::from_slice(&out.outbl).unwrap_or(Value::Null);
    (out.retval, json, out.outs)
}

fn json_of(prefix: &str) -> Value {
    run(Release::Reef, Command::plain(prefix)).1
}

fn config(prefix: &str, var: &str) -> Command {
    Command::plain(prefix).arg("var", var)
}

#[test]
fn version_and_status_are_upstreams() {
    assert_eq!(json_of("version"), json!({"version": "18.2.7", "release": "reef", "release_type": "stable"}));
    assert_eq!(json_of("git_version"), json!({"git_version": "abc"}));
    assert_eq!(json_of("mgr_status"), json!({"mgrmap_epoch": 0, "initialized": false}));
    let (_, status, _) = run(Release::Tentacle, Command::plain("mgr_status"));
    assert_eq!(status["pending_modules"], json!([]));
}

#[test]
fn the_cli_is_told_every_command_and_no_other_runs() {
    let descs = json_of("get_command_descriptions");
    assert_eq!(
        descs["cmd001"]["sig"],
        json!(["config", "diff", "get", {"name": "var", "type": "CephString"}])
    );
    assert_eq!(descs["cmd000"].as_object().unwrap().len(), 2);
    let listed = descs.as_object().unwrap().len();
    assert_eq!(json_of("help").as_object().unwrap().len(), listed);
    for unknown in ["abort", "nonsense", "status"] {
        let (retval, _, outs) = run(Release::Reef, Command::plain(unknown));
        assert_eq!((retval, outs), (-22, format!("unknown command prefix {unknown}")));
    }
}

#[test]
fn an_option_has_its_value_or_the_monitors_default() {
    let get = |var: &str| run(Release::Reef, config("config get", var));
    assert_eq!(get("log_file").1, json!({"log_file": "/l/mgr.x.log"}));
    assert_eq!(get("mgr_stats_period").1, json!({"mgr_stats_period": "5"}));
    for hidden in ["nonsense", "key"] {
        assert_eq!(get(hidden).0, -2);
    }
    assert!(!json_of("config show").to_string().contains("secret"));
    assert!(!json_of("config diff").to_string().contains("secret"));
}

#[test]
fn a_value_is_checked_before_it_is_set() {
    let set = |var: &str, val: &str| run(Release::Reef, config("config set", var).arg("val", json!([val])));
    let (retval, said, _) = set("mgr_stats_period", "6");
    assert_eq!((retval, said), (0, json!({"success": "mgr_stats_period = '6' "})));
    let (retval, _, outs) = set("mgr_stats_period", "x");
    assert_eq!(
        (retval, outs.as_str()),
        (-22, "error setting 'mgr_stats_period' to 'x': (22) Invalid argument")
    );
    assert_eq!(set("nonsense", "1").0, -2);
}

#[test]
fn values_fit_their_type_and_bounds() {
    let schema = |kind: &str| json!({"type": kind, "min": 1, "max": 4096, "enum_values": []});
    for (kind, good, bad) in [
        ("int", "4K", "5K"),
        ("uint", "1", "-1"),
        ("float", "1.5", "nan"),
        ("bool", "true", "maybe"),
        ("secs", "5m", "5x"),
        ("size", "2", "0"),
    ] {
        assert!(config::fits(good, &schema(kind)) && !config::fits(bad, &schema(kind)), "{kind}");
    }
    let choice = json!({"type": "str", "enum_values": ["a", "b"]});
    assert!(config::fits("a", &choice) && !config::fits("c", &choice));
}

#[test]
fn counters_are_dumped_and_described() {
    assert_eq!(json_of("perf dump")["axon"]["commands"], 1);
    let one = Command::plain("perf dump").arg("logger", "axon").arg("counter", "sessions");
    assert_eq!(run(Release::Reef, one).1, json!({"axon": {"sessions": 0}}));
    assert_eq!(json_of("perf schema")["axon"]["sessions"]["metric_type"], "gauge");
}
