use super::*;
use crate::pg_map::test_map::{CLEAN, pg};
use axon_proto::pg::{PgMapDump, PgStat};
use serde_json::{Value, json};
use std::sync::Arc;

/// Pool 1 `rep` of `pg_num` PGs with as many PGs reported, each changed by `change`.
fn state(pool: PgPool, reported: u32, change: impl Fn(u32, &mut PgStat)) -> State {
    let stat = |seed| {
        let mut stat = pg(1, [0, 1, 2]);
        stat.stats.num_objects = 1000;
        stat.stats.num_object_copies = 3000;
        change(seed, &mut stat);
        (Pg::new(1, seed), stat)
    };
    let dump = PgMapDump { pg_stat: (0..reported).map(stat).collect(), ..Default::default() };
    let map = OSDMap {
        pools: Arc::new([(1, Arc::new(pool))].into()),
        pool_name: Arc::new([(1, "rep".to_owned())].into()),
        ..OSDMap::default()
    };
    State {
        osd_map: Arc::new(map),
        pg_map: Arc::new(PgMap::from_dump(dump)),
        pg_ready: true,
        ..State::default()
    }
}

/// A pool on its way from the first number of PGs to the second.
fn pool(pg_num: u32, pgp_num: u32, target: u32) -> PgPool {
    PgPool {
        pg_num,
        pgp_num,
        pg_num_pending: pg_num,
        pg_num_target: target,
        pgp_num_target: target,
        ..PgPool::default()
    }
}

fn well(_: u32, _: &mut PgStat) {}

/// Steps of (pg_num, pgp_num), where there are any.
fn steps(state: &State) -> (Option<u32>, Option<u32>) {
    let out = adjust_pgs(state);
    (out.pg_num.get("rep").copied(), out.pgp_num.get("rep").copied())
}

fn with_option(mut state: State, name: &str, value: &str) -> State {
    Arc::make_mut(&mut state.options).insert(name.to_owned(), value.to_owned());
    state
}

#[test]
fn a_pool_at_its_target_is_let_alone() {
    assert_eq!(adjust_pgs(&state(pool(8, 8, 8), 8, well)), Adjustments::default());
}

#[test]
fn pg_num_jumps_to_the_target_and_pgp_num_follows_by_steps() {
    assert_eq!(steps(&state(pool(8, 8, 32), 8, well)), (Some(32), None), "pgp_num waits for pg_num");
    // 5 % of 32 PGs, half of it: less than one, so one.
    assert_eq!(steps(&state(pool(32, 8, 32), 32, well)), (None, Some(9)));
    let empty = |_, stat: &mut PgStat| stat.stats.num_objects = 0;
    assert_eq!(steps(&state(pool(32, 8, 32), 32, empty)), (None, Some(32)), "nothing has to move");
}

#[test]
fn pg_num_is_at_most_so_far_ahead_of_pgp_num() {
    let limited = |pgp| with_option(state(pool(8, pgp, 32), 8, well), "mgr_max_pg_num_change", "4");
    assert_eq!(steps(&limited(8)).0, Some(12));
    assert_eq!(steps(&limited(5)).0, Some(9));
    assert_eq!(steps(&limited(4)).0, None);
}

#[test]
fn only_so_many_pgs_are_in_the_making_at_once() {
    let few = |max| with_option(state(pool(8, 8, 32), 8, well), "mgr_max_pg_creating", max);
    assert_eq!(steps(&few("3")).0, Some(11));
    let creating = |seed, stat: &mut PgStat| {
        if seed < 2 {
            stat.state = CLEAN.with(PgState::CREATING);
        }
    };
    let busy = |max| with_option(state(pool(8, 8, 32), 8, creating), "mgr_max_pg_creating", max);
    assert_eq!((steps(&busy("3")).0, steps(&busy("2")).0), (Some(9), None));
}

#[test]
fn nothing_splits_while_a_pg_does_not_serve_or_the_pool_is_being_made() {
    let peering = |seed, stat: &mut PgStat| {
        if seed == 3 {
            stat.state = PgState::PEERING;
        }
    };
    assert_eq!(steps(&state(pool(8, 8, 32), 8, peering)), (None, None));
    let making = PgPool { flags: pool_flag::CREATING, ..pool(8, 8, 32) };
    assert_eq!(steps(&state(making, 8, well)), (None, None));
    assert_eq!(steps(&state(pool(8, 8, 32), 0, well)), (None, None), "nothing is reported of it");
}

#[test]
fn pg_num_shrinks_one_by_one_behind_pgp_num() {
    let shrinking = state(pool(32, 32, 8), 32, well);
    // pgp_num may be 8 ahead, and its own step would be 1: the merges that it must not outpace decide.
    assert_eq!(steps(&shrinking), (None, Some(31)), "pgp_num goes first");
    assert_eq!(steps(&state(pool(32, 24, 8), 32, well)), (Some(31), None));
    let waiting = PgPool { pg_num_pending: 31, ..pool(32, 24, 8) };
    assert_eq!(
        steps(&state(waiting, 32, well)),
        (None, Some(24).filter(|n| *n != 24)),
        "a merge is under way"
    );
}

#[test]
fn a_merge_wants_both_pgs_clean_on_the_same_osds() {
    // PG 31 merges into 15.
    for spoilt in [31, 15] {
        let recovering = |seed, stat: &mut PgStat| {
            if seed == spoilt {
                stat.state = PgState::ACTIVE.with(PgState::RECOVERING);
            }
        };
        assert_eq!(steps(&state(pool(32, 24, 8), 32, recovering)).0, None, "{spoilt} is not clean");
        let elsewhere = |seed, stat: &mut PgStat| {
            if seed == spoilt {
                stat.acting = vec![0, 2, 1];
            }
        };
        assert_eq!(steps(&state(pool(32, 24, 8), 32, elsewhere)).0, None, "{spoilt} is elsewhere");
    }
    assert_eq!(steps(&state(pool(32, 24, 8), 31, well)).0, None, "nothing is known of the last PG");
}

#[test]
fn explicit_mappings_in_the_way_of_a_merge_are_removed_first() {
    let mut state = state(pool(32, 24, 8), 32, well);
    let map = Arc::make_mut(&mut state.osd_map);
    map.pg_upmap = Arc::new([(Pg::new(1, 31), vec![0, 1, 2]), (Pg::new(1, 7), vec![1])].into());
    map.pg_upmap_items = Arc::new([(Pg::new(1, 15), vec![(0, 1)])].into());
    let out = adjust_pgs(&state);
    assert!(out.pg_num.is_empty(), "{out:?}");
    let asked: Vec<Value> = out.commands().into_iter().map(|command| command.args.into()).collect();
    let expected = ["1.f", "1.1f"].into_iter().flat_map(|pg| {
        ["osd rm-pg-upmap", "osd rm-pg-upmap-items"].map(|prefix| json!({"prefix": prefix, "pgid": pg}))
    });
    assert_eq!(asked, expected.collect::<Vec<_>>());
}

#[test]
fn pgp_num_waits_while_objects_are_degraded_misplaced_or_pgs_unknown() {
    let spoil = |change: fn(&mut PgStat)| {
        state(pool(32, 8, 32), 32, move |seed, stat| {
            if seed == 0 {
                change(stat);
            }
        })
    };
    let next = |state: &State| steps(state).1;
    assert_eq!(next(&spoil(|stat| stat.stats.num_objects_degraded = 1)), None);
    assert_eq!(next(&spoil(|stat| stat.stats.num_objects_misplaced = 3000 * 32 / 10)), None, "a tenth");
    assert_eq!(next(&spoil(|stat| stat.stats.num_objects_misplaced = 3)), Some(9));
    assert_eq!(next(&spoil(|stat| stat.state = PgState::UNKNOWN)), None);
    assert_eq!(next(&spoil(|stat| stat.state = PgState::PEERED)), None);
    let degraded = spoil(|stat| stat.stats.num_objects_degraded = 1);
    let aggressive = with_option(degraded, "mgr_debug_aggressive_pg_num_changes", "true");
    assert_eq!(next(&aggressive), Some(32));
}

#[test]
fn commands_are_upstreams() {
    let out = adjust_pgs(&state(pool(8, 8, 32), 8, well));
    let asked: Vec<Value> = out.commands().into_iter().map(|command| command.args.into()).collect();
    let expected = json!({"prefix": "osd pool set", "pool": "rep", "var": "pg_num_actual", "val": "32"});
    assert_eq!(asked, [expected]);
}

#[test]
fn nothing_is_decided_before_the_osds_have_reported() {
    let early = State { pg_ready: false, ..state(pool(8, 8, 32), 8, well) };
    assert_eq!(adjust_pgs(&early), Adjustments::default());
}

#[test]
fn a_pg_was_split_from_the_one_without_its_highest_bit() {
    assert_eq!([1, 5, 31, 32].map(parent_seed), [Some(0), Some(1), Some(15), Some(0)]);
    assert_eq!(parent_seed(0), None);
}
