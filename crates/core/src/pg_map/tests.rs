//! The map as a whole: reports in, sums and digest out.

use super::test_map::{CLEAN, Facts, at, pg, report};
use super::{Pending, PgFilter, PgMap, Stuck};
use axon_denc::{Decode, Encode, Features};
use axon_proto::Release;
use axon_proto::pg::{Pg, PgMapDump, PgShard, PgStat, PgState};
use axon_proto::pg_map_digest::PgMapDigest;

fn running() -> (PgMap, Pending, Facts) {
    let (mut map, mut pending, facts) = (PgMap::default(), Pending::default(), Facts::small(3, 4));
    pending.follow(&map, &facts, at(1000));
    map.settle(&mut pending, at(1000));
    for osd in 0..3 {
        let pgs = (0..4)
            .filter(|seed| seed % 3 == osd)
            .map(|seed| (seed as u32, pg(5, [osd, (osd + 1) % 3, (osd + 2) % 3])));
        pending.report(&map, &facts, osd, report(1, pgs));
    }
    map.settle(&mut pending, at(1002));
    (map, pending, facts)
}

/// Every sum equals that of a map that is built afresh from the same reports.
fn sums_hold(map: &PgMap) {
    let fresh = PgMap::from_dump(map.to_dump());
    assert_eq!(map.pg_sum, fresh.pg_sum);
    assert_eq!(map.osd_sum, fresh.osd_sum);
    assert_eq!(map.pg_pool_sum, fresh.pg_pool_sum);
    assert_eq!(map.num_pg_by_state, fresh.num_pg_by_state);
    assert_eq!(map.num_pg_by_pool, fresh.num_pg_by_pool);
    assert_eq!(map.pg_by_osd, fresh.pg_by_osd);
    assert_eq!(map.pg_by_spare_osd, fresh.pg_by_spare_osd);
    assert_eq!(map.blocked_by_sum, fresh.blocked_by_sum);
    assert_eq!((map.num_pg_active, map.num_pg_unknown), (fresh.num_pg_active, fresh.num_pg_unknown));
    let counts = |map: &PgMap| {
        map.num_pg_by_osd
            .iter()
            .filter(|(_, c)| **c != Default::default())
            .map(|(o, c)| (*o, *c))
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(map), counts(&fresh));
}

#[test]
fn pgs_of_a_pool_are_unknown_until_they_are_reported() {
    let (mut map, mut pending, facts) = (PgMap::default(), Pending::default(), Facts::small(3, 4));
    pending.follow(&map, &facts, at(1000));
    map.settle(&mut pending, at(1000));
    assert_eq!((map.num_pg(), map.num_pg_unknown), (4, 4));
    assert_eq!(map.oneline(), "4 pgs: 4 unknown; 0 B data, 0 B used, 0 B / 0 B avail");
    let (map, ..) = running();
    assert_eq!((map.num_pg_unknown, map.num_pg_active, map.pg_sum.stats.num_objects), (0, 4, 40));
    assert_eq!(map.oneline(), "4 pgs: 4 active+clean; 3.9 KiB data, 768 MiB used, 2.2 GiB / 3 GiB avail");
    sums_hold(&map);
}

#[test]
fn an_older_report_and_one_of_a_pg_that_no_pool_has_change_nothing() {
    let (mut map, mut pending, facts) = running();
    let mut old = pg(4, [0, 1, 2]);
    old.state = PgState::PEERING;
    pending.report(&map, &facts, 0, report(2, [(0, old), (99, pg(9, [0, 1, 2]))]));
    map.settle(&mut pending, at(1004));
    assert_eq!(map.num_pg(), 4);
    assert_eq!(map.pg_stat[&Pg::new(1, 0)].state, CLEAN);
    assert_eq!(map.osd_last_seq, [2, 1, 1]);
    sums_hold(&map);
}

#[test]
fn a_pg_whose_primary_is_down_becomes_stale_and_fresh_again() {
    let (mut map, mut pending, mut facts) = running();
    facts.osds.insert(0, (false, 0x10000));
    pending.follow(&map, &facts, at(1010));
    map.settle(&mut pending, at(1010));
    let stale: Vec<Pg> = map
        .filtered(PgFilter { state: Some(PgState::STALE), ..Default::default() })
        .map(|(pg, _)| pg)
        .collect();
    assert_eq!(stale, [Pg::new(1, 0), Pg::new(1, 3)]);
    assert_eq!(map.stuck(&[Stuck::Stale], at(1010)).count(), 0);
    assert_eq!(map.stuck(&[Stuck::Stale], at(1011)).count(), 2);
    pending.report(&map, &facts, 1, report(2, [(0, pg(6, [1, 2, 0])), (3, pg(6, [1, 2, 0]))]));
    map.settle(&mut pending, at(1012));
    assert_eq!(map.num_pg_by_state, [(CLEAN, 4)].into());
    sums_hold(&map);
}

#[test]
fn a_copy_elsewhere_is_found_by_its_osd_until_the_pg_is_well() {
    let (mut map, mut pending, facts) = running();
    let shard = |osd| PgShard { osd, shard: -1 };
    let degraded = PgStat {
        state: PgState::ACTIVE.with(PgState::DEGRADED),
        up: vec![1, 2],
        avail_no_missing: vec![shard(0), shard(2), shard(7), shard(7)],
        ..pg(6, [0, 1, 2])
    };
    pending.report(&map, &facts, 0, report(2, [(0, degraded)]));
    map.settle(&mut pending, at(1004));
    sums_hold(&map);
    assert_eq!(map.pgs_of(&[7].into()), [Pg::new(1, 0)]);
    assert_eq!(map.pgs_of(&[0, 7].into()), [0, 1, 2, 3].map(|seed| Pg::new(1, seed)));
    pending.report(&map, &facts, 0, report(3, [(0, pg(7, [0, 1, 2]))]));
    map.settle(&mut pending, at(1006));
    sums_hold(&map);
    assert_eq!(map.pgs_of(&[7].into()), []);
    assert!(map.pg_by_spare_osd.is_empty());
}

#[test]
fn a_pool_that_splits_merges_or_goes_takes_its_pgs_along() {
    let (mut map, mut pending, mut facts) = running();
    let resize = |facts: &mut Facts, pg_num| facts.pools.get_mut(&1).unwrap().pg_num = pg_num;
    for pg_num in [8, 2, 5] {
        resize(&mut facts, pg_num);
        pending.follow(&map, &facts, at(1010));
        map.settle(&mut pending, at(1010));
        assert_eq!(map.num_pg(), i64::from(pg_num));
        sums_hold(&map);
    }
    facts.pools.clear();
    pending.follow(&map, &facts, at(1012));
    map.settle(&mut pending, at(1012));
    assert_eq!((map.num_pg(), map.pg_pool_sum.len(), map.pool_statfs.len()), (0, 0, 0));
    assert_eq!(map.pg_sum, Default::default());
}

#[test]
fn an_osd_that_goes_leaves_every_sum() {
    let (mut map, mut pending, mut facts) = running();
    facts.osds.remove(&2);
    pending.follow(&map, &facts, at(1010));
    map.settle(&mut pending, at(1010));
    assert_eq!((map.osd_sum.num_osds, map.pg_pool_sum[&1].num_store_stats), (2, 2));
    assert_eq!(map.osd_last_seq, [1, 1, 0]);
    facts.osds.insert(1, (true, 0));
    pending.follow(&map, &facts, at(1012));
    map.settle(&mut pending, at(1012));
    assert_eq!(map.osd_sum.statfs.total, 1 << 30);
}

#[test]
fn rates_come_from_the_change_between_reports() {
    let (mut map, mut pending, facts) = running();
    for step in 1..=3 {
        let mut stat = pg(5 + step, [0, 1, 2]);
        stat.stats.num_wr = 100 * step as i64;
        stat.stats.num_wr_kb = 2048 * step as i64;
        pending.report(&map, &facts, 0, report(1 + step, [(0, stat)]));
        map.settle(&mut pending, at(1002 + 2 * step as u32));
    }
    assert!(
        map.oneline().ends_with("; 1024 KiB/s wr, 50 op/s")
            || map.oneline().ends_with("; 1 MiB/s wr, 50 op/s"),
        "{}",
        map.oneline()
    );
    let stats = map.pool_io_json(1, &facts.pools[&1]);
    assert_eq!(stats["client_io_rate"]["write_bytes_sec"], 1 << 20, "{stats}");
    assert_eq!(stats["client_io_rate"]["write_op_per_sec"], 50);
    assert_eq!(
        map.pool_io_text(1, &facts.pools[&1]),
        "pool rbd id 1\n  client io 1 MiB/s wr, 0 op/s rd, 50 op/s wr\n\n"
    );
}

#[test]
fn the_digest_carries_the_sums_and_reads_back() {
    let (map, _, facts) = running();
    let digest = map.digest(&facts, at(1100), 60);
    assert_eq!(PgMapDigest::from_bytes(&digest.to_bytes(Features::ALL)).unwrap(), digest);
    assert_eq!((digest.num_pg, digest.num_osd, digest.num_pg_by_pool[&1]), (4, 3, 4));
    assert_eq!(digest.osd_sum_by_class["hdd"], map.osd_sum);
    // 768 MiB free, less 5 % of 1 GiB that stay free, times three OSDs.
    let avail = digest.avail_space_by_rule[&0];
    assert!((2_254_000_000..2_255_000_000).contains(&avail), "{avail}");
    assert_eq!(digest.pool_pg_unavailable_map, [(1, vec![])].into());
}

#[test]
fn what_getmap_gives_is_the_same_map() {
    let (map, ..) = running();
    let dump = map.to_dump();
    assert_eq!(PgMapDump::from_bytes(&dump.to_bytes(Features::ALL)).unwrap(), dump);
}

#[test]
fn one_pools_space_is_that_of_the_whole_table() {
    let (map, _, facts) = running();
    let all = map.df(&facts, Release::Reef);
    assert_eq!(map.df_of_pool(1, &facts, Release::Reef).as_ref(), Some(&all["pools"][0]["stats"]));
    assert!(all["pools"][0]["stats"]["max_avail"].as_i64().unwrap() > 0);
    assert_eq!(map.df_of_pool(9, &facts, Release::Reef), None);
}
