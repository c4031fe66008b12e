//! What daemons may do to the manager: a bad peer harms only its own session.

use super::super::testing::{NO_COUNTERS, at_ms, chosen, closed, osd, sent_to, session};
use super::*;
use crate::owner::Effect;
use axon_net::listener::SessionId;
use axon_proto::msgs::config::MConfig;
use axon_proto::msgs::mgr_report::PerfCounterType;
use axon_proto::pg::{Pg, PgStat};
use bytes::Bytes;

const ONE_COUNTER: &[u8] = b"\x01\x01\x08\0\0\0\x05\0\0\0\0\0\0\0";

fn key(osd: u64) -> DaemonKey {
    DaemonKey::new("osd", osd.to_string())
}

fn open(owner: &mut Owner, id: SessionId) {
    let daemon_name = owner.session(id).map(|s| s.entity.id.clone()).unwrap_or_default();
    let open = MMgrOpen { daemon_name, ..Default::default() };
    owner.handle_daemon_message(id, Message::from(open), at_ms(0));
}

fn report(name: &str, declare: &[&str], packed: &'static [u8]) -> MMgrReport {
    let counter = |path: &&str| PerfCounterType {
        path: (*path).to_owned(),
        description: String::new(),
        nick: String::new(),
        kind: PerfCounterType::U64,
        priority: 10,
        unit: 1,
    };
    MMgrReport {
        daemon_name: name.to_owned(),
        declare_types: declare.iter().map(counter).collect(),
        packed: Bytes::from_static(packed),
        ..Default::default()
    }
}

/// What a message on a session makes the owner do.
fn hear(owner: &mut Owner, id: SessionId, message: impl Into<Message>) -> Vec<Effect> {
    owner.handle_daemon_message(id, message.into(), at_ms(1));
    owner.take_effects()
}

fn value(owner: &Owner, osd: u64) -> Option<u64> {
    let daemon = owner.state.perf.daemon(&key(osd))?;
    Some(daemon.history("osd.op").last()?.value)
}

/// OSDs 0 and 1, each with one counter that is 5.
fn two_reporting() -> (Owner, [SessionId; 2]) {
    let (mut owner, _) = chosen();
    let ids = [osd(&mut owner, 0), osd(&mut owner, 1)];
    for id in ids {
        open(&mut owner, id);
        let report = report(&id.0.to_string(), &["osd.op"], ONE_COUNTER);
        assert!(closed(&hear(&mut owner, id, report)).is_empty());
    }
    (owner, ids)
}

#[test]
fn counters_that_cannot_be_read_cost_their_own_session_only() {
    for garbage in [&b""[..], b"\x01", b"\x01\x01\x04\0\0\0\x05\0\0\0", b"\x01\x09\0\0\0\0"] {
        let (mut owner, [bad, good]) = two_reporting();
        let effects = hear(&mut owner, bad, report("0", &[], garbage));
        assert_eq!(closed(&effects), [bad], "{garbage:?}");
        assert!(owner.session(bad).is_none() && owner.session(good).is_some());
        assert_eq!((value(&owner, 0), value(&owner, 1)), (Some(5), Some(5)), "what was known stays");
        assert!(closed(&hear(&mut owner, good, report("1", &[], ONE_COUNTER))).is_empty());
        assert!(hear(&mut owner, bad, report("0", &[], ONE_COUNTER)).is_empty(), "nobody listens any more");
    }
}

#[test]
fn values_that_were_never_declared_are_no_counters() {
    let (mut owner, _) = chosen();
    let id = osd(&mut owner, 0);
    open(&mut owner, id);
    let effects = hear(&mut owner, id, report("0", &[], ONE_COUNTER));
    assert!(closed(&effects).is_empty(), "{effects:?}");
    assert_eq!(value(&owner, 0), None);
}

#[test]
fn a_daemon_that_reconnects_starts_its_counters_anew_and_keeps_the_newer_session() {
    let (mut owner, [old, _]) = two_reporting();
    let new = SessionId(20);
    owner.handle_session(new, session("osd.0", 0));
    open(&mut owner, new);
    owner.handle_session_end(old);
    assert_eq!(value(&owner, 0), None);
    assert!(closed(&hear(&mut owner, new, report("0", &["osd.op"], ONE_COUNTER))).is_empty());
    assert_eq!(value(&owner, 0), Some(5));
    owner.handle_to_osd(0, Message::from(MMgrClose::default()));
    assert_eq!(sent_to(&owner.take_effects(), new), ["MMgrClose"]);
}

#[test]
fn a_daemon_that_is_not_described_yet_is_asked_about_once_and_comes_back() {
    let (mut owner, _) = chosen();
    let id = osd(&mut owner, 5);
    open(&mut owner, id);
    let effects = owner.take_effects();
    assert_eq!(closed(&effects), [id]);
    let asked =
        |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::FetchMetadata { .. })).count();
    assert_eq!(asked(&effects), 1);
    osd(&mut owner, 5);
    let effects = hear(&mut owner, id, report("5", &[], NO_COUNTERS));
    assert_eq!((closed(&effects), asked(&effects)), (vec![id], 0));
}

#[test]
fn nobody_speaks_for_another_daemon() {
    let lies: [(&str, &str, &str); 5] = [
        ("osd.0", "", "1"),
        ("osd.0", "mds", "0"),
        ("mds.a", "", "b"),
        ("client.rgw", "osd", "1"),
        ("client.rgw", "mon", "a"),
    ];
    for (entity, service, name) in lies {
        let (mut owner, _) = two_reporting();
        let id = SessionId(30);
        let messages: [Message; 4] = [
            MMgrOpen {
                daemon_name: name.into(),
                service_name: service.into(),
                service_daemon: !service.is_empty(),
                ..Default::default()
            }
            .into(),
            MMgrReport {
                service_name: service.into(),
                ..report(name, &["osd.op"], b"\x01\x01\x08\0\0\0\x09\0\0\0\0\0\0\0")
            }
            .into(),
            MMgrUpdate {
                daemon_name: name.into(),
                service_name: service.into(),
                need_metadata_update: true,
                daemon_metadata: [("hostname".to_owned(), "elsewhere".to_owned())].into(),
                ..Default::default()
            }
            .into(),
            MMgrClose { daemon_name: name.into(), service_name: service.into() }.into(),
        ];
        for message in messages {
            let what = message.name();
            owner.handle_session(id, session(entity, 4));
            owner.take_effects();
            assert_eq!(closed(&hear(&mut owner, id, message)), [id], "{entity} as {service}.{name}: {what}");
        }
        let daemon = owner.state.daemons.daemon(&key(1)).map(|d| d.hostname.clone());
        assert_eq!(
            (daemon.as_deref(), value(&owner, 1)),
            (Some("h"), Some(5)),
            "{entity} as {service}.{name}"
        );
    }
}

#[test]
fn a_monitor_may_name_its_own_service() {
    let (mut owner, _) = chosen();
    owner.handle_all_metadata(vec![("mon", serde_json::json!([{"name": "a", "hostname": "h"}]))]);
    let id = SessionId(9);
    owner.handle_session(id, session("mon.", 0));
    let told = MMgrReport { service_name: "mon".into(), ..report("a", &[], NO_COUNTERS) };
    assert!(closed(&hear(&mut owner, id, told)).is_empty());
}

#[test]
fn a_client_that_is_no_service_may_not_report() {
    let (mut owner, _) = chosen();
    let id = SessionId(9);
    owner.handle_session(id, session("client.admin", 4100));
    assert_eq!(closed(&hear(&mut owner, id, report("admin", &[], NO_COUNTERS))), [id]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_left_out() {
    let (mut owner, [id, _]) = two_reporting();
    let told =
        MMgrReport { config_bl: Bytes::from_static(b"\xff\xff\xff\xff"), ..report("0", &[], ONE_COUNTER) };
    assert!(closed(&hear(&mut owner, id, told)).is_empty());
    assert!(owner.state.daemons.daemon(&key(0)).is_some_and(|d| d.config.is_empty()));
}

#[test]
fn statistics_of_pgs_count_only_from_osds_of_the_map() {
    for entity in ["client.5", "osd.5", "mds.0"] {
        let (mut owner, _) = chosen();
        let id = SessionId(9);
        owner.handle_session(id, session(entity, 5));
        let stats =
            MPGStats { pg_stat: [(Pg::new(1, 0), PgStat::unreported())].into(), ..Default::default() };
        hear(&mut owner, id, stats);
        owner.send_report(at_ms(60_000));
        assert!(owner.state.pg_map.osd_stat.is_empty() && owner.state.pg_map.pg_stat.is_empty(), "{entity}");
        assert!(owner.session(id).is_some());
    }
}

#[test]
fn daemons_hear_of_a_new_period_and_only_then() {
    let (mut owner, [a, b]) = two_reporting();
    owner.handle_session(SessionId(40), session("client.admin", 4100));
    let mut config = |pairs: &[(&str, &str)]| {
        let config = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        owner.handle_mon_message(Message::from(MConfig { config }), at_ms(1));
        owner.take_effects()
    };
    let effects = config(&[("mgr_stats_period", "1"), ("mgr_stats_threshold", "8")]);
    for id in [a, b] {
        assert_eq!(sent_to(&effects, id), ["MMgrConfigure"]);
    }
    let told = effects.iter().find_map(|e| match e {
        Effect::ToDaemon(id, Message::MMgrConfigure(m)) if *id == a => {
            Some((m.stats_period, m.stats_threshold))
        }
        _ => None,
    });
    assert_eq!(told, Some((1, 8)));
    assert_eq!(sent_to(&effects, SessionId(40)), [""; 0], "a client does not report");
    let again = config(&[("mgr_stats_period", "1"), ("mgr_stats_threshold", "8"), ("mgr_tick_period", "1")]);
    assert!(sent_to(&again, a).is_empty());
    assert_eq!(sent_to(&config(&[]), a), ["MMgrConfigure"], "back to the defaults");
}

#[test]
fn performance_queries_reach_daemons_and_their_answers_come_back() {
    use axon_core::perf_queries::parse;
    use axon_proto::perf_metric::{CounterDescriptor, PerfMetricReport, VarList};
    let (mut owner, cluster) = chosen();
    let (first, late) = (osd(&mut owner, 0), osd(&mut owner, 1));
    open(&mut owner, first);
    owner.take_effects();
    let asked = serde_json::json!({
        "key_descriptor": [{"type": "pool_id", "regex": "^(.+)$"}],
        "performance_counter_descriptors": ["ops"]});
    let (query, limit) = parse(Kind::Osd, &asked).unwrap();
    let id = cluster.perf_queries().add(Kind::Osd, query.clone(), limit);
    owner.handle_perf_queries_changed();
    open(&mut owner, late);
    for effect in owner.take_effects() {
        let Effect::ToDaemon(_, Message::MMgrConfigure(told)) = effect else { panic!("{effect:?}") };
        assert!(told.osd_perf_metric_queries.contains_key(&query), "{told:?}");
    }
    let answer = PerfMetricReport {
        performance_counter_descriptors: VarList(vec![CounterDescriptor { kind: 0 }]),
        group_packed_performance_counters: [(
            vec![vec!["2".to_owned()]],
            Bytes::from_static(b"\x05\0\0\0\0\0\0\0"),
        )]
        .into(),
    };
    for (id, name) in [(first, "0"), (late, "1")] {
        let mut report = report(name, &["osd.op"], ONE_COUNTER);
        report.osd_perf_metric_reports = [(query.clone(), answer.clone())].into();
        hear(&mut owner, id, report);
    }
    assert_eq!(
        cluster.perf_queries().take_json(Kind::Osd, id).unwrap(),
        serde_json::json!({"counters": [{"k": [["2"]], "c": [[10, 0]]}]})
    );
}
