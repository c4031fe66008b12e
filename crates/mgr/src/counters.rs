//! What the manager counts about itself: `perf dump` and `perf schema` of `ceph tell mgr.x` (`PerfCountersCollection`).

use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// `PERFCOUNTER_U64`, and with `PERFCOUNTER_COUNTER`.
const GAUGE: u8 = 2;
const COUNTER: u8 = 10;

macro_rules! counters {
    ($($name:ident: $kind:ident = $what:literal;)*) => {
        /// Values since the start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $( pub $name: AtomicU64, )*
        }

        impl Counters {
            fn rows(&self) -> Vec<(&'static str, u8, &'static str, u64)> {
                vec![$( (stringify!($name), $kind, $what, self.$name.load(Ordering::Relaxed)), )*]
            }
        }
    };
}

counters! {
    mon_messages: COUNTER = "Messages of the monitors";
    daemon_messages: COUNTER = "Messages of daemons and clients";
    malformed_messages: COUNTER = "Messages that could not be read and cost their session";
    sessions: GAUGE = "Sessions of daemons and clients";
    commands: COUNTER = "Commands of daemons and clients";
    snapshots: COUNTER = "Snapshots of the cluster's state that were published";
}

/// The one logger.
const LOGGER: &str = "axon";

impl Counters {
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// `perf dump`, of one logger or counter where they are named.
    pub fn dump(&self, logger: &str, counter: &str) -> Value {
        self.by_logger(logger, counter, |(.., value)| json!(value))
    }

    /// `perf schema`.
    pub fn schema(&self) -> Value {
        self.by_logger("", "", |(_, kind, description, _)| {
            let metric_type = if kind == COUNTER { "counter" } else { "gauge" };
            json!({
                "type": kind,
                "metric_type": metric_type,
                "value_type": "integer",
                "description": description,
                "nick": "",
                "priority": 0,
                "units": "none",
            })
        })
    }

    fn by_logger(
        &self,
        logger: &str,
        counter: &str,
        show: impl Fn((&'static str, u8, &'static str, u64)) -> Value,
    ) -> Value {
        if !logger.is_empty() && logger != LOGGER {
            return json!({});
        }
        let rows = self.rows().into_iter().filter(|(name, ..)| counter.is_empty() || *name == counter);
        let shown: Map<String, Value> = rows.map(|row| (row.0.to_owned(), show(row))).collect();
        json!({ LOGGER: shown })
    }
}
