use super::*;
use crate::config::{Level, OptionDesc, Settings, Variables};
use crate::state::Identity;
use axon_proto::mgr_map::MgrMap;
use std::sync::Arc;
use std::time::Duration;

fn option(name: &str, kind: &str, default: Value, runtime: bool) -> (String, OptionDesc) {
    let json = json!({
        "name": name, "type": kind, "default": default, "daemon_default": "", "min": "", "max": "",
        "can_update_at_runtime": runtime,
    });
    OptionDesc::from_json(json).unwrap()
}

struct Bench {
    state: State,
    schema: Schema,
    perf: OwnPerf,
    ops: OpTracker,
    own: Own,
}

fn bench(release: Release) -> Bench {
    let name = "mgr.x".parse().unwrap();
    let variables =
        Variables { cluster: "ceph".to_owned(), name, host: "h".to_owned(), ..Default::default() };
    let mut settings = Settings::new(variables);
    settings.set(Level::File, "log file", "/log/$name.log");
    settings.set(Level::CommandLine, "key", "secret");
    settings.set(Level::Mon, "mgr_stats_period", "5");
    let schema = [
        option("mgr_stats_period", "int", json!(5), true),
        option("mgr_tick_period", "secs", json!("2"), true),
        option("mgr_initial_modules", "str", json!("restful"), false),
        option("log_file", "str", json!("/var/log/ceph/$cluster-$name.log"), true),
        option("ms_tcp_nodelay", "bool", json!(true), true),
        option("key", "str", json!(""), false),
        option("host", "str", json!(""), false),
        option("public_addrv", "addrvec", json!(""), false),
        option("no_default", "int", json!(""), true),
        option("debug_mgr", "str", json!("2/5"), true),
    ];
    let me = Identity {
        id: "x".to_owned(),
        gid: 7,
        ceph_version: "ceph version 16.2.15 (618f44) pacific (stable)".to_owned(),
        ..Default::default()
    };
    let map = MgrMap { active_gid: 7, available: true, epoch: 9, ..Default::default() };
    let state = State {
        release,
        me: Arc::new(me),
        mgr_map: Arc::new(map),
        settings: Arc::new(settings),
        ..Default::default()
    };
    Bench {
        state,
        schema: schema.into(),
        perf: OwnPerf::default(),
        ops: OpTracker::default(),
        own: Own::default(),
    }
}

impl Bench {
    fn done(&self, command: &Command) -> Done {
        let now = UTime { sec: 2_000_000_000, nsec: 0 };
        let Bench { state, schema, perf, ops, own } = self;
        run(&Ask { command, state, schema, perf, ops, own, now })
    }

    fn json(&self, command: &Command) -> Value {
        let done = self.done(command);
        assert_eq!((done.output.retval, done.output.outs.as_str()), (0, ""), "{}", command.to_json());
        serde_json::from_slice(&done.output.outbl).unwrap()
    }

    fn refused(&self, command: &Command) -> (i32, String) {
        let done = self.done(command);
        assert!(done.output.outbl.is_empty() && done.actions.is_empty(), "{}", command.to_json());
        (done.output.retval, done.output.outs)
    }

    /// Carries the actions out, as the runtime does.
    fn apply(&mut self, done: &Done) {
        let settings = Arc::make_mut(&mut self.state.settings);
        for action in &done.actions {
            match action {
                Action::SetOption { name, value: Some(value) } => {
                    settings.set(Level::Override, name, value.clone())
                }
                Action::SetOption { name, value: None } => settings.unset(Level::Override, name),
                _ => {}
            }
        }
    }
}

fn var(prefix: &str, name: &str) -> Command {
    Command::json(prefix).arg("var", name)
}

fn set(name: &str, value: &str) -> Command {
    var("config set", name).arg("val", json!([value]))
}

#[test]
fn a_command_that_is_not_there_and_one_without_its_argument_are_refused_as_upstream_does() {
    let bench = bench(Release::Tentacle);
    assert_eq!(bench.refused(&Command::json("frob")), (-22, "unknown command prefix frob".to_owned()));
    assert_eq!(bench.refused(&Command::json("config get")), (-22, "invalid command json".to_owned()));
}

#[test]
fn answers_are_indented_unless_compact_json_is_asked_for() {
    let bench = bench(Release::Pacific);
    let pretty = bench.done(&Command::plain("version")).output.outbl;
    let expected = "{\n    \"version\": \"16.2.15\",\n    \"release\": \"pacific\",\n    \"release_type\": \"stable\"\n}\n";
    assert_eq!(pretty, expected);
    let compact = bench.done(&Command::json("git_version")).output.outbl;
    assert_eq!(compact, "{\"git_version\":\"618f44\"}");
}

#[test]
fn the_table_is_that_of_the_release_and_of_the_managers_state() {
    let mut bench = bench(Release::Tentacle);
    let has = |bench: &Bench, name: &str| bench.json(&Command::json("help")).get(name).is_some();
    assert!(has(&bench, "mgr_status") && has(&bench, "dump_historic_ops") && !has(&bench, "0"));
    bench.state.release = Release::Pacific;
    assert!(!has(&bench, "dump_historic_ops") && !has(&bench, "counter dump"));
    Arc::make_mut(&mut bench.state.mgr_map).active_gid = 8;
    assert!(!has(&bench, "mgr_status") && has(&bench, "status"));
    assert_eq!(bench.json(&Command::json("status"))["state"], "standby");
    bench.state.release = Release::Tentacle;
    assert!(!has(&bench, "dump_historic_ops") && has(&bench, "counter dump"));
}

#[test]
fn names_of_old_answer_and_are_described_but_are_no_help() {
    let bench = bench(Release::Pacific);
    let help = bench.json(&Command::json("help"));
    let descriptions = bench.json(&Command::json("get_command_descriptions"));
    let described =
        |name: &str| descriptions.as_object().unwrap().values().any(|e| e["sig"] == json!([name]));
    for (old, new) in [("1", "perf dump"), ("perfcounters_dump", "perf dump"), ("2", "perf schema")] {
        assert_eq!(bench.json(&Command::json(old)), bench.json(&Command::json(new)));
        assert!(help.get(old).is_none() && described(old), "{old}");
    }
    assert_eq!(help["perf schema"], "dump perfcounters schema");
}

#[test]
fn optional_arguments_are_marked_as_each_releases_cli_reads_them() {
    let req = |release| {
        let descriptions = bench(release).json(&Command::json("get_command_descriptions"));
        let entries = descriptions.as_object().unwrap().values();
        let help = entries.clone().find(|entry| entry["sig"][1] == "help").unwrap();
        help["sig"][2]["req"].clone()
    };
    assert_eq!((req(Release::Pacific), req(Release::Reef)), (json!("false"), json!(false)));
}

#[test]
fn show_and_get_give_values_in_force_with_variables_replaced() {
    let bench = bench(Release::Tentacle);
    let all = bench.json(&Command::json("config show"));
    assert_eq!(all["name"], "mgr.x");
    assert_eq!(all["log_file"], "/log/mgr.x.log");
    assert_eq!((&all["mgr_tick_period"], &all["host"]), (&json!("2"), &json!("")));
    assert_eq!(bench.json(&var("config get", "mgr_stats_period")), json!({"mgr_stats_period": "5"}));
    let (errno, why) = bench.refused(&var("config get", "nosuch"));
    assert_eq!((errno, why.as_str()), (-2, "error getting 'nosuch': (2) No such file or directory"));
    assert_eq!(bench.refused(&var("config get", "no_default")).0, -2);
}

#[test]
fn the_key_is_not_shown() {
    let bench = bench(Release::Tentacle);
    assert_eq!(bench.refused(&var("config get", "key")).0, -2);
    for prefix in ["config show", "config diff"] {
        assert!(!bench.json(&Command::json(prefix)).to_string().contains("secret"), "{prefix}");
    }
}

#[test]
fn a_value_set_at_runtime_counts_until_it_is_unset() {
    let mut bench = bench(Release::Pacific);
    let done = bench.done(&set("mgr_stats_period", "7"));
    let answer: Value = serde_json::from_slice(&done.output.outbl).unwrap();
    assert_eq!(answer, json!({"success": "mgr_stats_period = '7' "}));
    bench.apply(&done);
    assert_eq!(bench.state.mgr_options().mgr_stats_period, 7);
    assert_eq!(bench.json(&set("mgr_stats_period", "7")), json!({"success": ""}), "no change");
    let diff = bench.json(&var("config diff get", "mgr_stats_period"));
    assert_eq!(diff["diff"]["mgr_stats_period"], json!({"default": 5, "mon": 5, "override": 7, "final": 7}));
    let done = bench.done(&var("config unset", "mgr_stats_period"));
    assert_eq!(done.output.outs, "mgr_stats_period = '5' ");
    bench.apply(&done);
    assert_eq!(bench.state.mgr_options().mgr_stats_period, 5);
    assert!(bench.done(&var("config unset", "mgr_stats_period")).actions.is_empty());
}

#[test]
fn since_reef_the_value_is_left_out_and_what_nobody_observes_is_said() {
    let bench = bench(Release::Reef);
    let said = |name, value| bench.json(&set(name, value))["success"].as_str().unwrap().to_owned();
    assert_eq!(said("mgr_stats_period", "7"), "mgr_stats_period = '' ");
    assert_eq!(
        said("ms_tcp_nodelay", "0"),
        "ms_tcp_nodelay = '' (not observed, change may require restart) "
    );
    assert_eq!(said("debug_mgr", "20"), "");
}

#[test]
fn values_that_may_not_be_set_are_refused_with_upstreams_errno() {
    let bench = bench(Release::Tentacle);
    for (name, value, errno) in
        [("nosuch", "1", -2), ("mgr_stats_period", "abc", -22), ("mgr_initial_modules", "other", -1)]
    {
        let (retval, why) = bench.refused(&set(name, value));
        assert_eq!(retval, errno, "{name}");
        assert!(why.starts_with(&format!("error setting '{name}' to '{value}': (")), "{why}");
    }
    bench.json(&set("mgr_initial_modules", "restful"));
    let unset = bench.refused(&var("config unset", "nosuch"));
    assert_eq!(unset, (-22, "error unsetting 'nosuch': (22) Invalid argument".to_owned()));
}

#[test]
fn injected_arguments_set_options_and_name_those_that_are_none() {
    let bench = bench(Release::Tentacle);
    let inject = |words: &str| bench.done(&Command::json("injectargs").arg("injected_args", json!([words])));
    let done = inject("--mgr-stats-period=7 --mgr_tick_period 3 --no-ms_tcp_nodelay");
    let set = |name: &str, value: &str| Action::SetOption { name: name.into(), value: Some(value.into()) };
    let expected =
        [set("mgr_stats_period", "7"), set("mgr_tick_period", "3"), set("ms_tcp_nodelay", "false")];
    assert_eq!((done.output.retval, done.actions.as_slice()), (0, expected.as_slice()));
    let done = inject("--nosuch=7 word");
    assert_eq!(done.output.retval, -22);
    assert_eq!(done.output.outs, " failed to parse arguments: --nosuch=7,word\n");
    let command = Command::json("injectargs").arg("injected_args", json!(["--no-a --b=3 c"]));
    let needs = super::needs(&command, &Settings::default());
    assert_eq!(needs, Needs::Options(["no_a", "a", "b"].map(str::to_owned).to_vec()));
}

#[test]
fn counters_are_shown_by_group_and_start_anew_when_told() {
    let bench = bench(Release::Tentacle);
    bench.perf.inc(Counter::MonMessages);
    bench.perf.took(Counter::CommandLatency, Duration::from_millis(20));
    bench.perf.took(Counter::CommandLatency, Duration::from_millis(40));
    let one = bench.json(&Command::json("perf dump").arg("logger", "axon").arg("counter", "mon_messages"));
    assert_eq!(one, json!({"axon": {"mon_messages": 1}}));
    let all = bench.json(&Command::json("perf dump"));
    assert_eq!(all["axon"]["command_latency"], json!({"avgcount": 2, "sum": 0.06, "avgtime": 0.03}));
    let schema = bench.json(&Command::json("perf schema"));
    assert_eq!(schema["axon"]["command_latency"]["type"], 5);
    assert_eq!(bench.json(&Command::json("counter dump"))["axon"][0]["labels"], json!({}));
    assert_eq!(bench.json(&var("perf reset", "nosuch")), json!({"error": "Not find: nosuch"}));
    assert_eq!(bench.json(&var("perf reset", "axon")), json!({"success": "perf reset axon"}));
    assert_eq!(bench.json(&Command::json("perf dump"))["axon"]["mon_messages"], 0);
}

#[test]
fn commands_are_seen_while_they_run_and_for_a_while_after() {
    let bench = bench(Release::Tentacle);
    let at = |sec: u32| UTime { sec: 1_999_999_900 + sec, nsec: 0 };
    let peer = Peer { name: "client.4117".into(), addr: "10.0.0.1:0/77".into(), tid: 3 };
    let slow = bench.ops.begin("slow".into(), peer, at(0));
    bench.ops.start(slow, at(1));
    for i in 0..30 {
        let quick = bench.ops.begin(format!("quick {i}"), Peer::default(), at(10 + i));
        bench.ops.start(quick, at(10 + i));
        bench.ops.end(quick, at(10 + i), &bench.state);
    }
    let refused = bench.ops.begin("refused".into(), Peer::default(), at(50));
    bench.ops.end(refused, at(50), &bench.state);
    let running = bench.json(&Command::json("dump_ops_in_flight"));
    assert_eq!((&running["num_ops"], &running["ops"][0]["age"]), (&json!(1), &json!(100.0)));
    assert_eq!(running["ops"][0]["type_data"]["events"][1]["event"], "started");
    assert_eq!(bench.json(&Command::json("dump_blocked_ops_count"))["num_blocked_ops"], 1);
    let elsewhere = Command::json("dump_ops_in_flight").arg("filterstr", json!(["10.0.0.2"]));
    assert_eq!(bench.json(&elsewhere)["num_ops"], 0);
    bench.ops.end(slow, at(60), &bench.state);
    let recent = bench.json(&Command::json("dump_historic_ops"));
    assert_eq!(recent["ops"].as_array().unwrap().len(), 20);
    let slowest = bench.json(&Command::json("dump_historic_slow_ops"));
    assert_eq!(
        (&slowest["ops"][0]["description"], &slowest["ops"][0]["duration"]),
        (&json!("slow"), &json!(60.0))
    );
}

#[test]
fn heartbeats_are_listed_slowest_first_from_the_threshold_on() {
    use axon_proto::pg::{HbInterfaces, OsdStat};
    let mut bench = bench(Release::Pacific);
    let times = |back: u32, last_update| HbInterfaces {
        last_update,
        back_pingtime: [back, 0, 0],
        front_last: 1,
        front_pingtime: [0, 2_000_250, 0],
        ..Default::default()
    };
    let stat = OsdStat {
        hb_pingtime: [(1, times(1_500_000, 1_999_999_000)), (2, times(9, 1_000))].into(),
        ..Default::default()
    };
    Arc::make_mut(&mut bench.state.pg_map).osd_stat.insert(0, Arc::new(stat));
    let slow = bench.json(&Command::json("dump_osd_network"));
    assert_eq!(slow["threshold"], 1000);
    let entries = slow["entries"].as_array().unwrap();
    let interfaces: Vec<&Value> = entries.iter().map(|e| &e["interface"]).collect();
    assert_eq!(interfaces, ["front", "back"], "OSD 2's times are too old");
    assert_eq!((&entries[0]["average"]["5min"], &entries[0]["stale"]), (&json!(2000.25), &json!(true)));
    let given = bench.json(&Command::json("dump_osd_network").arg("value", 1800));
    assert_eq!(given["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn a_new_key_is_taken_over_and_never_shown() {
    let told = Command::plain("rotate-key").input("AQBsecret==\n");
    let done = bench(Release::Reef).done(&told);
    assert_eq!((done.output.retval, done.output.outbl.len()), (0, 0));
    assert_eq!(done.actions, [Action::RotateKey(Key("AQBsecret==".to_owned()))]);
    assert!(!format!("{done:?}").contains("secret"));
    assert_eq!(bench(Release::Pacific).refused(&told).0, -EINVAL, "18.2 has it first");
    let wipe = Command::plain("wipe-rotating-secrets");
    assert_eq!(bench(Release::Tentacle).done(&wipe).actions, [Action::WipeSecrets]);
    assert_eq!(bench(Release::Reef).refused(&wipe).0, -EINVAL, "20.2 has it first");
}

#[test]
fn commands_in_flight_are_listed_with_their_targets() {
    let mut bench = bench(Release::Pacific);
    let op = |command_id, osd, target| CommandOp { command_id, osd, command: "{}".to_owned(), target };
    bench.own.command_ops =
        vec![op(7, Some(1), CommandOpTarget::Osd(1)), op(8, None, CommandOpTarget::Pg("2.0A".to_owned()))];
    let ops = bench.json(&Command::json("objecter_requests"));
    let expected = json!([
        {"command_id": 7, "osd": 1, "command": ["{}"], "target_osd": 1},
        {"command_id": 8, "osd": -1, "command": ["{}"], "target_pg": "2.a"},
    ]);
    assert_eq!((&ops["command_ops"], &ops["ops"]), (&expected, &json!([])));
}

#[test]
fn no_file_system_is_mounted_and_the_client_has_its_managers_name_and_address() {
    let mut bench = bench(Release::Reef);
    let addr = "127.0.0.1:0".parse().unwrap();
    bench.own.addr = Some(EntityAddr::new(axon_proto::AddrType::MSGR2, addr, 9));
    let sessions = bench.json(&Command::json("mds_sessions").arg("cap_dump", true));
    assert_eq!(sessions["inst_str"], "mgr.7 v1:127.0.0.1:0/9");
    assert_eq!((&sessions["id"], &sessions["sessions"]), (&json!(0), &json!([])));
    assert_eq!(bench.json(&Command::json("mds_requests")), json!({}));
    bench.state.release = Release::Tentacle;
    assert_eq!(bench.json(&Command::json("mds_requests")), json!({"requests": []}));
    Arc::make_mut(&mut bench.state.mgr_map).active_gid = 8;
    assert_eq!(
        bench.refused(&Command::json("mds_requests")).0,
        -EINVAL,
        "20.2's standby has no module that mounts"
    );
}

#[test]
fn the_pools_of_memory_are_the_releases() {
    let mut bench = bench(Release::Pacific);
    let mut pools = |release| {
        bench.state.release = release;
        let dump = bench.json(&Command::json("dump_mempools"));
        let names = dump["mempool"]["by_pool"].as_object().unwrap().keys();
        (names.len(), names.cloned().collect::<Vec<_>>().join(" "))
    };
    let (old, reef, new) = (pools(Release::Pacific), pools(Release::Reef), pools(Release::Tentacle));
    assert_eq!((old.0, reef.0, new.0), (29, 29, 30));
    assert!(old.1.contains("bluestore_SharedBlob") && reef.1.contains("bluestore_shared_blob"));
    assert!(new.1.contains("mds_co ec_extent_cache unittest_1"));
}

#[test]
fn nothing_is_broken_unless_the_option_allows_it() {
    let mut bench = bench(Release::Pacific);
    for prefix in ["assert", "abort"] {
        assert_eq!(bench.refused(&Command::json(prefix)), (-EPERM, String::new()));
    }
    let set = |bench: &mut Bench, text: &str| {
        Arc::make_mut(&mut bench.state.settings).set(Level::Override, "debug_asok_assert_abort", text);
    };
    set(&mut bench, "false");
    assert_eq!(bench.refused(&Command::json("assert")).0, -EPERM);
    for text in ["true", "1"] {
        set(&mut bench, text);
        assert_eq!(bench.done(&Command::json("assert")).actions, [Action::FailAssertion]);
        assert_eq!(bench.done(&Command::json("abort")).actions, [Action::Abort]);
    }
    assert_eq!(bench.done(&Command::json("leak_some_memory")).actions, [Action::Leak]);
    assert_eq!(bench.refused(&Command::json("raise")).0, -EINVAL, "18.2 has it first");
}

#[test]
fn a_signal_has_a_number_or_a_name() {
    let bench = bench(Release::Reef);
    let raise = |signal: &str| Command::json("raise").arg("signal", signal);
    for (text, number) in [("9", 9), ("-9", 9), ("kill", 9), ("-SIGKILL", 9), ("64", 64), ("18x", 18)] {
        let actions = bench.done(&raise(text)).actions;
        assert_eq!(actions, [Action::Raise(Raise::Now { signal: number })], "{text}");
    }
    for text in ["0", "65", "-0", "--1", "99999999999999999999"] {
        let refused = bench.refused(&raise(text));
        assert_eq!(refused.1, "signal number should be an integer in the range [1..64]\n", "{text}");
    }
    for text in ["WINCH", "", "foo", "SIG"] {
        let refused = bench.refused(&raise(text));
        assert_eq!(refused.1, "unknown signal name; use -l to see recognized names\n", "{text}");
    }
    let later = bench.done(&raise("usr1").arg("after", 2.5)).actions;
    assert_eq!(later, [Action::Raise(Raise::After { signal: 10, secs: 2.5 })]);
    let taken_back = bench.done(&Command::json("raise").arg("cancel", true)).actions;
    assert_eq!(taken_back, [Action::Raise(Raise::Cancel { signal: None })]);
    assert_eq!(bench.json(&raise("-l"))["TTOU"], 22);
    assert_eq!(
        [strsignal(31), strsignal(33), strsignal(40)],
        ["Bad system call", "Unknown signal 33", "Real-time signal 6"]
    );
}

#[test]
fn connections_are_listed_where_upstream_keeps_them() {
    let mut bench = bench(Release::Tentacle);
    let connection = |accepted, lossy, phase| Connection {
        conn_id: 3,
        accepted,
        lossy,
        phase,
        socket_fd: Some(9),
        entity: None,
        peer: axon_proto::EntityName::new(axon_proto::EntityType::OSD, 1),
        global_id: 0,
        addrs: Default::default(),
        socket_addr: EntityAddr::default(),
        target_addr: EntityAddr::new(axon_proto::AddrType::MSGR2, "10.0.0.1:6800".parse().unwrap(), 5),
        con_mode: "secure",
        secure: true,
        compression: None,
        rev1: true,
        connect_seq: 0,
        peer_global_seq: 2,
        started_ago: Duration::from_secs(3),
        active_ago: Duration::from_millis(500),
    };
    let dialled = Messenger { connections: vec![connection(false, true, "auth")], ..Default::default() };
    let all = [(true, true, "ready"), (true, false, "ready"), (true, false, "hello")];
    let all = all.into_iter().map(|(accepted, lossy, phase)| connection(accepted, lossy, phase)).collect();
    let listener = Messenger { nonce: 77, connections: all, listen_sockets: vec![4], ..Default::default() };
    bench.own.messengers = vec![dialled, listener];
    let dump = Command::json("messenger dump");
    assert_eq!(bench.json(&dump), json!({"messengers": ["mgr", "mgr-77"]}));
    let one = bench.json(&dump.clone().arg("msgr", "mgr"))["messenger"].take();
    let connection = &one["connections"][0]["async_connection"];
    assert_eq!((&connection["state"], &one["connections_count"]), (&json!("STATE_CONNECTING"), &json!(1)));
    assert_eq!(connection["protocol"]["v2"]["state"], "AUTH_CONNECTING");
    assert_eq!(connection["protocol"]["v2"]["crypto"]["rx"], "PLAIN");
    let two = bench.json(&dump.clone().arg("msgr", "mgr-77"))["messenger"].take();
    let sizes =
        ["connections", "anon_conns", "accepting_conns"].map(|part| two[part].as_array().unwrap().len());
    assert_eq!(sizes, [1, 1, 1]);
    assert_eq!(two["anon_conns"][0]["protocol"]["v2"]["crypto"]["rx"], "AES-128-GCM");
    let part = bench.json(&dump.clone().arg("msgr", "mgr-77").arg("dumpcontents", json!(["listen_sockets"])));
    assert_eq!(part["messenger"]["listen_sockets"], json!([{"socket_fd": 4, "worker_id": -1}]));
    assert!(part["messenger"].get("connections").is_none());
    assert_eq!(bench.refused(&dump.arg("msgr", "nosuch")), (-ENOENT, String::new()));
}
