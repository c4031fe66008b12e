//! What a change of the active manager leaves behind, and what it must not.

use super::testing::{NO_COUNTERS, at_ms, chosen, osd, standby};
use super::{Effect, Owner};
use axon_core::daemons::DaemonKey;
use axon_proto::mgr_map::{MgrMap, StandbyInfo};
use axon_proto::msgs::mgr_digest::MMgrDigest;
use axon_proto::msgs::mgr_map::MMgrMap;
use axon_proto::msgs::mgr_open::MMgrOpen;
use axon_proto::msgs::mgr_report::MMgrReport;
use axon_proto::{Message, UTime};
use std::sync::Arc;

/// The monitors' map: this manager is gid 7.
fn map(owner: &mut Owner, active_gid: u64, standbys: &[u64]) -> Vec<Effect> {
    let standbys = standbys.iter().map(|gid| (*gid, StandbyInfo { gid: *gid, ..Default::default() }));
    let map = MgrMap { epoch: 5, active_gid, standbys: standbys.collect(), ..Default::default() };
    hear(owner, map)
}

fn hear(owner: &mut Owner, map: MgrMap) -> Vec<Effect> {
    owner.handle_mon_message(Message::from(MMgrMap { map }), at_ms(0));
    owner.take_effects()
}

fn is_beacon(effect: &Effect) -> bool {
    matches!(effect, Effect::ToMon(Message::MMgrBeacon(_)))
}

#[test]
fn what_daemons_told_is_forgotten_with_the_activation() {
    let (mut owner, _) = chosen();
    let (id, key) = (osd(&mut owner, 0), DaemonKey::new("osd", "0"));
    let open = MMgrOpen { daemon_name: "0".to_owned(), ..Default::default() };
    owner.handle_daemon_message(id, Message::from(open), at_ms(0));
    let report = MMgrReport { daemon_name: "0".to_owned(), packed: NO_COUNTERS.into(), ..Default::default() };
    owner.handle_daemon_message(id, Message::from(report), at_ms(1));
    Arc::make_mut(&mut owner.state.daemons).update(&key, |d| d.last_service_beacon = at_ms(1));
    owner.state.pg_ready = true;
    assert!(owner.state.perf.daemon(&key).is_some());

    map(&mut owner, 8, &[7]);
    assert!(owner.state.perf.daemon(&key).is_none(), "counters of an hour ago make no rates");
    assert!(owner.state.daemons.daemon(&key).is_none(), "nor is silence since then a daemon's death");
    assert!(!owner.state.pg_ready, "nor are placement groups as they were");
    assert_eq!(owner.state.pg_map.num_pg(), 0);
}

#[test]
fn a_map_that_only_says_no_demotes_and_is_not_kept() {
    let (mut owner, _) = chosen();
    let kept = owner.state.mgr_map.clone();
    let null = MgrMap { epoch: u32::MAX, ..Default::default() };
    let effects = hear(&mut owner, null);
    assert!(effects.iter().any(|e| matches!(e, Effect::Deactivate)), "{effects:?}");
    assert!(Arc::ptr_eq(&kept, &owner.state.mgr_map));
}

#[test]
fn who_leaves_says_goodbye_where_that_helps() {
    let told = |active: u64, standbys: &[u64]| {
        let (mut owner, _) = standby();
        map(&mut owner, active, standbys);
        owner.farewell().map(|command| command.to_json())
    };
    let goodbye = Some(r#"{"prefix":"mgr fail","format":"json","who":"7"}"#.to_owned());
    assert_eq!(told(7, &[8]), goodbye, "the standby takes over");
    assert_eq!(told(7, &[]), None, "nobody could");
    assert_eq!(told(8, &[7, 9]), goodbye, "nobody counts on this standby any more");
    assert_eq!(told(8, &[9]), None, "the map does not have it");
}

#[test]
fn who_leaves_does_not_come_back_by_a_beacon() {
    let (mut owner, _) = standby();
    owner.handle_tick(UTime::ZERO);
    assert!(owner.take_effects().iter().any(is_beacon));
    owner.handle_leaving();
    owner.handle_tick(UTime::ZERO);
    assert!(!owner.take_effects().iter().any(is_beacon));
}

#[test]
fn who_becomes_active_subscribes_to_digests_anew() {
    let (mut owner, _) = standby();
    let effects = map(&mut owner, 7, &[]);
    assert!(effects.iter().any(|e| matches!(e, Effect::AskDigest)), "{effects:?}");
    let effects = map(&mut owner, 7, &[8]);
    assert!(!effects.iter().any(|e| matches!(e, Effect::AskDigest)), "once");
}

#[test]
fn a_digest_that_does_not_come_is_asked_for_again() {
    let (mut owner, _) = standby();
    let asked_at = |owner: &mut Owner, secs: u32| {
        owner.handle_tick(UTime { sec: secs, nsec: 0 });
        owner.take_effects().iter().any(|e| matches!(e, Effect::AskDigest))
    };
    assert!(!asked_at(&mut owner, 100), "the first one is on its way");
    assert!(!asked_at(&mut owner, 119));
    assert!(asked_at(&mut owner, 121));
    assert!(!asked_at(&mut owner, 123), "once");
    let digest = MMgrDigest { mon_status_json: "{}".into(), health_json: "{}".into() };
    owner.handle_mon_message(Message::from(digest), UTime { sec: 135, nsec: 0 });
    owner.take_effects();
    assert!(!asked_at(&mut owner, 154));
    assert!(asked_at(&mut owner, 155));
    assert!(!asked_at(&mut owner, 50), "the clock was set back");
    assert!(asked_at(&mut owner, 70));
}
