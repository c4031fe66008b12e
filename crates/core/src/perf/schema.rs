//! The counters that a daemon has declared, in the order in which their values travel.

use super::is_average;
use axon_proto::msgs::mgr_report::PerfCounterType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Declared counters, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    types: Vec<Arc<PerfCounterType>>,
    /// First column of each counter; an average has two.
    starts: Vec<usize>,
    columns: usize,
    number: u64,
}

impl Schema {
    /// The counters, by path.
    pub fn types(&self) -> impl Iterator<Item = &PerfCounterType> {
        self.types.iter().map(|t| &**t)
    }

    /// Its own among all that a manager ever has; 0: of a daemon that has declared nothing.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn numbered(self, number: u64) -> Schema {
        Schema { number, ..self }
    }

    pub(super) fn declares_the_same(&self, other: &Schema) -> bool {
        self.types == other.types
    }

    /// One counter's type.
    #[must_use]
    pub fn counter(&self, path: &str) -> Option<&PerfCounterType> {
        self.types.get(self.position(path)?).map(|t| &**t)
    }

    /// Number of values that one report carries, counts included.
    #[must_use]
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// A counter's column, and whether its count is in the next one.
    pub(super) fn column(&self, path: &str) -> Option<(usize, bool)> {
        let at = self.position(path)?;
        Some((*self.starts.get(at)?, is_average(self.types.get(at)?)))
    }

    /// With counters added and removed. A type that some daemon has declared before is shared; who declares another type for
    /// the same path has it for itself (upstream keeps the first, so that one daemon can spoil what others report).
    pub(super) fn changed(
        &self,
        declare: &[PerfCounterType],
        undeclare: &[String],
        known: &mut BTreeMap<String, Arc<PerfCounterType>>,
    ) -> Schema {
        let mut types: BTreeMap<&str, Arc<PerfCounterType>> =
            self.types.iter().map(|t| (t.path.as_str(), t.clone())).collect();
        for declared in declare {
            let shared = known.entry(declared.path.clone()).or_insert_with(|| Arc::new(declared.clone()));
            let own = if **shared == *declared { shared.clone() } else { Arc::new(declared.clone()) };
            types.insert(&declared.path, own);
        }
        for path in undeclare {
            types.remove(path.as_str());
        }
        let types: Vec<_> = types.into_values().collect();
        let mut starts = Vec::with_capacity(types.len());
        let mut columns = 0;
        for counter in &types {
            starts.push(columns);
            columns += if is_average(counter) { 2 } else { 1 };
        }
        Schema { types, starts, columns, number: 0 }
    }

    fn position(&self, path: &str) -> Option<usize> {
        self.types.binary_search_by(|t| t.path.as_str().cmp(path)).ok()
    }
}
