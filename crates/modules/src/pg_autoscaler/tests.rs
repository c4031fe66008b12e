//! The arithmetic over maps of one and two roots; what the whole says is compared with upstream's on real clusters.

use super::status::{Status, nearest_power_of_two};
use super::*;
use crate::Operation;
use axon_core::pg_map::PgMap;
use axon_proto::crush::{Bucket, CrushMap, Rule, Step, Weights, op};
use axon_proto::osd_map::{OSDMap, PgPool, PoolOpt, PoolOpts, pool_flag, pool_type};
use axon_proto::pg::{OsdStat, PgMapDump, PgStat, StoreStatfs};
use std::sync::Arc;

/// Numbers of `pool_opts_t`.
const PG_NUM_MIN: i32 = 15;
const TARGET_SIZE_BYTES: i32 = 16;
const TARGET_SIZE_RATIO: i32 = 17;

const GIB: i64 = 1 << 30;

/// Rule, mode, flags, options.
type Pool<'a> = (u8, u8, u64, &'a [(i32, PoolOpt)]);

/// Buckets with these items, rule n takes bucket -1-n; each of the OSDs 0 to 9 has 100 GiB.
fn state(buckets: &[&[i32]], pools: &[Pool<'_>]) -> State {
    let bucket = |(at, items): (usize, &&[i32])| {
        Some(Bucket {
            id: -1 - at as i32,
            type_id: 1,
            hash: 0,
            weight: 0x1_0000,
            items: items.to_vec(),
            weights: Weights::Uniform { item_weight: 0x1_0000 },
        })
    };
    let rule = |at: usize| {
        let take = Step { op: op::TAKE, arg1: -1 - at as i32, arg2: 0 };
        Some(Rule { rule_type: 1, min_size: 1, max_size: 10, steps: vec![take] })
    };
    let mut crush = CrushMap::default();
    crush.buckets = buckets.iter().enumerate().map(bucket).collect();
    crush.rules = (0..buckets.len()).map(rule).collect();
    let pool = |(crush_rule, mode, flags, options): &Pool<'_>| PgPool {
        pool_type: pool_type::REPLICATED,
        size: 3,
        crush_rule: *crush_rule,
        pg_autoscale_mode: *mode,
        flags: *flags,
        pg_num: 32,
        pg_num_target: 32,
        options: PoolOpts(options.iter().cloned().collect()),
        ..PgPool::default()
    };
    let osd_map = OSDMap {
        crush: Arc::new(crush),
        pool_name: Arc::new((1..).zip(pools).map(|(id, _)| (id, format!("p{id}"))).collect()),
        pools: Arc::new((1..).zip(pools).map(|(id, p)| (id, Arc::new(pool(p)))).collect()),
        ..OSDMap::default()
    };
    let statfs = StoreStatfs { total: 100 * GIB, available: 100 * GIB, ..StoreStatfs::default() };
    let dump = PgMapDump {
        osd_stat: (0..10).map(|osd| (osd, OsdStat { statfs, num_osds: 1, ..OsdStat::default() })).collect(),
        pg_stat: (1..)
            .zip(pools)
            .map(|(id, _)| (axon_proto::pg::Pg { pool: id, seed: 0 }, PgStat::default()))
            .collect(),
        ..PgMapDump::default()
    };
    State {
        release: Release::Tentacle,
        osd_map: Arc::new(osd_map),
        pg_map: Arc::new(PgMap::from_dump(dump)),
        pg_ready: true,
        ..State::default()
    }
}

fn wanted(state: &State) -> Vec<(String, i64, bool)> {
    Status::of(state).pools.into_iter().map(|p| (p.name, p.pg_num_final, p.would_adjust)).collect()
}

const TEN: &[i32] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

#[test]
fn powers_of_two_are_rounded_as_upstream_rounds_them() {
    let all = [0.0, 0.3, 1.7, 5.5, 6.1, 100.0, 1000.0].map(nearest_power_of_two);
    assert_eq!(all, [0, 0, 1, 4, 8, 128, 1024]);
}

#[test]
fn a_ratio_becomes_placement_groups_and_a_command() {
    let told: &[_] = &[(TARGET_SIZE_RATIO, PoolOpt::Double(0.9))];
    let small: &[_] = &[(PG_NUM_MIN, PoolOpt::Int(16))];
    let state = state(&[TEN], &[(0, 2, 0, told), (0, 2, 0, small)]);
    // The only ratio counts as all: 10 OSDs × 100 PGs / 3 copies = 333, so 256; within the threshold for the small one.
    assert_eq!(wanted(&state), [("p1".to_owned(), 256, true), ("p2".to_owned(), 16, false)]);
    let mut work = tick(&state, UTime::ZERO, &mut Memory::default());
    let command = Command::json("osd pool set").arg("pool", "p1").arg("var", "pg_num").arg("val", "256");
    assert!(matches!(work.actions.pop(), Some(Action::Operation(Operation::Update { .. }))));
    assert_eq!(work.actions, [Action::Mon(Box::new(command))]);
    assert!(work.health.checks.is_empty());
}

/// What `progress` is told, without the event's id.
fn events(work: Work) -> Vec<String> {
    let told = |action| match action {
        Action::Operation(Operation::Update { message, progress, refs, .. }) => {
            Some(format!("{message}: {progress} {refs}"))
        }
        Action::Operation(other) => Some(format!("{other:?}").chars().take_while(|c| *c != ' ').collect()),
        _ => None,
    };
    work.actions.into_iter().filter_map(told).collect()
}

#[test]
fn a_pool_on_its_way_is_an_event_until_it_has_arrived() {
    let told: &[_] = &[(TARGET_SIZE_RATIO, PoolOpt::Double(0.9))];
    let mut state = state(&[TEN], &[(0, 2, 0, told)]);
    let mut memory = Memory::default();
    let mut step = |state: &mut State, numbers: Option<(u32, u32)>| {
        let pools = Arc::make_mut(&mut Arc::make_mut(&mut state.osd_map).pools);
        match numbers {
            Some((pg_num, target)) => {
                let pool = Arc::make_mut(pools.get_mut(&1).unwrap());
                (pool.pg_num, pool.pg_num_target) = (pg_num, target);
            }
            None => pools.clear(),
        }
        events(tick(state, UTime::ZERO, &mut memory))
    };
    let at =
        |share: &str| [format!("PG autoscaler increasing pool 1 PGs from 32 to 256: {share} [[\"pool\",1]]")];
    assert_eq!(step(&mut state, Some((32, 32))), at("0"));
    assert_eq!(step(&mut state, Some((32, 256))), at("0"));
    assert_eq!(step(&mut state, Some((144, 256))), at("0.5"));
    assert_eq!(step(&mut state, Some((256, 256))), ["Complete"]);
    assert_eq!(step(&mut state, Some((256, 256))), [""; 0]);
    // Too many now; and the pool is removed meanwhile.
    let down = "PG autoscaler decreasing pool 1 PGs from 2048 to 256: 0 [[\"pool\",1]]";
    assert_eq!(step(&mut state, Some((2048, 2048))), [down]);
    assert_eq!(step(&mut state, None), ["Complete"]);
}

#[test]
fn no_autoscaling_ends_the_events() {
    let told: &[_] = &[(TARGET_SIZE_RATIO, PoolOpt::Double(0.9))];
    let state = state(&[TEN], &[(0, 2, 0, told)]);
    let mut memory = Memory::default();
    assert_eq!(events(tick(&state, UTime::ZERO, &mut memory)).len(), 1);
    let (_, row) = crate::find_command("osd pool set noautoscale", state.release).unwrap();
    let ask = axon_core::commands::Ask {
        command: &Command::plain("osd pool set noautoscale"),
        state: &state,
        now: UTime::ZERO,
    };
    let actions = row.run(&ask, &mut memory).actions;
    assert!(matches!(actions.last(), Some(Action::Operation(Operation::Complete { .. }))), "{actions:?}");
}

#[test]
fn bulk_pools_share_what_is_left() {
    let bulk = (0, 2, pool_flag::BULK, &[][..]);
    assert_eq!(wanted(&state(&[TEN], &[bulk])), [("p1".to_owned(), 256, true)]);
    let two = wanted(&state(&[TEN], &[bulk, bulk]));
    assert_eq!(two.iter().map(|p| p.1).collect::<Vec<_>>(), [128, 128]);
}

#[test]
fn pools_of_overlapping_roots_are_left_alone() {
    let pool = |rule| (rule, 2, pool_flag::BULK, &[][..]);
    let state = state(&[&[0, 1, 2], &[2, 3], &[4, 5, 6]], &[pool(0), pool(1), pool(2)]);
    let names: Vec<_> = wanted(&state).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["p3"]);
}

#[test]
fn a_pool_that_only_warns_and_targets_that_do_not_fit_are_health_checks() {
    let both: &[_] = &[(TARGET_SIZE_RATIO, PoolOpt::Double(1.0)), (TARGET_SIZE_BYTES, PoolOpt::Int(5))];
    let large: &[_] = &[(TARGET_SIZE_BYTES, PoolOpt::Int(400 * GIB))];
    let state = state(&[TEN], &[(0, 1, 0, both), (0, 0, 0, large)]);
    let work = tick(&state, UTime::ZERO, &mut Memory::default());
    assert!(work.actions.is_empty());
    let detail = |code: &str| work.health.checks[code].detail.join("\n");
    assert_eq!(
        detail("POOL_TARGET_SIZE_BYTES_OVERCOMMITTED"),
        "Pools ['p1', 'p2'] overcommit available storage by 1.200x due to target_size_bytes 1200G on pools ['p2']"
    );
    assert_eq!(
        detail("POOL_HAS_TARGET_SIZE_BYTES_AND_RATIO"),
        "Pool p1 has target_size_bytes and target_size_ratio set"
    );
}

#[test]
fn nobody_scales_while_the_flag_is_set() {
    let mut state = state(&[TEN], &[(0, 2, pool_flag::BULK, &[][..])]);
    Arc::make_mut(&mut state.osd_map).flags |= map_flag::NOAUTOSCALE;
    assert!(tick(&state, UTime::ZERO, &mut Memory::default()).actions.is_empty());
    assert_eq!(Status::of(&state).pools[0].mode, "off");
}
