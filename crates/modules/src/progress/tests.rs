//! An OSD goes out and comes back in.

use super::*;
use crate::{Action, Operation};
use axon_core::Command;
use axon_core::commands::Ask;
use axon_core::pg_map::PgMap;
use axon_proto::crush::{Bucket, CrushMap, Rule, Step, Tunables, Weights, op};
use axon_proto::osd_map::{OsdInfo, PgPool, pool_type, state as osd_state};
use axon_proto::pg::{ObjectStatSum, Pg, PgMapDump, PgStat, PgState};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ONE: u32 = 0x1_0000;
const PGS: u32 = 16;

/// Four OSDs below a root, a pool of two copies.
fn osd_map(epoch: u32, out: Option<usize>) -> OSDMap {
    let mut crush = CrushMap::default();
    (crush.max_devices, crush.tunables) = (4, Tunables::default());
    let weights = Weights::Straw2 { item_weights: vec![ONE; 4] };
    let items = vec![0, 1, 2, 3];
    crush.buckets = vec![Some(Bucket { id: -1, type_id: 1, hash: 0, weight: 4 * ONE, items, weights })];
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let steps = vec![step(op::TAKE, -1, 0), step(op::CHOOSE_FIRSTN, 0, 0), step(op::EMIT, 0, 0)];
    crush.rules = vec![Some(Rule { rule_type: 1, min_size: 1, max_size: 10, steps })];
    let mut weights = vec![ONE; 4];
    if let Some(weight) = out.and_then(|osd| weights.get_mut(osd)) {
        *weight = 0;
    }
    let pool =
        PgPool { pool_type: pool_type::REPLICATED, size: 2, pg_num: PGS, pgp_num: PGS, ..PgPool::default() };
    OSDMap {
        epoch,
        max_osd: 4,
        osd_state: Arc::new(vec![osd_state::EXISTS | osd_state::UP; 4]),
        osd_weight: Arc::new(weights),
        osd_info: Arc::new(vec![OsdInfo::default(); 4]),
        pools: Arc::new([(1, Arc::new(pool))].into()),
        crush: Arc::new(crush),
        ..OSDMap::default()
    }
}

fn state(map: OSDMap, pg_state: impl Fn(u32) -> (PgState, i64)) -> State {
    let stat = |seed| {
        let (state, num_bytes_recovered) = pg_state(seed);
        let stats = ObjectStatSum { num_bytes: 1000, num_bytes_recovered, ..Default::default() };
        (Pg { pool: 1, seed }, PgStat { state, reported_epoch: map.epoch, stats, ..PgStat::default() })
    };
    let dump = PgMapDump { pg_stat: (0..PGS).map(stat).collect(), ..PgMapDump::default() };
    State {
        release: Release::Pacific,
        osd_map: Arc::new(map),
        pg_map: Arc::new(PgMap::from_dump(dump)),
        pg_ready: true,
        ..State::default()
    }
}

fn clean(_: u32) -> (PgState, i64) {
    (PgState::ACTIVE.with(PgState::CLEAN), 0)
}

fn at(sec: u32) -> UTime {
    UTime { sec, nsec: 0 }
}

fn asked(prefix: &str, state: &State, sec: u32, memory: &mut Memory) -> crate::Done {
    let command = Command::plain(prefix);
    let (_, row) = crate::find_command(prefix, state.release).unwrap();
    row.run(&Ask { command: &command, state, now: at(sec) }, memory)
}

fn as_json(state: &State, sec: u32, memory: &mut Memory) -> Value {
    serde_json::from_str(&asked("progress json", state, sec, memory).out).unwrap()
}

#[test]
fn an_osd_that_goes_out_begins_events_which_end_when_all_is_clean() {
    let mut memory = Memory::default();
    assert_eq!(tick(&state(osd_map(1, None), clean), at(100), &mut memory).progress, BTreeMap::new());
    // Every second PG moves and is half done.
    let halves = |seed| match seed % 2 {
        0 => (PgState::ACTIVE, 500),
        _ => clean(seed),
    };
    let out = state(osd_map(2, Some(1)), |_| (PgState::ACTIVE, 0));
    let began = tick(&out, at(101), &mut memory);
    let mut told: Vec<_> =
        began.progress.into_values().map(|e| (e.message, e.progress, e.add_to_ceph_s)).collect();
    told.sort_by_key(|told| told.2);
    let bar = "      [............................] ";
    assert_eq!(
        told,
        [
            (format!("Rebalancing after osd.1 marked out (0s)\n{bar}"), 0.0, false),
            (format!("Global Recovery Event (0s)\n{bar}"), 0.0, true),
        ]
    );
    let half = state(osd_map(2, Some(1)), halves);
    assert!(tick(&half, at(111), &mut memory).actions.is_empty());
    let json = as_json(&half, 111, &mut memory);
    assert_eq!(
        (json["events"][0]["refs"].to_string(), &json["completed"]),
        ("[[\"osd\",1]]".to_owned(), &Value::Array(vec![]))
    );
    let progress = json["events"][0]["progress"].as_f64().unwrap();
    assert!(progress > 0.3 && progress < 0.9, "{progress}");
    assert_eq!(json["events"][1]["progress"], 0.5);
    let done = state(osd_map(2, Some(1)), clean);
    let ended = tick(&done, at(121), &mut memory);
    assert_eq!(ended.progress, BTreeMap::new());
    let [Action::Store { key, value: Some(stored) }] = &ended.actions[..] else { panic!("{ended:?}") };
    assert_eq!((key.as_str(), store::decoded(stored).len()), ("completed", 2));
    let listed = asked("progress", &done, 130, &mut memory).lines();
    assert!(
        listed.starts_with("[Complete]: Rebalancing after osd.1 marked out (29s)\n    [===="),
        "{listed}"
    );
    assert!(tick(&done, at(131), &mut memory).actions.is_empty(), "it is stored once");
}

#[test]
fn an_osd_that_comes_back_ends_its_earlier_event() {
    let mut memory = Memory::default();
    let moving = |_| (PgState::ACTIVE, 0);
    for (epoch, out) in [(1, None), (2, Some(1)), (3, None)] {
        tick(&state(osd_map(epoch, out), moving), at(100 + epoch), &mut memory);
    }
    let json = as_json(&state(osd_map(3, None), moving), 104, &mut memory);
    let messages = |what: &str| {
        let events = json[what].as_array().unwrap().iter();
        events.map(|event| event["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(messages("completed"), ["Rebalancing after osd.1 marked out"]);
    assert_eq!(messages("events"), ["Global Recovery Event", "Rebalancing after osd.1 marked in"]);
}

#[test]
fn since_reef_pgs_are_followed_on_demand_only() {
    let mut memory = Memory::default();
    for (epoch, out) in [(1, None), (2, Some(1))] {
        let state = State { release: Release::Reef, ..state(osd_map(epoch, out), |_| (PgState::ACTIVE, 0)) };
        assert!(tick(&state, at(100), &mut memory).progress.is_empty());
    }
    let options = Arc::new([("mgr/progress/allow_pg_recovery_event".to_owned(), "true".to_owned())].into());
    let back = state(osd_map(3, None), |_| (PgState::ACTIVE, 0));
    let back = State { release: Release::Reef, options, ..back };
    assert_eq!(tick(&back, at(100), &mut memory).progress.len(), 2);
}

#[test]
fn clearing_forgets_the_stored_events_too_and_off_stops() {
    let ghosts = r#"{"events": [{"id": "a", "message": "m", "refs": [], "started_at": 1.5, "finished_at": 2.0,
        "add_to_ceph_s:": false}], "version": 2, "compat_version": 2}"#;
    let kv = axon_core::Kv::from_entries([("mgr/progress/completed", ghosts)]);
    let state = State { kv, ..state(osd_map(1, None), clean) };
    let mut memory = Memory::default();
    assert!(asked("progress", &state, 12, &mut memory).out.starts_with("[Complete]: m (10s)"));
    assert_eq!(asked("progress on", &state, 12, &mut memory).err, "progress already enabled!");
    let off = asked("progress off", &state, 12, &mut memory);
    assert_eq!(off.err, "progress disabled");
    assert_eq!(off.actions[0], Action::Option { name: "enabled", value: "false".to_owned() });
    assert_eq!(off.actions[1], store::saved(&[]));
    assert_eq!(asked("progress", &state, 12, &mut memory).err, "Nothing in progress");
}

#[test]
fn what_another_module_does_is_listed_until_it_says_that_it_has_ended() {
    let mut memory = Memory::default();
    let state = state(osd_map(1, None), clean);
    let update = |id: &str, progress| Operation::Update {
        id: id.to_owned(),
        message: format!("{id} at work"),
        progress,
        refs: json!([["pool", 1]]),
        add_to_ceph_s: true,
    };
    told(&state, at(100), &mut memory, update("a", 0.0)).unwrap();
    let shown = told(&state, at(110), &mut memory, update("b", 0.25)).unwrap();
    assert_eq!(shown.len(), 2);
    assert!(shown["b"].add_to_ceph_s && shown["b"].message.starts_with("b at work (0s)\n      [=======...."));
    let done = told(&state, at(120), &mut memory, update("a", 1.0)).unwrap();
    assert_eq!(done["a"].progress, 1.0, "only its module ends it");
    assert!(tick(&state, at(121), &mut memory).progress.contains_key("a"));

    let end = |memory: &mut Memory, operation| told(&state, at(130), memory, operation);
    assert_eq!(end(&mut memory, Operation::Complete { id: "none".into() }), None);
    assert_eq!(end(&mut memory, Operation::Complete { id: "a".into() }).unwrap().len(), 1);
    let why = json!("no room");
    assert_eq!(end(&mut memory, Operation::Fail { id: "b".into(), why }).unwrap().len(), 0);
    let json = as_json(&state, 140, &mut memory);
    assert_eq!(json["events"], json!([]));
    assert_eq!(
        (&json["completed"][0]["refs"], &json["completed"][0]["failed"]),
        (&json!([["pool", 1]]), &Value::Null)
    );
    assert_eq!(json["completed"][1]["failure_message"], "no room");
    assert!(
        matches!(tick(&state, at(141), &mut memory).actions[..], [Action::Store { .. }]),
        "they are kept"
    );
}
