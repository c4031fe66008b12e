//! Performance counters of daemons (`DaemonPerfCounters` in `src/mgr/DaemonState.{h,cc}`): schemas declared once per session,
//! values packed in the order of the counters' paths, the last [`SAMPLES_MAX`] reports kept.
//!
//! Invariants:
//! - daemons that declare the same counters share one schema; a daemon costs its values only;
//! - the working copy and published snapshots share samples: a report copies no history;
//! - a report whose values do not fit the declared counters is refused whole;
//! - changes are counted for as long as the manager runs, so that who has seen some of them is told the later ones only.

mod schema;

pub use schema::Schema;

use crate::daemons::DaemonKey;
use axon_denc::{DecodeError, Reader};
use axon_proto::UTime;
use axon_proto::msgs::mgr_report::{MMgrReport, PerfCounterType};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many values of a counter are kept, as upstream does.
pub const SAMPLES_MAX: usize = 20;

/// A counter at one moment. `count` belongs to averages (`LONGRUNAVG`): `value` is then the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub t: UTime,
    pub value: u64,
    pub count: u64,
}

/// One report's values: a column per counter of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sample {
    t: UTime,
    schema: Arc<Schema>,
    columns: Arc<[u64]>,
}

/// What one daemon has reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonPerf {
    schema: Arc<Schema>,
    samples: VecDeque<Sample>,
    /// Which of the index's changes was its last.
    changed: u64,
}

impl DaemonPerf {
    /// The counters that it reports.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Which of [`PerfIndex::changes`] was its last.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// The newest report: when it came, its schema and a value per column (two of an average: sum and count).
    #[must_use]
    pub fn newest(&self) -> Option<(UTime, &Schema, &[u64])> {
        self.samples.back().map(|sample| (sample.t, &*sample.schema, &*sample.columns))
    }

    /// The newest value of a counter.
    #[must_use]
    pub fn latest(&self, path: &str) -> Option<Point> {
        self.samples.back().and_then(|s| s.point(path))
    }

    /// The kept values of a counter, oldest first.
    pub fn history<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Point> + 'a {
        // Reports of one session share their schema: the column is looked up once.
        let mut schema: Option<&Arc<Schema>> = None;
        let mut column = None;
        self.samples.iter().filter_map(move |sample| {
            if !schema.is_some_and(|known| Arc::ptr_eq(known, &sample.schema)) {
                schema = Some(&sample.schema);
                column = sample.schema.column(path);
            }
            sample.at(column?)
        })
    }

    /// A counter's change per second between one kept value and the next, with the later one's time
    /// (`get_time_series_rates` of upstream's modules); of values of one moment the last counts.
    #[must_use]
    pub fn rates(&self, path: &str) -> Vec<(f64, f64)> {
        let mut rates = Vec::with_capacity(self.samples.len());
        let mut points = self.history(path).peekable();
        let mut before: Option<Point> = None;
        while let Some(point) = points.next() {
            if points.peek().is_some_and(|next| next.t == point.t) {
                continue;
            }
            if let Some(before) = before {
                rates.push((point.t.as_secs_f64(), rate_between(&before, &point)));
            }
            before = Some(point);
        }
        rates
    }

    /// Change per second between the two newest values (`get_rate` of upstream's modules); 0 where there are fewer.
    #[must_use]
    pub fn rate(&self, path: &str) -> f64 {
        let mut newest = self.samples.iter().rev().filter_map(|s| s.point(path));
        let Some(last) = newest.next() else { return 0.0 };
        // Two values of one moment have no rate: the newer one counts.
        newest.find(|before| before.t != last.t).map_or(0.0, |before| rate_between(&before, &last))
    }
}

/// Whether a counter is a sum and a count.
#[must_use]
pub fn is_average(counter: &PerfCounterType) -> bool {
    counter.kind & PerfCounterType::LONGRUNAVG != 0
}

/// Whether upstream's modules show a counter's rate instead of its value (`_stattype_to_str` is `counter`).
#[must_use]
pub fn shows_rate(counter: &PerfCounterType) -> bool {
    let kind = counter.kind & !(PerfCounterType::TIME | PerfCounterType::U64);
    kind == PerfCounterType::LONGRUNAVG || kind == PerfCounterType::COUNTER
}

/// Change per second; 0 when no time has passed.
#[must_use]
pub fn rate_between(before: &Point, last: &Point) -> f64 {
    let secs = last.t.as_secs_f64() - before.t.as_secs_f64();
    if secs <= 0.0 { 0.0 } else { (last.value as f64 - before.value as f64) / secs }
}

impl Sample {
    fn point(&self, path: &str) -> Option<Point> {
        self.at(self.schema.column(path)?)
    }

    fn at(&self, (column, is_average): (usize, bool)) -> Option<Point> {
        let value = *self.columns.get(column)?;
        let count = if is_average { *self.columns.get(column + 1)? } else { 0 };
        Some(Point { t: self.t, value, count })
    }
}

/// Counters of all daemons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerfIndex {
    daemons: BTreeMap<DaemonKey, Arc<DaemonPerf>>,
    /// Every counter that was ever declared, by path: the schemas point here.
    types: BTreeMap<String, Arc<PerfCounterType>>,
    /// By number.
    schemas: Vec<Arc<Schema>>,
    /// Schemas that there have ever been.
    schemas_made: u64,
    changes: u64,
    gone: u64,
}

impl PerfIndex {
    /// How often something has changed: a report has come, a session has begun, a daemon has gone.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Which of these changes was the last at which a daemon went.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.gone
    }

    /// The daemons of a type, by name.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a DaemonPerf)> {
        let from = self.daemons.range(DaemonKey::new(kind, "")..);
        from.take_while(move |(key, _)| key.kind == kind).map(|(key, perf)| (key.name.as_str(), &**perf))
    }

    /// A schema that some daemon has, by its number.
    #[must_use]
    pub fn schema(&self, number: u64) -> Option<&Schema> {
        let at = self.schemas.binary_search_by_key(&number, |schema| schema.number()).ok()?;
        self.schemas.get(at).map(|schema| &**schema)
    }

    /// One daemon's counters.
    #[must_use]
    pub fn daemon(&self, key: &DaemonKey) -> Option<&Arc<DaemonPerf>> {
        self.daemons.get(key)
    }

    /// Every daemon's.
    pub fn iter(&self) -> impl Iterator<Item = (&DaemonKey, &Arc<DaemonPerf>)> {
        self.daemons.iter()
    }

    /// A daemon's session begins: it will declare its counters anew.
    pub fn open(&mut self, key: &DaemonKey) {
        self.changes += 1;
        let fresh = DaemonPerf { changed: self.changes, ..DaemonPerf::default() };
        self.daemons.insert(key.clone(), Arc::new(fresh));
    }

    /// A daemon has gone.
    pub fn close(&mut self, key: &DaemonKey) {
        if self.daemons.remove(key).is_some() {
            self.changes += 1;
            self.gone = self.changes;
        }
    }

    /// Every daemon has gone.
    pub fn close_all(&mut self) {
        (self.daemons, self.types, self.schemas) = Default::default();
        self.changes += 1;
        self.gone = self.changes;
    }

    /// Takes in a report. An error leaves the daemon as it was.
    pub fn apply(&mut self, key: &DaemonKey, report: &MMgrReport, now: UTime) -> Result<(), DecodeError> {
        let known = self.daemons.get(key).map(|d| d.schema.clone()).unwrap_or_default();
        let schema = if report.declare_types.is_empty() && report.undeclare_types.is_empty() {
            known
        } else {
            let changed = known.changed(&report.declare_types, &report.undeclare_types, &mut self.types);
            self.interned(changed)
        };
        let columns = unpacked(&schema, &report.packed)?;
        self.changes += 1;
        let daemon = Arc::make_mut(self.daemons.entry(key.clone()).or_default());
        daemon.changed = self.changes;
        daemon.schema = schema.clone();
        if daemon.samples.len() == SAMPLES_MAX {
            daemon.samples.pop_front();
        }
        daemon.samples.push_back(Sample { t: now, schema, columns });
        Ok(())
    }

    /// The same schema that another daemon has already, or this one.
    fn interned(&mut self, schema: Schema) -> Arc<Schema> {
        if let Some(known) = self.schemas.iter().find(|known| known.declares_the_same(&schema)) {
            return known.clone();
        }
        self.forget_unused();
        self.schemas_made += 1;
        let schema = Arc::new(schema.numbered(self.schemas_made));
        self.schemas.push(schema.clone());
        schema
    }

    /// Schemas and types that no daemon uses any more go when a new schema comes, so that a daemon that declares ever new
    /// counters costs no more than its own.
    fn forget_unused(&mut self) {
        let of = |daemon: &Arc<DaemonPerf>| {
            let sampled = daemon.samples.iter().map(|sample| Arc::as_ptr(&sample.schema));
            sampled.chain([Arc::as_ptr(&daemon.schema)]).collect::<Vec<_>>()
        };
        let used: BTreeSet<*const Schema> = self.daemons.values().flat_map(of).collect();
        self.schemas.retain(|known| used.contains(&Arc::as_ptr(known)));
        let paths: BTreeSet<&str> = self
            .schemas
            .iter()
            .flat_map(|schema| schema.types())
            .map(|counter| counter.path.as_str())
            .collect();
        self.types.retain(|path, _| paths.contains(path.as_str()));
    }
}

/// The values behind the envelope, by the schema's order.
fn unpacked(schema: &Schema, packed: &[u8]) -> Result<Arc<[u64]>, DecodeError> {
    let (_, mut r) = Reader::named(packed, "MMgrReport").envelope(1, "MMgrReport::packed")?;
    let mut columns = Vec::with_capacity(schema.columns());
    for counter in schema.types() {
        columns.push(r.u64()?);
        if is_average(counter) {
            columns.push(r.u64()?);
            // The count once more: the daemon's guard against torn reads.
            r.u64()?;
        }
    }
    Ok(columns.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_denc::Writer;

    fn counter(path: &str, kind: u8) -> PerfCounterType {
        PerfCounterType {
            path: path.to_owned(),
            description: String::new(),
            nick: String::new(),
            kind,
            priority: 5,
            unit: 1,
        }
    }

    fn report(declare: &[PerfCounterType], undeclare: &[&str], values: &[u64]) -> MMgrReport {
        let mut w = Writer::new();
        w.envelope(1, 1, |w| values.iter().for_each(|v| w.u64(*v)));
        MMgrReport {
            declare_types: declare.to_vec(),
            undeclare_types: undeclare.iter().map(|s| (*s).to_owned()).collect(),
            packed: w.into_bytes(),
            ..Default::default()
        }
    }

    fn at(sec: u32) -> UTime {
        UTime { sec, nsec: 0 }
    }

    #[test]
    fn values_travel_in_the_order_of_their_paths() {
        let mut index = PerfIndex::default();
        let key = DaemonKey::new("osd", "0");
        let average = PerfCounterType::LONGRUNAVG | PerfCounterType::TIME;
        let declared = [counter("osd.op_w", 10), counter("osd.lat", average)];
        index.open(&key);
        index.apply(&key, &report(&declared, &[], &[700, 7, 7, 40]), at(10)).unwrap();
        index.apply(&key, &report(&[], &[], &[800, 8, 8, 60]), at(15)).unwrap();
        let osd = index.daemon(&key).unwrap();
        assert_eq!(osd.latest("osd.lat"), Some(Point { t: at(15), value: 800, count: 8 }));
        assert_eq!(osd.history("osd.op_w").map(|p| p.value).collect::<Vec<_>>(), [40, 60]);
        assert!((osd.rate("osd.op_w") - 4.0).abs() < 1e-9);
        assert!(osd.rate("osd.nope").abs() < 1e-9);
    }

    #[test]
    fn one_daemons_strange_types_do_not_spoil_anothers_counters() {
        let mut index = PerfIndex::default();
        let (bad, good) = (DaemonKey::new("osd", "0"), DaemonKey::new("osd", "1"));
        let average = PerfCounterType::LONGRUNAVG;
        index.apply(&bad, &report(&[counter("osd.op", average)], &[], &[9, 1, 1]), at(1)).unwrap();
        index.apply(&good, &report(&[counter("osd.op", 10)], &[], &[5]), at(1)).unwrap();
        let latest = |key| index.daemon(key).and_then(|d| d.latest("osd.op"));
        assert_eq!(latest(&good), Some(Point { t: at(1), value: 5, count: 0 }));
        assert_eq!(latest(&bad), Some(Point { t: at(1), value: 9, count: 1 }));
    }

    #[test]
    fn ever_new_counters_of_one_daemon_do_not_pile_up() {
        let mut index = PerfIndex::default();
        let key = DaemonKey::new("osd", "0");
        let mut published = index.clone();
        for i in 0..200u32 {
            let old = format!("osd.n{}", i.wrapping_sub(1));
            let new = counter(&format!("osd.n{i}"), 10);
            index.apply(&key, &report(&[new], &[&old], &[1]), at(i)).unwrap();
            published = index.clone();
        }
        assert!(published.types.len() <= SAMPLES_MAX + 2, "{}", published.types.len());
        assert!(published.schemas.len() <= SAMPLES_MAX + 2, "{}", published.schemas.len());
    }

    #[test]
    fn of_two_values_of_one_moment_the_newer_one_counts() {
        let mut index = PerfIndex::default();
        let key = DaemonKey::new("mds", "a");
        index.apply(&key, &report(&[counter("mds.x", 10)], &[], &[10]), at(10)).unwrap();
        for value in [15, 20] {
            index.apply(&key, &report(&[], &[], &[value]), at(12)).unwrap();
        }
        assert!((index.daemon(&key).unwrap().rate("mds.x") - 5.0).abs() < 1e-9);
    }

    #[test]
    fn rates_are_between_neighbours_and_skip_what_came_at_one_moment() {
        let mut index = PerfIndex::default();
        let key = DaemonKey::new("osd", "0");
        index.apply(&key, &report(&[counter("a", 10)], &[], &[1]), at(1)).unwrap();
        assert_eq!(index.daemon(&key).unwrap().rates("a"), [], "one value has no rate");
        for (sec, value) in [(2, 3), (4, 11), (4, 9), (5, 16)] {
            index.apply(&key, &report(&[], &[], &[value]), at(sec)).unwrap();
        }
        let osd = index.daemon(&key).unwrap();
        assert_eq!(osd.rates("a"), [(2.0, 2.0), (4.0, 3.0), (5.0, 7.0)]);
        assert_eq!(osd.rates("nope"), []);
    }

    #[test]
    fn what_only_grows_and_averages_are_shown_as_rates() {
        let kinds =
            [(2, false), (1, false), (2 | 8, true), (2 | 4, true), (1 | 4, true), (2 | 8 | 0x10, false)];
        for (kind, expected) in kinds {
            assert_eq!(shows_rate(&counter("a", kind)), expected, "{kind}");
        }
    }

    #[test]
    fn a_report_that_does_not_fit_its_schema_changes_nothing() {
        let mut index = PerfIndex::default();
        let key = DaemonKey::new("osd", "0");
        index.apply(&key, &report(&[counter("a", 10)], &[], &[1]), at(1)).unwrap();
        let before = index.clone();
        assert!(index.apply(&key, &report(&[counter("b", 10)], &[], &[1]), at(2)).is_err());
        assert_eq!(index.daemons, before.daemons);
        index.apply(&key, &report(&[], &["a"], &[]), at(3)).unwrap();
        assert_eq!(index.daemon(&key).unwrap().latest("a"), None);
    }

    #[test]
    fn who_has_seen_some_changes_finds_the_later_ones() {
        let mut index = PerfIndex::default();
        let (a, b) = (DaemonKey::new("osd", "0"), DaemonKey::new("osd", "1"));
        for key in [&a, &b, &DaemonKey::new("mds", "x"), &DaemonKey::new("osdx", "0")] {
            index.apply(key, &report(&[counter("n", 10)], &[], &[1]), at(1)).unwrap();
        }
        let later = |index: &PerfIndex, since| {
            let osds = index.of_kind("osd").filter(|(_, osd)| osd.changed() > since);
            osds.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(later(&index, 0), ["0", "1"]);
        let seen = index.changes();
        assert_eq!(later(&index, seen), [""; 0]);
        index.apply(&b, &report(&[], &[], &[2]), at(2)).unwrap();
        assert_eq!(later(&index, seen), ["1"]);
        index.open(&a);
        assert_eq!(later(&index, seen), ["0", "1"]);
        assert!(index.gone() <= seen);
        index.close(&a);
        assert!(index.gone() > seen && later(&index, seen) == ["1"]);
        let seen = index.changes();
        index.close_all();
        assert!(index.gone() > seen && later(&index, 0).is_empty(), "the count goes on");
    }

    #[test]
    fn a_schema_is_found_by_its_number_while_a_daemon_has_it() {
        let mut index = PerfIndex::default();
        let number = |index: &PerfIndex, osd: &str| {
            index.daemon(&DaemonKey::new("osd", osd)).map(|osd| osd.schema().number())
        };
        for (osd, path) in [("0", "a"), ("1", "b"), ("2", "a")] {
            let key = DaemonKey::new("osd", osd);
            index.apply(&key, &report(&[counter(path, 10)], &[], &[1]), at(1)).unwrap();
        }
        assert_eq!(number(&index, "0"), number(&index, "2"));
        let b = number(&index, "1").unwrap();
        assert_eq!(index.schema(b).unwrap().types().map(|t| t.path.as_str()).collect::<Vec<_>>(), ["b"]);
        index.close(&DaemonKey::new("osd", "1"));
        let c = report(&[counter("c", 10)], &["a"], &[1]);
        index.apply(&DaemonKey::new("osd", "0"), &c, at(2)).unwrap();
        assert!(index.schema(b).is_none(), "forgotten when another one comes");
        let c = number(&index, "0").unwrap();
        assert!(c > b && index.schema(c).is_some(), "a number is not used again");
        assert!(index.schema(number(&index, "2").unwrap()).is_some());
    }

    #[test]
    fn daemons_with_the_same_counters_share_a_schema_and_history_is_bounded() {
        let mut index = PerfIndex::default();
        let declared = [counter("a", 10), counter("b", 10)];
        for id in 0..3 {
            let key = DaemonKey::new("osd", id.to_string());
            index.apply(&key, &report(&declared, &[], &[1, 2]), at(1)).unwrap();
            for sec in 2..40 {
                index.apply(&key, &report(&[], &[], &[1, 2]), at(sec)).unwrap();
            }
            assert_eq!(index.daemon(&key).unwrap().history("a").count(), SAMPLES_MAX);
        }
        assert_eq!(index.schemas.len(), 1);
    }
}
