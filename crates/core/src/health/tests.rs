//! Each check on a small map: silent when all is well, told in upstream's words when it is not.

use super::{HealthOptions, Subject, checks};
use crate::pg_map::test_map::{Facts, at, pg, report};
use crate::pg_map::{Pending, PgMap};
use axon_proto::Release;
use axon_proto::health::{HealthCheckMap, HealthStatus};
use axon_proto::pg::{HbInterfaces, PgStat, PgState};

const NOW: u32 = 2000;

/// Three OSDs and four PGs reported at 1002, each PG changed by `edit`.
fn map(facts: &Facts, edit: impl Fn(u32, &mut PgStat)) -> PgMap {
    let (mut map, mut pending) = (PgMap::default(), Pending::default());
    pending.follow(&map, facts, at(1000));
    map.settle(&mut pending, at(1000));
    let pgs = (0..4).map(|seed| {
        let mut stat = pg(1, [0, 1, 2]);
        for stamp in [&mut stat.last_scrub_stamp, &mut stat.last_deep_scrub_stamp, &mut stat.last_change] {
            *stamp = at(NOW - 100);
        }
        edit(seed, &mut stat);
        (seed, stat)
    });
    pending.report(&map, facts, 0, report(1, pgs));
    map.settle(&mut pending, at(1002));
    map
}

fn of(facts: &Facts, map: &PgMap) -> HealthCheckMap {
    of_release(facts, map, Release::Tentacle)
}

fn of_release(facts: &Facts, map: &PgMap, release: Release) -> HealthCheckMap {
    let options = HealthOptions::default();
    checks(&Subject { map, osds: facts, options: &options, release, now: at(NOW) })
}

#[test]
fn a_map_that_is_well_has_no_checks() {
    let facts = Facts::small(3, 4);
    assert_eq!(of(&facts, &map(&facts, |_, _| ())), HealthCheckMap::default());
}

#[test]
fn degraded_pgs_are_told_at_once_with_the_objects() {
    let facts = Facts::small(3, 4);
    let map = map(&facts, |seed, stat| {
        if seed < 2 {
            stat.state = stat.state.with(PgState::DEGRADED).with(PgState::UNDERSIZED);
            stat.stats.num_objects_degraded = 5;
            stat.last_fullsized = at(NOW - 30);
            stat.acting = vec![0, 1];
        }
    });
    let found = of(&facts, &map);
    let check = &found.checks["PG_DEGRADED"];
    assert_eq!(check.summary, "Degraded data redundancy: 10/120 objects degraded (8.333%), 2 pgs degraded");
    assert_eq!((check.severity, check.count), (HealthStatus::WARN, 2));
    assert_eq!(
        check.detail[0],
        "pg 1.0 is active+undersized+degraded+clean, acting [0,1]"
            .replace("+undersized+degraded+clean", "+clean+undersized+degraded")
    );
    assert_eq!(found.checks.len(), 1);
}

#[test]
fn an_inactive_pg_is_told_once_it_is_stuck() {
    let facts = Facts::small(3, 4);
    let since = |secs| {
        map(&facts, move |seed, stat| {
            if seed == 3 {
                stat.state = PgState::PEERING;
                stat.last_active = at(NOW - secs);
                stat.last_peered = at(NOW - secs);
            }
        })
    };
    assert!(of(&facts, &since(30)).checks.is_empty());
    let found = of(&facts, &since(300));
    let check = &found.checks["PG_AVAILABILITY"];
    assert_eq!(check.summary, "Reduced data availability: 1 pg inactive, 1 pg peering");
    assert_eq!(check.detail, ["pg 1.3 is stuck peering for 5m, current state peering, last acting [0,1,2]"]);
}

#[test]
fn damage_is_an_error() {
    let facts = Facts::small(3, 4);
    let map = map(&facts, |seed, stat| {
        if seed == 1 {
            stat.state = stat.state.with(PgState::INCONSISTENT).without(PgState::CLEAN);
            stat.stats.num_scrub_errors = 2;
            stat.stats.num_objects_unfound = 1;
        }
    });
    let found = of(&facts, &map);
    assert_eq!(found.checks["PG_DAMAGED"].summary, "Possible data damage: 1 pg inconsistent");
    assert_eq!(found.checks["PG_DAMAGED"].severity, HealthStatus::ERR);
    assert_eq!(
        found.checks["PG_DAMAGED"].detail,
        ["pg 1.1 is active+inconsistent, acting [0,1,2], 1 unfound"]
    );
    assert_eq!(found.checks["OSD_SCRUB_ERRORS"].summary, "2 scrub errors");
    assert_eq!(found.checks["OBJECT_UNFOUND"].summary, "1/40 objects unfound (2.500%)");
    assert_eq!(found.checks["OBJECT_UNFOUND"].detail, ["pg 1.1 has 1 unfound objects"]);
}

#[test]
fn pools_without_application_and_near_their_quota_are_told() {
    let mut facts = Facts::small(3, 4);
    let pool = facts.pools.get_mut(&1).unwrap();
    pool.has_application = false;
    pool.quota_max_objects = 45;
    pool.pg_num_target = 8;
    let map = map(&facts, |_, _| ());
    let options = HealthOptions { mon_pool_quota_warn_threshold: 80, ..Default::default() };
    let subject =
        Subject { map: &map, osds: &facts, options: &options, release: Release::Pacific, now: at(NOW) };
    let found = checks(&subject);
    let app = &found.checks["POOL_APP_NOT_ENABLED"];
    assert_eq!(app.summary, "1 pool(s) do not have an application enabled");
    assert_eq!((app.detail[0].as_str(), app.detail.len()), ("application not enabled on pool 'rbd'", 2));
    assert_eq!(found.checks["POOL_NEAR_FULL"].detail, ["pool 'rbd' has 40 objects (max 45)"]);
    assert_eq!(found.checks["SMALLER_PGP_NUM"].detail, ["pool rbd pg_num 8 > pgp_num 4"]);
    facts.pools.get_mut(&1).unwrap().create_time = at(NOW - 10);
    assert!(!of(&facts, &map).checks.contains_key("POOL_APP_NOT_ENABLED"), "a new pool has a grace");
}

#[test]
fn osds_too_few_with_alerts_or_slow_pings_are_told() {
    let facts = Facts::small(2, 4);
    let mut map = map(&facts, |_, _| ());
    let mut stat = axon_proto::pg::OsdStat::clone(&map.osd_stat[&0]);
    stat.os_alerts = [(0, [("BLUEFS_SPILLOVER".to_owned(), "spilled over".to_owned())].into())].into();
    stat.num_shards_repaired = 11;
    stat.hb_pingtime = [(
        1,
        HbInterfaces {
            last_update: NOW,
            back_pingtime: [1_100_000, 1_200_000, 1_234_567],
            ..Default::default()
        },
    )]
    .into();
    map.put_osd_for_test(0, stat);
    let found = of(&facts, &map);
    assert_eq!(found.checks["TOO_FEW_OSDS"].summary, "OSD count 2 < osd_pool_default_size 3");
    assert_eq!(found.checks["BLUEFS_SPILLOVER"].summary, "1 OSD(s) experiencing BlueFS spillover");
    assert_eq!(found.checks["BLUEFS_SPILLOVER"].detail, [" osd.0 spilled over"]);
    assert_eq!(found.checks["OSD_TOO_MANY_REPAIRS"].detail, ["osd.0 had 11 reads repaired"]);
    let slow = &found.checks["OSD_SLOW_PING_TIME_BACK"];
    assert_eq!(slow.summary, "Slow OSD heartbeats on back (longest 1234.567ms)");
    assert_eq!(
        slow.detail,
        ["Slow OSD heartbeats on back from osd.0 [] to osd.1 [] 1234.567 msec possibly improving"]
    );
}

#[test]
fn overdue_scrubs_and_long_snap_trim_queues_are_told() {
    let facts = Facts::small(3, 4);
    let map = map(&facts, |seed, stat| {
        if seed == 2 {
            stat.last_scrub_stamp = at(5);
            stat.snaptrimq_len = 40_000;
        }
    });
    let options = HealthOptions { osd_scrub_max_interval: 1000.0, ..Default::default() };
    let subject =
        Subject { map: &map, osds: &facts, options: &options, release: Release::Reef, now: at(NOW) };
    let found = checks(&subject);
    assert_eq!(found.checks["PG_NOT_SCRUBBED"].summary, "1 pgs not scrubbed in time");
    assert_eq!(found.checks["PG_NOT_SCRUBBED"].detail, ["pg 1.2 not scrubbed since 5.000000"]);
    let trim = &found.checks["PG_SLOW_SNAP_TRIMMING"];
    assert_eq!(trim.summary, "snap trim queue for 1 pg(s) >= 32768 (mon_osd_snap_trim_queue_warn_on)");
    assert_eq!(trim.detail[1], "longest queue on pg 1.2 at 40000");
}

#[test]
fn pacific_speaks_of_pools_without_application_only_when_they_have_objects() {
    let mut facts = Facts::small(3, 4);
    facts.pools.values_mut().for_each(|pool| pool.has_application = false);
    let (used, empty) = (map(&facts, |_, _| ()), map(&facts, |_, stat| stat.stats = Default::default()));
    let told = |map, release| of_release(&facts, map, release).checks.contains_key("POOL_APP_NOT_ENABLED");
    assert!(told(&used, Release::Pacific) && !told(&empty, Release::Pacific));
    assert!(told(&empty, Release::Reef));
}

#[test]
fn pacific_shows_a_hole_as_its_number() {
    let facts = Facts::small(3, 4);
    let map = map(&facts, |_, stat| {
        stat.state = stat.state.with(PgState::DEGRADED);
        stat.acting = vec![0, i32::MAX, 2];
    });
    let first = |release| of_release(&facts, &map, release).checks["PG_DEGRADED"].detail[0].clone();
    assert!(first(Release::Pacific).ends_with("acting [0,2147483647,2]"), "{}", first(Release::Pacific));
    assert!(first(Release::Reef).ends_with("acting [0,NONE,2]"), "{}", first(Release::Reef));
}
