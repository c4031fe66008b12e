//! Plans over a map of six hosts with two OSDs each; what the whole says is compared with upstream's on real clusters.

use super::eval::Eval;
use super::mapping::Mapping;
use super::*;
use crate::Done;
use axon_core::Command;
use axon_core::commands::Ask;
use axon_core::pg_map::PgMap;
use axon_proto::Release;
use axon_proto::crush::{Bucket, CrushMap, Rule, Step, Tunables, Weights, op};
use axon_proto::osd_map::{Incremental, OSDMap, OsdInfo, PgPool, pool_type, state as osd_state};
use axon_proto::pg::{ObjectStatSum, Pg, PgMapDump, PgStat, PgState};
use std::sync::Arc;

const ONE: u32 = 0x1_0000;
const PGS: u32 = 128;

fn bucket(id: i32, type_id: u16, items: Vec<i32>, weight: u32) -> Option<Bucket> {
    let weights = Weights::Straw2 { item_weights: vec![weight; items.len()] };
    let weight = weight * u32::try_from(items.len()).unwrap();
    Some(Bucket { id, type_id, hash: 0, weight, items, weights })
}

fn osd_map() -> OSDMap {
    let mut crush = CrushMap::default();
    (crush.max_devices, crush.tunables) = (12, Tunables::default());
    crush.type_map = [(0, "osd"), (1, "host"), (11, "root")].map(|(id, n)| (id, n.to_owned())).into();
    crush.buckets.push(bucket(-1, 11, (2..8).map(|n| -n).collect(), 2 * ONE));
    crush.buckets.extend((0..6).map(|host| bucket(-2 - host, 1, vec![host * 2, host * 2 + 1], ONE)));
    crush.name_map.insert(-1, "default".to_owned());
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let steps = vec![step(op::TAKE, -1, 0), step(op::CHOOSELEAF_FIRSTN, 0, 1), step(op::EMIT, 0, 0)];
    crush.rules = vec![Some(Rule { rule_type: 1, min_size: 1, max_size: 10, steps })];
    let pool = PgPool {
        pool_type: pool_type::REPLICATED,
        size: 3,
        pg_num: PGS,
        pgp_num: PGS,
        pg_num_target: PGS,
        ..PgPool::default()
    };
    OSDMap {
        epoch: 5,
        max_osd: 12,
        osd_state: Arc::new(vec![osd_state::EXISTS | osd_state::UP; 12]),
        osd_weight: Arc::new(vec![ONE; 12]),
        osd_info: Arc::new(vec![OsdInfo::default(); 12]),
        pools: Arc::new([(1, Arc::new(pool))].into()),
        pool_name: Arc::new([(1, "p".to_owned())].into()),
        crush: Arc::new(crush),
        require_min_compat_client: 12,
        ..OSDMap::default()
    }
}

fn state(options: &[(&str, &str)]) -> State {
    let stat = |seed| {
        let stats = ObjectStatSum { num_objects: 10, num_bytes: 1000, ..Default::default() };
        let state = PgState::ACTIVE.with(PgState::CLEAN);
        (Pg { pool: 1, seed }, PgStat { state, stats, ..PgStat::default() })
    };
    let dump = PgMapDump { pg_stat: (0..PGS).map(stat).collect(), ..PgMapDump::default() };
    let named = |(key, value): &(&str, &str)| {
        let key = if key.starts_with("target") { (*key).to_owned() } else { format!("mgr/balancer/{key}") };
        (key, (*value).to_owned())
    };
    State {
        release: Release::Tentacle,
        osd_map: Arc::new(osd_map()),
        pg_map: Arc::new(PgMap::from_dump(dump)),
        pg_ready: true,
        options: Arc::new(options.iter().map(named).collect()),
        ..State::default()
    }
}

const NOW: UTime = UTime { sec: 1_795_526_076, nsec: 5 };

fn run(command: &Command, state: &State, memory: &mut Memory) -> Done {
    let (_, row) = crate::find_command(command.prefix(), state.release).unwrap();
    row.run(&Ask { command, state, now: NOW }, memory)
}

fn score(mapping: &Mapping, state: &State) -> f64 {
    Eval::of(state, mapping, &[], &["pgs".to_owned()]).score
}

const OFF: (&str, &str) = ("active", "false");

#[test]
fn a_plan_is_made_shown_and_carried_out() {
    let state = state(&[OFF, ("upmap_max_deviation", "1")]);
    let mut memory = Memory::default();
    let mut ask = |prefix: &str| run(&Command::plain(prefix).arg("plan", "a"), &state, &mut memory);
    assert_eq!(ask("balancer show").err, "plan a not found");
    assert_eq!(ask("balancer optimize"), Done::default());
    assert_eq!(ask("balancer ls").out, "[\n    \"a\"\n]");
    let shown = ask("balancer show").out;
    assert!(shown.starts_with("# starting osdmap epoch 5\n"), "{shown}");
    let moves = shown.lines().filter(|line| line.starts_with("ceph osd pg-upmap-items 1.")).count();
    assert_eq!(moves, 10, "as many as the option allows");
    let dumped: Value = serde_json::from_str(&ask("balancer dump").out).unwrap();
    assert_eq!(dumped["new_pg_upmap_items"].as_array().unwrap().len(), 10);
    assert_eq!(ask("balancer execute").actions.len(), 10);
    assert_eq!(ask("balancer ls").out, "[]", "a plan is carried out once");
}

#[test]
fn plans_make_the_distribution_more_even_in_both_modes() {
    for mode in ["upmap", "crush-compat"] {
        let state = state(&[
            OFF,
            ("mode", mode),
            ("upmap_max_deviation", "1"),
            ("upmap_max_optimizations", "1000"),
            ("target_max_misplaced_ratio", "0.5"),
        ]);
        let settings = Settings::of(&state);
        let (map, pgs) = (state.osd_map.clone(), state.pg_map.clone());
        let mut plan = Plan::new("a".to_owned(), mode.to_owned(), map, pgs, Vec::new());
        Balancer::default().optimize(&mut plan, &settings, &state, NOW).unwrap();
        let (before, after) = (plan.initial(), plan.final_state(String::new()));
        assert!(score(&after, &state) < score(&before, &state) / 1.5, "{mode}");
        assert!(after.misplaced_from(&before) <= 0.5, "{mode}");
        let shown = plan.show();
        assert_eq!(shown.contains("weight-set create-compat"), mode == "crush-compat", "{shown}");
    }
}

#[test]
fn little_is_misplaced_by_new_weights_where_little_may_be() {
    let state = state(&[OFF, ("mode", "crush-compat"), ("target_max_misplaced_ratio", "0.05")]);
    let settings = Settings::of(&state);
    let (map, pgs) = (state.osd_map.clone(), state.pg_map.clone());
    let mut plan = Plan::new("a".to_owned(), settings.mode.clone(), map, pgs, Vec::new());
    if Balancer::default().optimize(&mut plan, &settings, &state, NOW).is_ok() {
        assert!(plan.final_state(String::new()).misplaced_from(&plan.initial()) <= 0.05);
    }
}

#[test]
fn the_weight_set_adds_up_to_the_root() {
    let crush = osd_map().crush;
    let mut weights = weights::compat_weights(&crush);
    assert_eq!(weights.len(), 12);
    weights.insert(3, 0.5);
    let changed = weights::with_compat_weights(&crush, &weights);
    let set = &changed.choose_args[&axon_proto::crush::DEFAULT_CHOOSE_ARGS];
    assert_eq!(set[&2].weight_set, [[ONE, ONE / 2]], "the host of OSD 3");
    assert_eq!(set[&0].weight_set[0][1], ONE + ONE / 2, "the host in the root");
    assert_eq!(weights::compat_weights(&changed), weights);
}

#[test]
fn nothing_is_touched_while_pgs_are_inactive() {
    let mut state = state(&[OFF]);
    let dump = PgMapDump { pg_stat: [(Pg::new(1, 0), PgStat::default())].into(), ..PgMapDump::default() };
    state.pg_map = Arc::new(PgMap::from_dump(dump));
    let done = run(&Command::plain("balancer optimize").arg("plan", "a"), &state, &mut Memory::default());
    assert_eq!(done.retval, -11);
    assert!(done.err.starts_with("Some PGs (1.000000) are unknown"), "{}", done.err);
}

#[test]
fn a_round_comes_by_period_and_when_the_options_change() {
    let mut memory = Memory::default();
    let on = state(&[("upmap_max_deviation", "1")]);
    let after = |secs: u32| UTime { sec: NOW.sec + secs, ..NOW };
    assert_eq!(tick(&on, NOW, &mut memory).actions.len(), 10);
    assert!(tick(&on, after(30), &mut memory).actions.is_empty());
    assert_eq!(tick(&on, after(60), &mut memory).actions.len(), 10);
    let changed = state(&[("upmap_max_deviation", "1"), ("upmap_max_optimizations", "4")]);
    assert_eq!(tick(&changed, after(61), &mut memory).actions.len(), 4);
    let off = state(&[OFF]);
    assert!(tick(&off, after(200), &mut memory).actions.is_empty());
    let status: Value =
        serde_json::from_str(&run(&Command::plain("balancer status"), &off, &mut memory).out).unwrap();
    assert_eq!((&status["active"], &status["optimize_result"]), (&false.into(), &optimize::SUCCESS.into()));
    assert_eq!(status["last_optimize_started"], "Tue Nov 24 13:15:37 2026");
}

#[test]
fn rounds_keep_to_their_hours_and_days() {
    // A Tuesday, 13:14.
    let permits = |options: &[(&str, &str)]| Settings::of(&state(options)).permits(&Moment::of(NOW));
    assert!(permits(&[]));
    assert!(permits(&[("begin_time", "2200"), ("end_time", "1400")]));
    assert!(!permits(&[("begin_time", "1400"), ("end_time", "2200")]));
    assert!(permits(&[("begin_weekday", "1"), ("end_weekday", "2")]));
    assert!(!permits(&[("begin_weekday", "3"), ("end_weekday", "5")]));
    assert!(!permits(&[("begin_weekday", "5"), ("end_weekday", "1")]));
}

#[test]
fn pools_are_added_and_removed_by_name() {
    let state = state(&[("pool_ids", "1,9")]);
    let mut memory = Memory::default();
    let ask = |prefix: &str, pool: &str, memory: &mut Memory| {
        run(&Command::plain(prefix).arg("pools", vec![pool]), &state, memory)
    };
    let listed = run(&Command::plain("balancer pool ls"), &state, &mut memory);
    assert_eq!(listed.out, "[\n    \"p\"\n]");
    let set = |value: &str| vec![Action::Option { name: "pool_ids", value: value.to_owned() }];
    assert_eq!(listed.actions, set("1"), "the pool that is gone is forgotten");
    let unknown = ask("balancer pool add", "q", &mut memory);
    assert_eq!((unknown.retval, unknown.err.as_str()), (-22, "pool(s) ['q'] not found"));
    assert_eq!(ask("balancer pool add", "p", &mut memory).actions, set("1,9"));
    assert_eq!(ask("balancer pool rm", "p", &mut memory).actions, set(""));
}

#[test]
fn modes_need_clients_that_understand_them() {
    let state = state(&[]);
    let ask =
        |mode: &str| run(&Command::plain("balancer mode").arg("mode", mode), &state, &mut Memory::default());
    assert_eq!(ask("upmap").actions, [Action::Option { name: "mode", value: "upmap".to_owned() }]);
    assert_eq!(ask("crush-compat").actions.len(), 2);
    let refused = ask("read");
    assert_eq!(refused.retval, -1);
    assert!(refused.err.starts_with("min_compat_client \"luminous\" < \"reef\""), "{}", refused.err);
    assert_eq!(ask("sideways").retval, -22);
}

#[test]
fn an_even_distribution_scores_nought() {
    let state = state(&[]);
    let empty = Mapping::of(Arc::new(OSDMap::default()), Arc::default(), "x");
    assert_eq!(
        Eval::of(&state, &empty, &[], &["pgs".to_owned()]).brief(Release::Reef),
        "x score 0.000000 (lower is better)\n"
    );
    let mut map = osd_map();
    let inc = Incremental {
        epoch: 6,
        new_pg_upmap: (0..PGS)
            .map(|seed| {
                let first = (seed % 4) as i32;
                (Pg::new(1, seed), vec![first, first + 4, first + 8])
            })
            .collect(),
        ..Incremental::default()
    };
    map.apply(&inc).unwrap();
    let even = Mapping::of(Arc::new(map), state.pg_map.clone(), "even");
    let eval = Eval::of(&state, &even, &[], &["pgs".to_owned(), "bytes".to_owned()]);
    assert!(eval.score < 1e-6, "{}", eval.score);
    assert!(
        eval.verbose(Release::Reef)
            .contains("total_by_root {'default': {'pgs': 384, 'objects': 3840, 'bytes': 384000}}")
    );
}
