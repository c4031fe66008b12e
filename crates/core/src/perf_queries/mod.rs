//! Performance queries (`MetricCollector` in `src/mgr/MetricCollector.{h,cc}`, `OSDPerfMetricCollector`,
//! `MDSPerfMetricCollector`; alike in all releases): who asks OSDs or MDSs which counters to keep by client, pool, object, …, and
//! what they have reported since it was read last. `parse.rs` reads a query as modules write it, `json.rs` shows counters as modules
//! get them.
//!
//! Invariants:
//! - reading a query's counters empties them; what an OSD reports adds up until then, what an MDS reports replaces what it said
//!   before;
//! - a query that nobody has asked for, or not any more, keeps nothing, whatever daemons report;
//! - of one query no more than [`KEYS_MAX`] keys and [`KEYS_BYTES_MAX`] are kept: what comes beyond is counted and dropped.
//!
//! The owner (`crates/mgr`) gives it the reports and tells daemons when queries change.

mod json;
mod parse;

pub use parse::parse;

use axon_denc::Reader;
use axon_proto::perf_metric::{
    CounterDescriptor, MdsPerfMetricReport, OsdPerfMetricQueries, PerfMetricLimit, PerfMetricQuery,
    PerfMetricReport,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys that are kept of one query until it is read. Upstream has no limit.
pub const KEYS_MAX: usize = 65_536;

/// Bytes of their texts.
pub const KEYS_BYTES_MAX: usize = 16 << 20;

/// Whom a query asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Osd,
    Mds,
}

/// `MetricQueryID`. Never used twice.
pub type QueryId = u64;

/// For each sub key what its expression has matched.
pub type Key = Vec<Vec<String>>;

/// `PerformanceCounter`: a value, and a count or second value where the counter has one.
pub type Counter = (u64, u64);

/// What a query has brought since it was read last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// In the order of the query's counters.
    pub by_key: BTreeMap<Key, Vec<Counter>>,
    /// Ranks whose metrics are old. MDS only.
    pub delayed_ranks: BTreeSet<i32>,
    /// When MDSs reported last, by the machine's monotonic clock in seconds. MDS only.
    pub last_updated_mono_secs: f64,
    /// Keys that were dropped as there were too many.
    pub dropped: u64,
}

#[derive(Default)]
struct Asked {
    limit: Option<PerfMetricLimit>,
    counters: BTreeMap<Key, Vec<Counter>>,
    keys_bytes: usize,
    dropped: u64,
}

#[derive(Default)]
struct Collector {
    queries: BTreeMap<PerfMetricQuery, BTreeMap<QueryId, Asked>>,
    delayed_ranks: BTreeSet<i32>,
    last_updated_mono_secs: f64,
}

#[derive(Default)]
struct Inner {
    osd: Collector,
    mds: Collector,
    next_id: QueryId,
    /// Kinds of daemons that have yet to hear of a change.
    changed: BTreeSet<Kind>,
}

type Notify = Box<dyn Fn() + Send + Sync>;

/// All queries. One for the whole manager; modules add, read and remove queries through it.
#[derive(Default)]
pub struct PerfQueries {
    inner: Mutex<Inner>,
    notify: Mutex<Option<Notify>>,
}

impl PerfQueries {
    /// `add_osd_perf_query`, `add_mds_perf_query`. Two who ask the same share what daemons report.
    pub fn add(&self, kind: Kind, query: PerfMetricQuery, limit: Option<PerfMetricLimit>) -> QueryId {
        let mut inner = self.inner();
        let id = inner.next_id;
        inner.next_id += 1;
        let asking = inner.collector(kind).queries.entry(query).or_default();
        // Upstream's rule: a query that daemons answer without a limit already is not sent again.
        let tell = asking.is_empty() || is_limited(asking);
        asking.insert(id, Asked { limit, ..Asked::default() });
        self.tell(inner, kind, tell);
        id
    }

    /// `remove_osd_perf_query`, `remove_mds_perf_query`; whether there was such a query.
    pub fn remove(&self, kind: Kind, id: QueryId) -> bool {
        let mut inner = self.inner();
        let queries = &mut inner.collector(kind).queries;
        let Some((query, asking)) = queries.iter_mut().find(|(_, asking)| asking.contains_key(&id)) else {
            return false;
        };
        asking.remove(&id);
        let (last, limited, query) = (asking.is_empty(), is_limited(asking), query.clone());
        if last {
            queries.remove(&query);
        }
        self.tell(inner, kind, last || limited);
        true
    }

    /// `reregister_mds_perf_queries`: daemons are told again.
    pub fn reregister(&self, kind: Kind) {
        self.tell(self.inner(), kind, true);
    }

    /// `get_osd_perf_counters`, `get_mds_perf_counters`: what has come since the last time. `None`: no such query.
    pub fn take_counters(&self, kind: Kind, id: QueryId) -> Option<Counters> {
        let mut inner = self.inner();
        let collector = inner.collector(kind);
        let (delayed_ranks, last_updated_mono_secs) =
            (collector.delayed_ranks.clone(), collector.last_updated_mono_secs);
        let asked = collector.queries.values_mut().find_map(|asking| asking.get_mut(&id))?;
        let Asked { counters: by_key, dropped, .. } =
            std::mem::replace(asked, Asked { limit: asked.limit, ..Asked::default() });
        Some(Counters { by_key, delayed_ranks, last_updated_mono_secs, dropped })
    }

    /// The same as a Python module gets it.
    #[must_use]
    pub fn take_json(&self, kind: Kind, id: QueryId) -> Option<Value> {
        self.take_counters(kind, id).map(|counters| json::show(kind, &counters))
    }

    /// `get_queries`: what daemons are asked. A query that somebody asks without a limit has none.
    #[must_use]
    pub fn queries(&self, kind: Kind) -> OsdPerfMetricQueries {
        let mut inner = self.inner();
        let queries = inner.collector(kind).queries.iter();
        let limits = |asking: &BTreeMap<QueryId, Asked>| match is_limited(asking) {
            true => asking.values().filter_map(|asked| asked.limit).collect(),
            false => BTreeSet::new(),
        };
        queries.map(|(query, asking)| (query.clone(), limits(asking))).collect()
    }

    /// What an OSD has counted since its last report.
    pub fn apply_osd(&self, reports: &BTreeMap<PerfMetricQuery, PerfMetricReport>) {
        if reports.is_empty() {
            return;
        }
        let add = |kept: &mut Counter, update: Counter| {
            kept.0 = kept.0.wrapping_add(update.0);
            kept.1 = kept.1.wrapping_add(update.1);
        };
        self.inner().osd.apply(Kind::Osd, reports, add);
    }

    /// What MDSs know, as the one of rank 0 tells for all; `now_mono_secs` is the machine's monotonic clock.
    pub fn apply_mds(&self, report: &MdsPerfMetricReport, now_mono_secs: f64) {
        let mut inner = self.inner();
        inner.mds.apply(Kind::Mds, &report.reports, |kept, update| *kept = update);
        inner.mds.delayed_ranks.clone_from(&report.rank_metrics_delayed);
        inner.mds.last_updated_mono_secs = now_mono_secs;
    }

    /// Whom to tell that queries have changed, and that nobody need be told any more.
    pub fn take_changed(&self) -> BTreeSet<Kind> {
        std::mem::take(&mut self.inner().changed)
    }

    /// Forgets all queries: this manager is not active any more.
    pub fn clear(&self) {
        let mut inner = self.inner();
        let next_id = inner.next_id;
        *inner = Inner { next_id, ..Inner::default() };
    }

    /// Calls `notify` after each change that daemons must hear of.
    pub fn on_change(&self, notify: impl Fn() + Send + Sync + 'static) {
        *self.notify.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(notify));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut inner: MutexGuard<'_, Inner>, kind: Kind, tell: bool) {
        if !tell {
            return;
        }
        inner.changed.insert(kind);
        drop(inner);
        if let Some(notify) = &*self.notify.lock().unwrap_or_else(PoisonError::into_inner) {
            notify();
        }
    }
}

impl Inner {
    fn collector(&mut self, kind: Kind) -> &mut Collector {
        match kind {
            Kind::Osd => &mut self.osd,
            Kind::Mds => &mut self.mds,
        }
    }
}

/// Whether somebody asks with a limit. Upstream's rule: then daemons keep to the limits, whoever else asks without one.
fn is_limited(asking: &BTreeMap<QueryId, Asked>) -> bool {
    asking.values().any(|asked| asked.limit.is_some())
}

impl Collector {
    fn apply(
        &mut self,
        kind: Kind,
        reports: &BTreeMap<PerfMetricQuery, PerfMetricReport>,
        update: impl Fn(&mut Counter, Counter),
    ) {
        for (query, report) in reports {
            let Some(asking) = self.queries.get_mut(query) else { continue };
            let wanted = &query.performance_counter_descriptors.0;
            let sent = &report.performance_counter_descriptors.0;
            for (key, packed) in &report.group_packed_performance_counters {
                let values = unpacked(kind, wanted, sent, packed);
                for asked in asking.values_mut() {
                    asked.apply(key, wanted.len(), &values, &update);
                }
            }
        }
    }
}

impl Asked {
    fn apply(
        &mut self,
        key: &Key,
        len: usize,
        values: &[(usize, Counter)],
        update: impl Fn(&mut Counter, Counter),
    ) {
        if !self.counters.contains_key(key) {
            let bytes = key.iter().flatten().map(String::len).sum::<usize>();
            if self.counters.len() >= KEYS_MAX || self.keys_bytes.saturating_add(bytes) > KEYS_BYTES_MAX {
                self.dropped += 1;
                return;
            }
            self.keys_bytes += bytes;
            self.counters.insert(key.clone(), vec![(0, 0); len]);
        }
        let Some(kept) = self.counters.get_mut(key) else { return };
        for (at, value) in values {
            if let Some(kept) = kept.get_mut(*at) {
                update(kept, *value);
            }
        }
    }
}

/// A key's counters with their places in the query. A daemon sends those of the query that it knows, in the query's order; what
/// is cut off is not there.
fn unpacked(
    kind: Kind,
    wanted: &[CounterDescriptor],
    sent: &[CounterDescriptor],
    packed: &[u8],
) -> Vec<(usize, Counter)> {
    let mut r = Reader::named(packed, "PerformanceCounter");
    let mut sent = sent.iter().peekable();
    let mut out = Vec::with_capacity(wanted.len());
    for (at, descriptor) in wanted.iter().enumerate() {
        if sent.next_if_eq(&descriptor).is_none() {
            continue;
        }
        let Ok(first) = r.u64() else { break };
        let second = if has_second(kind, *descriptor) { r.u64() } else { Ok(0) };
        let Ok(second) = second else { break };
        out.push((at, (first, second)));
    }
    out
}

/// An OSD's latencies have a count (`PerformanceCounterDescriptor::unpack_counter`); an MDS's counters always have two values.
fn has_second(kind: Kind, descriptor: CounterDescriptor) -> bool {
    const LATENCIES: std::ops::RangeInclusive<u8> = 6..=8;
    kind == Kind::Mds || LATENCIES.contains(&descriptor.kind)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
