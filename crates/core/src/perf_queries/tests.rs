use super::*;
use axon_proto::perf_metric::{SubKeyDescriptor, VarList};
use bytes::Bytes;
use serde_json::json;

fn query(counters: &[u8]) -> PerfMetricQuery {
    PerfMetricQuery {
        key_descriptor: VarList(vec![SubKeyDescriptor { kind: 2, regex: "^(.+)$".to_owned() }]),
        performance_counter_descriptors: descriptors(counters),
    }
}

fn descriptors(kinds: &[u8]) -> VarList<CounterDescriptor> {
    VarList(kinds.iter().map(|kind| CounterDescriptor { kind: *kind }).collect())
}

fn key(text: &str) -> Key {
    vec![vec![text.to_owned()]]
}

/// A report of one key.
fn report(kinds: &[u8], text: &str, values: &[u64]) -> PerfMetricReport {
    let packed: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    PerfMetricReport {
        performance_counter_descriptors: descriptors(kinds),
        group_packed_performance_counters: [(key(text), Bytes::from(packed))].into(),
    }
}

const LIMIT: PerfMetricLimit = PerfMetricLimit { order_by: CounterDescriptor { kind: 0 }, max_count: 9 };

#[test]
fn what_osds_report_adds_up_until_it_is_read() {
    let queries = PerfQueries::default();
    let (first, second) =
        (queries.add(Kind::Osd, query(&[0, 6]), None), queries.add(Kind::Osd, query(&[0, 6]), Some(LIMIT)));
    for _ in 0..2 {
        queries.apply_osd(&[(query(&[0, 6]), report(&[0, 6], "1", &[5, 700, 7]))].into());
    }
    let expected = BTreeMap::from([(key("1"), vec![(10, 0), (1400, 14)])]);
    for id in [first, second] {
        assert_eq!(queries.take_counters(Kind::Osd, id).unwrap().by_key, expected);
        assert_eq!(queries.take_counters(Kind::Osd, id).unwrap(), Counters::default());
    }
    queries.apply_osd(&[(query(&[0, 6]), report(&[0, 6], "1", &[5, 700, 7]))].into());
    assert_eq!(
        queries.take_json(Kind::Osd, first).unwrap(),
        json!({"counters": [{"k": [["1"]], "c": [[5, 0], [700, 7]]}]})
    );
    assert_eq!(queries.take_counters(Kind::Osd, 9), None);
}

#[test]
fn what_mdss_report_replaces_what_they_said_before() {
    let queries = PerfQueries::default();
    let id = queries.add(Kind::Mds, query(&[0]), None);
    let report = |value| MdsPerfMetricReport {
        reports: [(query(&[0]), report(&[0], "0", &[value, 1]))].into(),
        rank_metrics_delayed: [1, 2].into(),
    };
    queries.apply_mds(&report(5), 10.0);
    queries.apply_mds(&report(6), 12.5);
    assert_eq!(
        queries.take_json(Kind::Mds, id).unwrap(),
        json!({"metrics": [["1,2"], [{"k": [["0"]], "c": [[6, 1]]}], [12.5]]})
    );
}

#[test]
fn a_daemon_that_knows_fewer_counters_or_stops_early_sends_what_it_has() {
    let queries = PerfQueries::default();
    let id = queries.add(Kind::Osd, query(&[0, 6, 3]), None);
    let newest = |kinds: &[u8], values: &[u64]| {
        queries.apply_osd(&[(query(&[0, 6, 3]), report(kinds, "1", values))].into());
        queries.take_counters(Kind::Osd, id).unwrap().by_key[&key("1")].clone()
    };
    assert_eq!(newest(&[0, 3], &[5, 9]), [(5, 0), (0, 0), (9, 0)]);
    assert_eq!(newest(&[0, 6, 3], &[5, 700]), [(5, 0), (0, 0), (0, 0)]);
}

#[test]
fn daemons_are_told_of_a_query_that_is_new_and_of_limits_that_change() {
    let queries = PerfQueries::default();
    let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = told.clone();
    queries.on_change(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let changed = || !queries.take_changed().is_empty();
    let unlimited = queries.add(Kind::Osd, query(&[0]), None);
    assert!(changed());
    let same = queries.add(Kind::Osd, query(&[0]), None);
    assert!(!changed(), "they are asked already");
    assert!(queries.remove(Kind::Osd, same) && !changed());
    let limited = queries.add(Kind::Osd, query(&[0]), Some(LIMIT));
    assert!(!changed(), "upstream's rule: one with a limit changes nothing by its coming");
    assert_eq!(queries.queries(Kind::Osd)[&query(&[0])], [LIMIT].into());
    assert!(queries.remove(Kind::Osd, unlimited) && changed());
    assert!(queries.remove(Kind::Osd, limited) && changed());
    assert!(queries.queries(Kind::Osd).is_empty() && !queries.remove(Kind::Osd, limited));
    queries.reregister(Kind::Mds);
    assert_eq!(queries.take_changed(), [Kind::Mds].into());
    assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 4);
}

#[test]
fn what_nobody_asks_for_is_not_kept() {
    let queries = PerfQueries::default();
    let id = queries.add(Kind::Osd, query(&[0]), None);
    queries.apply_osd(&[(query(&[3]), report(&[3], "1", &[5]))].into());
    assert!(queries.take_counters(Kind::Osd, id).unwrap().by_key.is_empty());
    queries.clear();
    queries.apply_osd(&[(query(&[0]), report(&[0], "1", &[5]))].into());
    assert_eq!(queries.take_counters(Kind::Osd, id), None);
    assert!(queries.add(Kind::Osd, query(&[0]), None) > id, "an id is never used twice");
}

#[test]
fn keys_are_bounded_in_number_and_bytes() {
    let queries = PerfQueries::default();
    let id = queries.add(Kind::Osd, query(&[0]), None);
    let many = |count: usize, len: usize| {
        let mut out = report(&[0], "1", &[1]);
        out.group_packed_performance_counters = (0..count)
            .map(|i| {
                (key(&format!("{}{i:08}", "x".repeat(len))), Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0, 0]))
            })
            .collect();
        [(query(&[0]), out)].into()
    };
    queries.apply_osd(&many(KEYS_MAX + 10, 0));
    queries.apply_osd(&many(1, 0));
    let counters = queries.take_counters(Kind::Osd, id).unwrap();
    assert_eq!((counters.by_key.len(), counters.dropped), (KEYS_MAX, 10));
    assert_eq!(counters.by_key[&key("00000000")], [(2, 0)], "known keys go on");
    queries.apply_osd(&many(20, (1 << 20) - 8));
    let counters = queries.take_counters(Kind::Osd, id).unwrap();
    assert_eq!((counters.by_key.len(), counters.dropped), (16, 4));
}
